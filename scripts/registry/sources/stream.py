"""The batches that a dataset of a stream is built from: its committed sample, or what `registry ingest` has read.

Light, as the rules import it. No job makes or removes a batch; what a build was made from stands in a record of its
own, since raw/sources.json goes on with the next batch.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from registry.config.load import SAMPLES, sample_checksums
from registry.errors import RegistryError
from registry.files import sha256_of

MODE = "stream"
"""The source mode of a dataset that is built from what was read from its stream."""


def is_of_stream(dataset: Mapping[str, Any]) -> bool:
    """Tell whether a dataset grows from a stream: it has no other sources, and is not generated."""
    return "sources" not in dataset and dataset["source"] in ("samples", MODE)


def batch_folder(dataset: Mapping[str, Any]) -> Path:
    """Return the folder of a dataset's batches, from the repository's root."""
    name = dataset["name"]
    return Path(SAMPLES, name) if dataset["source"] == "samples" else Path("data", name, "raw")


def batch_files(dataset: Mapping[str, Any], root: Path = Path()) -> list[str]:
    """Return the paths from the root of a dataset's batches, as they are now."""
    folder = root / batch_folder(dataset)
    return sorted(path.relative_to(root).as_posix() for path in folder.glob("*/*/[0-9]*.parquet"))


def record_of(mode: str, folder: Path, names: Iterable[str]) -> dict[str, Any]:
    """Return what sources.json says of batches, by their paths in `folder`, as `registry ingest` writes it."""
    paths = {name: folder / name for name in sorted(names)}
    files = [{"file": name, "bytes": path.stat().st_size, "sha256": sha256_of(path)} for name, path in paths.items()]
    return {"mode": mode, "files": files}


def accepted_batches(dataset: Mapping[str, Any], root: Path = Path()) -> dict[str, list[str]] | None:
    """Return {batch: its hash, in a list} of those that a checkout builds from; None where it has read none."""
    if dataset["source"] == "samples":
        listed = sample_checksums(dataset["name"], root)
        return {name.removeprefix(f"{dataset['name']}/"): [sha256] for name, sha256 in listed.items()}
    index = root / batch_folder(dataset) / "sources.json"
    if not index.is_file():
        return None
    try:
        return {file["file"]: [file["sha256"]] for file in json.loads(index.read_text(encoding="utf-8"))["files"]}
    except (ValueError, RecursionError, KeyError, TypeError):
        hint = "remove it, and run registry ingest, which writes it again"
        raise RegistryError("not what registry ingest writes", where=index, hint=hint) from None
