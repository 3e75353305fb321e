"""Remember what jobs wrote into raw/, so that those which read it later notice a change by hand."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from registry.errors import RegistryError
from registry.files import atomic_file, content_sha256, dvc_digest, remove, write_json

REMEMBERED = ".raw"
"""Folder beside raw/ that has, for an output raw/<path> of a rule, DVC's digest of it in <path>.md5."""
PARTS = ".shards"
"""Folder beside raw/ that has, while several jobs share the work, what each has made of its share."""
SERVED = "served.json"
"""File there that has what served each source file."""
LOOKS = "looks.json"
"""File there that has how each source looked that was not copied when it was hashed, by its address."""


def _in_raw(paths: Iterable[str]) -> Iterator[tuple[Path, Path]]:
    """Yield, for those paths from the repository's root that are in a raw/, data/<dataset> and the path in raw/."""
    for path in paths:
        top, dataset, raw, *inside = (*Path(path).parts, *[""] * 3)
        if (top, raw) == ("data", "raw"):
            yield Path(top, dataset), Path(*inside)


def remember_raw(outputs: Iterable[str]) -> None:
    """Write down what the outputs of a rule are that are in a dataset's raw/."""
    for folder, inside in sorted(_in_raw(outputs), reverse=True):
        for note in _notes(folder, inside).values():
            note.unlink()
        with atomic_file(folder / REMEMBERED / f"{inside}.md5") as partial:
            partial.write_text(dvc_digest(folder / "raw" / inside), encoding="utf-8")


def check_raw(inputs: Iterable[str]) -> None:
    """Check that inputs which are in a dataset's raw/ are what was fetched or made. Raises RegistryError.

    What no job here wrote down, because it was restored, is held to the hashes in raw/sources.json.
    """
    # Several inputs may be held to one note, that of the folder which they are in: it is read and hashed once.
    digests: dict[Path, str] = {}
    hashes: dict[Path, str] = {}
    listed: dict[Path, dict[Path, str]] = {}
    for folder, inside in _in_raw(inputs):
        noted = _noted(folder, inside)
        digests |= noted
        if not noted:
            raw = folder / "raw"
            if raw not in listed:
                listed[raw] = _sources(raw)
            hashes |= _at(listed[raw], raw / inside)
    changed = _differing(digests)
    changed += [path for path, sha256 in hashes.items() if content_sha256(path) != sha256]
    if changed:
        raise RegistryError(
            "changed since it was fetched or made",
            where=changed[0],
            hint="remove it and run the same command again, which brings it back; to use other data, change where "
            "it comes from (config/README.md, Sources)",
        )


def write_sources(path: str | Path, fetched: Mapping[str, Any]) -> None:
    """Write raw/sources.json: what `fetch` returned. What served each file goes into a note beside raw/.

    So does how those look that were not copied. So raw/ is the same on every machine, whichever address answered there.
    """
    raw = Path(path).parent
    note_served_by(raw, fetched)
    if looks := {file["url"]: file["look"] for file in fetched["files"] if "look" in file}:
        write_json(raw.parent / REMEMBERED / LOOKS, looks)
    else:
        (raw.parent / REMEMBERED / LOOKS).unlink(missing_ok=True)
    write_json(path, without_served_by(fetched))


def noted_looks(folder: Path) -> dict[str, dict[str, Any]]:
    """Return {address: its `digest` and `max_files`} of the sources that a job here left where they are."""
    note = folder / REMEMBERED / LOOKS
    return _read(note) if note.is_file() else {}


def note_served_by(raw: Path, fetched: Mapping[str, Any]) -> None:
    """Note beside raw/ what served each file of what `fetch` returned."""
    write_json(raw.parent / REMEMBERED / SERVED, {file["file"]: file["served_by"] for file in fetched["files"]})


def without_served_by(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what sources.json or a provenance has of sources, without what is but noted of each file."""
    noted = ("served_by", "look")
    return {
        **source,
        "files": [{key: value for key, value in file.items() if key not in noted} for file in source["files"]],
    }


def read_sources(path: str | Path) -> dict[str, Any]:
    """Return what is in raw/sources.json, with `served_by` for each file of which a job here noted it."""
    path = Path(path)
    source, note = _read(path), path.parents[1] / REMEMBERED / SERVED
    served = _read(note) if note.is_file() else {}
    try:
        notes = [{"served_by": served[file["file"]]} if file["file"] in served else {} for file in source["files"]]
        return {**source, "files": [{**file, **note} for file, note in zip(source["files"], notes, strict=True)]}
    except (KeyError, TypeError):
        raise _unreadable(path) from None


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise _unreadable(path) from None


def _unreadable(path: Path) -> RegistryError:
    return RegistryError("not what a download writes", where=path, hint="remove it, and run the same command again")


def changed_raw(folder: Path) -> list[Path]:
    """Return what is in the raw/ of the dataset in `folder` and no longer what a job here wrote, sorted."""
    return sorted(_differing(_noted(folder, Path())))


def _noted(folder: Path, inside: Path) -> dict[Path, str]:
    """Return {output: the digest that was written down of it}, of what `_notes` finds."""
    notes = _notes(folder, inside)
    return {
        folder / "raw" / output: note.read_text(encoding="utf-8", errors="replace") for output, note in notes.items()
    }


def _differing(digests: Mapping[Path, str]) -> list[Path]:
    """Return those of {path: its digest} that are there, and not so any more."""
    return [path for path, digest in digests.items() if path.exists() and dvc_digest(path) != digest]


def _notes(folder: Path, inside: Path) -> dict[Path, Path]:
    """Return {output: its note} of what was written down of a path in raw/: itself, what is in it, what it is in."""
    kept = folder / REMEMBERED
    found = {Path(str(note.relative_to(kept)).removesuffix(".md5")): note for note in kept.rglob("*.md5")}
    return {
        output: note for output, note in found.items() if inside.is_relative_to(output) or output.is_relative_to(inside)
    }


def _sources(raw: Path) -> dict[Path, str]:
    """Return {source: sha256} as sources.json has them, if there is one."""
    sources = raw / "sources.json"
    if not sources.is_file():
        return {}
    try:
        return {raw / file["file"]: file["sha256"] for file in _read(sources)["files"]}
    except (KeyError, TypeError):
        raise _unreadable(sources) from None


def _at(hashes: Mapping[Path, str], path: Path) -> dict[Path, str]:
    """Return those of {source: sha256} that are there, and are at, below or above a path."""
    if path in hashes and path.is_file():
        return {path: hashes[path]}
    return {
        source: sha256
        for source, sha256 in hashes.items()
        if (source.is_relative_to(path) or path.is_relative_to(source)) and source.exists()
    }


def forget_parts(inputs: Iterable[str], outputs: Iterable[str]) -> None:
    """Where a job has made a dataset's data, remove the parts that it did not read.

    They are of runs that were interrupted, with another number of shards; Snakemake removes those that a job reads.
    """
    read, checksums = {Path(file) for file in inputs}, {Path(file) for file in outputs if file.endswith(".md5")}
    for folder in {path.parent / PARTS for path in checksums if path.name.startswith(".")}:
        for part in {*folder.glob("*")} - read:
            remove(part)


def forget_raw(folder: Path) -> None:
    """Forget what jobs wrote into the raw/ of the dataset in `folder`, and made of it, because others bring it.

    What others bring may be older than a part that an interrupted run has left, which Snakemake would take for new.
    """
    for name in (REMEMBERED, PARTS):
        shutil.rmtree(folder / name, ignore_errors=True)
