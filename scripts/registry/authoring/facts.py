"""What holds of the rows of a dataset that is drafted: how many each split has, and that inputs are there once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from registry.authoring.drafts import Draft
from registry.authoring.sample import balanced
from registry.config.kinds import AS_IS, WHOLE, splits_of
from registry.describe.columns import column_type
from registry.kinds.as_is import files_in
from registry.kinds.inputs import inputs_of, target_of, with_roles
from registry.kinds.rows import ID, Cleaning, seen_before

MOST_CLASSES = 200
"""Values of a target, of all splits together, that can be classes: of each the first row is known."""

LEFT_OUT = ("hidden_files", "system_files", "other_files")
"""What is counted of files that are no part of a dataset."""


@dataclass(frozen=True)
class Facts:
    """Rows by split, which of `unique` and `disjoint` hold, and {problem that is to fail: rows that have it}.

    `left_out` are other files that were met, and not read. `first` are the places of the first row of each split, and
    of each class in it, if they are few. `key_problem` says why the column that was to name samples cannot.
    """

    rows: dict[str, int]
    holds: dict[str, bool]
    unusable: dict[str, int]
    left_out: Counter[str] = field(default_factory=Counter)
    first: frozenset[str] = field(default=frozenset(), repr=False)
    key_problem: str | None = None


def facts_of(files: Mapping[str, Path], draft: Draft) -> Facts:
    """Return what holds of the rows that remain when those with problems that are to fail are dropped.

    16 bytes of each row are in memory. Of files that stay as they are, it is their number: two may hold the same.
    """
    if draft.kind == AS_IS:
        return Facts({WHOLE: len(files_in(files))}, {}, {})
    kind = import_module(f"registry.kinds.{draft.kind}")
    roles = with_roles(draft.kind, draft.columns, draft.params)
    inputs, target, key = inputs_of(draft.columns, roles), target_of(roles), draft.params.get("key")
    if target and column_type(draft.columns[target]).is_nested():
        target = None  # Lists and structs are no classes.
    # Rows that no column names are named by their places.
    params = {name: value for name, value in draft.params.items() if name != "key"}
    policies = kind.POLICIES | draft.params.get("problems", {})
    cleaning = Cleaning({problem: "drop" if policy == "fail" else policy for problem, policy in policies.items()})
    keys = bytearray()
    nulls = 0
    of_splits: dict[str, str] = {}
    of_classes: dict[tuple[str, Any], str] = {}
    parts = {split: bytearray() for split in splits_of(draft.params)}
    # What a prompt says changes none of this.
    prompt = {"prompt": draft.params["prompt"]["name"]} if "prompt" in draft.params else {}
    for its in cleaning.clean(kind.read(files, draft.columns, params, **prompt)):
        ids = _hashes([its.samples.get_column(name) for name in inputs])
        if key:
            named = its.samples.get_column(key).drop_nulls()
            keys += _hashes([named]).tobytes()
            nulls += its.samples.height - len(named)
        few = len(of_classes) <= MOST_CLASSES
        labels = its.samples.get_column(target) if target and few else its.splits
        classes = pl.DataFrame([its.splits.alias("split"), labels.alias("class")])
        for row in balanced(classes.to_struct(), 1):
            split, label = classes.row(row)
            of_splits.setdefault(split, its.keys[row])
            if len(of_classes) <= MOST_CLASSES:
                of_classes.setdefault((split, label), its.keys[row])
        for split, those in parts.items():
            those += ids[(its.splits == split).fill_null(False).to_numpy()].tobytes()
    found = {split: np.frombuffer(those, ID) for split, those in parts.items()}
    again = {split: seen_before(ids) for split, ids in found.items()}
    holds = {"unique": not any(those.any() for those in again.values())}
    if len(found) > 1:
        once = np.concatenate([ids[~again[split]] for split, ids in found.items()])
        holds["disjoint"] = not seen_before(once).any()
    twice = seen_before(np.frombuffer(keys, ID)).sum()
    counts = {"rows without a value": nulls, "rows with the value of an earlier one": twice}
    problems = [f"{what}: {number:,}" for what, number in counts.items() if number]
    key_problem = f"the column {key} does not tell samples apart; {', '.join(problems)}" if problems else None
    return Facts(
        {split: len(ids) for split, ids in found.items()},
        {fact: True for fact, is_so in holds.items() if is_so},
        {problem: number for problem, number in cleaning.found.items() if number and policies[problem] == "fail"},
        Counter({what: cleaning.counts[what] for what in LEFT_OUT if cleaning.counts[what]}),
        frozenset([*of_splits.values(), *(of_classes.values() if len(of_classes) <= MOST_CLASSES else ())]),
        key_problem,
    )


def _hashes(columns: Sequence[pl.Series]) -> np.ndarray:
    """Return 16 bytes for each row, as an array of ID (n,): the same for rows that are the same in all columns.

    They take a tenth of the time of a SHA-256. Another version of polars has others, so that nothing may keep them.
    """
    rows = pl.DataFrame(columns)
    return np.column_stack([rows.hash_rows(seed).to_numpy() for seed in range(2)]).view(ID).ravel()
