"""Conversations: lists of turns, or instructions and responses, as one column of messages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, reduce
from operator import or_
from pathlib import Path
from typing import Any

import polars as pl

from registry.config.kinds import splits_of
from registry.describe.turns import Turns
from registry.errors import RegistryError
from registry.kinds import table
from registry.kinds.files import Format, columns_of
from registry.kinds.inputs import MESSAGES, inputs_of
from registry.kinds.leaks import IN_TWO_SPLITS, with_leaks
from registry.kinds.messages import IN_FILES, OTHER_NAMES, from_pairs, from_turns
from registry.kinds.rows import DUPLICATES, Rows
from registry.kinds.unfit import blank, with_controls

POLICIES = {
    "no_turns": "fail",
    "unknown_roles": "fail",
    "order": "fail",
    "empty_turns": "fail",
    "control_characters": "fail",
    "unanswered": "keep",
    "too_long": "fail",
    IN_TWO_SPLITS: "fail",
    DUPLICATES: "keep",
}
"""What becomes of rows with problems, unless the params say."""
ROLES = {"system": "s", "user": "u", "assistant": "a", "tool": "t"}
"""The roles that there are, each with the letter that stands for it in ORDER."""
ORDER = "^s?(ua(t+a)*)*(u(a(t+a)*t+)?)?$"
"""The system comes first; user and assistant take turns, and an assistant may use tools before it goes on."""
COMPUTED = ("turns", "characters", "tokens")
"""Columns that the contract may have though no file has them: how long a conversation is."""


class Lengths:
    """How long conversations are, in each of the units COMPUTED; `tokens` needs a tokenizer.json."""

    def __init__(self, tokenizer: Path | None) -> None:
        self._tokenizer = tokenizer

    @cached_property
    def _count_tokens(self) -> Callable[[pl.Series], pl.Series]:
        from registry.kinds.tokens import token_counter

        return token_counter(self._tokenizer)

    def measure(self, turns: Turns, unit: str) -> pl.Series:
        """Return the length of each conversation."""
        if unit == "turns":
            return turns.lengths
        return turns.total(turns.content.str.len_chars() if unit == "characters" else self._count_tokens(turns.content))


def read(files: Mapping[str, Path], contract: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Rows]:
    """Yield the rows of source files {name: path}, in their order, with the columns of the contract and their problems.

    The file that the param `tokenizer` names has no rows. A conversation in two splits is a problem in the one that
    ranks lower: splits rank in the order of the params. With splits, files are read twice. Raises RegistryError for
    what is no conversation, and as `registry.kinds.table.read`.
    """
    data = {name: path for name, path in files.items() if name != params.get("tokenizer")}
    lengths, splits = Lengths(files.get(params.get("tokenizer"))), splits_of(params)
    derived = _derived(data, contract, params, lengths)

    def judged() -> Iterator[Rows]:
        for its in table.read(data, contract, params, derived):
            problems = find_problems(its.samples.get_column(MESSAGES), contract[MESSAGES], params, lengths)
            yield replace(its, problems=problems)

    inputs, policies = inputs_of(contract, params), params.get("problems", {})
    yield from with_leaks(judged, splits, inputs, policies, lambda its: ~its.problems["no_turns"])


def _derived(
    files: Mapping[str, Path], contract: Mapping[str, Any], params: Mapping[str, Any], lengths: Lengths
) -> table.Derived:
    """Return what is made of the columns of files: messages, and their lengths where the contract asks for them."""
    layout = Format(**params.get("format", {}), names=params.get("names", ()))
    computed = [name for name in COMPUTED if name in contract and name not in params.get("columns", {})]
    roles, pairs = OTHER_NAMES | params.get("roles", {}), params.get("pairs", {})

    def made(rows: pl.DataFrame, file: str) -> pl.DataFrame:
        # JSON lines without a key are read as if it were null.
        if all(rows.get_column(name).null_count() == rows.height for name in wanted):
            _check_columns(files[file], layout, [*wanted])
        if pairs:
            messages = from_pairs(pl.DataFrame([rows.get_column(name).alias(part) for part, name in pairs.items()]))
        else:
            messages = from_turns(rows.get_column(params["messages"]), roles, file)
        turns = Turns(messages)
        return pl.DataFrame({MESSAGES: messages} | {name: lengths.measure(turns, name) for name in computed})

    wanted = dict.fromkeys(pairs.values(), pl.String()) if pairs else {params["messages"]: IN_FILES}
    for name, path in files.items():
        if not pairs and layout.type_of(path) == "csv":
            hint = "take JSON lines or Parquet, or name its columns in params.pairs"
            raise RegistryError("a CSV file has no lists of turns", where=name, hint=hint)
    return table.Derived([MESSAGES, *computed], wanted, made)


def _check_columns(path: Path, layout: Format, wanted: Sequence[str]) -> None:
    """Raise RegistryError if a file has none of these columns."""
    there = columns_of(path, layout)
    if not {*wanted} & {*there}:
        found = ", ".join(there[:20]) or "nothing"
        raise RegistryError(f"there is no {', '.join(wanted)}: it has {found}", where=path.name)


def find_problems(
    messages: pl.Series, spec: Mapping[str, Any], params: Mapping[str, Any], lengths: Lengths
) -> dict[str, pl.Series]:
    """Return, for each kind of problem, which conversations have it; `spec` is what the contract says of their column.

    The order is judged of those alone whose roles are all known.
    """
    turns = Turns(messages)
    known = [role for role in ROLES if role in _roles_of(spec)]
    letters = turns.role.replace_strict({role: ROLES[role] for role in known}, default="?", return_dtype=pl.String)
    order = turns.joined(letters)
    strange = order.str.contains("?", literal=True)
    problems = {
        "no_turns": turns.lengths == 0,
        "unknown_roles": strange,
        "order": ~strange & ~order.str.contains(ORDER),
        "empty_turns": turns.any(blank(turns.content) | turns.content.is_null()),
        "control_characters": turns.any(with_controls(turns.content)),
        "unanswered": order.str.contains("[sut]$"),
    }
    limits = {unit: params[f"max_{unit}"] for unit in COMPUTED if f"max_{unit}" in params}
    if limits:
        too_long = (lengths.measure(turns, unit) > limit for unit, limit in limits.items())
        problems["too_long"] = reduce(or_, too_long)
    return problems


def _roles_of(spec: Mapping[str, Any]) -> list[str]:
    """Return the roles that a contract allows, given what it says of the column of messages."""
    role = spec.get("list", {}).get("struct", {}).get("role", {})
    return role.get("values", [*ROLES])
