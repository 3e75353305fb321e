"""Hold what models learn from against what older versions measured them by: `contract.quality.leakage.older`."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from semver import Version

from registry.compare.manifests import explained, manifest_of
from registry.config.leakage import TRAINED_ON, beyond, in_words, leakage, limits_of
from registry.errors import RegistryError
from registry.shown import one_line, some
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady, State
from registry.storage.tags import Release

if TYPE_CHECKING:
    import polars as pl

NAMED = 3
"""Rows that a message names."""


def check_older(repository: Repository, built: Snapshot, releases: Sequence[Release]) -> list[str]:
    """Return what is to be warned of, a line each: rows that a test split of an older release had, by their inputs.

    Raises NotReady where there are more of them than the contract lets pass.
    """
    said = leakage(built.provenance["config"].get("contract", {}))
    if "older" not in said:
        return []
    learnt, warnings = _rows(built, said, tests=False), []
    for version, before in _different(repository, built, releases):
        found = _rows(before, said, tests=True).join(learnt, on="input_id", suffix="_now").sort("key_now", "key")
        count = found["key_now"].n_unique()
        if not (worst := beyond(limits_of(said["older"]), count, learnt.height)):
            continue
        pairs = [
            one_line(f"{row['key_now']} of {row['split_now']} was {row['key']} of {row['split']}")
            for row in found.head(NAMED).iter_rows(named=True)
        ]
        line = (
            f"{in_words(worst[1])} that models learn from may have been in a test split of an older version; "
            f"{before.name} had {count:,} of them: {some(pairs, NAMED)}"
        )
        if worst[0] == "fail":
            where = f"config/datasets/{built.dataset}.yaml"
            hint = (
                f"registry diff {built.dataset} {version} --html older.html shows which rows moved; leave them "
                f"out, or set what contract.quality.leakage.older allows in {where}, and build again"
            )
            raise NotReady(State.REFUSED, line, hint, against=before.name)
        warnings.append(line)
    return warnings


def _different(
    repository: Repository, built: Snapshot, releases: Sequence[Release]
) -> Iterator[tuple[Version, Snapshot]]:
    """Yield releases, with their numbers, that hold other rows than what is built and than each other, newest first."""
    seen = {built.content_hash}
    for release in reversed(releases):
        try:
            before = Snapshot.at(repository, release.dataset, release.commit, release.tag)
        except RegistryError as error:
            raise _unreadable(release.tag, error) from None
        if before.content_hash not in seen:
            seen.add(before.content_hash)
            yield release.version, before


def _unreadable(name: str, error: RegistryError) -> NotReady:
    what = f"it cannot be held against {name}: {error.what}"
    return NotReady(State.REFUSED, what, "bring that back, or take contract.quality.leakage.older out")


def _rows(snapshot: Snapshot, said: dict[str, Any], *, tests: bool) -> "pl.DataFrame":
    """Return input_id, key and split of the rows in the splits by which models are measured, or in the other ones."""
    import polars as pl

    split = pl.col("split")
    is_test = split.is_in(said["tests"]) if "tests" in said else split != TRAINED_ON
    try:
        path = manifest_of(snapshot).path
        with explained(path):
            return pl.scan_parquet(path).filter(is_test == tests).select("input_id", "key", "split").collect()
    except RegistryError as error:
        raise _unreadable(snapshot.name, error) from None
