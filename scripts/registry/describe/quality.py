"""What is odd about a dataset's rows, counted for every dataset: the key `quality` of metadata.json.

| key | what |
|---|---|
| duplicates | rows that are the same as one before them (samples), and whose input is (inputs) |
| missing | {column: rows without a value}, of columns that have such |
| constant | columns with one value in all rows, or with none in any |
| unique | columns with another value in each row of a split; floats are not asked |
| outliers | {column: {measure: {count, of}}}: values beyond Tukey's fences, of how many; none of vectors |
| balance | {column: {split: {classes, ratio, entropy}}} of columns of classes, all of them named |

All but the duplicates follows from the profile. `ratio` is that of the largest class to the smallest; `entropy` is
Shannon's, relative to that of equal classes, for which it is 1.
"""

import math
from typing import Any

from registry.describe.profile import Profiled

DIGITS = 4
"""To which ratios and entropies are rounded."""
EXACT = ("string", "date", "time", "int", "uint")
"""How the dtypes begin whose values it tells something of if each is another one."""

APART = ("rows", "classes", "norm", "similarity")
"""What has no outliers: those of vectors would differ between machines, where a model has computed them."""


def quality(profile: Profiled, dtypes: dict[str, str], duplicates: dict[str, int]) -> dict[str, Any]:
    """Return what is odd, given the profile, the dtype of each column, and how many rows there are twice."""
    missing = {name: total for name, found in profile.items() if (total := _total(found["rows"], "missing"))}
    return {
        "duplicates": duplicates,
        "missing": missing,
        "constant": [name for name, found in profile.items() if _is_constant(found)],
        "unique": [
            name for name, found in profile.items() if dtypes[name].startswith(EXACT) and _is_unique(found["rows"])
        ],
        "outliers": {name: outliers for name, found in profile.items() if (outliers := _outliers(found))},
        "balance": {name: balance for name, found in profile.items() if (balance := _balance(found))},
    }


def _total(by_split: dict[str, dict[str, int]], key: str) -> int:
    return sum(entry[key] for entry in by_split.values())


def _is_constant(found: dict[str, Any]) -> bool:
    count, missing = _total(found["rows"], "count"), _total(found["rows"], "missing")
    if count + missing < 2 or (count and missing):
        return False
    values = {value for entry in found.get("classes", {}).values() for value in entry["values"]}
    ends = {
        entry["quantiles"][end]
        for measure in ("value", "time")
        for entry in found.get(measure, {}).values()
        for end in ("min", "max")
    }
    distinct = [entry.get("distinct") for entry in found["rows"].values()]
    return not count or len(ends or values) == 1 or (not values and distinct == [1])


def _is_unique(rows: dict[str, dict[str, int]]) -> bool:
    return all(entry.get("distinct") == entry["count"] > 1 and not entry["missing"] for entry in rows.values())


def _outliers(found: dict[str, Any]) -> dict[str, dict[str, int]]:
    counted = {}
    for measure, by_split in found.items():
        if measure not in APART and not (measure == "value" and found.get("classes")):
            count = sum(entry.get("outliers", 0) for entry in by_split.values())
            if count:
                counted[measure] = {
                    "count": count,
                    "of": sum(entry.get("sampled", entry["count"]) for entry in by_split.values()),
                }
    return counted


def _balance(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    balance = {}
    for split, entry in found.get("classes", {}).items():
        counts = [*entry["values"].values()]
        if len(counts) > 1 and not entry["others"]:
            shares = [count / entry["count"] for count in counts]
            entropy = -math.fsum(share * math.log(share) for share in shares) / math.log(len(counts))
            balance[split] = {
                "classes": len(counts),
                "ratio": round(max(counts) / min(counts), DIGITS),
                "entropy": round(entropy, DIGITS),
            }
    return balance
