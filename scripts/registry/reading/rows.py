"""The rows of a version whose files are here: of tables, and of folders of pictures with conversations about them.

What is read is bounded and checked as it comes; what is wrong is one RegistryError that names the file as its
repository does. These objects hold no data, and can be sent to other processes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from registry.reading.columns import FILE_NAME, IMAGE, known_types, selected
from registry.reading.folders import ANNOTATIONS, CONVERSATIONS, IMAGES, PictureRows, RowsBesidePictures, with_image
from registry.reading.tables import CsvRows, File, ParquetRows, open_csv, parquet_schema

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""End the names of the pictures that lie beside a table or a conversation."""


class Rows(Protocol):
    """Rows of one schema, in order."""

    schema: pa.Schema

    def parts(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, in batches as they come. Raises RegistryError."""

    def batches(self, size: int, number: int = 0, of: int = 1) -> Iterator[pa.RecordBatch]:
        """Yield batches of `size` rows, but for the last: all, or those of worker `number` of so many, counted from 0.

        The first batch goes to the first worker, the second to the second, and so on. Raises RegistryError.
        """


def rows_of(
    kind: str,
    paths: Sequence[str],
    here: Mapping[str, File],
    columns: Sequence[str] | None,
    features: Mapping[str, Mapping[str, Any]],
) -> Rows:
    """Return the rows of files of one kind, parquet, csv or (ANNOTATIONS) json, one file after the other.

    They have these columns in this order, or all. `here` has the files by their paths in the repository, pictures too
    where these are wanted; `features` is what metadata.json knows of the columns. Raises RegistryError for a column
    that is not there.
    """
    files = [here[path] for path in paths]
    if kind == "parquet":
        schema = parquet_schema(files[0])
        beside = len(here) > len(paths) and FILE_NAME in schema.names and IMAGE not in schema.names
        chosen = selected(with_image(schema) if beside else schema, columns, files[0].name)
        if beside and IMAGE in chosen.names:
            return RowsBesidePictures({here[path]: _below(f"{Path(path).parent}/", here) for path in paths}, chosen)
        return ParquetRows(files, chosen)
    if kind == "csv":
        with open_csv(files[0], known_types(features)) as reader:
            return CsvRows(files, selected(reader.schema, columns, files[0].name))
    folders = {here[path]: _below(path.removesuffix(ANNOTATIONS) + IMAGES, here) for path in paths}
    return PictureRows(folders, selected(CONVERSATIONS, columns, files[0].name))


def names_pictures(kind: str, files: Iterable[File]) -> bool:
    """Tell whether rows of files of a kind may name pictures that lie beside them. Raises RegistryError."""
    return kind == "json" or (kind == "parquet" and any(FILE_NAME in parquet_schema(file).names for file in files))


def table_of(rows: Rows) -> pa.Table:
    """Return all rows as one table. Raises RegistryError."""
    return pa.Table.from_batches(rows.parts(), rows.schema)


def _below(folder: str, here: Mapping[str, File]) -> dict[str, Path]:
    """Return {path in the folder: where it is here} of the files in a folder of the repository."""
    return {name.removeprefix(folder): file.path for name, file in here.items() if name.startswith(folder)}
