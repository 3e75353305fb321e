"""How every dataset stands: its newest version here, and how what is on disk differs from it."""

from dataclasses import dataclass
from datetime import datetime

from registry.config.load import Datasets
from registry.config.pins import pin_of
from registry.release.assess import Releases, assess
from registry.storage.repository import Repository
from registry.storage.states import State
from registry.storage.tags import Release, releases


@dataclass(frozen=True)
class DatasetStatus:
    """One dataset: `version` is that of its pin, else the newest that HEAD contains; `newest` is the newest of all."""

    dataset: str
    state: State
    version: str | None = None
    newest: str | None = None
    released: datetime | None = None
    rows: int | None = None
    bytes: int | None = None
    reason: str | None = None
    hint: str | None = None


def status(repository: Repository) -> list[DatasetStatus]:
    """Judge every dataset by what is on disk and in git; no data is fetched."""
    head = repository.git.commit()
    every = releases(repository.git)
    contained = releases(repository.git, merged=head) if head else {}
    datasets = repository.committed_datasets("HEAD") if head else Datasets()
    names = repository.names()
    known = {name: Releases(repository, every.get(name, []), contained.get(name, [])) for name in names}
    others = {alias for aliases in datasets.aliases.values() for alias in aliases}
    retired = [_retired(its[-1]) for name, its in contained.items() if name not in {*names, *others}]
    return sorted([*(_one(name, datasets, its) for name, its in known.items()), *retired], key=lambda one: one.dataset)


def _retired(latest: Release) -> DatasetStatus:
    version = str(latest.version)
    return DatasetStatus(latest.dataset, State.RETIRED, version=version, newest=version, released=latest.date)


def _one(name: str, datasets: Datasets, known: Releases) -> DatasetStatus:
    every, contained = known.every, known.contained
    found = assess(known.repository.root, name, datasets, releases=known)
    latest, snapshot = contained[-1] if contained else None, found.snapshot
    pin = pin_of(known.repository.root, name) if found.state != State.BROKEN else None
    if pin:
        latest = next((release for release in every if release.tag == pin["tag"]), None)
    return DatasetStatus(
        name,
        found.state,
        version=pin["version"] if pin else str(latest.version) if latest else None,
        newest=str(every[-1].version) if every else None,
        released=latest.date if latest else None,
        rows=snapshot.rows if snapshot else None,
        bytes=snapshot.provenance["data"]["bytes"] if snapshot else None,
        reason=found.reason,
        hint=found.hint,
    )
