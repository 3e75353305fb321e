"""Bring released data back without computing it: `registry pull`, and what going back and forth shares with it.

    1  what would be lost is looked for; without --force it stays, and its dataset with it
    2  data is fetched into DVC's cache
    3  descriptions, then data, appear at their places, each at once
    4  every byte is checked, and whether this checkout would make the same
    5  Snakemake is told: what passed is done, the rest has to be built again
Run again after being killed at any point, it does what is left.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.config.load import upstream
from registry.config.pins import pin_of
from registry.errors import RegistryError
from registry.extras import needed
from registry.files import SNAKEMAKE_TIMESTAMP, atomic_file, data_files, dvc_digest, seal
from registry.release.assess import Built, NotReady, read_built, rule_of
from registry.release.current import SOMEWHERE, check_bytes, check_current, configured
from registry.release.record import alone
from registry.storage.git import Git
from registry.storage.repository import Repository, read_config
from registry.storage.snapshot import Snapshot, dvc_md5
from registry.storage.tags import releases

DESCRIPTIONS = ("metadata.json", "provenance.json")
STALE = "REGISTRY_STALE"
"""Set in the environment, it makes rules carry a fingerprint that no code has (workflow/rules/common.smk)."""
NAMED = 3
"""Files that a message names."""
PRINTED = 15
"""Lines of a failed snakemake's output that a message shows."""


@dataclass(frozen=True)
class State:
    """What a commit, or the working tree, holds of a dataset.

    `files` are those that git tracks {path: content}, without configuration and pin.
    """

    dataset: str
    files: dict[str, bytes] = field(repr=False)

    @property
    def raw(self) -> str:
        """Where the sources lie."""
        return f"data/{self.dataset}/raw"

    @property
    def outs(self) -> dict[str, str]:
        """What DVC tracks of it: {path: md5}, as the .dvc files say."""
        dvc = {path: content for path, content in self.files.items() if path.endswith(".dvc")}
        return {path.removesuffix(".dvc"): dvc_md5(content) for path, content in dvc.items()}

    @property
    def provenance(self) -> dict[str, Any]:
        """How its data was made."""
        return json.loads(self.files[f"data/{self.dataset}/provenance.json"])

    @property
    def metadata(self) -> dict[str, Any]:
        """The facts of its data."""
        return json.loads(self.files[f"data/{self.dataset}/metadata.json"])

    @property
    def data(self) -> dict[str, str]:
        """Its data and manifest: {path: md5}."""
        return {out: md5 for out, md5 in self.outs.items() if out != self.raw}


@dataclass(frozen=True)
class Restored:
    """What became of one dataset.

    `state` is restored (something was brought back), unchanged (all was here), or kept (what `unpublished` names is in
    the way). `rebuild` says why the next run builds it again; None where it has nothing to do.
    """

    dataset: str
    state: str
    version: str | None = None
    pinned: bool = False
    rebuild: str | None = None
    unpublished: list[str] = field(default_factory=list)


def _belongs(path: str, name: str) -> bool:
    folder, _, file = path.rpartition("/")
    described = folder == f"data/{name}" and (file in DESCRIPTIONS or file.endswith(".dvc"))
    return described or path.startswith(f"reports/{name}/")


def state_at(git: Git, name: str, revision: str) -> State | None:
    """Return what a commit or tag holds of a dataset; None where it holds no release of it."""
    listed = [path for top in ("data", "reports") for path in git.listed(revision, f"{top}/{name}")]
    files = git.read(revision, [path for path in listed if _belongs(path, name)])
    return State(name, files) if f"data/{name}/manifest.parquet.dvc" in files else None


def _state_here(repository: Repository, name: str) -> State | None:
    """Return what the working tree holds of a dataset; None unless its .dvc files and descriptions belong together."""
    paths = repository.git.visible(f"data/{name}", f"reports/{name}")
    files = {path: (repository.root / path).read_bytes() for path in paths if _belongs(path, name)}
    state = State(name, files)
    try:
        described = state.provenance["data"]
        data = {f"data/{name}/{described['path']}": described["md5"]}
        complete = data.items() <= state.outs.items() and f"data/{name}/manifest.parquet" in state.outs
    except (KeyError, TypeError, ValueError, RegistryError):
        return None
    return state if complete and f"data/{name}/metadata.json" in files else None


