"""Measure Fashion-MNIST: pixel statistics, classes, manifest, metadata, provenance, and a sheet of samples."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.describe.figures import contact_sheet
from registry.describe.manifest import positions, write_manifest
from registry.describe.metadata import write_metadata
from registry.describe.pixels import pixel_moments
from registry.describe.provenance import write_provenance
from registry.workflow.job import job

ROWS = 5_000
"""Images in memory at once."""
PER_CLASS = 12
"""Images of each class on the sheet of samples."""


def batches(path: Path) -> Iterator[tuple[pa.RecordBatch, np.ndarray, np.ndarray]]:
    """Yield record batches, each with its images (n, 28, 28) and labels (n,) as uint8 arrays over the same memory."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=ROWS, use_threads=False):
            pixels = np.asarray(batch.column("image").flatten().flatten())
            yield batch, pixels.reshape(batch.num_rows, 28, 28), np.asarray(batch.column("label"))


def analyze(
    files: dict[str, Path], origins: dict[str, str], sources: Path, dataset: dict[str, Any], code: dict, output: Any
) -> None:
    """Read each split's Parquet file once and write what follows from it.

    `origins` names the source file of each split's images, for the keys of the manifest.
    """
    classes = dataset["params"]["classes"]
    sheet: list[list[np.ndarray]] = [[] for _ in classes]
    splits, metrics = {}, {}
    with write_manifest(output.manifest, dataset, pq.read_schema(files["train"])) as manifest:
        for split, path in files.items():
            pixel_counts = np.zeros(256, dtype=np.int64)
            label_counts = np.zeros(256, dtype=np.int64)
            for batch, images, labels in batches(path):
                start = manifest.num_samples.get(split, 0)
                keys = positions(origins[split], start, batch.num_rows)
                manifest.add(split, batch, inputs=["image"], keys=keys)
                pixel_counts += np.bincount(images.reshape(-1), minlength=256)
                label_counts += np.bincount(labels, minlength=256)
                for label, row in enumerate(sheet):
                    row.extend(images[labels == label][: PER_CLASS - len(row)].copy())
            metrics[split] = pixel_moments(pixel_counts)
            splits[split] = {"class_distribution": dict(zip(classes, label_counts.tolist(), strict=False))}
    metadata = write_metadata(
        output.metadata, dataset, manifest, features={"label": {"classes": classes}}, splits=splits, metrics=metrics
    )
    data = files["train"].parents[1]
    write_provenance(output.provenance, dataset, manifest, metadata, data=data, sources=sources, code=code)
    contact_sheet(sheet, classes, output.samples)


if __name__ == "__main__":
    with job(snakemake):
        analyze(
            files={"train": Path(snakemake.input.train), "val": Path(snakemake.input.val)},
            origins={"train": "train-images-idx3-ubyte.gz", "val": "t10k-images-idx3-ubyte.gz"},
            sources=Path(snakemake.input.sources),
            dataset=snakemake.params.dataset,
            code=snakemake.params.code,
            output=snakemake.output,
        )
