"""What a contract says of a column, by the Arrow type that its values have."""

from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from registry.describe.logical import is_list, logical_type


def column_of(dtype: pa.DataType, *, nullable: bool = False) -> dict[str, Any]:
    """Return a specification that takes every value of a type; `nullable`: missing ones, too, at any depth."""
    return _rules(dtype, nullable) | ({"nullable": True} if nullable else {})


def _rules(dtype: pa.DataType, nullable: bool) -> dict[str, Any]:
    if is_list(dtype):
        return {"list": column_of(dtype.value_type, nullable=nullable)}
    if pat.is_struct(dtype):
        return {"struct": {field.name: column_of(field.type, nullable=nullable) for field in dtype}}
    if pat.is_fixed_size_list(dtype):
        inner = _rules(dtype.value_type, nullable)
        return {**inner, "shape": [dtype.list_size, *inner.get("shape", [])]}
    if pat.is_decimal(dtype):
        return {"dtype": "decimal", "precision": dtype.precision, "scale": dtype.scale}
    if pat.is_timestamp(dtype):
        return {"dtype": "timestamp", "resolution": dtype.unit} | ({"zone": dtype.tz} if dtype.tz else {})
    if pat.is_duration(dtype):
        return {"dtype": "duration", "resolution": dtype.unit}
    return {"dtype": logical_type(dtype).partition("[")[0]}
