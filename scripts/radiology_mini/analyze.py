"""Measure radiology-mini: captions and picture sizes, manifest, metadata, provenance, and a sheet of samples."""

import json
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from registry.describe.figures import contact_sheet
from registry.describe.manifest import write_manifest
from registry.describe.metadata import write_metadata
from registry.describe.provenance import write_provenance
from registry.describe.statistics import moments
from registry.workflow.job import job

ROWS = 50
"""Pictures in memory at once."""
SHEET = (4, 6)
"""Rows and columns of the sheet of samples."""
TILE = 128
SCHEMA = pa.schema(
    [
        ("image", pa.binary()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("mode", pa.string()),
        ("prompt", pa.string()),
        ("caption", pa.string()),
    ]
)
SOURCE = pa.field("source", pa.binary())
"""The picture's bytes as they came, which is what a sample is about."""


def with_sources(annotations: list[dict[str, Any]], rows: list[dict[str, Any]]) -> Iterator[tuple[dict, dict]]:
    """Yield each annotation with its row of captions.json; annotations are some of the rows, in the same order."""
    remaining = iter(rows)
    for annotation in annotations:
        wanted = (Path(annotation["image"]).stem, annotation["conversations"][1]["value"])
        yield annotation, next(row for row in remaining if (Path(row["image"]).stem, row["caption"]) == wanted)


def as_sample(annotation: dict[str, Any], images: Path, source: Path) -> dict[str, Any]:
    """Return what the manifest takes of an annotation: a dict with the columns of SCHEMA and SOURCE."""
    path = images / annotation["image"]
    prompt, caption = (turn["value"] for turn in annotation["conversations"])
    with Image.open(path) as image:
        width, height, mode = image.width, image.height, image.mode
    return {
        "image": path.read_bytes(),
        "width": width,
        "height": height,
        "mode": mode,
        "prompt": prompt,
        "caption": caption,
        SOURCE.name: source.read_bytes(),
    }


def thumbnails(paths: list[Path]) -> list[list[Image.Image]]:
    """Return the rows of the sheet of samples, filled from the left as far as the pictures reach."""
    rows, columns = SHEET
    tiles = []
    for path in paths[: rows * columns]:
        with Image.open(path) as image:
            image.thumbnail((TILE, TILE))
            tiles.append(image.copy())
    return [tiles[start * columns : (start + 1) * columns] for start in range(rows)]


def analyze(
    raw: Path, folder: Path, cleaning: Path, splits: list[str], dataset: dict[str, Any], code: dict, output: Any
) -> None:
    """Read each split's annotations and pictures once and write what follows from them.

    A caption's length is its number of words.
    """
    rows = json.loads((raw / "captions.json").read_text(encoding="utf-8"))
    captions_of: Counter = Counter()
    metrics, pictures = {}, []
    with write_manifest(output.manifest, dataset, SCHEMA) as manifest:
        for split in splits:
            images = folder / split / "images"
            annotations = json.loads((folder / split / "annotations.json").read_text(encoding="utf-8"))
            pairs = list(with_sources(annotations, rows))
            widths, heights = [], []
            for start in range(0, len(pairs), ROWS):
                samples, keys = [], []
                for annotation, row in pairs[start : start + ROWS]:
                    samples.append(as_sample(annotation, images, raw / "images" / row["image"]))
                    name = row["image_id"] or Path(annotation["image"]).stem
                    captions_of[name] += 1
                    keys.append(name if captions_of[name] == 1 else f"{name}#{captions_of[name]}")
                widths += [sample["width"] for sample in samples]
                heights += [sample["height"] for sample in samples]
                batch = pa.RecordBatch.from_pylist(samples, schema=SCHEMA.append(SOURCE))
                manifest.add(split, batch, inputs=[SOURCE.name], keys=keys)
            lengths = [len(annotation["conversations"][1]["value"].split()) for annotation in annotations]
            metrics[split] = moments(lengths, "caption_length_") | {
                "image_width_mean": statistics.fmean(widths),
                "image_height_mean": statistics.fmean(heights),
            }
            pictures += dict.fromkeys(images / annotation["image"] for annotation in annotations)
    metadata = write_metadata(
        output.metadata,
        dataset,
        manifest,
        prompt=json.loads((raw / "prompt.json").read_text(encoding="utf-8")),
        summary=json.loads(cleaning.read_text(encoding="utf-8"))["counts"],
        metrics=metrics,
    )
    write_provenance(
        output.provenance, dataset, manifest, metadata, data=folder, sources=raw / "sources.json", code=code
    )
    contact_sheet(thumbnails(pictures), [""] * SHEET[0], output.samples, tile=TILE)


if __name__ == "__main__":
    with job(snakemake):
        analyze(
            raw=Path(snakemake.input.captions).parent,
            folder=Path(snakemake.input.folder),
            cleaning=Path(snakemake.input.cleaning),
            splits=["train", "test"],
            dataset=snakemake.params.dataset,
            code=snakemake.params.code,
            output=snakemake.output,
        )
