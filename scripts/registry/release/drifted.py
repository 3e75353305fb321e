"""Hold how far a dataset has drifted from its newest release to `contract.quality.drift`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from registry.compare.drift import CLASSES, Drift, drift, untold
from registry.config.limits import FAIL, WARN, beyond
from registry.describe.metadata import profile_of
from registry.errors import RegistryError
from registry.shown import one_line, some
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady, State

if TYPE_CHECKING:
    from registry.describe.breaches import Row

NAMED = 5
"""Values, or columns, that a line names."""
FIGURES, VALUES = ("psi", "jensen_shannon"), ("new_values", "lost_values")
"""The limits of each measure, and those of classes alone."""


def recorded_warnings(built: Snapshot) -> list[str]:
    """Return what the build was warned of, a line each."""
    found = built.provenance["contract"].get("warnings", [])
    return [one_line(str(line)) for line in found] if isinstance(found, list) else []


def check_drift(before: Snapshot, built: Snapshot) -> list[str]:
    """Return what is to be warned of, a line each. Raises NotReady for what has drifted too far."""
    quality = built.provenance["config"].get("contract", {}).get("quality", {})
    if "drift" not in quality:
        return []
    limits, ignored = quality["drift"], quality.get("ignore", ())
    old, new = (profile_of(snapshot.metadata, where=snapshot.name) for snapshot in (before, built))
    if not old:
        return [f"drift cannot be told: {before.name} is from before profiles"]
    moved = sorted(drift(old, new), key=lambda one: -one.psi)
    told = [found for one in moved if one.column not in ignored for found in _beyond(limits, one, built)]
    unknown = [*_untold(before, built, limits, ignored)]
    if fails := [line for level, line in (*told, *unknown) if level == FAIL]:
        how = "drifted" if any(level == FAIL for level, _ in told) else "may have drifted"
        raise NotReady(
            State.REFUSED,
            f"it {how} from {before.name}: {some(fails, NAMED)}",
            f"registry diff {built.dataset} latest --html drift.html draws it; fix the source or the params, or, if "
            "the data is right, set what contract.quality.drift allows in "
            f"config/datasets/{built.dataset}.yaml and build again",
            against=before.name,
        )
    warnings = [line for level, line in (*told, *unknown) if level == WARN]
    if (others := len(built.metadata["schema"]["features"]) - len(new)) > 0:
        warnings.append(f"the last {others:,} columns have no profile, and are not looked at")
    return [f"drift from {before.name}: {line}" for line in warnings]


def _untold(
    before: Snapshot, built: Snapshot, limits: Mapping[str, Any], ignored: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield what cannot be held against limits, with the level: of what was told before the worst of what these say."""
    for split in before.sizes:
        if split not in built.sizes:
            yield _worst(limits.values()), f"split {one_line(split)} is gone"
    old, new = before.metadata["profile"], built.metadata["profile"]
    types = [snapshot.metadata["schema"]["features"] for snapshot in (before, built)]
    for column, measure, split in untold(old, new):
        named = VALUES if split in new[column].get("value", {}) else (*FIGURES, *VALUES)
        asked = [limits[name] for name in (named if measure == CLASSES else FIGURES) if name in limits]
        if asked and column not in ignored:
            was, is_now = (of[column].get("dtype") for of in types)
            why = "has too many different values to tell" if measure == CLASSES else "has nothing to measure"
            why = why if was == is_now else f"is {is_now}, and was {was}"
            yield _worst(asked), f"{_place(column, measure, split)} {why}"
    for column, measures in old.items():
        for split, its in measures.get(CLASSES, {}).items() if column not in ignored else ():
            now = new.get(column, {}).get(CLASSES, {}).get(split, {"others": 0})
            for name, others in zip(VALUES, (its["others"], now["others"]), strict=True):
                if others and name in limits:
                    what = name.replace("_", " ")
                    yield WARN, f"{_place(column, CLASSES, split)} may have {what} that are not told: not all are named"


def _worst(limits: Iterable[Any]) -> str:
    return FAIL if any(FAIL in limit for limit in limits) else WARN


def _place(column: str, measure: str, split: str) -> str:
    return one_line(f"{column} ({measure}) in {split}")


def _beyond(limits: Mapping[str, Any], one: Drift, built: Snapshot) -> Iterator[tuple[str, str]]:
    """Yield what of a drift is beyond its limits, with the level; chance is no drift."""
    place = _place(one.column, one.measure, one.split)
    for name, figure in zip(FIGURES, (one.psi, one.jensen_shannon), strict=True):
        worst = beyond(limits.get(name, {}), figure)
        if worst and one.psi > one.chance:
            yield worst[0], f"{name} {figure:.3g} of {place} is above {worst[1]:g}"
    if one.new and "new_values" in limits:
        yield limits["new_values"], f"new values of {place}: {_named(_with_rows(one, built))}"
    if one.lost and "lost_values" in limits:
        yield limits["lost_values"], f"lost values of {place}: {_named([*map(repr, one.lost)])}"


def _with_rows(one: Drift, built: Snapshot) -> list[str]:
    """Return new values in words, those that are named each with the first row that has it, if that can be read."""
    # With Polars, which few commands need.
    from registry.compare.first_rows import first_rows

    rows = {}
    with suppress(RegistryError):
        rows = first_rows(built, one.split, one.column, one.new[:NAMED])
    return [f"{value!r}{f' ({_said(rows[value])})' if value in rows else ''}" for value in one.new]


def _said(row: "Row") -> str:
    key = "" if row.key is None else f", {row.key!r}"
    return f"row {row.number:,} of {row.split}{key}"


def _named(values: Sequence[str]) -> str:
    return one_line(some(values, NAMED))
