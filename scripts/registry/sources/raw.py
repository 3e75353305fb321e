"""Remember what jobs wrote into raw/, so that those which read it later notice a change by hand."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from registry.errors import RegistryError
from registry.files import dvc_digest, sha256_of, write_json

REMEMBERED = ".raw"
"""Folder beside raw/ in which each rule has a file {output: DVC's digest}."""


def _dataset_folder(path: str) -> Path | None:
    """Return data/<dataset> for a path that is its raw/, or below that; None for others."""
    top, dataset, raw, *_ = (*Path(path).parts, *[""] * 3)
    return Path(top, dataset) if (top, raw) == ("data", "raw") else None


def remember_raw(outputs: Iterable[str], rule: str) -> None:
    """Write down what the outputs of a rule are that are in a dataset's raw/ (paths from the repository's root)."""
    written = {path: folder for path in outputs if (folder := _dataset_folder(path))}
    for folder in set(written.values()):
        digests = {path: dvc_digest(path) for path, its in written.items() if its == folder}
        write_json(folder / REMEMBERED / f"{rule}.json", digests)


def check_raw(inputs: Iterable[str]) -> None:
    """Check that inputs which are in a dataset's raw/ are what was fetched or made. Raises RegistryError.

    What no job here wrote down, because it was restored, is held to the hashes in raw/sources.json.
    """
    for path, folder in [(path, folder) for path in inputs if (folder := _dataset_folder(path))]:
        remembered = _remembered(folder, path)
        if remembered:
            changed = [output for output, digest in remembered.items() if dvc_digest(output) != digest]
        else:
            changed = _unlike_sources(folder / "raw", Path(path))
        if changed:
            raise RegistryError(
                "changed since it was fetched or made",
                where=changed[0],
                hint="remove it and run the same command again, which brings it back; to use other data, change where "
                "it comes from (config/README.md, Sources)",
            )


def _remembered(folder: Path, path: str) -> dict[str, str]:
    """Return {output: digest} of what was written down of an input: itself, what is in it, or what it is in."""
    found: dict[str, str] = {}
    for file in (folder / REMEMBERED).glob("*.json"):
        try:
            found |= json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            raise RegistryError("not what a job wrote", where=file, hint="remove it") from None
    wanted = Path(path)
    return {
        output: digest
        for output, digest in found.items()
        if Path(output).exists() and (wanted.is_relative_to(output) or Path(output).is_relative_to(wanted))
    }


def _unlike_sources(raw: Path, path: Path) -> list[str]:
    """Return the source files at or below a path that are not those which sources.json names."""
    try:
        files = json.loads((raw / "sources.json").read_text(encoding="utf-8"))["files"]
        hashes = {raw / file["file"]: file["sha256"] for file in files}
    except (OSError, ValueError, KeyError, TypeError):
        return []
    here = {file: sha256 for file, sha256 in hashes.items() if file.is_relative_to(path) and file.is_file()}
    return [str(file) for file, sha256 in here.items() if sha256_of(file) != sha256]


def forget_raw(folder: Path) -> None:
    """Forget what jobs wrote into the raw/ of the dataset in `folder`, because others bring it."""
    shutil.rmtree(folder / REMEMBERED, ignore_errors=True)
