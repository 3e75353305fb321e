"""Bring what the jobs of a run have made from the storage in which they exchanged it to its places in the checkout.

A dataset comes whole, once every job of it is done: it is fetched beside the checkout's own and checked, byte for byte,
by its provenance.json, before it takes its place, the provenance last. So a run that is killed meanwhile is followed by
one that brings it again.
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.errors import RegistryError
from registry.files import SNAKEMAKE_TIMESTAMP, remove
from registry.shown import some
from registry.sources.raw import forget_raw
from registry.storage.snapshot import PROVENANCE, Snapshot
from registry.storage.states import NotReady
from registry.workflow.exchange import place_of, reaching, stored_as
from registry.workflow.snakemake import record_as_done

FETCHED = Path(".snakemake", "fetched")
"""Where each dataset is until it was checked, in a folder of its own that stays until Snakemake has a record of it."""


@dataclass
class _Made:
    """What a run makes of one dataset: the objects of its outputs, and whether all are there."""

    objects: list[Any] = field(default_factory=list)
    whole: bool = True


def bring(workflow: Any) -> list[str]:
    """Bring logs, and each dataset whose jobs are all done and that is not here yet; returns the datasets' names.

    Snakemake then takes for done what it would not make again here. Without a default storage all is here already.
    Raises RegistryError for a dataset that is not what its jobs made, once the others are here.
    """
    if workflow.storage_registry.default_storage_provider is None:
        return []
    dag = workflow.dag
    brought, wrong = [], {}
    for job in dag.needrun_jobs(exclude_finished=False):
        try:
            bring_logs(job)
        except (RegistryError, OSError) as error:
            wrong[f"the log of {job.rule.name}"] = error
    for name, made in _made_by(dag).items():
        try:
            if made.whole and _bring(name, made.objects):
                brought.append(name)
        except (NotReady, RegistryError, OSError) as error:
            wrong[name] = error
    if brought:
        record_as_done(workflow, brought)
    shutil.rmtree(FETCHED, ignore_errors=True)
    if wrong:
        name, error = next(iter(wrong.items()))
        reason = getattr(error, "reason", error)
        hint = "put that right, and run the same command again: what was made stays in the storage"
        if isinstance(error, NotReady):
            hint = f"snakemake with the same profile and --forceall {name.replace('-', '_')} makes it again"
        raise RegistryError(f"not brought from the storage: {some([*wrong], 3)}; {reason}", hint=hint)
    return brought


def _made_by(dag: Any) -> Mapping[str, _Made]:
    """Return {dataset: what the jobs of a run make of it}."""
    found: dict[str, _Made] = {}
    for job in dag.jobs:
        files = [file for file in job.output if stored_as(file) and "temp" not in file.flags]
        for name in {place[1] for file in files if (place := re.match(r"(?:data|reports)/([^/]+)/", place_of(file)))}:
            made = found.setdefault(name, _Made())
            made.objects += [file.storage_object for file in files]
            made.whole &= not dag.needrun(job) or dag.finished(job)
    return found


def bring_logs(job: Any) -> None:
    """Bring what a job has logged and measured; one that never started has left nothing."""
    for file in filter(None, (*job.log, job.benchmark)):
        stored = stored_as(file)
        if stored is None:
            continue
        with reaching(stored.query):
            there = stored.exists()
        if there:
            _fetch(stored, Path(stored.place))


def _bring(name: str, objects: Iterable[Any]) -> bool:
    """Bring a dataset, unless it is here already as its jobs made it. Raises NotReady where its parts disagree."""
    objects = {stored.place: stored for stored in objects}
    provenance = f"data/{name}/{PROVENANCE}"
    if provenance not in objects:
        return False
    stage = FETCHED / name
    recorded = not stage.exists()
    shutil.rmtree(stage, ignore_errors=True)
    _fetch(objects[provenance], stage / provenance)
    if recorded and _is_here(name, stage / provenance):
        return False
    for place, stored in _outermost(objects):
        _fetch(stored, stage / place)
    for stamp in stage.rglob(SNAKEMAKE_TIMESTAMP):
        stamp.unlink()
    Snapshot.on_disk(stage, name)
    forget_raw(Path("data", name))
    parts = [part for top in ("reports", "data") for part in (stage / top / name).glob("*")]
    for part in sorted(parts, key=lambda part: part.name == PROVENANCE):
        place = part.relative_to(stage)
        remove(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        part.rename(place)
    return True


def _is_here(name: str, provenance: Path) -> bool:
    try:
        here = Snapshot.on_disk(Path(), name, quick=True)
    except (NotReady, RegistryError):
        return False
    return (Path(here.folder) / PROVENANCE).read_bytes() == provenance.read_bytes()


def _outermost(objects: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield those of {place: object} that are in no folder which is another."""
    for place, stored in objects.items():
        if not any(parent.as_posix() in objects for parent in Path(place).parents):
            yield place, stored


def _fetch(stored: Any, path: Path) -> None:
    """Fetch an object, a file or a folder, to a path of its own."""
    there = stored.__class__(query=stored.query, keep_local=True, retrieve=True, provider=stored.provider)
    there.set_local_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with reaching(stored.query):
        there.retrieve_object()
