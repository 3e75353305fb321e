"""What the values of a column must be by its specification in a contract: of which type, and by which rules."""

import math
from collections.abc import Iterator
from datetime import UTC, date, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from registry.config.columns import INSIDE, Spec, dtype_of, inner, value_of

DTYPES = {
    "bool": pl.Boolean,
    "int8": pl.Int8,
    "int16": pl.Int16,
    "int32": pl.Int32,
    "int64": pl.Int64,
    "uint8": pl.UInt8,
    "uint16": pl.UInt16,
    "uint32": pl.UInt32,
    "uint64": pl.UInt64,
    "float16": pl.Float16,
    "float32": pl.Float32,
    "float64": pl.Float64,
    "string": pl.String,
    "binary": pl.Binary,
    "date": pl.Date,
    "time": pl.Time,
}
"""Those that need nothing else to be a type."""
FLOATS = ("float16", "float32", "float64")
RESOLUTION = "us"
"""Of timestamps and durations for which a contract names none."""
SHOWN = 80
"""Characters of a value that are shown."""
UNIT_NORM_TOLERANCE = 1e-4


def column_type(spec: Spec) -> pl.DataType:
    """Return the polars type that a column has to have by its specification in a contract, which is valid."""
    if "list" in spec:
        return pl.List(column_type(spec["list"]))
    if "struct" in spec:
        return pl.Struct([pl.Field(name, column_type(field)) for name, field in spec["struct"].items()])
    match dtype_of(spec):
        case "timestamp":
            return pl.Datetime(spec.get("resolution", RESOLUTION), spec.get("zone"))
        case "duration":
            return pl.Duration(spec.get("resolution", RESOLUTION))
        case "decimal":
            return pl.Decimal(spec["precision"], spec["scale"])
        case name:
            dtype = DTYPES[name]()
    return pl.Array(dtype, tuple(spec["shape"])) if "shape" in spec else dtype


def type_in_words(spec: Spec) -> str:
    """Return the type that a column has to have, as messages name it."""
    if "list" in spec:
        return f"list<{type_in_words(spec['list'])}>"
    if "struct" in spec:
        return f"struct<{', '.join(f'{name}: {type_in_words(field)}' for name, field in spec['struct'].items())}>"
    match dtype_of(spec):
        case "timestamp" | "duration" as name:
            zone = f", tz={spec['zone']}" if "zone" in spec else ""
            return f"{name}[{spec.get('resolution', RESOLUTION)}{zone}]"
        case "decimal":
            return f"decimal({spec['precision']}, {spec['scale']})"
        case name:
            return " ".join([name, *(["of shape", repr(spec["shape"])] if "shape" in spec else [])])


def rules_of(values: pl.Expr, spec: Spec) -> dict[str, pl.Expr]:
    """Return {what a column must be, in words: whether each of its values is}; null where there is none to judge."""
    rules = {}
    if not spec.get("nullable"):
        rules["no nulls"] = values.is_not_null()
    if dtype_of(spec) in FLOATS:
        rules["finite"] = _all_finite(values, len(spec.get("shape", [])))
    if "min" in spec:
        rules[f"at least {spec['min']}"] = values >= _bound(spec["min"], spec)
    if "max" in spec:
        good = values <= _bound(spec["max"], spec)
        # To polars, NaN is more than any number; that it is none is for `finite` to say.
        rules[f"at most {spec['max']}"] = good | values.is_nan() if dtype_of(spec) in FLOATS else good
    if "values" in spec:
        among, shown = _allowed(spec)
        rules[f"one of {shown_value(shown)}"] = values.is_in(among.implode())
    low, high = spec.get("min_length"), spec.get("max_length")
    if low is not None or high is not None:
        rules[f"{in_words(low, high)} characters"] = _is_between(values.str.len_chars(), low, high)
    if "matches" in spec:
        rules[f"matching {shown_value(spec['matches'])}"] = values.str.contains(whole(spec["matches"]))
    low, high = spec.get("min_items"), spec.get("max_items")
    if low is not None or high is not None:
        rules[f"{in_words(low, high)} items"] = _is_between(values.list.len(), low, high)
    if spec.get("unit_norm"):
        rules["unit norm"] = _unit_norm(values)
    return rules


