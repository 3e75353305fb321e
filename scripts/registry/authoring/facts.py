"""What holds of the rows of a dataset that is drafted: how many each split has, and that inputs are there once."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from registry.authoring.drafts import Draft
from registry.config.kinds import splits_of
from registry.kinds.inputs import inputs_of, with_roles
from registry.kinds.rows import ID, Cleaning, digests_of


@dataclass(frozen=True)
class Facts:
    """Rows by split, which of `unique` and `disjoint` hold, and {problem that is to fail: rows that have it}.

    `key_problem` says why the column that was to name samples cannot.
    """

    rows: dict[str, int]
    holds: dict[str, bool]
    unusable: dict[str, int]
    key_problem: str | None = None


def facts_of(files: Mapping[str, Path], draft: Draft) -> Facts:
    """Return what holds of the rows that remain when those with problems that are to fail are dropped.

    16 bytes of each row are in memory.
    """
    kind = import_module(f"registry.kinds.{draft.kind}")
    inputs = inputs_of(draft.columns, with_roles(draft.kind, draft.columns, draft.params))
    policies = kind.POLICIES | draft.params.get("problems", {})
    cleaning = Cleaning({problem: "drop" if policy == "fail" else policy for problem, policy in policies.items()})
    keys: list[np.ndarray] = []
    nulls = 0
    digests: dict[str, list[bytes]] = {split: [] for split in splits_of(draft.params)}
    # What a prompt says changes none of this.
    prompt = {"prompt": draft.params["prompt"]["name"]} if "prompt" in draft.params else {}
    for its in cleaning.clean(kind.read(files, draft.columns, draft.params, **prompt)):
        ids = digests_of([its.samples.get_column(name) for name in inputs])
        if "key" in draft.params:
            keys.append(digests_of([its.keys]))
            nulls += its.keys.null_count()
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
        key_problem = f"{draft.params['key']} names no samples: {nulls:,} have none, {twice:,} one that another has"
    return Facts(
        {split: len(ids) for split, ids in found.items()},
        {fact: True for fact, is_so in holds.items() if is_so},
        {problem: number for problem, number in cleaning.found.items() if number and policies[problem] == "fail"},
        key_problem,
    )
