"""Draft the params and the contract's columns of a new dataset: what is guessed of its kind, and what is inferred."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from registry.authoring.infer import READ_AS, infer
from registry.authoring.layout import columns_in, guess_format
from registry.config.columns import is_text
from registry.config.kinds import AS_IS
from registry.config.names import closest
from registry.config.schema import SCHEMAS, read_schema
from registry.errors import RegistryError
from registry.kinds.as_is import COLUMNS, files_in, suffix_of
from registry.kinds.files import TYPES, Format, batches
from registry.kinds.inputs import MESSAGES
from registry.kinds.messages import TURN
from registry.kinds.pictures import is_litter, is_picture, normal
from registry.kinds.stored import names_folder
from registry.shown import some

READS = {"csv": (*READ_AS,), "jsonl": ("date",)}
"""What texts may stand for, by the format of their file."""
FEW = 10
"""Suffixes that a contract lists at most, and names that a message does."""
LOOKED_AT = 1_000
"""Files in an archive by which it is told what that holds."""
MOST_FILES = 10_000
"""Pictures of a dataset each of which stays a file; more are packed."""
SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "dev"), "test": ("test", "testing")}
"""The folders that hold splits, as most call them."""
PAIRS = {"instruction": ("instruction", "prompt"), "output": ("output", "response", "completion"), "input": ("input",)}
"""The columns of instructions and what answers them, as most call them."""
CONVERSATIONS = ("messages", "conversations", "conversation")
ROLES = {"values": ["system", "user", "assistant", "tool"]}


@dataclass(frozen=True)
class Wishes:
    """What somebody says of a new dataset that its data does not tell.

    Raises RegistryError for what no data can make true.
    """

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
    packed: bool = False

    def __post_init__(self) -> None:
        kinds = read_schema(SCHEMAS / "dataset.schema.yaml")["properties"]["kind"]["enum"]
        if self.kind is not None and self.kind not in kinds:
            raise RegistryError(f"there is no kind {self.kind}", where="--kind", hint=_instead(self.kind, kinds))
        if self.ratios:
            _check_shares(self.ratios)
        if self.by and not self.ratios:
            raise RegistryError("nothing is split", where="--by", hint="say how: --split train=0.9,val=0.1")

    def columns(self) -> dict[str, Sequence[str]]:
        """Return the columns that are named, by the option that names them."""
        return {"--key": [self.key] if self.key else [], "--target": [self.target] if self.target else []} | {
            "--input": self.inputs,
            "--by": self.by,
        }


def _check_shares(ratios: Mapping[str, float]) -> None:
    """Raise RegistryError for names that no split may have, and for shares that are no parts of a whole."""
    name = read_schema(SCHEMAS.parents[1] / "kinds" / "shared.schema.yaml")["$defs"]["name"]
    for split in ratios:
        if not re.search(name["pattern"], split) or len(split) > name["maxLength"]:
            hint = "take small letters and digits, as in train"
            raise RegistryError(f"no split may be called {split}", where="--split", hint=hint)
    shares = ratios.values()
    if not all(0 < share < 1 for share in shares) or not math.isclose(sum(shares), 1):
        what = f"the shares {', '.join(f'{share:g}' for share in shares)} add up to {sum(shares):g}"
        raise RegistryError(what, where="--split", hint="name two or more, each above 0, that add up to 1")


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


def draft(files: Mapping[str, Path], listed: Mapping[str, Sequence[str]], given: Format, wishes: Wishes) -> Draft:
    """Return what follows from source files {name: path} of one kind; `listed` are the names of what is in each.

    Raises RegistryError for what is of none.
    """
    file, first = next(iter(files.items()))
    if wishes.kind == "images" or (
        wishes.kind is None and not given.type and any(map(is_picture, listed[file][:LOOKED_AT]))
    ):
        return _of_pictures(listed, wishes)
    if wishes.packed:
        raise RegistryError("only pictures are packed", where="--packed", hint="leave it out")
    layouts = {_layout_of(path, given) for path in files.values()}
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
    _check_named(wanted, wishes)
    chats = _conversations(wanted)
    kind = wishes.kind or ("conversations" if chats else "table")
    if kind == "conversations":
        if not chats:
            hint = "call them messages, lists of {role, content}; or instruction and output; or see docs/kinds.md"
            raise RegistryError("no column is of conversations", where=first.name, hint=hint)
        if wishes.target:
            raise RegistryError("conversations have no target", where="--target", hint="leave it out, or --kind table")
        key = _columns_of(files, layout, {wishes.key: wanted[wishes.key]}) if wishes.key else {}
        return Draft(kind, format_params(layout, first) | chats | shared(wishes), key | _MESSAGES_COLUMN, layout)
    columns = _columns_of(files, layout, wanted)
    params = format_params(layout, first) | shared(wishes)
    if kind == "text":
        text, label = _text_and_label(columns, wishes)
        params = {"text": text, **({"label": label} if label else {})} | params
        for role in ("target", "inputs"):
            params.pop(role, None)
        columns = {name: spec for name, spec in columns.items() if name in (text, label, wishes.key)}
    return Draft(kind, params, columns, layout)


def _columns_of(files: Mapping[str, Path], layout: Format, wanted: Mapping[str, pl.DataType]) -> dict[str, Any]:
    """Return what the contract says of columns of all files. Raises RegistryError where these have no rows."""
    rows = (batch for path in files.values() for batch in batches(path, layout, wanted))
    number, columns = infer(rows, reads=READS.get(layout.type, ()), decimal=layout.decimal)
    if not number:
        hint = "add it once it has some: they tell its contract"
        raise RegistryError("it has no rows", where=", ".join(files), hint=hint)
    return columns


def _check_named(wanted: Iterable[str], wishes: Wishes) -> None:
    """Raise RegistryError for a column that somebody names, and no file has."""
    there = [*wanted]
    for option, names in wishes.columns().items():
        for name in names:
            if name not in there:
                raise RegistryError(f"there is no column {name}", where=option, hint=_instead(name, there))


def _instead(name: str, known: Sequence[str]) -> str:
    meant = closest(name, known)
    return f"perhaps you mean {meant}" if meant else f"name one of {some(known, FEW)}"


def _layout_of(path: Path, given: Format) -> Format:
    try:
        given.type_of(path)
    except RegistryError as error:
        hint = "call it as what it is, as in a.csv; or, to keep files of any sort as they are: --as-is"
        raise RegistryError(error.reason, where=path.name, hint=hint) from None
    return guess_format(path, given)


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
    texts = [name for name, spec in columns.items() if is_text(spec) and name != wishes.target]
    if not texts and not wishes.inputs:
        raise RegistryError("no column is of texts", hint="write what is one as texts, or leave --kind out")
    text = next(iter(wishes.inputs), None) or max(texts, key=lambda name: columns[name].get("max_length", 0))
    few = [name for name, spec in columns.items() if "values" in spec and name != text]
    label = wishes.target or next(iter(few), None)
    return text, label


def _of_pictures(listed: Mapping[str, Sequence[str]], wishes: Wishes) -> Draft:
    """Return the draft of pictures in folders: of classes, or of splits with folders of classes."""
    paths = [
        normal(name).split("/")
        for names in listed.values()
        for name in names
        if is_picture(name) and not is_litter(name)
    ]
    number = len(paths)
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
    if number <= MOST_FILES and all(map(names_folder, classes)) and not wishes.packed:
        params["files"] = True
    return Draft("images", shared(wishes) | params, columns, None, versioning="folder")


def draft_files(files: Mapping[str, Path], given: Format, wishes: Wishes) -> Draft:
    """Return the draft of files that stay as they are: of the sorts that are there, if few, and with none empty.

    Raises RegistryError for wishes about rows.
    """
    if given != Format():
        hint = "leave out what says how rows are laid out, such as --separator"
        raise RegistryError("no rows are read of files that stay as they are", where="--as-is", hint=hint)
    found = files_in(files)
    suffixes = sorted({suffix_of(path) for path in found})
    columns: dict[str, Any] = {name: {"dtype": "string"} for name in COLUMNS}
    if len(suffixes) <= FEW:
        columns["suffix"]["values"] = suffixes
    columns["bytes"] = {"dtype": "int64", "min": int(all(place.stat().st_size for place in found.values()))}
    return Draft(AS_IS, shared(wishes), columns, None, versioning="folder")
