"""Which columns of a table are read, what is known of them, and which of them hold pictures."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from registry.errors import RegistryError

IMAGE, FILE_NAME = "image", "file_name"
"""The columns of a picture's bytes, and of its name."""


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


def _is_picture(type_: pa.DataType) -> bool:
    """Tell whether a type is the one in which Hugging Face datasets stores pictures."""
    return (
        pat.is_struct(type_) and {field.name for field in type_} == {"bytes", "path"} and _is_bytes(type_["bytes"].type)
    )


def _is_bytes(type_: pa.DataType) -> bool:
    return pat.is_binary(type_) or pat.is_large_binary(type_)
