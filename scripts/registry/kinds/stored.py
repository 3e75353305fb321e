"""Pictures that stay files, beside a table that names them."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from registry.config.kinds import FILE
from registry.errors import RegistryError
from registry.kinds.columns import arrow_schema
from registry.kinds.inputs import IMAGE, LABEL
from registry.kinds.tables import row_groups

NOT_IN_NAMES = '/\\:*?"<>|'
"""What the names of folders cannot have on every system."""
LONGEST = 200
"""Bytes of such a name."""
AT_ONCE = 32 << 20
"""Bytes of files in memory at once."""


def stored(folder: Path, samples: pl.DataFrame) -> pl.DataFrame:
    """Write pictures into files `<label>/<hash of its bytes>.jpg` in a folder; return rows with the files' names.

    A row whose picture is null, on its way to an error that names all such rows, has none.
    """
    labels = samples[LABEL].cast(pl.String) if LABEL in samples.columns else pl.repeat(None, samples.height, eager=True)
    names = []
    for data, label in zip(samples[IMAGE], labels, strict=True):
        if data is None:
            names.append(None)
            continue
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.jpg"
        if label is not None:
            _check_folder(label)
            name = f"{label}/{name}"
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        names.append(name)
    return pl.DataFrame([pl.Series(FILE, names, dtype=pl.String), *samples.drop(IMAGE)])


def stored_schema(contract: Mapping[str, Any]) -> pa.Schema:
    """Return the Arrow schema of a table whose pictures are in files beside it."""
    fields = [field for field in arrow_schema(contract) if field.name != IMAGE]
    return pa.schema([(FILE, pa.string()), *fields])


def with_files(table: Path, contract: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table whose pictures are in files beside it, with pictures in the place of files' names."""
    schema = arrow_schema(contract)
    for batch in row_groups(table):
        start, size, pictures = 0, 0, []
        for row, name in enumerate(batch[FILE].to_pylist(), start=1):
            pictures.append((table.parent / name).read_bytes())
            size += len(pictures[-1])
            if size >= AT_ONCE or row == batch.num_rows:
                its = batch.slice(start, row - start)
                columns = [pa.array(pictures, pa.binary()) if name == IMAGE else its[name] for name in schema.names]
                yield pa.record_batch(columns, schema=schema)
                start, size, pictures = row, 0, []


def names_folder(label: str) -> bool:
    """Tell whether a folder can have the name of a label, on every system."""
    usable = label.isprintable() and not {*label} & {*NOT_IN_NAMES} and label == label.strip(" .")
    return bool(label) and usable and len(label.encode()) <= LONGEST


def _check_folder(label: str) -> None:
    """Raise RegistryError for a label that is no name for a folder."""
    if not names_folder(label):
        raise RegistryError(
            f"the label {label[:80]!r} is no name for a folder",
            where="params.files",
            hint="map it to another one, or leave the param out, and pictures are packed into Parquet",
        )
