"""Draft a dataset of pictures with what is said of them: in texts beside them, or in a table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pyarrow.types as pat

from registry.authoring.drafts import READS, Draft, Wishes, format_params, shared
from registry.authoring.infer import LONGEST_VALUE, infer
from registry.authoring.layout import columns_in, guess_format
from registry.config.load import read_yaml
from registry.errors import RegistryError
from registry.formats.parquet import explained
from registry.kinds.beside import Embedded, copied, is_text
from registry.kinds.files import TYPES, Format, batches
from registry.kinds.inputs import CAPTION, IMAGE, LABEL, MESSAGES
from registry.kinds.pictures import LIMITS, Reader, is_litter, is_picture, normal
from registry.sources.prompts import FOLDER

CAPTIONS = ("caption", "captions", "text", "description", "alt_text", "alt", "title")
LABELS = ("label", "labels", "class", "category", "target")
"""The columns of what is said of a picture, and of its class, as most call them."""
PROMPT = "caption"
"""The prompt that asks for captions, unless the dataset's file is given another."""
LOOKED_AT = 1_000
"""Rows of a table by which it is told which pictures they name."""
JUDGED = 5
"""Rows of a Parquet file by which it is told whether they hold pictures."""


def draft_pictures(
    files: Mapping[str, Path], listed: Mapping[str, Sequence[str]], given: Format, wishes: Wishes, root: Path
) -> Draft | None:
    """Return the draft of source files {name: path} that are pictures beside which something says what they show.

    `listed` are the names of what is in each. None where nothing does, and for what is no pictures. Raises
    RegistryError where captions are wished for and there are none, or no column of a table names the pictures.
    """
    if found := _embedded(files, wishes, root) or _named(files, listed, given, wishes, root):
        return found
    if wishes.kind != "images" and _have_texts(listed, wishes):
        if wishes.target:
            what = "captions are in texts beside the pictures, and in no column"
            raise RegistryError(what, where="--target", hint="leave it out, or let it be --kind images")
        return _captions({}, {}, None, wishes, root)
    if wishes.kind == "captions":
        hint = "a.txt beside a.jpg, a table that names each picture, or Parquet that holds them: docs/kinds.md#captions"
        raise RegistryError("no pictures with captions are found", where=", ".join(files), hint=hint)
    return None


def _embedded(files: Mapping[str, Path], wishes: Wishes, root: Path) -> Draft | None:
    """Return the draft of Parquet files with a column of pictures."""
    if not all(path.is_file() and TYPES.get(path.suffix.lower()) == "parquet" for path in files.values()):
        return None
    first, layout = next(iter(files.values())), Format(type="parquet")
    if (image := _image_column(first)) is None:
        return None
    wanted = {name: dtype for name, dtype in columns_in(first, layout).items() if name != image}
    _, columns = infer(batch for path in files.values() for batch in batches(path, layout, wanted))
    return _of_rows({"image": image}, columns, layout, wishes, root)


def _image_column(path: Path) -> str | None:
    """Return the first column of a Parquet file that holds pictures, as bytes or as {bytes, path}."""
    with explained(path):
        schema = pq.read_schema(path)
    for field in schema:
        inside = {one.name: one.type for one in field.type} if pat.is_struct(field.type) else {}
        type_ = inside.get("bytes", field.type)
        if not (pat.is_binary(type_) or pat.is_large_binary(type_)):
            continue
        [(_, found)] = Embedded({}, {"image": field.name}).pictures({path.name: path}, LIMITS["max_bytes"], Counter())
        if any(Reader.of({}).judge(one).problem not in ("corrupt", "empty_files") for one in islice(found, JUDGED)):
            return field.name
    return None


def _named(
    files: Mapping[str, Path], listed: Mapping[str, Sequence[str]], given: Format, wishes: Wishes, root: Path
) -> Draft | None:
    """Return the draft of pictures that a table names: a source file, or the only one in an archive or a folder."""
    tables = [(file, name) for file, names in listed.items() for name in names if _is_table(name)]
    alone = [(file, name) for file, name in tables if listed[file] == [file]]
    pictures = {normal(name) for names in listed.values() for name in names if is_picture(name) and not is_litter(name)}
    if not pictures or len(alone or tables) != 1:
        return None
    [(file, name)] = alone or tables
    table = file if alone else f"{file}/{normal(name)}"
    with nullcontext(files[file]) if alone else copied(files[file], normal(name)) as path:
        try:
            found = _of_table(table, path, pictures, given, wishes, root)
        except RegistryError:
            if alone:
                raise
            return None
    if alone and found is None:
        hint = "let a column have their paths in the archive, or their names"
        raise RegistryError("no column names the pictures", where=table, hint=hint)
    # Folders tell classes, too, and what lies beside them may be about something else.
    by_folders = not alone and wishes.kind is None and len({PurePosixPath(name).parent for name in pictures}) > 1
    return None if found and found.kind == "images" and by_folders else found


def _of_table(table: str, path: Path, pictures: set[str], given: Format, wishes: Wishes, root: Path) -> Draft | None:
    layout = guess_format(path, given)
    wanted = columns_in(path, layout)
    if (template := _template(path, layout, pictures)) is None:
        return None
    _, columns = infer(batches(path, layout, wanted), reads=READS.get(layout.type, ()), decimal=layout.decimal)
    return _of_rows({"table": table, "path": template} | format_params(layout, path), columns, layout, wishes, root)


