"""Which columns of a table are read, what is known of them, and which of them hold pictures."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from registry.errors import RegistryError

IMAGE, FILE_NAME = "image", "file_name"
"""The columns of a picture's bytes, and of its name."""
DAY = {"s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}
"""Of each unit, how many a day has."""


def selected(schema: pa.Schema, columns: Sequence[str] | None, where: str) -> pa.Schema:
    """Return these columns of a schema, in this order. Raises RegistryError for one that is not there."""
    if columns is None:
        return schema
    unknown = [name for name in columns if name not in schema.names]
    if unknown or not columns:
        what = f"no column {', '.join(unknown)}" if unknown else "no column is named"
        raise RegistryError(what, where=where, hint=f"choose from: {', '.join(schema.names)}")
    return pa.schema([schema.field(name) for name in dict.fromkeys(columns)])


def known_types(features: Mapping[str, Mapping[str, Any]]) -> dict[str, pa.DataType]:
    """Return {column: type} of the features whose dtype is one that Arrow spells in the same way."""
    types = {}
    for name, feature in features.items():
        with suppress(ValueError):
            types[name] = pa.type_for_alias(feature["dtype"])
    return types


def picture_columns(schema: pa.Schema, named: Sequence[str] | None = None) -> list[str]:
    """Return the columns that hold pictures: those `named`, else each `image` of bytes, and each {bytes, path}.

    Raises RegistryError for one that is named and holds no bytes.
    """
    if named is None:
        return [
            field.name for field in schema if _is_picture(field.type) or (field.name == IMAGE and _is_bytes(field.type))
        ]
    fit = [field.name for field in schema if _is_picture(field.type) or _is_bytes(field.type)]
    if odd := [name for name in named if name not in fit]:
        raise RegistryError(
            f"no pictures are in {', '.join(odd)}", hint=f"columns of bytes are: {', '.join(fit) or 'none'}"
        )
    return list(named)


@contextmanager
def in_range(column: str) -> Iterator[None]:
    """Explain what is raised for a value that Python does not have: of a far year, or in a zone that is none."""
    try:
        yield
    except (OverflowError, ValueError) as error:  # Arrow's are ValueErrors, too.
        raise RegistryError(
            f"column {column} has a value that Python does not have: {str(error).partition(chr(10))[0]}",
            hint="leave it out: columns=[...]",
        ) from None


def check_times(column: pa.ChunkedArray) -> None:
    """Raise ValueError for a time of day, at any depth, that Python would cut: it has no nanoseconds, and one day."""
    for part in parts(column):
        if pat.is_time(part.type):
            bounds = pc.min_max(part.cast(pa.int32() if pat.is_time32(part.type) else pa.int64())).as_py()
            if bounds["min"] is not None and not 0 <= bounds["min"] <= bounds["max"] < DAY[part.type.unit]:
                raise ValueError("a time of day is beyond midnight")
            if part.type.unit == "ns":
                part.cast(pa.time64("us"))


def parts(column: pa.ChunkedArray) -> Iterator[pa.Array]:
    """Yield the arrays of a column, and all those within them."""
    for chunk in column.chunks:
        yield from _parts(chunk)


def _parts(values: pa.Array) -> Iterator[pa.Array]:
    yield values
    if pat.is_struct(values.type):
        inner = values.flatten()
    elif pat.is_map(values.type):
        inner = [values.keys, values.items]
    elif pat.is_list(values.type) or pat.is_large_list(values.type) or pat.is_fixed_size_list(values.type):
        inner = [values.flatten()]
    else:
        inner = []
    for one in inner:
        yield from _parts(one)


def _is_picture(type_: pa.DataType) -> bool:
    """Tell whether a type is the one in which Hugging Face datasets stores pictures."""
    return (
        pat.is_struct(type_) and {field.name for field in type_} == {"bytes", "path"} and _is_bytes(type_["bytes"].type)
    )


def _is_bytes(type_: pa.DataType) -> bool:
    return pat.is_binary(type_) or pat.is_large_binary(type_)
