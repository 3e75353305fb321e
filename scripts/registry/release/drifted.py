"""Hold how far a dataset has drifted from its newest release to `contract.quality.drift`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from registry.compare.drift import Drift, drift
from registry.config.limits import FAIL, WARN, beyond
from registry.describe.metadata import profile_of
from registry.shown import one_line, some
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady, State

NAMED = 5
"""Values, or columns, that a line names."""


def recorded_warnings(built: Snapshot) -> list[str]:
    """Return what the build was warned of, a line each."""
    found = built.provenance["contract"].get("warnings", [])
    return [one_line(str(line)) for line in found] if isinstance(found, list) else []


def check_drift(before: Snapshot, built: Snapshot) -> list[str]:
    """Return what is to be warned of, a line each. Raises NotReady for what has drifted too far."""
    quality = built.provenance["config"].get("contract", {}).get("quality", {})
    if "drift" not in quality:
        return []
    profiles = [profile_of(snapshot.metadata, where=snapshot.name) for snapshot in (before, built)]
    if not profiles[0]:
        return [f"drift cannot be told: {before.name} is from before profiles"]
    moved = [one for one in drift(*profiles) if one.column not in quality.get("ignore", ())]
    found: dict[str, list[str]] = {FAIL: [], WARN: []}
    for one in sorted(moved, key=lambda one: -one.psi):
        for level, line in _beyond(quality["drift"], one):
            found[level].append(line)
    if found[FAIL]:
        raise NotReady(
            State.REFUSED,
            f"it drifted from {before.name}: {some(found[FAIL], NAMED)}",
            f"registry diff {built.dataset} latest --html drift.html draws it; fix the source or the params, or, if "
            "the data is right, set what contract.quality.drift allows in "
            f"config/datasets/{built.dataset}.yaml, commit it and build again",
            against=before.name,
        )
    return [f"drift from {before.name}: {line}" for line in found[WARN]]


def _beyond(limits: Mapping[str, Any], one: Drift) -> Iterator[tuple[str, str]]:
    """Yield what of a drift is beyond its limits, with the level; chance is no drift."""
    place = one_line(f"{one.column} ({one.measure}) in {one.split}")
    for name, figure in (("psi", one.psi), ("jensen_shannon", one.jensen_shannon)):
        worst = beyond(limits.get(name, {}), figure)
        if worst and one.psi > one.chance:
            yield worst[0], f"{name} {figure:.3g} of {place} is above {worst[1]:g}"
    for name, values in (("new_values", one.new), ("lost_values", one.lost)):
        if values and name in limits:
            yield limits[name], f"{name.replace('_', ' ')} of {place}: {_named(values)}"


def _named(values: Sequence[str]) -> str:
    return one_line(some([*map(repr, values)], NAMED))
