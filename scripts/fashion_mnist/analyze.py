"""Measure Fashion-MNIST: its pixels and classes, and a sheet of samples."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.describe.description import Description, describe
from registry.describe.figures import contact_sheet
from registry.describe.manifest import row_keys
from registry.describe.pixels import pixel_statistics
from registry.workflow.job import job

ROWS = 5_000
"""Images in memory at once."""
PER_CLASS = 12
"""Images of each class on the sheet of samples."""
ORIGINS = {"train": "train-images-idx3-ubyte.gz", "val": "t10k-images-idx3-ubyte.gz"}


def batches(path: Path) -> Iterator[tuple[pa.RecordBatch, np.ndarray, np.ndarray]]:
    """Yield record batches, each with its images (n, 28, 28) and labels (n,) as uint8 arrays over the same memory."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=ROWS, use_threads=False):
            pixels = np.asarray(batch.column("image").flatten().flatten())
            yield batch, pixels.reshape(batch.num_rows, 28, 28), np.asarray(batch.column("label"))


def measure(about: Description, files: Mapping[str, Path], classes: list[str]) -> list[list[np.ndarray]]:
    """Add each split's images and what follows from them; return the first images of each class."""
    sheet: list[list[np.ndarray]] = [[] for _ in classes]
    metrics = {}
    for split, path in files.items():
        pixel_counts = np.zeros(256, dtype=np.int64)
        label_counts = np.zeros(256, dtype=np.int64)
        for batch, images, labels in batches(path):
            keys = row_keys(ORIGINS[split], about.num_samples(split), batch.num_rows)
            about.add(split, batch, inputs=["image"], keys=keys)
            pixel_counts += np.bincount(images.reshape(-1), minlength=256)
            label_counts += np.bincount(labels, minlength=256)
            for label, row in enumerate(sheet):
                row.extend(images[labels == label][: PER_CLASS - len(row)].copy())
        metrics[split] = pixel_statistics(pixel_counts)
        about.splits[split] = {"class_distribution": dict(zip(classes, label_counts.tolist(), strict=False))}
    about.features["label"] = {"classes": classes}
    about.facts["metrics"] = metrics
    return sheet


if __name__ == "__main__":
    with job(snakemake), describe(snakemake, pq.read_schema(snakemake.input.train)) as about:
        classes = snakemake.params.dataset["params"]["classes"]
        sheet = measure(about, {split: Path(snakemake.input[split]) for split in ORIGINS}, classes)
        contact_sheet(sheet, classes, snakemake.output.samples)