def inside(place: str, spec: Spec, values: pl.Series, rows: np.ndarray) -> Iterator[tuple[str, Spec, pl.Series, Any]]:
    """Yield, of everything within the values of a nested column, its place, specification, values and their rows.

    `rows`, int64 (n,), says which row each value is in. What a null would hold is not there.
    """
    if "list" in spec:
        lengths = values.list.len().fill_null(0)
        rows = np.repeat(rows, lengths.to_numpy())
        found = {INSIDE: values.filter(lengths > 0).explode()}
    elif "struct" in spec:
        present = values.is_not_null()
        rows = rows[present.to_numpy()]
        fields = values.filter(present).struct.unnest()
        # Under no name, since polars takes one such as `^...$` for a pattern.
        found = {step: fields.get_column(step.removeprefix(".")).rename("") for step in inner(spec)}
    for step, one in inner(spec).items():
        yield f"{place}{step}", one, found[step], rows
        yield from inside(f"{place}{step}", one, found[step], rows)


def whole(pattern: str) -> str:
    """Return a regular expression, as Rust has them, that a whole text matches where it matches this one."""
    return rf"\A(?:{pattern})\z"


def pattern_problem(pattern: str) -> str | None:
    """Return what is wrong with a regular expression, in a line; None if nothing is."""
    for one in (pattern, whole(pattern)):
        try:
            pl.Series([""]).str.contains(one)
        except pl.exceptions.ComputeError as error:
            reason = [line for line in str(error).splitlines() if line.startswith("error: ")]
            return reason[0].removeprefix("error: ") if reason else str(error).partition("\n")[0]
    return None


def _is_between(lengths: pl.Expr, low: int | None, high: int | None) -> pl.Expr:
    return lengths.is_between(low or 0, math.inf if high is None else high)


def _bound(written: Any, spec: Spec) -> pl.Expr:
    value = value_of(written, spec)
    match dtype_of(spec):
        case "timestamp" if "zone" in spec:
            return pl.lit(value.astimezone(UTC)).dt.convert_time_zone(spec["zone"])
        case "timestamp" | "decimal":
            return pl.lit(value)
    return pl.lit(value, column_type(spec))


def _allowed(spec: Spec) -> tuple[pl.Series, Any]:
    """Return the values that a column may have, and those to show."""
    written = spec["values"]
    values = [value_of(one, spec) for one in written]
    match dtype_of(spec):
        case "date" | "time" | "decimal":
            return pl.Series(values, dtype=column_type(spec)), written
        case "timestamp":
            dtype = column_type(spec)
            if dtype.time_zone:
                values = [value.astimezone(UTC).replace(tzinfo=None) for value in values]
            series = pl.Series(values, dtype=pl.Datetime(dtype.time_unit))
            if dtype.time_zone:
                series = series.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone)
            return series, written
    # 1 is a float, and 1.0 an integer, where the column is of that type.
    among = pl.Series(values, strict=False).cast(column_type(spec))
    return among, among.to_list()


def _all_finite(values: pl.Expr, dimensions: int) -> pl.Expr:
    if not dimensions:
        return values.is_finite()
    within = _all_finite(pl.element(), dimensions - 1).fill_null(False)
    return values.arr.eval(within, as_list=False).arr.all()


def _unit_norm(values: pl.Expr) -> pl.Expr:
    norm = values.arr.eval(pl.element() ** 2, as_list=False).arr.sum().sqrt()
    return ((norm - 1).abs() < UNIT_NORM_TOLERANCE) & norm.is_not_nan()


def in_words(low: int | None, high: int | None) -> str:
    """Return a range as messages name it; one of its ends may be open."""
    if low is None or high is None:
        return f"at most {high:,}" if low is None else f"at least {low:,}"
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def shown_value(value: Any) -> str:
    """Return a value as Python writes it, without control characters, and cut."""
    if isinstance(value, str | bytes):
        value = value[: SHOWN + 1]
    text = str(value) if isinstance(value, date | time | timedelta) else repr(value)
    return text if len(text) <= SHOWN + len("''") else f"{text[:SHOWN]}..."
