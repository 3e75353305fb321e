"""Infer what the contract of a table can say of its columns: types, bounds, gaps, small sets of values, lengths."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import numpy as np
import polars as pl

from registry.config.checks import MARKUP
from registry.describe.columns import DTYPES, RESOLUTION
from registry.errors import RegistryError

MOST_VALUES = 20
"""A column of texts with more values than this is no small set."""
ROWS_PER_VALUE = 10
"""A small set has, on the average, at least so many rows for each of its values."""
LONGEST_VALUE = 40
"""Characters of a value that can be one of a small set."""
DIGITS = 2
"""Digits to which bounds are rounded, outward, so that a row more does not break them at once."""
NO_NUMBERS = {"int64": r"^\+|^-?0\d", "float64": r"^\+|^-?0\d|^-?\d{16,}$"}
"""What looks like a number and is none: post codes, telephone numbers, ids with more digits than a float keeps."""
LARGEST = 10**19 - 1
"""The largest integer that a dataset's file may hold."""
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
READ_AS = {"int64": pl.Int64, "float64": pl.Float64, "bool": pl.Boolean, "date": pl.Date}
"""What texts are read as if all can be, the narrowest first."""


@dataclass
class _Range:
    """The least and the greatest value so far."""

    low: Any = None
    high: Any = None

    def add(self, low: Any, high: Any) -> None:
        if low is not None:
            self.low = low if self.low is None else min(self.low, low)
            self.high = high if self.high is None else max(self.high, high)


@dataclass
class Column:
    """What is known so far of a column; `reads` are the types of READ_AS that texts in it may stand for."""

    reads: Sequence[str] = ()
    decimal: str = "."
    rows: int = 0
    nulls: int = 0
    dtypes: dict[str, _Range] = field(default_factory=dict)
    values: set[str] | None = field(default_factory=set)
    lengths: _Range = field(default_factory=_Range)
    type: pl.DataType | None = None
    range: _Range = field(default_factory=_Range)
    ascends: bool = True
    last: int | None = None

    def __post_init__(self) -> None:
        self.dtypes = {dtype: _Range() for dtype in self.reads}

    def add(self, values: pl.Series) -> None:
        """Look at more values."""
        present = values.alias("column").drop_nulls()
        self.rows, self.nulls = self.rows + len(values), self.nulls + len(values) - len(present)
        if present.dtype != pl.String:
            self.type = self.type or present.dtype
            if present.dtype.is_numeric() and not isinstance(present.dtype, pl.Decimal):
                self.range.add(present.min(), present.max())
            if present.dtype.is_integer():
                self._follow(present)
        elif len(present):
            self._add_texts(present)

    def _add_texts(self, present: pl.Series) -> None:
        for dtype in [*self.dtypes]:
            read = _read(present, dtype, self.decimal)
            if read.null_count() or (dtype == "float64" and not read.is_finite().all()):
                del self.dtypes[dtype]
            elif dtype != "bool":
                self.dtypes[dtype].add(read.min(), read.max())
                if dtype == "int64":
                    self._follow(read)
        lengths = present.str.len_chars()
        self.lengths.add(lengths.min(), lengths.max())
        if self.values is not None:
            self.values.update(present.unique().head(MOST_VALUES + 1).to_list())
            self.values = self.values if len(self.values) <= MOST_VALUES else None

    def _follow(self, numbers: pl.Series) -> None:
        """Note whether integers ascend, each above the one before."""
        if self.ascends and len(numbers):
            goes_on = self.last is None or numbers[0] > self.last
            self.ascends, self.last = goes_on and bool((numbers.shift(1) < numbers).all()), numbers[-1]

    def _bounds(self, range_: _Range, dtype: str) -> dict[str, Any]:
        """Return the bounds of values; of integers that ascend, such as ids, which go on, the lower one."""
        bounds = _bounds(range_, dtype)
        if isinstance(range_.low, int) and self.ascends and self.rows - self.nulls > 1:
            bounds.pop("max", None)
        return bounds

    def spec(self) -> dict[str, Any]:
        """Return what the contract says of the column."""
        nullable = {"nullable": True} if self.nulls else {}
        if self.type is not None:
            spec = spec_of(self.type)
            return spec | self._bounds(self.range, spec.get("dtype", "")) | nullable
        if self.dtypes and self.nulls < self.rows:
            dtype, its = next(iter(self.dtypes.items()))
            return {"dtype": dtype, **self._bounds(its, dtype), **nullable}
        if self.values and self._is_small_set():
            return {"dtype": "string", "values": sorted(self.values), **nullable}
        if self.lengths.low is None:
            return {"dtype": "string", **nullable}
        lengths = {"min_length": min(self.lengths.low, 1), "max_length": rounded(self.lengths.high, ROUND_CEILING)}
        return {"dtype": "string", **lengths, **nullable}

    def _is_small_set(self) -> bool:
        """Tell whether a file may name all values, which no markup is that a report would take for a script."""
        few = self.rows - self.nulls >= ROWS_PER_VALUE * len(self.values)
        return few and max(map(len, self.values)) <= LONGEST_VALUE and not any(map(MARKUP.search, self.values))


