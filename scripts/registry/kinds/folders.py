"""Which rows pictures make, and of which class and split they are, by the folders that they lie in."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from registry.describe.columns import column_type
from registry.errors import RegistryError
from registry.kinds.inputs import IMAGE, LABEL
from registry.kinds.pictures import Found, is_picture, normal, pictures_in
from registry.sources.subsample import Subsample

OF_PICTURES = (IMAGE, "width", "height", "path")
"""Columns that are made of a picture, and of where it was."""


def classes_of(params: Mapping[str, Any]) -> list[str]:
    """Return the classes that the param `classes` names, in their order."""
    classes = params.get("classes", ())
    return [*dict.fromkeys(classes.values() if isinstance(classes, Mapping) else classes)]


class Placed(NamedTuple):
    """Rows of pictures: which picture each is of, by position, its key, its columns but those that pictures make.

    `problems` and `notes` are as those of `Rows`.
    """

    pictures: Sequence[int]
    keys: pl.Series
    columns: pl.DataFrame
    problems: Mapping[str, pl.Series]
    notes: pl.Series | None = None


class Splits:
    """The splits whose folders, below a root, pictures may lie in; without such, all is one folder of no split."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        root = params.get("root", "")
        folders = params.get("split", {}).get("folders", {"": [""]})
        self._splits = {
            tuple(part for part in normal(f"{root}/{folder}").split("/") if part): split
            for split, its in folders.items()
            for folder in its
        }
        self._depths = sorted({len(folder) for folder in self._splits}, reverse=True)

    def find(self, path: str) -> tuple[str | None, list[str]]:
        """Return the split of the innermost such folder that a path is in, None for none, and the parts below it."""
        parts = path.split("/")
        for depth in self._depths:
            if len(parts) > depth and (split := self._splits.get(tuple(parts[:depth]))) is not None:
                return split, parts[depth:]
        return None, parts


class Folders:
    """Each picture is a row, and the folder that it lies in below its split's is its class."""

    def __init__(self, contract: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        if more := [name for name in contract if name not in (*OF_PICTURES, LABEL)]:
            raise RegistryError(
                f"pictures in folders have no {', '.join(more)}, but {', '.join((*OF_PICTURES, LABEL))}",
                where="contract.columns",
                hint="take it out, or name the table that has it in params.table",
            )
        self._root = Splits({"root": params.get("root", "")})
        self._splits = Splits(params)
        self._type = column_type(contract[LABEL]) if LABEL in contract else None
        classes = params.get("classes")
        self._classes: dict[str, str] | None = None
        if classes is not None:
            named = classes if isinstance(classes, Mapping) else {name: name for name in classes}
            self._classes = {normal(folder): name for folder, name in named.items()}
        self._numbers = {name: number for number, name in enumerate(classes_of(params))}
        if self._type is not None and self._type != pl.String and not classes:
            raise RegistryError("numbers need params.classes, whose positions they are", where="contract.columns.label")
        self._seen: dict[str, str] = {}
        self._part = Subsample(**params.get("sample", {}))

    def pictures(
        self, files: Mapping[str, Path], max_bytes: int, counts: Counter[str]
    ) -> Iterator[tuple[str, Iterator[Found]]]:
        """Yield each source file with the pictures in it that are below the root, or the part of them to build from."""

        def wanted(path: str) -> bool:
            return is_picture(path) and self._root.find(path)[0] is not None

        for file, path in files.items():
            yield file, pictures_in(file, path, max_bytes, wanted, counts, self._part.takes_each())

    def place(self, pictures: Sequence[Found]) -> Placed:
        """Return the rows of pictures."""
        keys = pl.Series([key_of(found) for found in pictures], dtype=pl.String)
        if self._type is None:
            return Placed(range(len(pictures)), keys, pl.DataFrame(), {})
        labels = pl.Series(LABEL, [self._class(found.path) for found in pictures], dtype=pl.String)
        unknown = labels.is_null()
        if self._type != pl.String:
            labels = labels.replace_strict(self._numbers, default=None, return_dtype=self._type)
        return Placed(range(len(pictures)), keys, labels.to_frame(), {"unknown_classes": unknown})

    def _class(self, path: str) -> str | None:
        _, parts = self._splits.find(path)
        if len(parts) < 2:
            return None
        if self._classes is not None:
            return self._classes.get(parts[0])
        known = self._seen.setdefault(parts[0].casefold(), parts[0])
        if known != parts[0]:
            raise RegistryError(
                f"the folders {known} and {parts[0]} differ in case alone",
                where=path,
                hint=f"say which classes there are: params.classes: [{known}, {parts[0]}], or make one of "
                f"both: {{{known}: {known}, {parts[0]}: {known}}}",
            )
        return parts[0]

    def missing(self) -> Iterator[Placed]:
        """Yield nothing: no picture is missed that nothing names."""
        yield from ()


def key_of(found: Found) -> str:
    """Return what names a picture: its source file and its path there."""
    return found.path if found.path == normal(found.file) else f"{found.file}:{found.path}"
