"""Rows of radiology-mini as tests make them, with real pictures."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pictures import picture
from radiology_mini.download import unpack

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [("image", IMAGE), ("image_id", pa.string()), ("caption", pa.string()), ("cui", pa.list_(pa.string()))]
)


def row(data: bytes | None, caption: str | None = "a caption", image_id: str | None = None, path: str = "x") -> dict:
    return {"image": {"bytes": data, "path": path}, "image_id": image_id, "caption": caption, "cui": ["C1"]}


GOOD = [row(picture(seed), f"caption {seed}") for seed in range(12)]


def stem_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def unpacked(folder: Path, rows: list[dict]) -> Path:
    """Write rows as the hub would and unpack them into `<folder>/raw`, which is returned."""
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / "source.parquet")
    images = folder / "raw" / "images"
    images.mkdir(parents=True)
    (folder / "raw" / "captions.json").write_text(json.dumps(unpack(folder / "source.parquet", images)))
    return folder / "raw"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
