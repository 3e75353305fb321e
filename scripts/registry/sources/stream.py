"""The batches that a dataset of a stream is built from: its committed sample, or what `registry ingest` has read.

Light, as the rules import it. No job makes or removes a batch; what a build was made from stands in a record of its
own, since raw/sources.json goes on with the next batch.
"""

import json
from collections.abc import Iterable, Mapping
from glob import glob
from pathlib import Path
from typing import Any

from registry.config.load import SAMPLES, sample_checksums
from registry.errors import RegistryError
from registry.files import sha256_of, write_json

INDEX = "sources.json"
MODE = "stream"
"""The source mode of a dataset that is built from what was read from its stream."""


def is_of_stream(dataset: Mapping[str, Any]) -> bool:
    """Tell whether a dataset grows from a stream: it has no other sources, and is not generated."""
    return "sources" not in dataset and dataset["source"] in ("samples", MODE)


def batch_folder(dataset: Mapping[str, Any]) -> Path:
    """Return the folder of a dataset's batches, from the repository's root."""
    name = dataset["name"]
    return Path(SAMPLES, name) if dataset["source"] == "samples" else Path("data", name, "raw")


def batch_names(folder: Path) -> list[str]:
    """Return the paths in a folder of batches, as their names have it, sorted.

    What is just being written there is none of them, and may be gone while it is looked at.
    """
    # Path.glob raises an error then.
    return sorted(glob("*/*/[0-9]*.parquet", root_dir=folder, include_hidden=True))  # noqa: PTH207


def batch_files(dataset: Mapping[str, Any], root: Path = Path()) -> list[str]:
    """Return the paths from the root of a dataset's batches, as they are now."""
    folder = batch_folder(dataset)
    return [(folder / name).as_posix() for name in batch_names(root / folder)]


def record_of(mode: str, folder: Path, names: Iterable[str]) -> dict[str, Any]:
    """Return what sources.json says of batches, by their paths in `folder`, as `registry ingest` writes it."""
    return {"mode": mode, "files": [entry_of(folder, name) for name in sorted(names)]}


def entry_of(folder: Path, name: str) -> dict[str, Any]:
    """Return what sources.json says of one batch in `folder`."""
    path = folder / name
    return {"file": name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def list_batches(raw: Path, record: Mapping[str, Any]) -> None:
    """Let raw/sources.json say what a record does of the batches in it: no build is made of one that is not listed.

    `registry ingest` may have been killed before it could. Raises RegistryError where one is listed and not here, or
    has other bytes.
    """
    hashes, index = {file["file"]: file["sha256"] for file in record["files"]}, raw / INDEX
    listed = listed_entries(index)
    if wrong := sorted(name for name, entry in listed.items() if hashes.get(name) != entry["sha256"]):
        what = "is another file than the list of batches says" if wrong[0] in hashes else "listed, and not here"
        hint = "registry pull --raw brings what was released back, registry ingest reads the rest again"
        raise RegistryError(what, where=raw / wrong[0], hint=hint)
    write_json(index, record)


def accepted_batches(dataset: Mapping[str, Any], root: Path = Path()) -> dict[str, list[str]] | None:
    """Return {batch: its hash, in a list} of those that a checkout builds from; None where it has read none.

    One that `registry ingest` was killed before it could list is among them, whatever its hash.
    """
    if dataset["source"] == "samples":
        listed = sample_checksums(dataset["name"], root)
        return {name.removeprefix(f"{dataset['name']}/"): [sha256] for name, sha256 in listed.items()}
    index = root / batch_folder(dataset) / INDEX
    if not index.is_file():
        return None
    hashes = {name: [entry["sha256"]] for name, entry in listed_entries(index).items()}
    return {name: [] for name in batch_names(index.parent)} | hashes


def listed_entries(index: Path) -> dict[str, dict[str, Any]]:
    """Return {batch: what a list of batches says of it}; none where there is no list. Raises RegistryError."""
    if not index.is_file():
        return {}
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))["files"]
        if not all("sha256" in entry for entry in entries):
            raise KeyError("sha256")
        return {entry["file"]: entry for entry in entries}
    except (ValueError, RecursionError, KeyError, TypeError):
        hint = "remove it, and run registry ingest, which writes it again"
        raise RegistryError("not what registry ingest writes", where=index, hint=hint) from None
