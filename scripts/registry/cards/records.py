"""The rows of a version in the words of Croissant: a record set for each split, and one that lists the splits.

Pictures that are files have record sets of their own, which rows are joined to: mlcroissant joins no files to JSON.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from registry.cards.distribution import TABLES, Distribution
from registry.cards.fields import Ids, columns, field, json_path
from registry.config.kinds import FILE
from registry.reading.columns import IMAGE, picture_columns
from registry.reading.folders import ANNOTATIONS, IMAGES
from registry.shown import some
from registry.storage.snapshot import Snapshot

PICTURES = ("jpeg", "jpg", "png")
"""Files that those who read Croissant decode as pictures."""
NAMED = 20
"""Columns that a description names."""
TURNS = pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))
"""The conversation about a picture, in annotations.json."""


def record_sets(snapshot: Snapshot, files: Distribution, ids: Ids) -> list[dict[str, Any]]:
    """Return the record sets of a version: of those splits whose rows are in tables, or beside pictures."""
    splits = [*snapshot.metadata["splits"]]
    several = _splits(splits, ids) if len(splits) > 1 else []
    tables = snapshot.tables(files.paths(), TABLES)
    found = []
    for split in splits:
        folder = f"{snapshot.data}/{split}" if several else snapshot.data
        if source := files.source(tables.get(split, [])):
            its = [_rows(snapshot, split, source, ids)]
            its += _pictures(files, split, f"{folder}/", ids) if _names_pictures(snapshot) else []
        elif source := files.source([f"{folder}{ANNOTATIONS}"]):
            rows = _conversations(split, source, ids)
            its = [rows, *_pictures(files, split, f"{folder}{IMAGES}", ids, rows)]
        else:
            continue
        its = [node for node in its if node["field"]]
        for node in its if several else []:
            node["field"].append(_split(split, node["@id"], ids))
        found += its
    return [*several, *found] if found else []


def _names_pictures(snapshot: Snapshot) -> bool:
    """Tell whether the tables of a version name pictures, which are files beside them."""
    params = snapshot.provenance["config"].get("params")
    features = snapshot.metadata["schema"]["features"]
    return (
        isinstance(params, Mapping) and params.get("files") is True and features.get(IMAGE, {}).get("dtype") == "binary"
    )


def _splits(splits: list[str], ids: Ids) -> list[dict[str, Any]]:
    """Return the record set of the splits themselves."""
    name = ids.new("splits")
    key = ids.new("name", of=name)
    return [
        {
            "@type": "cr:RecordSet",
            "@id": name,
            "name": "splits",
            "dataType": "cr:Split",
            "key": {"@id": key},
            "field": [{"@type": "cr:Field", "@id": key, "name": "name", "dataType": "sc:Text"}],
            "data": [{key: split} for split in splits],
        }
    ]


def _split(split: str, of: str, ids: Ids) -> dict[str, Any]:
    """Return the field that says of each record of a set in which split it is."""
    node = {"@type": "cr:Field", "@id": ids.new("split", of=of), "name": "split"}
    return {**node, "dataType": ["sc:Text", "cr:Split"], "value": split}


def _rows(snapshot: Snapshot, split: str, source: Mapping[str, Any], ids: Ids) -> dict[str, Any]:
    """Return the record set of a split whose rows are in tables."""
    features = snapshot.metadata["schema"]["features"]
    typed = dict(columns(features))
    pictures = picture_columns(pa.schema([(name, dtype) for name, dtype in typed.items() if dtype is not None]))
    if _names_pictures(snapshot):
        typed = {FILE if name == IMAGE else name: dtype for name, dtype in typed.items()} | {FILE: pa.string()}
    node = _record_set(split, ids)
    left_out = []
    for name, dtype in typed.items():
        its = {**source, "extract": {"column": name}}
        made = None if dtype is None else field(ids, node["@id"], name, dtype, its, picture=name in pictures)
        if made:
            node["field"].append(made | _described(features.get(name, {})))
        else:
            left_out.append(name)
    if left_out:
        named = some(left_out, NAMED)
        node["description"] = f"Without the columns for whose types Croissant has no word: {named}."
    return node


def _described(about: Mapping[str, Any]) -> dict[str, str]:
    """Return what is said of a column for people."""
    said = [str(about[key]) for key in ("description", "unit") if about.get(key)]
    return {"description": ", in ".join(said)} if said else {}


def _conversations(split: str, source: Mapping[str, Any], ids: Ids) -> dict[str, Any]:
    """Return the record set of a split whose rows are conversations about pictures."""
    node = _record_set(split, ids)
    for name, dtype in ((IMAGE, pa.string()), ("conversations", TURNS)):
        its = {**source, "extract": {"jsonPath": f"$[*]['{name}']"}}
        node["field"].append(field(ids, node["@id"], name, dtype, its))
    return node


def _pictures(
    files: Distribution, split: str, folder: str, ids: Ids, rows: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the record sets of the pictures below a folder, each called as the rows call it.

    With `rows`, conversations about them, each picture has its own beside it.
    """
    for kind in PICTURES:
        source = files.source([path for path in files.paths(kind) if path.startswith(folder)])
        if source is None:
            continue
        node = _record_set(f"{split}-pictures", ids)
        # Optional, for mlcroissant transforms the keys of a join twice.
        path = {"regex": f"(?:{re.escape(files.relative(folder))})?(.+)"}
        name = {**source, "extract": {"fileProperty": "fullpath"}, "transform": path}
        content = {**source, "extract": {"fileProperty": "content"}}
        node["description"] = "The pictures that the rows of this split name."
        node["field"] += [
            field(ids, node["@id"], FILE, pa.string(), name),
            field(ids, node["@id"], IMAGE, pa.binary(), content, picture=True),
        ]
        if rows:
            key, turns = rows["field"]
            node["field"][0]["references"] = {"field": {"@id": key["@id"]}}
            node["field"].append(_joined(turns, node["@id"], ids))
        yield node


def _joined(turns: Mapping[str, Any], of: str, ids: Ids) -> dict[str, Any]:
    """Return a field for the conversations of another record set, whose records call what is in them by `@id`s."""
    made = field(ids, of, turns["name"], TURNS, {"field": {"@id": turns["@id"]}})
    for part, its in zip(made["subField"], turns["subField"], strict=True):
        part["source"]["transform"] = {"jsonPath": json_path(its["@id"])}
    return made


def _record_set(split: str, ids: Ids) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": ids.new(split), "name": split, "field": []}
