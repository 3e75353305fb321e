"""Cut data/samples/ from a mirror of the full sources: python scripts/make_samples.py MIRROR.

Every row and picture is real and keeps its order; where there are classes, each gives the same number if it can.
Events are made up. data/samples/PROVENANCE.md tells in words what this makes.
"""

import argparse
import gzip
import hashlib
import shutil
import struct
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from events import produce
from registry.authoring.sample import balanced, pack
from registry.sources.samples import list_samples

SAMPLES = Path("data/samples")


def fashion_mnist(mirror: Path, target: Path) -> None:
    """200 pictures of each class for train, 50 for val."""
    for part, per_class in (("train", 200), ("t10k", 50)):
        labels = np.frombuffer(gzip.decompress((mirror / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:], np.uint8)
        pixels = gzip.decompress((mirror / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:]
        images = np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28)
        chosen = balanced(pl.Series(labels), per_class)
        header = struct.pack(">4B3I", 0, 0, 8, 3, len(chosen), 28, 28)
        pack(header + images[chosen].tobytes(), target / f"{part}-images-idx3-ubyte.gz")
        header = struct.pack(">4BI", 0, 0, 8, 1, len(chosen))
        pack(header + labels[chosen].tobytes(), target / f"{part}-labels-idx1-ubyte.gz")


def emotion(mirror: Path, target: Path) -> None:
    """300 texts of each class for train, 50 for validation and for test."""
    (target / "split").mkdir()
    for split, per_class in (("train", 300), ("validation", 50), ("test", 50)):
        name = f"split/{split}-00000-of-00001.parquet"
        table = pq.read_table(mirror / name)
        pq.write_table(table.take(balanced(pl.Series(table["label"]), per_class)), target / name)


def wine_quality(mirror: Path, target: Path) -> None:
    """At most 60 red and 60 white wines of each quality."""
    for name in ("winequality-red.csv", "winequality-white.csv"):
        header, *rows = (mirror / name).read_text(encoding="utf-8").splitlines(keepends=True)
        chosen = balanced(pl.Series([row.rsplit(";", 1)[1] for row in rows]), 60)
        (target / name).write_text(header + "".join(rows[position] for position in chosen), encoding="utf-8")


def radiology_mini(mirror: Path, target: Path) -> None:
    """32 pictures with their captions: those with the smallest hashes, which is as good as chance."""
    name = "data/train-00000-of-00001.parquet"
    table = pq.read_table(mirror / name)
    hashes = [hashlib.sha256(image["bytes"]).digest() for image in table["image"].to_pylist()]
    chosen = sorted(sorted(range(len(hashes)), key=hashes.__getitem__)[:32])
    (target / "data").mkdir()
    pq.write_table(table.take(chosen), target / name)


def opencloudhub_readmes(mirror: Path, target: Path) -> None:
    """Every README: they are few and small."""
    shutil.copytree(mirror / "HEAD", target / "HEAD")


def opencloudhub_readmes_rag_evaluation(mirror: Path, target: Path) -> None:
    """Every question: they are few and small."""
    shutil.copy(mirror / "questions.csv", target)


def events(mirror: Path, target: Path) -> None:
    """1,500 messages: they are made up, and in no mirror."""
    options = produce.options_of([])
    produce.write(produce.messages(options), options.topic, target, options.size)


def main(mirror: Path) -> None:
    """Write every dataset's samples and their SHA256SUMS."""
    for make in (
        emotion,
        events,
        fashion_mnist,
        opencloudhub_readmes,
        opencloudhub_readmes_rag_evaluation,
        radiology_mini,
        wine_quality,
    ):
        name = make.__name__.replace("_", "-")
        shutil.rmtree(SAMPLES / name, ignore_errors=True)
        (SAMPLES / name).mkdir(parents=True)
        make(mirror / name, SAMPLES / name)
        list_samples(name, SAMPLES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mirror", type=Path, help="folder that holds <dataset>/<file> for every source file")
    main(parser.parse_args().mirror)
