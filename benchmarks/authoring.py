"""Measure the way of data from files to a release, and write authoring.md: python benchmarks/authoring.py [GB]."""

import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from measure import Row, Usage, median, run, write_table
from PIL import Image
from releases import copies, registry, under_git

GIGABYTES = 1.0
RUNS = 3
ROWS = 1 << 17
"""Rows of the large file that are drawn at once."""
SIDE = 64
"""Pixels along a side of a picture."""
POLARS = "import sys, polars; polars.scan_csv(sys.argv[1]).sink_parquet(sys.argv[2])"


def table(path: Path) -> Path:
    """Write a table as large as Abalone of the UCI repository."""
    draw, rows = np.random.default_rng(0), 4_177
    sizes = {f"size_{number}": draw.random(rows).round(4) for number in range(7)}
    columns = {"sex": draw.choice(["M", "F", "I"], rows), **sizes, "rings": draw.integers(1, 30, rows)}
    pl.DataFrame(columns).write_csv(path)
    return path


def pictures(folder: Path) -> Path:
    """Write 60 pictures in a folder for each of three classes."""
    draw = np.random.default_rng(0)
    for number in range(60):
        path = folder / ("circle", "square", "star")[number % 3] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(path)
    return folder


def chats(path: Path) -> Path:
    """Write 500 conversations as JSON lines."""
    draw, words = random.Random(0), [f"word-{number}" for number in range(200)]
    roles = ("user", "assistant") * 2
    turns = ([{"role": role, "content": " ".join(draw.choices(words, k=30))} for role in roles] for _ in range(500))
    path.write_text("".join(f"{json.dumps({'messages': one})}\n" for one in turns))
    return path


def large(path: Path, gigabytes: float) -> int:
    """Write a CSV file of so many bytes, of numbers, dates and texts, and return how many rows it has."""
    draw, rows = np.random.default_rng(0), 0
    with path.open("wb") as file:
        while file.tell() < gigabytes * 1e9:
            numbers = {
                "id": np.arange(rows, rows + ROWS),
                "count": draw.integers(0, 1000, ROWS),
                "temperature": draw.normal(15, 8, ROWS).round(2),
                "pressure": draw.normal(1013, 9, ROWS).round(3),
                "humidity": draw.random(ROWS).round(4),
            }
            others = {
                "day": pl.Series(draw.integers(10_000, 20_000, ROWS, np.int32)).cast(pl.Date),
                "station": "station-" + pl.Series(draw.integers(10, 22, ROWS)).cast(pl.String),
                "note": "observed-" + pl.Series(draw.integers(0, 10**9, ROWS)).cast(pl.String),
            }
            pl.DataFrame(numbers | others).write_csv(file, include_header=not rows)
            rows += ROWS
    return rows


def small(scratch: Path) -> Iterator[Row]:
    """Measure datasets of which people have many, each in a registry of its own, by the two commands that they type."""
    fresh = copies(under_git(scratch / "small"))
    sources = {
        "a table of 4,177 rows": table(scratch / "table.csv"),
        "60 pictures": pictures(scratch / "pictures"),
        "500 conversations": chats(scratch / "chats.jsonl"),
    }

    def released(source: Path) -> Usage:
        folder = next(fresh)
        return registry(folder, "new", "mine", str(source), "--license", "CC0") + registry(folder, "run", "mine")

    for what, source in sources.items():
        yield f"{what}: new, build and publish", median(lambda source=source: released(source), RUNS), "at most 15 s"


def one_large(scratch: Path, gigabytes: float) -> Iterator[Row]:
    """Measure a table of so many bytes, step by step, and the plainest way to Parquet."""
    source = scratch / "large.csv"
    rows = large(source, gigabytes)
    what = f"{gigabytes:g} GB of CSV, {rows:,} rows"
    plain = run(sys.executable, "-c", POLARS, source, scratch / "plain.parquet")
    yield f"{what}: polars scans it and writes it as Parquet", plain, ""
    folder = under_git(scratch / "large")
    steps = {
        "new": lambda: registry(folder, "new", "large", str(source), "--license", "CC0"),
        "build": lambda: run("snakemake", "--cores", "2", "--config", "publish=false", "--", "large", folder=folder),
        "publish": lambda: registry(folder, "publish", "large"),
    }
    used = {step: measure() for step, measure in steps.items()}
    yield from ((f"{what}: {step}", usage, f"{usage.wall / plain.wall:.1f}x") for step, usage in used.items())
    together = used["new"] + used["build"] + used["publish"]
    yield f"{what}: all three", together, f"{together.wall / plain.wall:.1f}x; at most 3x and 1,000 MB"


def main(gigabytes: float) -> None:
    """Measure everything and write the table."""
    found: list[Row] = []
    for rows in (small, lambda scratch: one_large(scratch, gigabytes)):
        with tempfile.TemporaryDirectory() as name:
            found += rows(Path(name))
    write_table("authoring", found)


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else GIGABYTES)