def _read(texts: pl.Series, dtype: str, decimal: str) -> pl.Series:
    """Return texts as values of a type, null where one is none."""
    if dtype == "bool":
        return texts.replace_strict({"true": True, "false": False}, default=None)
    if dtype == "date":
        return texts.set(~texts.str.contains(DATE), None).str.strptime(pl.Date, "%Y-%m-%d", strict=False)
    numbers = texts if decimal == "." else texts.str.replace(decimal, ".", literal=True)
    return numbers.set(texts.str.contains(NO_NUMBERS[dtype]), None).cast(READ_AS[dtype], strict=False)


def _bounds(range_: _Range, dtype: str) -> dict[str, Any]:
    """Return the bounds of values of a type: of numbers both, of dates, which go on, the lower one."""
    if range_.low is None:
        return {}
    if isinstance(range_.low, date):
        return {"min": range_.low.isoformat()}
    bounds = {"min": rounded(range_.low, ROUND_FLOOR), "max": rounded(range_.high, ROUND_CEILING)}
    if isinstance(range_.low, int):
        limits = np.iinfo(dtype)
        bounds = {"min": max(bounds["min"], int(limits.min)), "max": min(bounds["max"], int(limits.max))}
    return {side: bound for side, bound in bounds.items() if abs(bound) <= LARGEST or isinstance(bound, float)}


def spec_of(dtype: pl.DataType) -> dict[str, Any]:
    """Return what a contract says of a column of a type; what is in lists and structs may be missing.

    Raises RegistryError for maps, which no contract has.
    """
    match dtype:
        case pl.List() | pl.Array():
            return {"list": spec_of(dtype.inner) | {"nullable": True}}
        case pl.Struct():
            return {"struct": {one.name: spec_of(one.dtype) | {"nullable": True} for one in dtype.fields}}
        case pl.Datetime() | pl.Duration():
            spec = {"dtype": "timestamp" if isinstance(dtype, pl.Datetime) else "duration"}
            spec |= {"resolution": dtype.time_unit} if dtype.time_unit != RESOLUTION else {}
            return spec | ({"zone": zone} if (zone := getattr(dtype, "time_zone", None)) else {})
        case pl.Decimal():
            return {"dtype": "decimal", "precision": dtype.precision, "scale": dtype.scale}
    if dtype.is_nested():
        hint = "make them lists of structs, or leave the column out of the file"
        raise RegistryError("values are maps, which no contract has", hint=hint)
    return {"dtype": next((name for name, type_ in DTYPES.items() if type_ == dtype), "string")}


def rounded(number: float, how: str) -> float:
    """Return a number of at most DIGITS digits that is not above it (ROUND_FLOOR), or not below it (ROUND_CEILING)."""
    exact = Decimal(repr(number))
    if not exact:
        return number
    near = exact.quantize(Decimal(1).scaleb(max(exact.adjusted() - DIGITS + 1, -324)), how)
    if isinstance(number, int):
        return int(near)
    return float(near) if math.isfinite(float(near)) else number


def _plain(values: pl.Series) -> pl.Series:
    return values.cast(pl.String) if isinstance(values.dtype, pl.Categorical | pl.Enum | pl.Null) else values


def infer(
    batches: Iterable[pl.DataFrame], *, reads: Sequence[str] = (), decimal: str = "."
) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return how many rows there are, and {column: what a contract can say of it}.

    `reads` are the types that texts may stand for, those of a CSV file for all of READ_AS. Numbers have `decimal`
    before their fractions. Raises RegistryError for NaN and infinity, which no contract takes.
    """
    rows, columns = 0, {}
    for batch in batches:
        rows += batch.height
        for values in batch:
            if values.dtype.is_float() and not values.is_finite().all():
                hint = "no contract takes them: write what is missing as null"
                raise RegistryError(f"column {values.name} holds NaN or infinity", hint=hint)
            columns.setdefault(values.name, Column(reads, decimal)).add(_plain(values))
    return rows, {name: _spec(name, column) for name, column in columns.items()}


def _spec(name: str, column: Column) -> dict[str, Any]:
    try:
        return column.spec()
    except RegistryError as error:
        raise RegistryError(error.reason, where=f"column {name}", hint=error.hint) from None
