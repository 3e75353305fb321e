"""Measure how duplicates are found in all of ../shared/mirror, and write leakage.md: python benchmarks/leakage.py.

Copies of rows drawn at random are planted: pictures that were resized, encoded as JPEG or cropped by 3 % of their sides
at a random place; texts in which three words were replaced by words of other texts; rows whose numbers
got noise of a hundredth of the rounding's unit. `found` is the share of the copies that are paired with what they are
copies of. `false` is the share of all other rows that are near another one that is neither planted nor the same: all of
them are counted, though many are near-duplicates indeed, which the data had before. What is near was decided by looking
at all of these but the captions.
"""

import gzip
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from measure import ROOT, write_lines
from PIL import Image

sys.path.insert(0, str(ROOT / "scripts"))

from registry.compare.likeness import Inputs, Part, near_rows  # noqa: E402
from registry.config.leakage import DIGITS  # noqa: E402
from registry.describe.canonical import canonical, row_digests  # noqa: E402
from registry.describe.leakage import Leakage  # noqa: E402
from registry.describe.logical import logical_type  # noqa: E402
from registry.describe.samples import Samples  # noqa: E402
from registry.storage.snapshot import Snapshot  # noqa: E402

MIRROR = ROOT.parent / "shared" / "mirror"
PLANTED = 2_000
"""Copies of each sort, if there are so many rows."""
LEAST_WORDS = 10
MANY = 70_000
THREADS = 2
OLDER = "pictures, of which 10,000 are an older version's tests"
BATCH = 5_000
SIDE = 28

Copy = Callable[[pa.RecordBatch, np.random.Generator], pa.RecordBatch]


@dataclass(frozen=True)
class Case:
    """Rows, and how they are copied: {what is done: how}."""

    rows: pa.RecordBatch
    copies: dict[str, Copy]


def pixels_of(batch: pa.RecordBatch) -> np.ndarray:
    """Return the pictures of a batch, uint8 (n, SIDE, SIDE)."""
    return batch.column(0).flatten().flatten().to_numpy().reshape(-1, SIDE, SIDE)


def batch_of(pixels: Sequence[np.ndarray]) -> pa.RecordBatch:
    """Return a batch of such pictures."""
    values = pa.array(np.stack(pixels).reshape(-1))
    lines = pa.FixedSizeListArray.from_arrays(values, SIDE)
    return pa.record_batch([pa.FixedSizeListArray.from_arrays(lines, SIDE)], names=["image"])


def encoded(image: Image.Image, quality: int) -> bytes:
    """Return a picture as JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def resized(image: Image.Image, share: float) -> Image.Image:
    """Return a picture that is so many times as wide and high."""
    return image.resize([round(side * share) for side in image.size], Image.Resampling.BICUBIC)


def cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Return a picture without 3 % of its width and height, a pixel at least, from a random place of it."""
    width, height = (side - max(1, round(side * 0.03)) for side in image.size)
    left, top = (random.integers(0, most - some + 1) for most, some in zip(image.size, (width, height), strict=True))
    return image.crop((left, top, left + width, top + height))


def small(change: Callable[[Image.Image, np.random.Generator], Image.Image]) -> Copy:
    """Return a copy of pictures of 28x28 pixels, which get that size again."""

    def copy(batch: pa.RecordBatch, random: np.random.Generator) -> pa.RecordBatch:
        found = [change(Image.fromarray(one), random) for one in pixels_of(batch)]
        return batch_of([np.asarray(one.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for one in found])

    return copy


def fashion_mnist() -> Case:
    """Return the pictures of fashion-mnist."""
    files = [MIRROR / "fashion-mnist" / f"{name}-images-idx3-ubyte.gz" for name in ("train", "t10k")]
    pixels = [np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8, offset=16) for file in files]
    rows = batch_of(np.concatenate(pixels).reshape(-1, SIDE, SIDE))
    changes = {
        "resized to 56x56 and back": lambda image, random: resized(image, 2),
        "resized to 20x20 and back": lambda image, random: resized(image, 0.7),
        "as JPEG of quality 75": lambda image, random: Image.open(io.BytesIO(encoded(image, 75))),
        "cropped by a pixel, to 27x27, and resized": cropped,
    }
    return Case(rows, {name: small(change) for name, change in changes.items()})