def _is_table(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in TYPES and not is_text(name)


def _template(path: Path, layout: Format, pictures: set[str]) -> str | None:
    """Return which column of a table names the most of pictures, and how, as in `images/{id}.jpg`."""
    by_name: dict[str, str] = {}
    for picture in sorted(pictures, reverse=True):
        place = PurePosixPath(picture)
        by_name |= {place.stem: picture, place.name: picture}
    rows = next(batches(path, layout, columns_in(path, layout)), pl.DataFrame()).head(LOOKED_AT)
    found: dict[str, int] = {}
    for column in rows:
        if not (column.dtype == pl.String or column.dtype.is_integer()) or {*"{}"} & {*column.name}:
            continue
        values = [normal(value).removeprefix("./") for value in column.drop_nulls().cast(pl.String).to_list()]
        for around in {around for value in values[:JUDGED] if (around := _around(value, pictures, by_name))}:
            begin, end = around
            number = sum(f"{begin}{value}{end}" in pictures for value in values)
            found[f"{begin}{{{column.name}}}{end}"] = number
    return max(found, key=found.__getitem__) if found else None


def _around(value: str, pictures: set[str], by_name: Mapping[str, str]) -> tuple[str, str] | None:
    """Return what stands before and after a value in the path of the picture that it names; None if it names none."""
    path = value if value in pictures else by_name.get(value) or by_name.get(PurePosixPath(value).name)
    if not value or path is None or value not in path:
        return None
    begin, _, end = path.rpartition(value)
    return None if {*begin, *end} & {*"{}"} else (begin, end)


def _of_rows(params: dict[str, Any], columns: Mapping[str, Any], layout: Format, wishes: Wishes, root: Path) -> Draft:
    """Return the draft of pictures, given what is known of the other columns of their rows."""
    texts = {
        name: spec.get("max_length", LONGEST_VALUE)
        for name, spec in columns.items()
        if spec.get("dtype") == "string" and name != wishes.key and f"{{{name}}}" not in params.get("path", "")
    }
    several = {name: length for name, length in texts.items() if "values" not in columns[name]}
    called = _called(several, CAPTIONS)
    longest = max(several or texts, key=(several or texts).__getitem__, default=None)
    says = called is not None or several.get(longest, 0) > LONGEST_VALUE
    if wishes.kind == "captions" or (wishes.kind is None and (wishes.target in several if wishes.target else says)):
        caption = wishes.target or called or longest
        if caption is None:
            raise RegistryError("no column is of texts", hint="name it: --target COLUMN")
        return _captions(params, columns, layout, wishes, root, caption)
    label = (
        wishes.target or _called(columns, LABELS) or next((name for name in columns if "values" in columns[name]), None)
    )
    own = {IMAGE: {"dtype": "binary"}}
    if label is not None:
        own[LABEL] = columns.get(label, {"dtype": "string"})
        params |= {"columns": {LABEL: label}} if label != LABEL else {}
    return Draft("images", _wished(wishes) | params, own | _key(columns, wishes), layout, versioning="folder")


def _called(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """Return the column that is called as one of these names, the first of them that there is."""
    there = {column.lower(): column for column in columns}
    return next((there[name] for name in names if name in there), None)


def _captions(
    params: dict[str, Any],
    columns: Mapping[str, Any],
    layout: Format | None,
    wishes: Wishes,
    root: Path,
    caption: str = CAPTION,
) -> Draft:
    own = {IMAGE: {"dtype": "binary"}, CAPTION: {"dtype": "string", "min_length": 1}}
    prompt = _prompt(root)
    if prompt:
        own |= {
            MESSAGES: {"list": {"struct": {"role": {"values": ["user", "assistant"]}, "content": {"min_length": 1}}}}
        }
    params = prompt | ({"caption": caption} if caption != CAPTION else {}) | params
    return Draft("captions", _wished(wishes) | params, own | _key(columns, wishes), layout, versioning="folder")


def _prompt(root: Path) -> dict[str, Any]:
    """Return the param that names the registry's own prompt for captions; none where it has none."""
    path = root / FOLDER / f"{PROMPT}.yaml"
    if not path.is_file():
        return {}
    return {"prompt": {"name": PROMPT, "version": read_yaml(path)["version"], "registry": "file"}}


def _wished(wishes: Wishes) -> dict[str, Any]:
    return {name: value for name, value in shared(wishes).items() if name != "target"}


def _key(columns: Mapping[str, Any], wishes: Wishes) -> dict[str, Any]:
    return {wishes.key: columns[wishes.key]} if wishes.key in columns else {}


def _have_texts(listed: Mapping[str, Sequence[str]], wishes: Wishes) -> bool:
    """Tell whether half of the pictures, or some where captions are wished for, have a text of the same name beside."""
    found: dict[bool, set[str]] = {False: set(), True: set()}
    for file, names in listed.items():
        for name in map(normal, names):
            if (is_picture(name) or is_text(name)) and not is_litter(name):
                found[is_text(name)].add(f"{file}:{name.rpartition('.')[0]}")
    both = len(found[False] & found[True])
    return both > 0 and (wishes.kind == "captions" or 2 * both >= len(found[False]))