def _target(repository: Repository, name: str) -> State | None:
    """Return what a dataset is to be restored to; None where nothing of it was released.

    That is: the version that it is pinned at; else what the .dvc files of the working tree say where they were changed
    on purpose and belong to their descriptions; else HEAD.
    """
    git = repository.git
    pin = pin_of(repository.root, name)
    if pin and git.commit(f"refs/tags/{pin['tag']}"):
        return state_at(git, name, f"refs/tags/{pin['tag']}")
    committed = state_at(git, name, "HEAD") if git.commit() else None
    here = _state_here(repository, name)
    return here if here and (committed is None or here.outs != committed.outs) else committed


def pull(
    repository: Repository,
    datasets: Sequence[str] = (),
    *,
    raw: bool = False,
    remote: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> list[Restored]:
    """Restore released datasets, those named, else all, so that the next run has nothing to do for them.

    `raw` brings their sources too, `remote` names where data is fetched, `force` overwrites unpublished work. Raises
    RegistryError.
    """
    names = list(dict.fromkeys(datasets)) or repository.names()
    unknown = sorted(set(names) - set(repository.names()))
    if unknown:
        raise RegistryError(
            f"there is no dataset {', '.join(unknown)}", hint=f"choose from: {', '.join(repository.names())}"
        )
    with alone(repository, say):
        no_run_under_way(repository)
        targets = {name: _target(repository, name) for name in names}
        missing = [name for name in datasets if targets[name] is None]
        if missing:
            raise RegistryError(
                f"nothing of {', '.join(missing)} was released in this checkout", hint="git pull, or build it"
            )
        return restore(repository, [state for state in targets.values() if state], raw=raw, remote=remote, force=force)


def restore(
    repository: Repository,
    states: Sequence[State],
    *,
    raw: bool = False,
    remote: str | None = None,
    force: bool = False,
) -> list[Restored]:
    """Bring datasets to these states, check them, and tell Snakemake; arguments as for pull."""
    wrong, kept = {}, {}
    for state in states:
        outs = state.outs if raw or (repository.root / state.raw).exists() else state.data
        wrong[state.dataset] = differing(repository, outs)
        unpublished = unsaved(repository, state, wrong[state.dataset])
        if unpublished and not force:
            kept[state.dataset] = unpublished
    wanted = [state for state in states if state.dataset not in kept]
    repository.store.fetch([md5 for state in wanted for md5 in wrong[state.dataset].values()], remote)
    contained = releases(repository.git, merged="HEAD") if repository.git.commit() else {}
    brought = {state.dataset: put(repository, state, wrong[state.dataset]) for state in wanted}
    reasons = _tell(repository, states, kept)
    found = []
    for state in states:
        name = state.dataset
        pin = pin_of(repository.root, name)
        newest = str(contained[name][-1].version) if name in contained else None
        outcome = "kept" if name in kept else "restored" if brought[name] else "unchanged"
        version = pin["version"] if pin else newest
        found.append(Restored(name, outcome, version, pin is not None, reasons.get(name), kept.get(name, [])))
    return found


def differing(repository: Repository, outs: dict[str, str]) -> dict[str, str]:
    """Return those of {path: md5} that are not so on disk."""
    paths = {out: repository.root / out for out in outs}
    return {out: md5 for out, md5 in outs.items() if not paths[out].exists() or dvc_digest(paths[out]) != md5}


def unsaved(repository: Repository, state: State, outs: Iterable[str]) -> list[str]:
    """Return the files that going to a state would lose: in no commit, not in DVC's cache, not released.

    `outs` are the files and folders that are about to be replaced.
    """
    root, git, store = repository.root, repository.git, repository.store
    lost = []
    for path, content in state.files.items():
        here = root / path
        if not path.endswith(".dvc") and here.is_file() and here.read_bytes() != content and not git.is_kept(path):
            lost.append(path)
    for out in outs:
        if (root / out).exists():
            unknown = [file for file in data_files(root / out) if not store.holds(file)]
            if unknown and dvc_digest(root / out) not in _released_md5s(repository, state.dataset, out):
                lost += [file.relative_to(root).as_posix() for file in unknown]
    return lost


def _released_md5s(repository: Repository, name: str, out: str) -> set[str]:
    tags = [release.tag for release in releases(repository.git).get(name, [])]
    contents = [repository.git.read(tag, [f"{out}.dvc"]) for tag in tags]
    return {dvc_md5(content) for files in contents for content in files.values()}


def some(paths: Sequence[str]) -> str:
    """Name a few files."""
    more = len(paths) - NAMED
    return ", ".join(paths[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def put(repository: Repository, state: State, outs: dict[str, str]) -> bool:
    """Write what git tracks of a state and the data {path: md5} into the working tree; tell whether that changed it.

    What an interrupted build or restore left half-written goes.
    """
    changed = bool(outs)
    for path, content in state.files.items():
        target = repository.root / path
        if not target.is_file() or target.read_bytes() != content:
            changed = True
            with atomic_file(target) as partial:
                partial.write_bytes(content)
    folder = repository.root / "data" / state.dataset
    repository.store.remove([str(left) for left in folder.glob(".*.partial")])
    repository.store.checkout(outs)
    seal(folder / state.provenance["data"]["path"])
    return changed


def _source(repository: Repository, name: str) -> Built:
    """Return a dataset that another is made of; its data need not be here. Raises NotReady."""
    try:
        return read_built(repository.root, name)
    except NotReady as state:
        described = _state_here(repository, name)
        if state.state != "incomplete" or described is None:
            raise
        return Built(name, Snapshot(name, described.metadata, described.provenance, Path), {})


def _tell(repository: Repository, states: Sequence[State], kept: Iterable[str]) -> dict[str, str]:
    """Judge datasets, record with Snakemake what is done and what is not, and return {dataset: why it is built again}.

    Unpublished work that is complete and up to date is Snakemake's own and left alone, and so is what is pinned. What
    is recorded of a dataset is recorded of those that it is made of, too: one that is not as they are goes first.
    """
    datasets = configured(repository)
    outs = {state.dataset: state.outs for state in states}
    made_of = {name: upstream(datasets.get(name, {})) for name in outs}
    sources = dict.fromkeys(other for others in made_of.values() for other in others)
    found: dict[str, list[str]] = {"done": [], "stale": []}
    reasons = {}
    for name in dict.fromkeys([*outs, *sources]):
        if pin_of(repository.root, name):
            continue
        restored = name in outs and name not in kept
        try:
            if restored:
                built = check_bytes(repository, name, outs[name])
            elif name in outs:
                built = read_built(repository.root, name)
            else:
                built = _source(repository, name)
            check_current(repository, built, datasets)
        except NotReady as judged:
            if name in outs:
                reasons[name] = judged.reason
            if name in outs or judged.state != "not built":
                found["stale"].append(name)
        else:
            if restored or name in sources:
                found["done"].append(name)
    for name, others in made_of.items():
        again = [other for other in others if other in found["stale"]]
        if again and name in outs and name not in reasons and not pin_of(repository.root, name):
            reasons[name] = f"made of {', '.join(again)}, which is built again"
    unlike = {name for names in found.values() for name in names if not {*made_of.get(name, ())} <= {*names}}
    for first in (True, False):
        for state, names in found.items():
            those = [name for name in names if name in datasets and (name in unlike) == first]
            touch(repository, those, stale=state == "stale")
    return reasons


def no_run_under_way(repository: Repository) -> None:
    """Raise RegistryError where Snakemake is at work: it would see data change under its hands."""
    if any((repository.root / ".snakemake" / "locks").glob("*.lock")):
        raise RegistryError(
            "a snakemake run is under way here",
            hint="wait for its end; if it was killed: snakemake --unlock",
        )


def touch(repository: Repository, names: Sequence[str], *, stale: bool = False) -> None:
    """Make Snakemake take these datasets for done as they lie here or, if `stale`, for made by other code.

    Nothing is built and nothing published. It takes no lock: one left behind by a kill would stop the next try. Raises
    RegistryError.
    """
    if not names:
        return
    needed("snakemake")
    for name in names:
        for file in (repository.root / "data" / name).rglob(SNAKEMAKE_TIMESTAMP):
            file.unlink()
    command = [sys.executable, "-m", "snakemake", "--touch", "--forceall", "--no-hooks", "--nolock", "--cores", "1"]
    mirror = read_config(repository.root).get("mirror") or SOMEWHERE
    done = subprocess.run(  # noqa: S603
        [*command, "--config", "publish=false", f"mirror={mirror}", "--", *(rule_of(name) for name in names)],
        cwd=repository.root,
        env={**os.environ, **({STALE: "1"} if stale else {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        printed = done.stdout.decode(errors="replace").strip().splitlines()[-PRINTED:]
        raise RegistryError(
            "the data is restored, but Snakemake cannot be told:\n" + "\n".join(f"    {line}" for line in printed),
            hint="fix that, and run the same command again",
        )
