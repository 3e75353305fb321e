"""Hold what is odd about rows to `contract.quality`: what is too much breaks the contract, or is warned of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from registry.config.limits import FAIL, beyond
from registry.describe.breaches import Row
from registry.describe.profile import Examples

OF_COLUMNS = {"balance", "missing", "outliers", "constant", "unique"}
"""What is judged column by column."""


@dataclass(frozen=True)
class Finding:
    """A figure beyond what a contract allows: `fails` tells if that breaks it.

    `rows` are some that show it; `twice` that it is about rows that are the same.
    """

    split: str
    place: str
    rule: str
    found: str
    fails: bool
    rows: Sequence[Row] = field(default=())
    twice: bool = False


def judged(quality: Mapping[str, Any], metadata: Mapping[str, Any], examples: Examples) -> Iterator[Finding]:
    """Yield what of a metadata.json is beyond the limits in `contract.quality`; drift is for the release to judge."""
    found, profile = metadata["quality"], metadata["profile"]
    asked = [name for name in profile if name not in quality.get("ignore", ())]
    for rule in ("constant", "unique"):
        if rule in quality:
            what = "one value" if rule == "constant" else "another value in each row"
            for name in asked:
                if name in found[rule]:
                    yield Finding("all", name, f"not {rule}", what, quality[rule] == FAIL)
    features = metadata["schema"]["features"]
    if OF_COLUMNS & quality.keys() and len(features) > len(profile):
        rule, more = f"at most {len(profile):,} are looked at", f"{len(features) - len(profile):,} more"
        yield Finding("all", "columns", rule, more, fails=False)
    for name in asked:
        yield from _missing(quality.get("missing", {}), name, profile[name]["rows"], examples)
        yield from _outliers(quality.get("outliers", {}), name, found["outliers"].get(name, {}), examples)
        if "balance" in quality:
            yield from _unnamed(name, profile[name].get("classes", {}))
        for split, its in found["balance"].get(name, {}).items():
            if worst := beyond(quality.get("balance", {}), its["ratio"]):
                rule = f"largest class at most {worst[1]:g} times the smallest"
                yield Finding(split, name, rule, f"{its['ratio']:g} times", worst[0] == FAIL)
    count, total = found["duplicates"]["samples"], sum(its["num_samples"] for its in metadata["splits"].values())
    if worst := beyond(quality.get("duplicates", {}), count / max(total, 1)):
        rule = f"at most {_percent(worst[1])} the same as others"
        yield Finding("all", "rows", rule, _share(count, total), worst[0] == FAIL, twice=True)


def _unnamed(name: str, classes: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a warning for each split in which the classes of a column are so many that their balance is not known."""
    for split, its in classes.items():
        if its["others"]:
            yield Finding(
                split, name, "all classes named, to tell their balance", f"{len(its['values'])} and others", False
            )


def _missing(limits: Mapping[str, float], name: str, rows: Mapping[str, Any], examples: Examples) -> Iterator[Finding]:
    for split, its in rows.items():
        total = its["count"] + its["missing"]
        if worst := beyond(limits, its["missing"] / max(total, 1)):
            those = [Row(split, row) for row in examples.get((split, name, "missing"), ())]
            rule = f"at most {_percent(worst[1])} of its values missing"
            yield Finding(split, name, rule, _share(its["missing"], total), worst[0] == FAIL, those)


def _outliers(
    limits: Mapping[str, float], name: str, found: Mapping[str, Any], examples: Examples
) -> Iterator[Finding]:
    for measure, its in found.items():
        if worst := beyond(limits, its["count"] / its["of"]):
            those = [
                Row(split, row)
                for (split, column, what), rows in examples.items()
                for row in rows
                if (column, what) == (name, measure)
            ]
            rule = f"at most {_percent(worst[1])} of its values ({measure}) outliers"
            yield Finding("all", name, rule, _share(its["count"], its["of"]), worst[0] == FAIL, those)


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _share(count: int, total: int) -> str:
    return f"{_percent(count / total)} ({count:,} of {total:,})"
