"""Arrow tables as what polars, pandas and Hugging Face datasets have, with every number as it is."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from registry.errors import RegistryError
from registry.extras import needed
from registry.reading.columns import check_times, in_range, parts, picture_columns

if TYPE_CHECKING:
    import datasets
    import pandas
    import polars

NULLABLE = {
    pa.bool_(): "boolean",
    **{getattr(pa, f"int{bits}")(): f"Int{bits}" for bits in (8, 16, 32, 64)},
    **{getattr(pa, f"uint{bits}")(): f"UInt{bits}" for bits in (8, 16, 32, 64)},
}
"""The types of pandas that hold nulls among such values; by default it makes floats of them, which round large ids."""
PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""How datasets stores a picture."""


def as_polars(table: pa.Table) -> "polars.DataFrame":
    """Return a table as a DataFrame of polars. Raises RegistryError for a type that it does not have."""
    check_in_polars(table.schema)
    return needed("polars").from_arrow(table)


def check_in_polars(schema: pa.Schema) -> None:
    """Raise RegistryError for a column of a type that polars does not have: over some it ends the process."""
    needed("polars")
    from registry.describe.polars_types import is_in_polars

    for column in schema:
        if not is_in_polars(column.type):
            raise RegistryError(
                f"column {column.name}: polars has no type for {column.type}",
                hint="leave it out: to_polars(columns=[...])",
            )


def as_pandas(table: pa.Table) -> "pandas.DataFrame":
    """Return a table as a DataFrame. Columns of integers or booleans that have nulls get pandas' nullable types.

    Nested ones with nulls have Python's values. Raises RegistryError for values that pandas and Python do not have.
    """
    pandas = needed("pandas")

    def converted(column: pa.ChunkedArray) -> "pandas.Series":
        if column.null_count and column.type in NULLABLE:
            kind = pandas.api.types.pandas_dtype(NULLABLE[column.type])
            return column.to_pandas(types_mapper={column.type: kind}.get)
        if pat.is_nested(column.type) and _would_round(column):
            return pandas.Series(column.to_pylist(), dtype=object)
        return column.to_pandas()

    found = {}
    for name in table.column_names:
        with in_range(name):
            check_times(table[name])
            found[name] = converted(table[name])
    return pandas.DataFrame(found)


def _would_round(column: pa.ChunkedArray) -> bool:
    """Tell whether a column has integers or booleans within, and a null at any depth, which makes floats of them."""
    found = [*parts(column)]
    return any(part.type in NULLABLE for part in found) and any(part.null_count for part in found)


def as_hugging_face(
    table: pa.Table, classes: Mapping[str, Sequence[str]], image_columns: Sequence[str] | None
) -> "datasets.Dataset":
    """Return a table as a Dataset in memory: pictures as Image, and classes as ClassLabel.

    `classes` has the names of the classes of columns: of texts that are such names, or of integers that number them.
    Names of which two are the same, or one is no text, are left out.
    Raises RegistryError for a type that datasets does not have.
    """
    datasets = needed("datasets")
    pictures = picture_columns(table.schema, image_columns)
    columns, features = {}, {}
    for field in table.schema:
        column, names = table[field.name], classes.get(field.name, ())
        if len({*names}) < len(names) or not all(isinstance(name, str) for name in names):
            names = ()  # ClassLabel takes no others.
        numbers = _numbers_of(column, names)
        if field.name in pictures:
            column, features[field.name] = _stored_pictures(column), datasets.Image()
        elif numbers is not None:
            column, features[field.name] = numbers, datasets.ClassLabel(names=list(names))
        else:
            try:
                features |= datasets.Features.from_arrow_schema(pa.schema([field]))
            except ValueError as error:
                reason = str(error).partition("\n")[0]
                raise RegistryError(f"column {field.name}: {reason}", hint="leave it out: columns=[...]") from None
        columns[field.name] = column
    # The schema of features names them in its metadata, where Dataset looks for them.
    return datasets.Dataset(pa.table(columns).cast(datasets.Features(features).arrow_schema))


def _stored_pictures(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pat.is_struct(column.type):
        return column.cast(PICTURE)
    chunks = [
        pa.StructArray.from_arrays(
            [chunk.cast(pa.binary()), pa.nulls(len(chunk), pa.string())], fields=list(PICTURE), mask=chunk.is_null()
        )
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, PICTURE)


def _numbers_of(column: pa.ChunkedArray, names: Sequence[str]) -> pa.ChunkedArray | None:
    """Return the number, from 0, of the class that each value is; None if they are not all of these classes."""
    if not names:
        return None
    if pat.is_string(column.type) or pat.is_large_string(column.type):
        numbers = pc.index_in(column, pa.array(names, column.type))
        return numbers.cast(pa.int64()) if numbers.null_count == column.null_count else None
    if pat.is_integer(column.type):
        bounds = pc.min_max(column).as_py()
        known = bounds["min"] is None or 0 <= bounds["min"] <= bounds["max"] < len(names)
        return column.cast(pa.int64()) if known else None
    return None
