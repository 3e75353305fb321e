"""Pictures with captions: as conversations in which a prompt asks for what a picture shows, and the caption answers."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from registry.describe.columns import column_type
from registry.errors import RegistryError
from registry.kinds import gallery
from registry.kinds.beside import Embedded, Texts, table_in
from registry.kinds.folders import Placed
from registry.kinds.inputs import CAPTION
from registry.kinds.rows import Rows
from registry.kinds.unfit import blank, with_controls

POLICIES = gallery.POLICIES | {
    "empty_captions": "fail",
    "not_utf8": "fail",
    "control_characters": "fail",
    "image_tokens": "fail",
    "huge_captions": "fail",
}
"""What becomes of rows with problems, unless the params say."""
MAX_CAPTION = 100_000
"""Characters that a caption may have, unless the params say."""
PLACE = "<image>"
"""Stands for the picture in a conversation; a trainer takes each for one."""
PROMPT = "prompt"
CONVERSATIONS = {
    "conversations": ("from", "value", "human", "gpt"),
    "messages": ("role", "content", "user", "assistant"),
}
"""Columns that hold a conversation: what they call who speaks and what is said, who asks, and who answers."""


def needs_prompt(contract: Mapping[str, Any]) -> bool:
    """Tell whether a contract has a column in which the prompt is."""
    return bool({PROMPT, *CONVERSATIONS} & {*contract})


def read(
    files: Mapping[str, Path],
    contract: Mapping[str, Any],
    params: Mapping[str, Any],
    prompt: str | None = None,
    threads: int = 1,
) -> Iterator[Rows]:
    """Yield the pictures of source files {name: path} with their captions, as rows with the columns of the contract.

    See `registry.kinds.gallery.rows_of`. Raises RegistryError for what is no archive, for a table that does not fit,
    for a prompt that holds what stands for the picture, and for a contract that needs a prompt where there is none.
    """
    _check_prompt(contract, prompt)
    own = {name: spec for name, spec in contract.items() if name not in (PROMPT, *CONVERSATIONS)}
    own[CAPTION] = {"dtype": "string", "nullable": True}
    if "caption" in params:
        params = {**params, "columns": {**params.get("columns", {}), CAPTION: params["caption"]}}
    if "table" in params:
        origin = table_in(files, own, params)
    else:
        origin = Embedded(own, params) if "image" in params else Texts(files, params)
    longest = params.get("limits", {}).get("max_caption", MAX_CAPTION)
    for its in gallery.rows_of(origin, files, own, params, threads, lambda placed: _problems(placed, longest)):
        captions = its.samples[CAPTION]
        made = {
            name: conversations(name, captions, prompt or "", column_type(contract[name]))
            for name in CONVERSATIONS
            if name in contract
        }
        made[PROMPT] = pl.repeat(prompt, len(captions), dtype=pl.String, eager=True)
        samples = pl.DataFrame(
            [(made[name] if name in made else its.samples[name]).alias(name) for name in contract],
        )
        yield replace(its, samples=samples)


def conversations(name: str, captions: pl.Series, prompt: str, dtype: pl.DataType) -> pl.Series:
    """Return the conversation about a picture that ends with each caption; `name` is the column that holds it."""
    who, what, human, model = CONVERSATIONS[name]
    asked = {who: human, what: f"{PLACE}\n{prompt}"}
    return pl.Series(name, [[asked, {who: model, what: caption}] for caption in captions], dtype=dtype)


def _problems(placed: Placed, longest: int) -> dict[str, pl.Series]:
    captions = placed.columns[CAPTION]
    unread = placed.problems.get("not_utf8", pl.repeat(False, len(captions), dtype=pl.Boolean, eager=True))
    return {
        "empty_captions": (captions.is_null() & ~unread) | blank(captions),
        "not_utf8": unread,
        "control_characters": with_controls(captions),
        "image_tokens": captions.str.contains(PLACE, literal=True).fill_null(False),
        "huge_captions": (captions.str.len_chars() > longest).fill_null(False),
    }


def _check_prompt(contract: Mapping[str, Any], prompt: str | None) -> None:
    if prompt is None and needs_prompt(contract):
        names = ", ".join(name for name in (PROMPT, *CONVERSATIONS) if name in contract)
        raise RegistryError(f"{names}: there is no prompt", where="contract.columns", hint="name one in params.prompt")
    if prompt is not None and PLACE in prompt:
        raise RegistryError(f"it holds {PLACE}, which is added to it", where="params.prompt", hint="take it out")