def radiology() -> Case:
    """Return the pictures of radiology-mini."""
    table = pl.read_parquet(MIRROR / "radiology-mini" / "data" / "train-00000-of-00001.parquet", columns=["image"])
    rows = table["image"].struct.field("bytes").unique(maintain_order=True)

    def large(change: Callable[[Image.Image, np.random.Generator], bytes]) -> Copy:
        def copy(batch: pa.RecordBatch, random: np.random.Generator) -> pa.RecordBatch:
            images = (Image.open(io.BytesIO(one)).convert("L") for one in batch.column(0).to_pylist())
            return pa.record_batch([pa.array([change(one, random) for one in images], pa.binary())], names=["image"])

        return copy

    changes = {
        "resized to 70 %, as JPEG": lambda image, random: encoded(resized(image, 0.7), 90),
        "as JPEG of quality 50": lambda image, random: encoded(image, 50),
        "cropped by 3 %, as JPEG": lambda image, random: encoded(cropped(image, random), 90),
    }
    batch = pa.record_batch([rows.to_arrow().cast(pa.binary())], names=["image"])
    return Case(batch, {name: large(change) for name, change in changes.items()})


def texts() -> list[str]:
    """Return all texts of emotion."""
    files = sorted((MIRROR / "emotion" / "split").glob("*.parquet"))
    return pl.concat([pl.read_parquet(file, columns=["text"]) for file in files])["text"].to_list()


def text_batch(those: Sequence[str]) -> pa.RecordBatch:
    """Return a batch of texts."""
    return pa.record_batch([pa.array(those, pa.string())], names=["text"])


def captions() -> list[str]:
    """Return the captions of radiology-mini."""
    table = pl.read_parquet(MIRROR / "radiology-mini" / "data" / "train-00000-of-00001.parquet", columns=["caption"])
    return table["caption"].to_list()


def reworded(found: Sequence[str]) -> Case:
    """Return texts of which three words of copies become words of others."""
    vocabulary = [word for text in found for word in text.split()]

    def copy(batch: pa.RecordBatch, random: np.random.Generator) -> pa.RecordBatch:
        changed = []
        for text in batch.column(0).to_pylist():
            parts = text.split()
            for place in random.choice(len(parts), min(3, len(parts)), replace=False):
                parts[place] = vocabulary[random.integers(len(vocabulary))]
            changed.append(" ".join(parts))
        return text_batch(changed)

    return Case(text_batch(found), {"three words changed": copy})


