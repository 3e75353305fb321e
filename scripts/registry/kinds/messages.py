"""Make the messages of conversations, each a role and what it says, of what stands for them in files."""

from collections.abc import Mapping

import polars as pl

from registry.errors import RegistryError
from registry.kinds.unfit import blank

TYPE = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
"""The type of a column of conversations."""
TURN = {"role": ("role", "from"), "content": ("content", "value")}
"""The fields of a turn, and what they are called in files."""
IN_FILES = pl.List(pl.Struct({name: pl.String for names in TURN.values() for name in names}))
"""The type of lists of turns in JSON lines, where what is not called like this is left out."""
OTHER_NAMES = {"human": "user", "gpt": "assistant"}
"""Roles that go by other names in many files."""


def from_turns(column: pl.Series, roles: Mapping[str, str], file: str) -> pl.Series:
    """Return messages, given lists of {role, content} or {from, value}; `roles` are {name in the files: role}.

    Raises RegistryError where they are no such lists of texts.
    """
    turn = column.dtype.inner if isinstance(column.dtype, pl.List) else None
    fields = [field.name for field in turn.fields] if isinstance(turn, pl.Struct) else []
    names = {part: [name for name in known if name in fields] for part, known in TURN.items()}
    if not all(names.values()):
        what = f"lists of {{{', '.join(fields)}}}" if fields else column.dtype
        hint = "conversations are lists of {role, content} or {from, value}"
        raise RegistryError(f"{column.name} has {what}", where=file, hint=hint)
    field = pl.element().struct.field
    role, content = (pl.coalesce(field(name).cast(pl.String) for name in those) for those in names.values())
    messages = pl.struct(role=role.replace(roles), content=content)
    try:
        return column.alias("it").to_frame().select(pl.col("it").list.eval(messages)).to_series()
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().partition("\n")[0]
        raise RegistryError(f"what is said in {column.name} is no text: {reason}", where=file) from None


def from_pairs(rows: pl.DataFrame) -> pl.Series:
    """Return messages, given the columns instruction and output and, where they are there, input and system.

    What an instruction is about, its input, stands below it, after an empty line.
    """
    asked = pl.col("instruction")
    if "input" in rows:
        below = ~blank(rows["input"]) & rows["input"].is_not_null()
        asked = pl.when(below).then(asked + "\n\n" + pl.col("input")).otherwise(asked)
    turns = [_turn("user", asked), _turn("assistant", pl.col("output"))]
    messages = pl.concat_list(turns)
    if "system" in rows:
        told = ~blank(rows["system"]) & rows["system"].is_not_null()
        messages = pl.when(told).then(pl.concat_list(_turn("system", pl.col("system")), *turns)).otherwise(messages)
    return rows.select(it=messages).to_series()


def _turn(role: str, content: pl.Expr) -> pl.Expr:
    return pl.struct(role=pl.lit(role), content=content)
