"""Measure large datasets that several jobs share, and write wide.md: python benchmarks/wide.py [ROWS [GB]].

The pictures are made here, in a temporary folder that needs three times their size, and go with it.
"""

import functools
import hashlib
import io
import operator
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from build import dataset, script
from measure import Row, Usage, write_table
from PIL import Image

from registry.files import dvc_digest, write_json

ROWS, GIGABYTES = 5_000_000, 5.0
SIDE = 350
"""Pixels along a side of a picture, which takes half a megabyte."""
BASES = 20
"""Pictures that are drawn; the others differ from one of them in a comment, which is enough for other bytes."""
AIM = "at most 1,000 MB in any process"


def process(name: str, folder: Path, shards: int, suffix: str, **job: Any) -> tuple[Usage, str]:
    """Run the jobs that make a dataset's data, and return what they used and the digest of the data."""
    parts = [str(folder / f"{number}-of-{shards}{suffix}") for number in range(1, shards + 1)] if shards > 1 else []
    used = [
        script(
            f"{name}/shard.py",
            folder,
            **job | {"output": {"part": part}, "wildcards": {"scatteritem": Path(part).name.removesuffix(suffix)}},
        )
        for part in parts
    ]
    used.append(script(f"{name}/process.py", folder, **job | {"input": job["input"] | {"parts": parts}}))
    return functools.reduce(operator.add, used), dvc_digest(folder / "processed")


def scattered(what: str, name: str, folder: Path, numbers: Sequence[int], suffix: str, **job: Any) -> Iterator[Row]:
    """Yield what making the data takes with each of these numbers of shards; the data must be the same."""
    digests = set()
    for shards in numbers:
        used, digest = process(name, folder, shards, suffix, **job)
        digests.add(digest)
        yield f"{what}: process, {shards} shard{'s' * (shards > 1)}, one job after the other", used, AIM
    if len(digests) > 1:
        sys.exit(f"{what}: the data depends on the number of shards")


def rows(folder: Path, count: int) -> Iterator[Row]:
    """Measure a table of so many rows."""
    params = dataset("tabular")["params"] | {"n_samples": count}
    what, raw = f"tabular, {count:,} rows", folder / "raw"
    raw.mkdir()
    table = str(raw / "dataset.csv")
    outputs = {"table": table, "sources": str(raw / "sources.json")}
    yield (
        f"{what}: generate",
        script("tabular/generate.py", folder, input={}, output=outputs, params={"options": params}),
        AIM,
    )
    yield from scattered(
        what,
        "tabular",
        folder,
        (1, 2, 4),
        ".parquet",
        input={"table": table},
        output={"folder": str(folder / "processed")},
        params={"n_features": params["n_features"]},
    )


def draw(images: Path, gigabytes: float) -> list[dict[str, Any]]:
    """Write JPEGs of noise, of so many bytes together, and return the rows of captions.json."""
    random = np.random.default_rng(0)
    bases = []
    for _ in range(BASES):
        buffer = io.BytesIO()
        noise = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(noise).save(buffer, "JPEG", quality=100, subsampling="4:4:4")
        bases.append(buffer.getvalue())
    found: list[dict[str, Any]] = []
    for number in range(int(gigabytes * 1e9 / len(bases[0]))):
        base = bases[number % BASES]
        data = base[:2] + b"\xff\xfe\x00\x0a" + number.to_bytes(8, "big") + base[2:]
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.jpg"
        (images / name).write_bytes(data)
        found.append({"image": name, "image_id": f"{number}", "caption": f"Noise, number {number}.", "cui": []})
    return found


def pictures(folder: Path, gigabytes: float) -> Iterator[Row]:
    """Measure pictures of so many bytes."""
    config = dataset("radiology-mini")
    config["contract"] |= {"rows": {}}
    raw = folder / "raw"
    (raw / "images").mkdir(parents=True)
    captions = draw(raw / "images", gigabytes)
    write_json(raw / "captions.json", captions)
    prompt = {"prompt_name": "look", "prompt_version": 1, "prompt_uri": "none", "prompt_text": "Look."}
    write_json(raw / "prompt.json", prompt)
    write_json(raw / "sources.json", {"mode": "mirror", "files": []})
    what, sources = (
        f"radiology-mini, {len(captions):,} pictures of {gigabytes:g} GB",
        {
            "images": str(raw / "images"),
            "captions": str(raw / "captions.json"),
            "prompt": str(raw / "prompt.json"),
        },
    )
    cleaning = str(folder / "cleaning.json")
    yield from scattered(
        what,
        "radiology_mini",
        folder,
        (1, 4),
        "",
        input=sources,
        output={"folder": str(folder / "processed"), "cleaning": cleaning},
        params={"options": config["params"]},
    )
    data = {"folder": str(folder / "processed"), "checksum": str(folder / ".processed.md5"), "cleaning": cleaning}
    files = ("manifest.parquet", "metadata.json", "provenance.json", "samples.png")
    used = script(
        "radiology_mini/analyze.py",
        folder,
        input=sources | data | {"sources": str(raw / "sources.json")},
        output={Path(file).stem: str(folder / file) for file in files},
        params={"dataset": config, "code": {}},
    )
    yield f"{what}: analyze", used, AIM


def main(count: int, gigabytes: float) -> None:
    """Measure everything and write the table."""
    found: list[Row] = []
    for measured in (rows, pictures):
        with tempfile.TemporaryDirectory() as folder:
            found += measured(Path(folder), count if measured is rows else gigabytes)
    write_table("wide", found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROWS, float(sys.argv[2]) if sys.argv[2:] else GIGABYTES)
