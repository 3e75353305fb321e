"""Turn Fashion-MNIST's gzipped IDX files into one Parquet file per split."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.errors import RegistryError
from registry.files import output_folder
from registry.formats.idx import open_idx
from registry.workflow.job import job

SIDE = 28
ROWS = 5_000
"""Images in memory at once, and in a row group."""
SCHEMA = pa.schema([("image", pa.list_(pa.list_(pa.uint8(), SIDE), SIDE)), ("label", pa.uint8())])


def as_batch(images: np.ndarray, labels: np.ndarray) -> pa.RecordBatch:
    """Wrap uint8 images (n, 28, 28) and labels (n,) as Arrow columns over the same memory."""
    pixels = pa.array(images.reshape(-1))
    rows = pa.FixedSizeListArray.from_arrays(pixels, SIDE)
    return pa.record_batch([pa.FixedSizeListArray.from_arrays(rows, SIDE), pa.array(labels)], schema=SCHEMA)


def convert(images_path: Path, labels_path: Path, target: Path, max_images: int) -> None:
    """Write images and labels to a Parquet file, a row group at a time; RegistryError if they are no pair."""
    with open_idx(images_path, 3) as images, open_idx(labels_path, 1) as labels:
        count, *size = images.shape
        if size != [SIDE, SIDE]:
            raise RegistryError(f"expected pictures of 28x28, found {size[0]}x{size[1]}", where=images_path)
        if count > max_images:
            raise RegistryError(f"{count:,} pictures, more than max_images ({max_images:,})", where=images_path)
        if labels.shape[0] != count:
            raise RegistryError(f"{count:,} pictures but {labels.shape[0]:,} labels", where=labels_path)
        target.parent.mkdir(parents=True)
        with pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
            for batch in zip(images.batches(ROWS), labels.batches(ROWS), strict=True):
                writer.write_batch(as_batch(*batch))


def process(sources: dict[str, tuple[Path, Path]], folder: Path, max_images: int) -> None:
    """Write `<folder>/<split>/<split>.parquet` for each split's files of images and labels."""
    with output_folder(folder) as partial:
        for split, (images, labels) in sources.items():
            convert(images, labels, partial / split / f"{split}.parquet", max_images)


if __name__ == "__main__":
    with job(snakemake):
        train_images, train_labels, val_images, val_labels = map(Path, snakemake.input)
        process(
            {"train": (train_images, train_labels), "val": (val_images, val_labels)},
            Path(snakemake.output.folder),
            snakemake.params.options["max_images"],
        )
