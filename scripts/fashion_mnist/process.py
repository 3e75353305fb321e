"""Turn Fashion-MNIST's gzipped IDX files into one Parquet file per split."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.errors import RegistryError
from registry.files import output_folder
from registry.formats.idx import open_idx
from registry.formats.shards import WHOLE, Shard, read_parts
from registry.workflow.job import job

SPLITS = ("train", "val")
SIDE = 28
ROWS = 5_000
"""Images in memory at once, and in a row group."""
SCHEMA = pa.schema([("image", pa.list_(pa.list_(pa.uint8(), SIDE), SIDE)), ("label", pa.uint8())])


def as_batch(images: np.ndarray, labels: np.ndarray) -> pa.RecordBatch:
    """Wrap uint8 images (n, 28, 28) and labels (n,) as Arrow columns over the same memory."""
    pixels = pa.array(images.reshape(-1))
    rows = pa.FixedSizeListArray.from_arrays(pixels, SIDE)
    return pa.record_batch([pa.FixedSizeListArray.from_arrays(rows, SIDE), pa.array(labels)], schema=SCHEMA)


def read(images_path: Path, labels_path: Path, max_images: int, shard: Shard = WHOLE) -> Iterator[pa.RecordBatch]:
    """Yield images and labels, or a share of them, a row group at a time; RegistryError if the files are no pair."""
    with open_idx(images_path, 3) as images, open_idx(labels_path, 1) as labels:
        count, *size = images.shape
        if size != [SIDE, SIDE]:
            raise RegistryError(f"expected pictures of 28x28, found {size[0]}x{size[1]}", where=images_path)
        if count > max_images:
            raise RegistryError(f"{count:,} pictures, more than max_images ({max_images:,})", where=images_path)
        if labels.shape[0] != count:
            raise RegistryError(f"{count:,} pictures but {labels.shape[0]:,} labels", where=labels_path)
        share = shard.share(count, ROWS)
        for batch in zip(images.batches(ROWS, share), labels.batches(ROWS, share), strict=True):
            yield as_batch(*batch)


def read_splits(files: Sequence[str], max_images: int, shard: Shard = WHOLE) -> dict[str, Iterator[pa.RecordBatch]]:
    """Return what `read` yields of each split, from its images and labels: first those of train, then those of val."""
    train_images, train_labels, val_images, val_labels = map(Path, files)
    return {
        "train": read(train_images, train_labels, max_images, shard),
        "val": read(val_images, val_labels, max_images, shard),
    }


def process(splits: Mapping[str, Iterable[pa.RecordBatch]], folder: Path) -> None:
    """Write `<folder>/<split>/<split>.parquet`, each batch as a row group."""
    with output_folder(folder) as partial:
        for split, batches in splits.items():
            (partial / split).mkdir()
            with pq.ParquetWriter(partial / split / f"{split}.parquet", SCHEMA, compression="zstd") as writer:
                for batch in batches:
                    writer.write_batch(batch)


if __name__ == "__main__":
    with job(snakemake):
        if parts := snakemake.input.parts:
            splits = {split: read_parts([Path(part, f"{split}.arrow") for part in parts]) for split in SPLITS}
        else:
            splits = read_splits(snakemake.input.files, snakemake.params.options["max_images"])
        process(splits, Path(snakemake.output.folder))
