"""Columns in the words of Croissant: a field for each type that it has, and names that break no graph."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from registry.describe.logical import arrow_type, is_list

UNSAFE = re.compile(r"[^\w.-]+")
"""What the name of a node may not have: it is part of an address."""


class Ids:
    """Gives each node of a document an `@id` of its own, whatever the things are called that it is named after."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def new(self, *names: str, of: str | None = None) -> str:
        """Return an `@id` that ends in these names, below that of another node."""
        parts = [UNSAFE.sub("-", name).strip("-.") or "unnamed" for name in names]
        found = wanted = "/".join([of, *parts] if of else parts)
        while found in self._taken:
            self._next[wanted] = self._next.get(wanted, 1) + 1
            found = f"{wanted}-{self._next[wanted]}"
        self._taken.add(found)
        return found


def field(
    ids: Ids, of: str, name: str, dtype: pa.DataType, source: Mapping[str, Any], *, picture: bool = False
) -> dict[str, Any] | None:
    """Return a column, or a field of one, as a field of a record set; None where Croissant has no word for its type.

    `of` is the `@id` of what it belongs to, and `picture` tells that it holds the bytes of pictures.
    """
    if not name:
        return None
    shape, inner = _shape(dtype)
    if picture:
        within = {"transform": {"jsonPath": json_path("bytes")}} if pat.is_struct(inner) else {}
        return {**_node(ids, of, name, shape), "dataType": "sc:ImageObject", "source": {**source, **within}}
    if pat.is_struct(inner) and "transform" not in source and len(shape) < 2:
        node = _node(ids, of, name, shape)
        parts = [_part(ids, node["@id"], one, source) for one in inner]
        return {**node, "source": dict(source), "subField": parts} if parts and all(parts) else None
    word = _word(inner)
    return None if word is None else {**_node(ids, of, name, shape), "dataType": word, "source": dict(source)}


def columns(features: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, pa.DataType | None]]:
    """Yield the columns that metadata.json describes, each with its type; None for one that is no name of a type."""
    for name, about in features.items():
        try:
            yield name, arrow_type(about["dtype"])
        except ValueError:
            yield name, None


def _part(ids: Ids, of: str, one: pa.Field, source: Mapping[str, Any]) -> dict[str, Any] | None:
    return field(ids, of, one.name, one.type, {**source, "transform": {"jsonPath": json_path(one.name)}})


def json_path(name: str) -> str:
    """Return the path to a member of an object, whatever it is called."""
    return "$['" + re.sub(r"(['\\])", r"\\\1", name) + "']"


def _node(ids: Ids, of: str, name: str, shape: list[int]) -> dict[str, Any]:
    array = {"isArray": True, "arrayShape": ",".join(map(str, shape))} if shape else {}
    return {"@type": "cr:Field", "@id": ids.new(name, of=of), "name": name, **array}


def _shape(dtype: pa.DataType) -> tuple[list[int], pa.DataType]:
    """Return how long lists in lists are, -1 for those that may have any length, and what the innermost ones hold."""
    shape = []
    while pat.is_fixed_size_list(dtype) or is_list(dtype):
        shape.append(dtype.list_size if pat.is_fixed_size_list(dtype) else -1)
        dtype = dtype.value_type
    return shape, dtype


def _word(dtype: pa.DataType) -> str | None:
    """Return the word of Croissant for a type of single values."""
    if pat.is_string(dtype) or pat.is_large_string(dtype):
        return "sc:Text"
    if pat.is_boolean(dtype):
        return "sc:Boolean"
    if pat.is_integer(dtype):
        return f"cr:{'U' if pat.is_unsigned_integer(dtype) else ''}Int{dtype.bit_width}"
    if pat.is_floating(dtype):
        return f"cr:Float{dtype.bit_width}"
    if pat.is_decimal(dtype):
        return "sc:Float"
    if pat.is_date(dtype):
        return "sc:Date"
    if pat.is_timestamp(dtype):
        return "sc:DateTime"
    return "sc:Time" if pat.is_time(dtype) else None
