"""Tell lineage tools what a run makes, in OpenLineage's words: in a file for each run, and at OPENLINEAGE_URL.

Nothing of it is in data, descriptions or commits, and nothing that goes wrong with it fails a build.
"""

import fcntl
import json
import secrets
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

from registry.config.load import Datasets
from registry.describe.run import run_of
from registry.errors import RegistryError
from registry.gate import read_json
from registry.shown import one_line, public_url, shown
from registry.storage.git import Git
from registry.storage.snapshot import METADATA, PROVENANCE
from registry.storage.states import State
from registry.workflow import openlineage
from registry.workflow.exchange import place_of
from registry.workflow.failures import FailedJob
from registry.workflow.sending import Sender

FOLDER = Path("logs", "openlineage")
"""Below the folder of the run."""
NAMESPACE = "default"
"""That of the jobs of a registry without an address, as OpenLineage's own clients have it."""
KEPT = 20
"""As many runs leave their events there."""
PATIENCE = 5
"""Seconds that a run waits at its end for its events to be sent."""
MAX_SETTING = 2000
"""Characters of a variable."""
KILLED = "the run was killed"
UNDONE = "the run ended before all jobs of this dataset were done"
AS_RELEASED = (State.RELEASED, State.RECORDED, State.UNCHANGED)
"""What a release may make of a dataset whose data is that of a version."""


