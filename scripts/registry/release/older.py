"""Hold what models learn from against what older versions measured them by: `contract.quality.leakage.older`."""

from collections.abc import Mapping, Sequence
from typing import Any

from registry.config.leakage import beyond, in_words, leakage, limits_of
from registry.shown import one_line, some
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady, State
from registry.storage.tags import Release

NAMED = 3
"""Rows that a message names."""


def check_older(
    repository: Repository, built: Snapshot, contained: Mapping[str, Sequence[Release]], aliases: Sequence[str]
) -> list[str]:
    """Return what is to be warned of, a line each: rows that are like one in a test split of an older release.

    `contained` are the releases that HEAD contains by dataset; those of this dataset count, and of its `aliases`, which
    may be its former names. Rows are alike if their inputs are the same or, unless the contract leaves those out,
    near-duplicates. Raises NotReady where there are more of them than the contract lets pass, and where an older
    release cannot be read.
    """
    said = leakage(built.provenance["config"].get("contract", {}))
    if "older" not in said:
        return []
    # With Polars, which few commands need.
    from registry.describe.breaches import SHOWN_ROWS
    from registry.release.older_tests import OlderTests

    releases = [release for name in (*aliases, built.dataset) for release in contained.get(name, [])]
    tested, warnings = OlderTests(repository, built, releases, said), []
    for release, pairs in tested.alike():
        found = pairs.unique("place", keep="first", maintain_order=True)
        count = found.height
        if not (worst := beyond(limits_of(said["older"]), count, tested.learnt.height)):
            continue
        named = [_named(row) for row in found.head(NAMED).iter_rows(named=True)]
        line = (
            f"{in_words(worst[1])} that models learn from may be like one in a test split of an older version; "
            f"found {count:,} in {release.tag}: {some(named, NAMED)}"
        )
        if worst[0] == "fail":
            where = f"config/datasets/{built.dataset}.yaml"
            hint = (
                f"logs/{built.dataset}/refused.html, which registry publish writes, shows them beside each other; "
                f"leave them out, or set what contract.quality.leakage.older allows in {where}, and build again"
            )
            shown = [_record(row) for row in found.head(SHOWN_ROWS).iter_rows(named=True)]
            raise NotReady(State.REFUSED, line, hint, against=release.tag, alike=shown)
        warnings.append(line)
    return [*tested.warnings, *warnings]


def _record(row: dict[str, Any]) -> dict[str, Any]:
    like = {name: row[f"{name}_then"] for name in ("split", "row", "key")}
    return {name: row[name] for name in like} | {"like": like, "distance": row["distance"]}


def _named(row: dict[str, Any]) -> str:
    from registry.describe.breaches import how
    from registry.describe.columns import shown_value

    now = f"{shown_value(row['key'])} of {row['split']}"
    then = f"{shown_value(row['key_then'])} of {row['split_then']}"
    like = "was" if row["distance"] is None else f"is, {how(row['distance'], exact=False)}, like"
    return one_line(f"{now} {like} {then}")
