"""Rows as samples for PyTorch: a dict each, whose numbers are tensors, texts str, and pictures decoded when wanted."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from registry.errors import RegistryError
from registry.reading.columns import check_times, in_range, picture_columns
from registry.reading.pictures import decoded
from registry.reading.rows import Rows, table_of
from registry.reading.tables import PICTURES

ImageType = Literal["tensor", "pil", "bytes"]
"""What pictures become."""


class MapSamples(Dataset):
    """All samples of a table in memory, by their number; pictures stay encoded there.

    `first` is the number of the first row where the table is a part.
    """

    def __init__(self, table: pa.Table, pictures: Sequence[str], image_type: ImageType, first: int = 0) -> None:
        self._rows = table.num_rows
        self._columns: dict[str, Callable[[int], Any]] = {}
        for name in table.column_names:
            if name in pictures and image_type != "bytes":
                self._columns[name] = partial(_picture_at, table[name], image_type, name, first)
            else:
                self._columns[name] = _reader(table[name], name)

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, index: int) -> dict[str, Any]:
        number = index + self._rows if index < 0 else index
        if not 0 <= number < self._rows:
            raise IndexError(f"no sample {index} of {self._rows:,}")
        return {name: read(number) for name, read in self._columns.items()}


class StreamedSamples(IterableDataset):
    """The samples of rows that need not fit into memory, in order; each worker of a DataLoader has its share."""

    def __init__(self, rows: Rows, pictures: Sequence[str], image_type: ImageType) -> None:
        self._rows = rows
        self._made = partial(MapSamples, pictures=pictures, image_type=image_type)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        number, of = (worker.id, worker.num_workers) if worker else (0, 1)
        for position, batch in enumerate(self._rows.batches(PICTURES, number, of)):
            first = (position * of + number) * PICTURES
            samples = self._made(pa.Table.from_batches([batch]), first=first)
            yield from (samples[index] for index in range(len(samples)))


def samples_of(
    rows: Rows, image_type: ImageType, image_columns: Sequence[str] | None, *, streaming: bool
) -> MapSamples | StreamedSamples:
    """Return the samples of rows. Raises RegistryError, the streamed ones also when they are read."""
    if image_type not in ImageType.__args__:
        raise RegistryError(f"pictures become no {image_type}", hint=f"choose from: {', '.join(ImageType.__args__)}")
    pictures = picture_columns(rows.schema, image_columns)
    if streaming:
        return StreamedSamples(rows, pictures, image_type)
    return MapSamples(table_of(rows), pictures, image_type)


def _reader(column: pa.ChunkedArray, name: str) -> Callable[[int], Any]:
    """Return a function that returns the value of a row, and can be sent to other processes.

    Numbers, and lists of lists of them that all have one shape, become tensors of the column's own type; a list of any
    number of numbers becomes one of one dimension. All else, and what is or holds null, is what Python has for it.
    Raises RegistryError, also when a value is read, for one that Python does not have.
    """
    shape = _shape_of(column.type)
    if shape is None:
        with in_range(name):
            check_times(column)
        return partial(_value_at, column, name)
    numbers = _flat(column)
    if numbers is None:
        return partial(_numbers_at, column, shape)
    return partial(_tensor_at, _as_tensor(numbers).reshape(len(column), *shape))


def _shape_of(type_: pa.DataType) -> tuple[int, ...] | None:
    """Return the shape of the values of a type that holds numbers; None if they are none, or have no one shape."""
    if pat.is_fixed_size_list(type_):
        inner = _shape_of(type_.value_type)
        return None if inner is None else (type_.list_size, *inner)
    return () if _is_number(type_) else None


def _is_number(type_: pa.DataType) -> bool:
    return pat.is_integer(type_) or pat.is_floating(type_) or pat.is_boolean(type_)


def _flat(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return all numbers of lists of one shape, one after the other; None where a number or a list is null."""
    if values.null_count:
        return None
    return _flat(pc.list_flatten(values)) if pat.is_fixed_size_list(values.type) else values


def _as_tensor(numbers: pa.Array | pa.ChunkedArray) -> torch.Tensor:
    return torch.from_numpy(np.array(numbers.to_numpy(zero_copy_only=False)))


def _tensor_at(tensor: torch.Tensor, number: int) -> torch.Tensor:
    # A copy: whoever changes a sample in place does not change the dataset.
    return tensor[number].clone()


def _numbers_at(column: pa.ChunkedArray, shape: tuple[int, ...], number: int) -> Any:
    numbers = _flat(column.slice(number, 1))
    return column[number].as_py() if numbers is None else _as_tensor(numbers).reshape(shape)


def _value_at(column: pa.ChunkedArray, name: str, number: int) -> Any:
    value = column[number]
    is_list = isinstance(value, pa.ListScalar) and not pat.is_map(value.type) and value.is_valid
    if is_list and _is_number(value.type.value_type) and not value.values.null_count:
        return _as_tensor(value.values)
    with in_range(name):
        return value.as_py()


def _picture_at(
    column: pa.ChunkedArray, image_type: ImageType, name: str, first: int, number: int
) -> torch.Tensor | Image.Image | None:
    try:
        image = decoded(column[number].as_py())
        return image if image is None or image_type == "pil" else _pixels(image)
    except RegistryError as error:
        raise RegistryError(error.what, where=f"row {first + number}: {name}", hint=error.hint) from None


def _pixels(image: Image.Image) -> torch.Tensor:
    """Return a picture as uint8 (channels, height, width): one channel if it is grey, else three."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        raise RegistryError(f"a picture of mode {image.mode} has no 8-bit pixels", hint="take it with image_type='pil'")
    pixels = np.array(image if image.mode == "L" else image.convert("RGB"))
    return torch.from_numpy(pixels.reshape(image.height, image.width, -1)).permute(2, 0, 1).contiguous()
