"""How every dataset stands: its newest version here, and how what lies on disk differs from it."""

from dataclasses import dataclass
from datetime import datetime

from registry.config.pins import pin_of
from registry.describe.metadata import facts_of
from registry.release.assess import NotReady, read_built, up_to_date
from registry.storage.repository import Repository
from registry.storage.snapshot import NoReleaseError, snapshot_at
from registry.storage.tags import Release, releases


@dataclass(frozen=True)
class DatasetStatus:
    """One dataset: `version` is the newest release that HEAD contains, `newest` the newest of all.

    `state` is released, changed (since that release), unreleased (complete, without a release that can be read),
    outdated (released, and code or configuration changed since), behind (HEAD lacks the newest release), pinned,
    incomplete, damaged or not built.
    """

    dataset: str
    state: str
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
    return [_one(repository, name, every.get(name, []), contained.get(name, [])) for name in repository.names()]


def _one(repository: Repository, name: str, every: list[Release], contained: list[Release]) -> DatasetStatus:
    latest = contained[-1] if contained else None
    known = {
        "version": str(latest.version) if latest else None,
        "newest": str(every[-1].version) if every else None,
        "released": latest.date if latest else None,
    }
    pin = pin_of(repository.root, name)
    if pin:
        hint = f"registry release {name} takes the pin away"
        return DatasetStatus(name, "pinned", **known, reason=f"pinned at {pin['version']}", hint=hint)
    try:
        built = read_built(repository.root, name)
    except NotReady as state:
        return DatasetStatus(name, state.state, **known, reason=state.reason, hint=state.hint)
    snapshot = built.snapshot
    known["rows"] = sum(split["num_samples"] for split in snapshot.metadata["splits"].values())
    known["bytes"] = snapshot.provenance["data"]["bytes"]
    if every and every[-1] not in contained:
        reason = f"{every[-1].tag} is released, and this checkout does not contain it"
        return DatasetStatus(name, "behind", **known, reason=reason, hint="git pull, then registry pull")
    if latest is None:
        return DatasetStatus(name, "unreleased", **known, reason="never released", hint="registry publish")
    try:
        before = snapshot_at(repository.git, repository.store, name, latest.tag)
    except NoReleaseError:
        reason = f"the tag {latest.tag} holds no release of {name}"
        return DatasetStatus(name, "unreleased", **known, reason=reason, hint=f"git tag --delete {latest.tag}")
    if (facts_of(before.metadata), before.data_md5) != (facts_of(snapshot.metadata), snapshot.data_md5):
        hint = "registry publish --dry-run shows what it would become"
        return DatasetStatus(name, "changed", **known, reason=f"differs from {latest.version}", hint=hint)
    try:
        up_to_date(repository, snapshot, repository.committed_datasets("HEAD"))
    except NotReady as state:
        return DatasetStatus(name, "outdated", **known, reason=state.reason, hint=state.hint)
    return DatasetStatus(name, "released", **known)
