"""Fetch source files: from the samples, a mirror or upstream, always checked against their hashes."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from registry.config.load import IN_PLACE, SAMPLES
from registry.errors import RegistryError
from registry.files import atomic_file, content_sha256, data_files, remove
from registry.sources.in_place import hash_in_place, write_pointer
from registry.sources.limits import PATIENT, Patience
from registry.sources.locks import held_to, read_lock
from registry.sources.raw import noted_looks, read_sources
from registry.sources.retrieve import retrieve, unfetched

log = logging.getLogger(__name__)

KEPT = ".cache/refresh"
"""Folder of a checkout, ignored by git: `<dataset>/raw` there has what `registry refresh` fetched, while it builds."""
STAND_INS = {
    "the pointer of Git LFS to the file": re.compile(rb"version https://git-lfs\.github\.com/spec/"),
    "an HTML page": re.compile(
        rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body|!--.*?--\s*>\s*<html)\b", re.I | re.S
    ),
}
"""What servers send, as if all were well, instead of a file: how it begins, by what it is."""


def _locations(dataset: str, source: dict[str, Any], mode: str, mirror: str | None) -> list[str]:
    match mode:
        case "samples":
            return [f"{SAMPLES}/{dataset}/{source['file']}"]
        case "mirror":
            return [f"{str(mirror).rstrip('/')}/{dataset}/{source['file']}"]
    return source["urls"]


def _refuse_stand_in(path: Path, name: str) -> None:
    """Raise RegistryError for what a server sends instead of a file, by its first 1,000 bytes."""
    with path.open("rb") as stream:
        head = stream.read(1000)
    for what, beginning in STAND_INS.items():
        if beginning.match(head) and not name.endswith((".html", ".htm")):
            raise RegistryError(f"{what}, not the file itself")


def _check(
    path: Path, name: str, accepted: Sequence[str], origin: str, readable: Callable[[Path], None] | None
) -> None:
    if path.is_file() and not path.stat().st_size:
        raise RegistryError("the file is empty")
    _check_hash(content_sha256(path), accepted, origin)
    if not accepted:
        for file in data_files(path):
            _refuse_stand_in(file, file.name if path.is_dir() else name)
    if readable:
        readable(path)


def _check_hash(found: str, accepted: Sequence[str], origin: str) -> None:
    if accepted and found not in accepted:
        raise RegistryError(f"expected sha256 {' or '.join(accepted)}{origin}, found {found}")


def fetch(
    dataset: str,
    files: Sequence[dict[str, Any]],
    *,
    mode: str,
    mirror: str | None,
    target: Path,
    lock: Path,
    readable: Callable[[Path], None] | None = None,
    patience: Patience = PATIENT,
    root: Path = Path(),
) -> dict[str, Any]:
    """Fetch a dataset's source files into the folder `target` and return what was fetched, for provenance.

    A file without an accepted hash (see `registry.config.load.source_files`) is held to the one in the YAML file `lock`
    and, if there is none either, recorded there. `readable` raises RegistryError for a file that cannot be what it
    should, so that an error page is not taken for a first download. Paths among the addresses, and the mirror's, may be
    relative to `root`, the checkout; what a refresh keeps there (see KEPT) is not fetched again. The result has `mode`
    and `files` with `file`, `url` (the first upstream address, whichever place it came from), `bytes`, `sha256`, and
    `served_by`: the upstream address that gave it, else the mode. A folder (an entry with `max_files`) is one of
    `files`, with the number of its own in `files`, and in `hidden_files` that of those left out, if there are some;
    what is not copied has `copied`: false, and how it `look`s. Raises RegistryError.
    """
    locked, kept = read_lock(lock), _kept(dataset, mode, root)
    fetched = []
    for source in files:
        name = source["file"]
        pinned = held_to(source, locked.get(mode, {}))
        origin = f" (locked in {lock})" if pinned and not source["sha256"] else ""
        here = {path: file for path, file in kept.items() if file["file"] == name and file["sha256"] in pinned}
        if source.get("copy", True):
            check = partial(_check, name=name, accepted=pinned, origin=origin, readable=readable)
            locations = [*here, *_locations(dataset, source, mode, mirror)]
            entry = _copied(source, locations, target, check, patience, root)
            served_by = here.get(entry["served_by"], entry)["served_by"]
            entry["served_by"] = served_by if mode == "upstream" else mode
        else:
            known = {file["look"]["digest"]: file["sha256"] for file in here.values() if file["look"]}
            entry = _in_place(source, target, pinned, origin, root, known)
        if not pinned:
            locked.setdefault(mode, {})[name] = entry["sha256"]
            _write_lock(lock, locked)
            log.info("first download of %s: its hash is now locked in %s; commit that file", name, lock)
        fetched.append(entry)
    return {"mode": mode, "files": fetched}


def _kept(dataset: str, mode: str, root: Path) -> dict[str, dict[str, Any]]:
    """Return {path from the root: entry in sources.json, and how it `look`s} of the sources that a refresh keeps."""
    raw = f"{KEPT}/{dataset}/raw"
    if not (record := root / raw / "sources.json").is_file():
        return {}
    fetched, looks = read_sources(record), noted_looks(record.parents[1])
    files = fetched["files"] if fetched["mode"] == mode else []
    return {f"{raw}/{file['file']}": {**file, "look": looks.get(file["url"])} for file in files}


def _copied(
    source: dict[str, Any],
    locations: Sequence[str],
    target: Path,
    check: Callable[[Path], None],
    patience: Patience,
    root: Path,
) -> dict[str, Any]:
    """Bring a source to raw/ and return its entry in sources.json, with the location that `served_by` it."""
    path, limits = target / source["file"], {key: source.get(key) for key in ("max_bytes", "max_files")}
    location, hidden = retrieve(locations, path, check, **limits, patience=patience, root=root)
    files = data_files(path)
    return {
        "file": source["file"],
        "url": source["urls"][0] if source["urls"] else None,
        "bytes": sum(file.stat().st_size for file in files),
        "sha256": content_sha256(path),
        **({"files": len(files)} if "max_files" in source else {}),
        **({"hidden_files": hidden} if hidden else {}),
        "served_by": location,
    }


def _in_place(
    source: dict[str, Any],
    target: Path,
    pinned: Sequence[str],
    origin: str,
    root: Path,
    known: Mapping[str, str],
) -> dict[str, Any]:
    """Hash a source where it is, write the pointer to it, and return its entry, with how it `look`s.

    A copy from before goes. `known` is as in `hash_in_place`.
    """
    (url,), max_files = source["urls"], source.get("max_files")
    try:
        look, sha256 = hash_in_place(root / url, max_bytes=source["max_bytes"], max_files=max_files, known=known)
        _check_hash(sha256, pinned, origin)
        if not pinned:
            for name in look.files:
                _refuse_stand_in(root / url / name, name or url)
    except RegistryError as error:
        raise unfetched(source["file"], [f"{url}: {error}"]) from None
    entry = {"file": source["file"], "url": url, "bytes": look.size, "sha256": sha256}
    entry |= {"files": len(look.files)} if "max_files" in source else {}
    write_pointer(target / f"{source['file']}{IN_PLACE}", entry)
    copied = target / source["file"]
    if not (root / url).resolve().is_relative_to(copied.resolve()):
        remove(copied)
    return entry | {"copied": False, "served_by": url, "look": {"digest": look.digest, "max_files": max_files}}


def _write_lock(lock: Path, locked: dict[str, dict[str, str]]) -> None:
    with atomic_file(lock) as temporary:
        text = "# Hashes found at the first download; kept in git and enforced from then on.\n"
        temporary.write_text(text + yaml.safe_dump(locked), encoding="utf-8")
