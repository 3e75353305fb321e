"""Turn the columns of a source file into those of a contract: renamed, parsed and converted, never guessed at."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from registry.describe.columns import column_type
from registry.errors import RegistryError
from registry.kinds.files import arrow_type

READ_AS_TEXTS = (pl.Date, pl.Time, pl.Datetime, pl.Duration, pl.Decimal, pl.Binary)
"""Types that no reader of texts reads by itself; of the others, its errors name the line."""
NUMBER = r"^\+?(-?)0*(\d*)(?:\.(\d*?)0*)?$"
"""A number in digits: its sign, and its digits before and after the point without those that say nothing."""


def arrow_schema(contract: Mapping[str, Any]) -> pa.Schema:
    """Return the Arrow schema of a table with the columns of a contract."""
    return pa.schema([(name, arrow_type(column_type(spec))) for name, spec in contract.items()])


class Columns:
    """What becomes of the columns of source files.

    `contract` is the contract's `columns`, `params` the param `columns` of a dataset: where a column comes from that is
    not called alike, and how it is converted.
    """

    def __init__(self, contract: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        self.types = {name: column_type(spec) for name, spec in contract.items()}
        how = {name: params.get(name, {}) for name in contract}
        self._how = {name: {"from": spec} if isinstance(spec, str) else spec for name, spec in how.items()}
        for name, its in self._how.items():
            if "format" in its and not isinstance(self.types[name], (pl.Date, pl.Time, pl.Datetime)):
                message = f"it is of dates and times, but the column is {self.types[name]}"
                raise RegistryError(message, where=f"params.columns.{name}.format", hint="take it out")

    def wanted(self) -> dict[str, pl.DataType]:
        """Return {column of the files: the type to read it as}."""
        found: dict[str, pl.DataType] = {}
        for name, how in self._how.items():
            if "by_file" in how:
                continue
            plain = not isinstance(self.types[name], READ_AS_TEXTS) and not how.keys() & {"format", "map"}
            source = how.get("from", name)
            found[source] = self.types[name] if plain and found.get(source) != pl.String else pl.String()
        return found

    def converted(self, rows: pl.DataFrame, file: str, start: int | Sequence[int]) -> pl.DataFrame:
        """Return rows of a file with the contract's columns; they are those from number `start` of the file, or these.

        Raises RegistryError, which names file, row and column, for a value that is not of its column's type.
        """
        numbers = range(start, start + rows.height) if isinstance(start, int) else start
        return pl.DataFrame([self._column(rows, name, file, numbers) for name in self.types])

    def _column(self, rows: pl.DataFrame, name: str, file: str, numbers: Sequence[int]) -> pl.Series:
        how, dtype = self._how[name], self.types[name]
        if "by_file" in how:
            if file not in how["by_file"]:
                raise RegistryError(f"params.columns.{name}.by_file says nothing of it", where=file)
            return pl.repeat(self._said(name, file), rows.height, dtype=dtype, eager=True).alias(name)
        # Under another name, since polars takes one such as `^...$` for a pattern.
        column = rows.get_column(how.get("from", name)).alias("column")
        if "map" in how:
            texts = {str(value): as_ for value, as_ in how["map"].items()}
            found = column.cast(pl.String).replace_strict(texts, default=None, return_dtype=dtype)
        elif "format" in how:
            found = column.cast(pl.String).str.strptime(dtype, how["format"], strict=False)
        else:
            found = _cast(column, dtype)
        wrong = column.is_not_null() & found.is_null()
        if (row := wrong.arg_max()) is not None and wrong[row]:
            raise RegistryError(f"row {numbers[row]:,}: {name} is {str(column[row])[:80]!r}, not {dtype}", where=file)
        return found.alias(name)

    def _said(self, name: str, file: str) -> Any:
        """Return the value that a column has in all rows of a file; RegistryError if it is not of the column's type."""
        value = self._how[name]["by_file"][file]
        try:
            found = _cast(pl.Series("column", [value]), self.types[name])[0]
        except TypeError:
            found = None
        if found is None and value is not None:
            raise RegistryError(f"params.columns.{name}.by_file is {value!r}, not {self.types[name]}", where=file)
        return found


def _cast(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return a column as another type, with null where that has no such value."""
    if column.dtype == dtype:
        return column
    if column.dtype == pl.String:
        match dtype:
            case pl.Date():
                return column.str.strptime(dtype, "%Y-%m-%d", strict=False)
            case pl.Time():
                return column.str.strptime(dtype, "%H:%M:%S%.f", strict=False)
            case pl.Datetime():
                zone = "%#z" if dtype.time_zone else ""
                texts = column.str.replace(" ", "T", literal=True)
                return texts.str.strptime(dtype, f"%Y-%m-%dT%H:%M:%S%.f{zone}", strict=False)
    try:
        found = column.cast(dtype, strict=False)
        back = found.cast(column.dtype, strict=False)
    except pl.exceptions.PolarsError:
        return pl.repeat(None, len(column), dtype=dtype, eager=True)
    if column.dtype == pl.String and dtype.is_decimal():
        column, back = (texts.str.replace(NUMBER, "$1|$2|$3") for texts in (column, back))
    same = back.eq_missing(column)
    return found.to_frame("it").select(pl.when(same).then(pl.col("it"))).to_series() if not same.all() else found
