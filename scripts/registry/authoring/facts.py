"""What holds of the rows of a dataset that is drafted: how many each split has, and that inputs are there once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from registry.authoring.drafts import Draft
from registry.authoring.sample import balanced
from registry.config.kinds import splits_of
from registry.describe.columns import column_type
from registry.kinds.inputs import inputs_of, target_of, with_roles
from registry.kinds.rows import ID, Cleaning, digests_of

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

    16 bytes of each row are in memory.
    """
    kind = import_module(f"registry.kinds.{draft.kind}")
    roles = with_roles(draft.kind, draft.columns, draft.params)
    inputs, target, key = inputs_of(draft.columns, roles), target_of(roles), draft.params.get("key")
    if target and column_type(draft.columns[target]).is_nested():
        target = None  # Lists and structs are no classes.
    # Rows that no column names are named by their places.
    params = {name: value for name, value in draft.params.items() if name != "key"}
    policies = kind.POLICIES | draft.params.get("problems", {})
    cleaning = Cleaning({problem: "drop" if policy == "fail" else policy for problem, policy in policies.items()})
    keys: list[np.ndarray] = []
    nulls = 0
    of_splits: dict[str, str] = {}
    of_classes: dict[tuple[str, Any], str] = {}
    digests: dict[str, list[bytes]] = {split: [] for split in splits_of(draft.params)}
    for its in cleaning.clean(kind.read(files, draft.columns, params)):
        ids = digests_of([its.samples.get_column(name) for name in inputs])
        if key:
            keys.append(digests_of([its.samples.get_column(key)]))
            nulls += its.samples.get_column(key).null_count()
        few = len(of_classes) <= MOST_CLASSES
        labels = its.samples.get_column(target) if target and few else its.splits
        classes = pl.DataFrame([its.splits.alias("split"), labels.alias("class")])
        for row in balanced(classes.to_struct(), 1):
            split, label = classes.row(row)
            of_splits.setdefault(split, its.keys[row])
            if len(of_classes) <= MOST_CLASSES:
                of_classes.setdefault((split, label), its.keys[row])
        for split, those in digests.items():
            those.append(ids[(its.splits == split).fill_null(False).to_numpy()].tobytes())
    found = {split: np.frombuffer(b"".join(those), ID) for split, those in digests.items()}
    once = {split: np.unique(ids) for split, ids in found.items()}
    holds = {"unique": all(len(once[split]) == len(ids) for split, ids in found.items())}
    if len(once) > 1:
        holds["disjoint"] = len(np.unique(np.concatenate([*once.values()]))) == sum(map(len, once.values()))
    named = np.concatenate([np.empty(0, ID), *keys])
    twice = len(named) - len(np.unique(named))
    key_problem = None
    if nulls or twice:
        key_problem = f"{key} names no samples: {nulls:,} have none, {twice:,} one that another has"
    return Facts(
        {split: len(ids) for split, ids in found.items()},
        {fact: True for fact, is_so in holds.items() if is_so},
        {problem: number for problem, number in cleaning.found.items() if number and policies[problem] == "fail"},
        Counter({what: cleaning.counts[what] for what in LEFT_OUT if cleaning.counts[what]}),
        frozenset([*of_splits.values(), *(of_classes.values() if len(of_classes) <= MOST_CLASSES else ())]),
        key_problem,
    )
