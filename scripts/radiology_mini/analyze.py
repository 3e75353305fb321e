"""Measure radiology-mini: its captions and the sizes of its pictures, and a sheet of samples."""

import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from registry.describe.description import Description, describe
from registry.describe.encoded import picture_measures
from registry.describe.figures import contact_sheet
from registry.describe.statistics import summarise
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


def measure(
    about: Description,
    raw: Path,
    folder: Path,
    splits: Sequence[str],
    prompt: Mapping[str, Any],
    cleaned: dict[str, Any],
) -> list[Path]:
    """Add each split's pictures with their captions, and what follows from them; return the pictures' paths.

    A caption's length is its number of words. `cleaned` counts what cleaning found.
    """
    rows = json.loads((raw / "captions.json").read_text(encoding="utf-8"))
    captions_of: Counter = Counter()
    metrics, pictures = {}, []
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
            about.add(split, batch, inputs=[SOURCE.name], keys=keys)
        lengths = [len(annotation["conversations"][1]["value"].split()) for annotation in annotations]
        metrics[split] = summarise(lengths, "caption_length_") | {
            "image_width_mean": statistics.fmean(widths),
            "image_height_mean": statistics.fmean(heights),
        }
        pictures += dict.fromkeys(images / annotation["image"] for annotation in annotations)
    about.facts |= {"prompt": prompt, "summary": cleaned, "metrics": metrics}
    return pictures


if __name__ == "__main__":
    with job(snakemake), describe(snakemake, SCHEMA, pictures={"image": picture_measures}) as about:
        pictures = measure(
            about,
            raw=Path(snakemake.input.captions).parent,
            folder=Path(snakemake.input.folder),
            splits=["train", "test"],
            prompt=json.loads(Path(snakemake.input.prompt).read_text(encoding="utf-8")),
            cleaned=json.loads(Path(snakemake.input.cleaning).read_text(encoding="utf-8"))["counts"],
        )
        contact_sheet(thumbnails(pictures), [""] * SHEET[0], snakemake.output.samples, tile=TILE)
