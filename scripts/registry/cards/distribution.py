"""The files of a version in the words of Croissant: each by itself with its hash, many of a kind as a set."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from registry.cards.fields import Ids
from registry.files import listing_sha256
from registry.storage.snapshot import Snapshot

TABLES = ("parquet", "csv", "jsonl")
"""Files whose rows can be read, in the order in which they are preferred."""
FORMATS = {
    "csv": "text/csv",
    "gif": "image/gif",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "jsonl": "application/jsonlines",
    "md": "text/markdown",
    "parquet": "application/x-parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "tar": "application/x-tar",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "txt": "text/plain",
    "webp": "image/webp",
    "zip": "application/zip",
}
"""Kinds of files by the end of their names, as those who read Croissant know them."""
BYTES = "application/octet-stream"
"""Files of which no more is known."""
MOST = 1000
"""Tables of a kind that are named one by one."""


class Distribution:
    """The nodes for the files of a version, in the folder of its dataset, and which node stands for which files."""

    def __init__(self, snapshot: Snapshot, ids: Ids) -> None:
        self._snapshot = snapshot
        self.nodes: list[dict[str, Any]] = []
        self._ids = ids
        self._hashed = snapshot.hashed()
        self._node_of: dict[tuple[str, ...], dict[str, Any]] = {}
        for paths in self._kinds():
            kind = _suffix(paths[0])
            if len(paths) == 1 or (kind in TABLES and len(paths) <= MOST):
                for path in paths:
                    self._add([path], self._object(path))
            if len(paths) > 1:
                self._add(paths, self._set(paths, kind))

    def paths(self, kind: str | None = None) -> list[str]:
        """Return the files of the version's data, or those that end so, sorted."""
        return sorted(path for path in self._hashed if kind is None or _suffix(path) == kind)

    def relative(self, path: str) -> str:
        """Return where a file is from the folder of the dataset on."""
        return path.removeprefix(f"{self._snapshot.folder}/")

    def source(self, paths: Sequence[str]) -> dict[str, dict[str, str]] | None:
        """Return what a field says that is read from exactly these files; None where no node stands for them."""
        node = self._node_of.get(tuple(paths))
        if node is None:
            return None
        return {"fileObject" if node["@type"] == "cr:FileObject" else "fileSet": {"@id": node["@id"]}}

    def _kinds(self) -> Iterator[list[str]]:
        """Yield the files of each split, or beside them, that end alike."""
        data, splits = self._snapshot.data, list(self._snapshot.metadata["splits"])
        folders = [f"{data}/{split}/" for split in splits] if len(splits) > 1 else []
        found: dict[tuple[str, str], list[str]] = {}
        for path in self.paths():
            folder = next(filter(path.startswith, folders), "")
            found.setdefault((folder, _suffix(path)), []).append(path)
        yield from found.values()

    def _add(self, paths: Sequence[str], node: dict[str, Any]) -> None:
        self.nodes.append(node)
        self._node_of[tuple(paths)] = node

    def _object(self, path: str) -> dict[str, Any]:
        name, about = self.relative(path), self._hashed[path]
        return {
            "@type": "cr:FileObject",
            "@id": self._ids.new(*name.split("/")),
            "name": name,
            "contentUrl": name,
            "contentSize": f"{about.size} B",
            "encodingFormat": FORMATS.get(_suffix(path).lower(), BYTES),
            "sha256": about.sha256,
        }

    def _set(self, paths: Sequence[str], kind: str) -> dict[str, Any]:
        """Return a node for files that end alike: patterns that fit all, and the hash of the list of their hashes."""
        names = {self.relative(path): self._hashed[path] for path in paths}
        folder = os.path.commonpath([_folder(name) for name in names])
        patterns = _patterns(folder, kind, names) if kind else [glob.escape(name) for name in names]
        return {
            "@type": "cr:FileSet",
            "@id": self._ids.new(*folder.split("/"), f"{kind or 'other'}-files"),
            "name": f"{folder}/*.{kind}" if kind else folder,
            "description": f"{len(names):,} files, {sum(about.size for about in names.values()):,} bytes. The sha256 "
            "is that of what sha256sum prints of them in this folder, in the order of their names.",
            "encodingFormat": FORMATS.get(kind.lower(), BYTES),
            "includes": patterns,
            "sha256": listing_sha256({name: about.sha256 for name, about in names.items()}),
        }


def _patterns(folder: str, kind: str, names: Iterable[str]) -> list[str]:
    """Return patterns for all names that end alike below a folder."""
    start, end = glob.escape(folder), f"*.{glob.escape(kind)}"
    deeper = any(_folder(name) != folder for name in names)
    return [f"{start}/{end}", *([f"{start}/**/{end}"] if deeper else [])]


def _suffix(path: str) -> str:
    """Return what a file's name ends in, after a dot that does not begin it."""
    stem, _, end = path.rpartition("/")[2].rpartition(".")
    return end if stem else ""


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