def many_texts() -> pa.RecordBatch:
    """Return 70,000 texts: those of emotion, and such as consist of the halves of two of them."""
    found, random = [text.split() for text in texts()], np.random.default_rng(0)
    made = {" ".join(one) for one in found}
    while len(made) < MANY:
        one, other = (found[place] for place in random.integers(len(found), size=2))
        made.add(" ".join(one[: len(one) // 2] + other[len(other) // 2 :]))
    return text_batch(sorted(made))


def wine() -> Case:
    """Return the wines of wine-quality."""
    files = [MIRROR / "wine-quality" / f"winequality-{colour}.csv" for colour in ("red", "white")]
    table = pl.concat([pl.read_csv(file, separator=";", infer_schema_length=None) for file in files]).drop("quality")
    table = table.cast(pl.Float64)

    def copy(batch: pa.RecordBatch, random: np.random.Generator) -> pa.RecordBatch:
        noise = 10.0 ** (1 - DIGITS) / 100
        columns = [
            pa.array(column.to_numpy() * (1 + random.uniform(-noise / 10, noise / 10, len(column))))
            for column in batch.columns
        ]
        return pa.record_batch(columns, names=batch.schema.names)

    return Case(only(table), {"noise of a hundredth of a digit's unit": copy})


def only(table: pl.DataFrame) -> pa.RecordBatch:
    """Return a table as one batch."""
    return pa.Table.from_batches(table.to_arrow().to_batches()).combine_chunks().to_batches()[0]


def digests(batch: pa.RecordBatch) -> np.ndarray:
    """Return what is the same for rows that are the same."""
    return np.frombuffer(row_digests([canonical(column) for column in batch.columns], 8), np.uint64)


def measured(name: str, case: Case, fit: Callable[[pa.RecordBatch], np.ndarray]) -> Iterator[str]:
    """Yield a line for each sort of copies. `fit` returns which rows may be copied."""
    random, samples = np.random.default_rng(0), Samples(case.rows, DIGITS)
    known, first = np.unique(digests(case.rows), return_index=True)
    rows = np.sort(first)
    samples.add(case.rows)
    sources, start = {}, case.rows.num_rows
    for what, copy in case.copies.items():
        those = np.intersect1d(fit(case.rows), rows)
        those = random.choice(those, min(PLANTED, len(those)), replace=False)
        planted = copy(case.rows.take(pa.array(those)), random)
        new = ~np.isin(digests(planted), known)  # What did not change is an exact duplicate.
        samples.add(planted.filter(pa.array(new)))
        sources[what] = those[new], start
        start += int(new.sum())
    every = np.concatenate([rows, np.arange(case.rows.num_rows, start)])
    found, false = set(), set()
    for i, j, _ in samples.pairs(every, len(every), lambda i, j: np.ones(len(i), bool)):
        for one, other in zip(i.tolist(), j.tolist(), strict=True):
            low, high = sorted((one, other))
            found.add((low, high))
            if high < case.rows.num_rows:
                false |= {low, high}
    share = f"{len(false) / len(rows):.2%}"
    for what, (those, begin) in sources.items():
        hit = np.mean([(source, begin + place) in found for place, source in enumerate(those.tolist())])
        yield f"| {name}: {what} | {len(rows):,} | {len(those):,} | {hit:.1%} | {share} |"


def long_enough(batch: pa.RecordBatch) -> np.ndarray:
    """Return which texts have enough words."""
    return np.flatnonzero([len(text.split()) >= LEAST_WORDS for text in batch.column(0).to_pylist()])


def any_row(batch: pa.RecordBatch) -> np.ndarray:
    """Return every row."""
    return np.arange(batch.num_rows)


def held_against_older(folder: Path) -> int:
    """Hold 60,000 pictures against 10,000 tests of an older version, from tables that are here; return how many."""
    rows = fashion_mnist().rows
    names = {"train": rows.slice(0, 60_000), "test": rows.slice(60_000)}
    for split, part in names.items():
        file = folder / "data" / "pictures" / "processed" / split / f"{split}.parquet"
        file.parent.mkdir(parents=True)
        pq.write_table(pa.table(part), file, row_group_size=BATCH)
    dtype = logical_type(rows.schema.field(0).type)
    metadata = {
        "schema": {"features": {rows.schema.names[0]: {"dtype": dtype}}},
        "splits": {split: {"num_samples": part.num_rows} for split, part in names.items()},
        "leakage": {"columns": rows.schema.names, "compared": "pictures", "splits": {}},
    }
    provenance = {"data": {"path": "processed", "bytes": rows.nbytes}}
    state = Snapshot("pictures", "pictures-v1.0.0", metadata, provenance, {}).in_tree(folder)
    learnt, tests = (Part(state, {split: np.arange(part.num_rows)}) for split, part in names.items())
    near = np.zeros(learnt.size, bool)
    for one, _, _ in near_rows(learnt, [tests], Inputs.of(state, DIGITS), lambda one, _: ~near[one], THREADS):
        near[one] = True
    return learnt.size + tests.size


TIMED = {
    "pictures": lambda: fashion_mnist().rows,
    "texts": many_texts,
    "rows": lambda: only(pl.concat([pl.from_arrow(wine().rows)] * 11).head(MANY).with_row_index().cast(pl.Float64)),
}


def timed(sort: str) -> None:
    """Find the duplicates in 70,000 samples, and print seconds and megabytes."""
    with TemporaryDirectory() as folder:
        rows = None if sort == OLDER else TIMED[sort]()
        started, before = time.monotonic(), time.process_time()
        number = held_against_older(Path(folder)) if rows is None else found_in(rows)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    peak = int(status["VmHWM"].split()[0]) / 1024
    wall, cpu = time.monotonic() - started, time.process_time() - before
    print(f"| {number:,} {sort} | {wall:.1f} | {cpu:.1f} | {peak:.0f} | 30 s |")


def found_in(rows: pa.RecordBatch) -> int:
    """Find the duplicates in some rows, and return how many rows these are."""
    leakage = Leakage({}, {}, THREADS)
    for split, part in (("train", rows.slice(0, 60_000)), ("test", rows.slice(60_000))):
        for start in range(0, part.num_rows, BATCH):
            some = part.slice(start, BATCH)
            leakage.add(split, some, [f"{split}:{start + row}" for row in range(some.num_rows)])
    leakage.figures()
    return rows.num_rows


def main() -> None:
    """Measure each case, and how long 70,000 samples take in a process of their own."""
    if len(sys.argv) > 1:
        return timed(sys.argv[1])
    lines = ["| rows, and what was done to copies | rows | planted | found | false |", "|---|---|---|---|---|"]
    for name, case, fit in (
        ("fashion-mnist", fashion_mnist(), any_row),
        ("radiology-mini", radiology(), any_row),
        (f"emotion, texts of {LEAST_WORDS} words and more", reworded(texts()), long_enough),
        ("emotion, all texts", reworded(texts()), any_row),
        (f"captions of {LEAST_WORDS} words and more", reworded(captions()), long_enough),
        ("captions, all", reworded(captions()), any_row),
        ("wine-quality", wine(), any_row),
    ):
        lines += measured(name, case, fit)
    lines += ["", "| on two cores | wall s | CPU s | peak MB | aim |", "|---|---|---|---|---|"]
    lines += [run_timed(sort) for sort in (*TIMED, OLDER)]
    write_lines("leakage", lines)
    return None


def run_timed(sort: str) -> str:
    """Return the line that `timed` prints in a process of its own."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, __file__, sort], env=env, capture_output=True, check=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
