"""Fetch the hub's Parquet file and unpack it: one file per picture, and what belongs to it in captions.json."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from registry.describe.logical import logical_type
from registry.errors import RegistryError
from registry.files import atomic_folder, write_json
from registry.formats.parquet import open_parquet, rows_of
from registry.sources.fetch import fetch
from registry.sources.raw import write_sources
from registry.workflow.job import job

COLUMNS = {"image.bytes": "binary", "image_id": "string", "caption": "string", "cui": "list<string>"}
"""What is read, and the types that it must have."""

MAGIC = (
    (".jpg", b"\xff\xd8\xff"),
    (".png", b"\x89PNG\r\n\x1a\n"),
    (".gif", b"GIF87a"),
    (".gif", b"GIF89a"),
    (".tif", b"II*\0"),
    (".tif", b"MM\0*"),
    (".bmp", b"BM"),
)
"""How pictures of each kind begin; WebP has its own rule."""


def check_columns(schema: pa.Schema, where: Path) -> None:
    """Raise one RegistryError that names every column in COLUMNS which is missing or of another type."""
    types = {field.name: field.type for field in schema}
    if pa.types.is_struct(image := types.get("image", pa.null())):
        types |= {f"image.{field.name}": field.type for field in image}
    found = {name: logical_type(dtype) for name, dtype in types.items()}
    problems = [f"{name} is missing" for name in COLUMNS if name not in found]
    problems += [
        f"{name} is {found[name]}, not {expected}"
        for name, expected in COLUMNS.items()
        if name in found and found[name] != expected
    ]
    if problems:
        raise RegistryError(f"not in the expected layout: {'; '.join(problems)}", where=where.name)


def check_layout(path: Path) -> None:
    """Raise RegistryError unless this is a Parquet file in the expected layout, as far as its footer tells."""
    with open_parquet(path) as file:
        check_columns(file.schema_arrow, path)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the file's rows with image (the picture's bytes, empty if null), image_id, caption and cui.

    Raises RegistryError if it is not in the expected layout, or refused by `registry.formats.parquet`. The path inside
    the image struct is never read: whoever made the file chose it.
    """
    check_layout(path)
    for row in rows_of(path, list(COLUMNS)):
        yield row | {"image": (row["image"] or {}).get("bytes") or b""}


def suffix(data: bytes) -> str:
    """Return the file suffix that the first bytes of a picture call for, `.bin` if they are of no known kind."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    return next((name for name, magic in MAGIC if data.startswith(magic)), ".bin")


def unpack(path: Path, folder: Path) -> list[dict[str, Any]]:
    """Write every picture into `folder` as it is and return the rows, each with its picture's file name as `image`.

    The name is the first 16 hex digits of the SHA-256 of the picture's bytes, and a suffix that follows from them.
    """
    rows = []
    for row in read_rows(path):
        data = row["image"]
        name = hashlib.sha256(data).hexdigest()[:16] + suffix(data)
        (folder / name).write_bytes(data)
        rows.append(row | {"image": name})
    if not rows:
        raise RegistryError("has no rows", where=path.name)
    return rows


def download(images: Path, captions: Path, sources: Path, **source: Any) -> None:
    """Fetch and unpack all source files; `source` is what `registry.sources.fetch.fetch` takes, apart from `target`."""
    with atomic_folder(images) as partial:
        packed = partial / "packed"
        record = fetch(**source, target=packed, readable=check_layout)
        rows = [row for file in record["files"] for row in unpack(packed / file["file"], partial)]
        shutil.rmtree(packed)
    write_json(captions, rows)
    write_sources(sources, record)


if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params
        download(
            Path(snakemake.output.images),
            Path(snakemake.output.captions),
            Path(snakemake.output.sources),
            dataset=params.dataset,
            files=params.files,
            mode=params.source,
            mirror=snakemake.config["mirror"],
            lock=Path("config/locks") / f"{params.dataset}.yaml",
        )
