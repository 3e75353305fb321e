"""Draft the params and the contract's columns of a new dataset: what is guessed of its kind, and what is inferred."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from registry.authoring.infer import READ_AS, infer
from registry.authoring.layout import columns_in, guess_format
from registry.errors import RegistryError
from registry.formats.archives import members
from registry.kinds.files import TYPES, Format, batches
from registry.kinds.inputs import MESSAGES
from registry.kinds.messages import TURN
from registry.kinds.pictures import is_litter, is_picture, normal

READS = {"csv": (*READ_AS,), "jsonl": ("date",)}
"""What texts may stand for, by the format of their file."""
LOOKED_AT = 1_000
"""Files in an archive by which it is told what that holds."""
SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "dev"), "test": ("test", "testing")}
"""The folders that hold splits, as most call them."""
PAIRS = {"instruction": ("instruction", "prompt"), "output": ("output", "response", "completion"), "input": ("input",)}
"""The columns of instructions and what answers them, as most call them."""
CONVERSATIONS = ("messages", "conversations", "conversation")
ROLES = {"values": ["system", "user", "assistant", "tool"]}


@dataclass(frozen=True)
class Wishes:
    """What somebody says of a new dataset that its data does not tell."""

    kind: str | None = None
    title: str | None = None
    description: str | None = None
    license: str = "unknown"
    key: str | None = None
    target: str | None = None
    inputs: Sequence[str] = ()
    ratios: Mapping[str, float] = field(default_factory=dict)
    by: Sequence[str] = ()
    sample: bool = True


@dataclass(frozen=True)
class Draft:
    """The kind, the params and the contract's columns of a dataset, and how files of rows are laid out.

    `versioning` says what a change of its rows means, where that is not what it means for most.
    """

    kind: str
    params: dict[str, Any]
    columns: dict[str, Any]
    layout: Format | None
    versioning: str | None = None


def draft(files: Mapping[str, Path], given: Format, wishes: Wishes) -> Draft:
    """Return what follows from source files {name: path} of one kind. Raises RegistryError for what is of none."""
    first = next(iter(files.values()))
    if wishes.kind == "images" or (wishes.kind is None and not given.type and holds_pictures(first)):
        return _of_pictures(files, wishes)
    layouts = {guess_format(path, given) for path in files.values()}
    if len(layouts) > 1:
        where = ", ".join(files)
        raise RegistryError("its files are laid out in different ways", where=where, hint="add them one by one")
    [layout] = layouts
    wanted = columns_in(first, layout)
    begin, *others = files
    for file in others:
        if other := {*columns_in(files[file], layout)} ^ wanted.keys():
            what = f"it has other columns than {begin}: {', '.join(sorted(other))}"
            raise RegistryError(what, where=file, hint="add such files one by one")
    chats = _conversations(wanted)
    kind = wishes.kind or ("conversations" if chats else "table")
    if kind == "conversations":
        return Draft(kind, format_params(layout, first) | chats | shared(wishes), _MESSAGES_COLUMN, layout)
    rows = (batch for path in files.values() for batch in batches(path, layout, wanted))
    number, columns = infer(rows, reads=READS.get(layout.type, ()), decimal=layout.decimal)
    if not number:
        hint = "add it once it has some: they tell its contract"
        raise RegistryError("it has no rows", where=", ".join(files), hint=hint)
    params = format_params(layout, first) | shared(wishes)
    if kind == "text":
        text, label = _text_and_label(columns, wishes)
        params = {"text": text, **({"label": label} if label else {})} | params
        for role in ("target", "inputs"):
            params.pop(role, None)
        columns = {name: spec for name, spec in columns.items() if name in (text, label)}
    return Draft(kind, params, columns, layout)


def shared(wishes: Wishes) -> dict[str, Any]:
    """Return the params that every kind has, of those that are wished for."""
    split = {"ratios": dict(wishes.ratios), **({"by": [*wishes.by]} if wishes.by else {})} if wishes.ratios else None
    params = {"key": wishes.key, "target": wishes.target, "inputs": [*wishes.inputs] or None, "split": split}
    return {key: value for key, value in params.items() if value is not None}


def format_params(layout: Format, path: Path) -> dict[str, Any]:
    """Return the params that say how files are read, of what their names do not tell."""
    plain = Format(type=TYPES.get(path.suffix.lower()))
    options = {key: getattr(layout, key) for key in ("type", "header", "encoding", "decimal", "sheet", "quoting")}
    found = {key: value for key, value in options.items() if value != getattr(plain, key)}
    if layout.type == "csv" and layout.separator != plain.separator_of(path):
        found["separator"] = layout.separator
    if layout.nulls:
        found["nulls"] = [*layout.nulls]
    return ({"format": found} if found else {}) | ({"names": [*layout.names]} if layout.names else {})


_MESSAGES_COLUMN = {MESSAGES: {"list": {"struct": {"role": ROLES, "content": {"min_length": 1}}}}}


def _conversations(wanted: Mapping[str, pl.DataType]) -> dict[str, Any]:
    """Return the params that make conversations of these columns; none where they hold none."""
    for name in CONVERSATIONS:
        dtype = wanted.get(name)
        if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
            fields = {one.name for one in dtype.inner.fields}
            if all(fields & {*names} for names in TURN.values()):
                return {"messages": name}
    pairs = {part: next((name for name in names if name in wanted), None) for part, names in PAIRS.items()}
    if pairs["instruction"] and pairs["output"]:
        return {"pairs": {part: name for part, name in pairs.items() if name}}
    return {}


def _text_and_label(columns: Mapping[str, Mapping[str, Any]], wishes: Wishes) -> tuple[str, str | None]:
    """Return the column of texts, the longest unless one is wished for, and that of labels, if there is one."""
    texts = [name for name, spec in columns.items() if spec["dtype"] == "string" and name != wishes.target]
    if not texts:
        raise RegistryError("no column is of texts", hint="name it: --input COLUMN")
    longest = max(texts, key=lambda name: columns[name].get("max_length", 0))
    few = [name for name, spec in columns.items() if "values" in spec]
    return next(iter(wishes.inputs), longest), wishes.target or next(iter(few), None)


def holds_pictures(path: Path) -> bool:
    """Tell whether a folder or an archive holds a picture among its first files, or a file is one."""
    if not path.is_dir() and path.suffix.lower() in TYPES:
        return False
    names = (member.name for member in islice(members(path), LOOKED_AT))
    return any(is_picture(name) for name in names)


def _of_pictures(files: Mapping[str, Path], wishes: Wishes) -> Draft:
    """Return the draft of pictures in folders: of classes, or of splits with folders of classes."""
    paths = [
        normal(member.name).split("/")
        for path in files.values()
        for member in members(path)
        if is_picture(member.name) and not is_litter(member.name)
    ]
    root: list[str] = []
    while paths and len({path[0] for path in paths}) == 1 and min(map(len, paths)) > 2:
        root.append(paths[0][0])
        paths = [path[1:] for path in paths]
    params: dict[str, Any] = {"root": "/".join(root)} if root else {}
    tops = {path[0] for path in paths if len(path) > 1}
    known = {folder: split for split, folders in SPLITS.items() for folder in folders}
    if tops and all(top.lower() in known for top in tops):
        if wishes.ratios:
            what = f"its folders are splits already: {', '.join(sorted(tops))}"
            raise RegistryError(what, where="--split", hint="leave it out")
        folders = {split: sorted(top for top in tops if known[top.lower()] == split) for split in SPLITS}
        params["split"] = {"folders": {split: its for split, its in folders.items() if its}}
        paths = [path[1:] for path in paths]
    classes = sorted({path[0] for path in paths if len(path) > 1})
    columns: dict[str, Any] = {"image": {"dtype": "binary"}}
    if classes:
        columns["label"] = {"dtype": "string", "values": classes}
    return Draft("images", shared(wishes) | params, columns, None)