class Lineage:
    """The events of one run: a START for each dataset that it is to build, and COMPLETE, FAIL or ABORT at its end."""

    def __init__(self, environment: Mapping[str, str], root: Path = Path()) -> None:
        self._environment, self._root = environment, root
        self._off = environment.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true"
        self._started: dict[str, dict[str, Any]] = {}
        self._place: openlineage.Place
        self._file: IO[bytes] | None = None
        self._sender: Sender | None = None

    def begin(self, jobs: Iterable[Any], datasets: Datasets, *, since: float) -> None:
        """Tell that these jobs of Snakemake are about to start, and what runs left open that were killed."""
        names = sorted(_datasets_of(jobs) & {*datasets})
        if self._off or not names:
            return
        with _never_failing():
            git = Git.find(self._root)
            self._place = place = openlineage.Place(git and git.origin(), self._root)
            commit, facts = git and git.commit(), run_of(self._environment)
            namespace = self._setting("OPENLINEAGE_NAMESPACE") or place.address or NAMESPACE
            facets = openlineage.run_facets(facts, self._parent(facts, namespace))
            self._open()
            for name in names:
                self._started[name] = openlineage.event(
                    "START",
                    since,
                    {"runId": uuid7(), "facets": facets},
                    openlineage.job_of(name, namespace, place, facts.get("commit") or commit),
                    openlineage.declared_inputs(datasets[name], place),
                    openlineage.output_of(datasets[name], datasets.aliases.get(name, []), place),
                )
                self._tell(self._started[name])

    def end(
        self,
        undone: Iterable[Any],
        *,
        since: float,
        failed: Sequence[FailedJob] = (),
        publication: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell what came of each dataset, given the jobs that are not done, those that failed, and of the release."""
        if not self._started:
            return
        left, outcomes = _datasets_of(undone), (publication or {}).get("outcomes", ())
        versions = {one["dataset"]: one["tag"] for one in outcomes if one["state"] in AS_RELEASED}
        for name, start in self._started.items():
            with _never_failing():
                if name in left:
                    said = [one.message or one.rule for one in failed if one.log and _dataset_in(one.log) == name]
                    kind = "FAIL" if said else "ABORT"
                    self._tell(_ended(start, kind, time.time(), "\n".join(said) or UNDONE))
                else:
                    self._tell(self._completed(name, start, versions, since=since))
        with _never_failing():
            self._close()

    def _completed(
        self, name: str, start: Mapping[str, Any], versions: Mapping[str, str], *, since: float
    ) -> dict[str, Any]:
        """Return the event for a dataset whose jobs are done, which tells of its data if they made all of it."""
        path = self._root / "data" / name / PROVENANCE
        if not path.is_file() or (made := path.stat().st_mtime) < since:
            return _again(start, "COMPLETE", time.time())
        provenance = read_json(path.read_bytes(), where=path)
        metadata = read_json((path.parent / METADATA).read_bytes(), where=path.parent / METADATA)
        output = openlineage.made_output(start["outputs"][0], metadata, provenance, versions.get(name))
        inputs = openlineage.used_inputs(provenance, versions, self._place)
        return {**_again(start, "COMPLETE", made), "inputs": inputs, "outputs": [output]}

    def _tell(self, event: dict[str, Any]) -> None:
        if self._file is not None:
            try:
                self._file.write(_line(event))
            except OSError as error:
                _warn(f"{self._file.name} is not complete: {error.strerror}")
                self._file = None
        if self._sender is not None:
            self._sender.send(event)

    def _open(self) -> None:
        """Begin the file of this run, and take up what earlier ones left."""
        self._sender = self._sender_of_environment()
        folder = self._root / FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
            before = sorted(folder.glob("*.jsonl"))
            self._file = (folder / f"{uuid7()}.jsonl").open("ab", buffering=0)
        except OSError as error:
            _warn(f"{error.filename} is not written: {error.strerror}")
            return
        with suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in before:
            for event in abandoned(path):
                self._tell(event)
        for path in before[: max(0, len(before) + 1 - KEPT)]:
            path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._sender is not None and (problem := self._sender.finish(PATIENCE)):
            _warn(f"{problem}; all are in {self._file.name}" if self._file else problem)
        if self._file is not None:
            self._file.close()

    def _sender_of_environment(self) -> Sender | None:
        """Return what sends to OPENLINEAGE_URL, by the variables that OpenLineage's own clients know."""
        url = self._setting("OPENLINEAGE_URL")
        if not url:
            return None
        try:
            parts = urlsplit(url)
            usable = (
                parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and not parts.query
            )
        except ValueError:
            usable = False
        if not usable:
            _warn(f"OPENLINEAGE_URL is no address of a receiver, or holds a password: {public_url(one_line(url))}")
            return None
        endpoint = self._setting("OPENLINEAGE_ENDPOINT") or "api/v1/lineage"
        key = self._setting("OPENLINEAGE_API_KEY")
        return Sender(f"{url.rstrip('/')}/{endpoint.lstrip('/')}", {"Authorization": f"Bearer {key}"} if key else {})

    def _parent(self, facts: Mapping[str, str], namespace: str) -> dict[str, str] | None:
        """Return what started this run: what OPENLINEAGE_PARENT_ID says, else the run that REGISTRY_RUN_ID names."""
        if given := self._setting("OPENLINEAGE_PARENT_ID"):
            namespace_of, _, rest = given.rpartition("/")[0].rpartition("/")
            if namespace_of and rest and (known := _uuid(given.rpartition("/")[2])):
                return {"namespace": namespace_of, "name": rest, "id": known}
            _warn("OPENLINEAGE_PARENT_ID is not namespace/job/run, with a UUID as the run")
        if "id" not in facts:
            return None
        # A parent is named by a UUID, which ids of schedulers seldom are: the same id, the same UUID.
        known = _uuid(facts["id"]) or str(uuid5(NAMESPACE_URL, facts.get("url") or facts["id"]))
        return {"namespace": namespace, "name": "registry run", "id": known}

    def _setting(self, variable: str) -> str:
        """Return the value of a variable; nothing where it is no line."""
        value = self._environment.get(variable, "").strip()
        if value.isprintable() and len(value) <= MAX_SETTING:
            return value
        _warn(f"{variable} is left out: not a line of at most {MAX_SETTING} printable characters")
        return ""


def uuid7() -> str:
    """Return a new UUID which begins with the time, so that they sort by it (RFC 9562, version 7)."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return str(UUID(int=number & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62))


def abandoned(path: Path) -> Iterator[dict[str, Any]]:
    """Yield an ABORT for each START without an end in the file of a run that was killed, once: they are noted there.

    Nothing is of a run that goes on, nor where the file system has no locks.
    """
    try:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            killed, opened, line = path.stat().st_mtime, {}, b"\n"
            for line in file:
                # One that was cut short tells of nothing.
                with suppress(ValueError, KeyError, TypeError):
                    event = json.loads(line)
                    opened.pop(event["run"]["runId"], None)
                    if event["eventType"] == "START":
                        opened[event["run"]["runId"]] = event
            events = [_ended(start, "ABORT", killed, KILLED) for start in opened.values()]
            file.write((b"" if line.endswith(b"\n") else b"\n") + b"".join(map(_line, events)))
            yield from events
    except OSError:
        return


def _line(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"


def _ended(start: Mapping[str, Any], kind: str, moment: float, message: str) -> dict[str, Any]:
    """Return the event by which a run ends that did not make its dataset."""
    event = _again(start, kind, moment)
    facets = {**event["run"]["facets"], "errorMessage": openlineage.failure(message)}
    return {**event, "run": {**event["run"], "facets": facets}}


def _again(start: Mapping[str, Any], kind: str, moment: float) -> dict[str, Any]:
    """Return an event of the same run, of another kind and at another moment."""
    return openlineage.event(kind, moment, start["run"], start["job"], start["inputs"], start["outputs"][0])


def _datasets_of(jobs: Iterable[Any]) -> set[str]:
    """Return the datasets that jobs work on, by where these have their logs."""
    return {name for job in jobs for log in [*job.log][:1] if (name := _dataset_in(place_of(log)))}


def _dataset_in(log: str) -> str | None:
    parts = Path(log).parts
    return parts[1] if len(parts) > 2 and parts[0] == "logs" else None


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None


@contextmanager
def _never_failing() -> Iterator[None]:
    """Let nothing of the block end a run: say what went wrong, and go on."""
    try:
        yield
    except (OSError, RegistryError) as error:
        _warn(str(error))
    except Exception:
        print(shown(traceback.format_exc()), file=sys.stderr, end="")


def _warn(what: str) -> None:
    print(f"OpenLineage: {shown(what)}", file=sys.stderr)
