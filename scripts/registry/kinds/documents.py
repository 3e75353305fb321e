"""Documents: the texts of Markdown, HTML and plain files, one by one or in folders and archives."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import polars as pl

from registry.errors import RegistryError
from registry.formats.archives import members
from registry.formats.blocks import canonical_encoding
from registry.formats.html import TooDeepError, as_markdown, declared_encoding
from registry.formats.texts import CONTROLS, is_blank, wide_encoding
from registry.kinds.batching import in_batches
from registry.kinds.inputs import TEXT
from registry.kinds.rows import DUPLICATES, Rows
from registry.kinds.splitting import splitter
from registry.sources.subsample import Subsample

POLICIES = {
    "not_utf8": "fail",
    "control_characters": "fail",
    "empty": "fail",
    "huge": "fail",
    "nested": "fail",
    DUPLICATES: "keep",
}
"""What becomes of documents with problems, unless the params say."""
COLUMNS = {
    "source": pl.String(),
    "path": pl.String(),
    "format": pl.String(),
    "size": pl.Int64(),
    "lines": pl.Int64(),
    TEXT: pl.String(),
}
"""What there is to know of a document: the source file that it is or is in, its path there, and what is in it."""
HTML = "html"
FORMATS = {".md": "markdown", ".markdown": "markdown", ".txt": "text", ".html": HTML, ".htm": HTML}
"""The format of a file by how its name ends."""
UTF_8 = "utf-8"
MAX_BYTES = 10_000_000
"""Bytes that a document has at most, unless the params say."""
AT_ONCE, BYTES_AT_ONCE = 1000, 32 << 20
"""Documents, and bytes of them, in memory at once."""


class File(NamedTuple):
    """A document as it was found: the source file that it is or is in, its path there, and its first bytes."""

    source: str
    path: str
    content: bytes

    @property
    def key(self) -> str:
        """Return what names it: the source file or, for one in it, both."""
        return self.source if self.path == self.source else f"{self.source}/{self.path}"


def read(files: Mapping[str, Path], contract: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Rows]:
    """Yield the documents of source files {name: path}, in their order, with the columns of the contract.

    With `sample` among the params, which is `sources.sample` of the dataset, a part of them, and no other is read. Rows
    tell themselves which of them say the same as one before, for which some 100 bytes a document are in memory. Raises
    RegistryError for a column that is none of COLUMNS, for what is no archive, and where there is no document.
    """
    if unknown := [name for name in contract if name not in COLUMNS]:
        hint = f"there are {', '.join(COLUMNS)}"
        raise RegistryError(f"documents have no {', '.join(unknown)}", where="contract.columns", hint=hint)
    if TEXT not in contract:
        raise RegistryError("documents have a column text, of dtype string", where="contract.columns")
    makes, others, number = _Maker(contract, params), Counter[str](), 0
    for source, path in files.items():
        found = files_in(source, path, params, others)
        for some in in_batches(found, lambda file: len(file.content), AT_ONCE, BYTES_AT_ONCE):
            number += len(some)
            yield replace(makes.rows(source, some), counts=dict(others))
            others.clear()
    if not number:
        hint = f"let params.include name them; without it, their names end in {', '.join(FORMATS)}"
        raise RegistryError(f"no document is found in {', '.join(files)}", where="sources", hint=hint)
    yield replace(makes.rows(source, []), counts=dict(others))


class _Maker:
    """Makes rows of documents, and remembers which texts there were."""

    def __init__(self, contract: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        self._columns, self._assign = [*contract], splitter(params.get("split"), [TEXT])
        self._encoding = canonical_encoding(params["encoding"]) if "encoding" in params else None
        self._max_bytes = params.get("max_bytes", MAX_BYTES)
        self._dropped = {name for name, policy in params.get("problems", {}).items() if policy == "drop"}
        self._seen: set[bytes] = set()

    def rows(self, source: str, files: Sequence[File]) -> Rows:
        """Return the rows of some files of a source file."""
        formats = [FORMATS.get(PurePosixPath(file.path).suffix.lower(), "text") for file in files]
        its = [self._text(file.content, format_) for file, format_ in zip(files, formats, strict=True)]
        samples = pl.DataFrame(
            {
                "source": [source] * len(files),
                "path": [file.path for file in files],
                "format": formats,
                "size": [len(file.content) for file in files],
                "lines": [count_lines(text) for text, _ in its],
                TEXT: [text for text, _ in its],
            },
            schema=COLUMNS,
        )
        problems = {name: [name in found for _, found in its] for name in POLICIES}
        problems[DUPLICATES] = [not self._dropped & {*found} and self._is_repeated(text) for text, found in its]
        return Rows(
            samples.select(self._columns),
            pl.Series([file.key for file in files], dtype=pl.String),
            self._assign(source, samples),
            {name: pl.Series(flags, dtype=pl.Boolean) for name, flags in problems.items()},
        )

    def _text(self, content: bytes, format_: str) -> tuple[str, list[str]]:
        if format_ == HTML:
            return page_text(content, self._encoding, self._max_bytes)
        return as_text(content, self._encoding or UTF_8, self._max_bytes)

    def _is_repeated(self, text: str) -> bool:
        if is_blank(text):
            return False
        digest = sha256(text.encode()).digest()
        before = len(self._seen)
        self._seen.add(digest)
        return len(self._seen) == before


def files_in(source: str, path: Path, params: Mapping[str, Any], others: Counter[str]) -> Iterator[File]:
    """Yield the documents of the source file of this name: itself, or the members of a folder or an archive.

    `others` counts the rest. Of a document that has more than the params allow, one byte more is read.
    """
    patterns, limit = params.get("include", [f"*{end}" for end in FORMATS]), params.get("max_bytes", MAX_BYTES)
    taken = Subsample(**params.get("sample", {})).takes_each()
    if not path.is_dir() and is_wanted(source, patterns):
        if taken(source):
            with path.open("rb") as stream:
                yield File(source, source, stream.read(limit + 1))
        return
    hidden: set[str] = set()
    for member in members(path, hidden=hidden):
        name = unicodedata.normalize("NFC", member.name)
        if not is_wanted(name, patterns):
            others["other_files"] += 1
        elif taken(name):
            with member.open() as stream:
                yield File(source, name, stream.read(limit + 1))
    others.update({"hidden_files": len(hidden)} if hidden else {})


def is_wanted(path: str, patterns: Sequence[str]) -> bool:
    """Tell whether a path matches one of these patterns, or its last part one without a slash; case does not count."""
    path = path.casefold()
    return any(fnmatchcase(path if "/" in one else path.rpartition("/")[2], one.casefold()) for one in patterns)


def as_text(content: bytes, encoding: str = UTF_8, max_bytes: int = MAX_BYTES) -> tuple[str, list[str]]:
    """Return the text of a document, without a byte order mark, and its problems, of POLICIES; a huge one has no text.

    Bytes that are not of the encoding stand in the text as U+FFFD. What a byte order mark says to be UTF-16 or UTF-32
    is not UTF-8, but it is read as what it is.
    """
    if len(content) > max_bytes:
        return "", ["huge"]
    wide, problems = wide_encoding(content), []
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        text = content.decode(wide or encoding, errors="replace").removeprefix("\ufeff")
        problems.append("not_utf8")
    return text, problems + _unfit(text)


def page_text(content: bytes, encoding: str | None = None, max_bytes: int = MAX_BYTES) -> tuple[str, list[str]]:
    """Return what shows of an HTML page, as Markdown, and its problems; one that is huge or nested has no text.

    Its encoding is what its byte order mark says or, without one, `encoding`, what the page declares, or UTF-8.
    """
    if len(content) > max_bytes:
        return "", ["huge"]
    encoding = wide_encoding(content) or encoding or declared_encoding(content) or UTF_8
    try:
        page, problems = content.decode(encoding), []
    except UnicodeDecodeError:
        page, problems = content.decode(encoding, errors="replace"), ["not_utf8"]
    try:
        text = as_markdown(page.removeprefix("\ufeff"))
    except TooDeepError:
        return "", [*problems, "nested"]
    return text, problems + _unfit(text)


def _unfit(text: str) -> list[str]:
    if is_blank(text):
        return ["empty"]
    return ["control_characters"] if CONTROLS.search(text) else []


def count_lines(text: str) -> int:
    """Return the number of lines, where the last one need not end with a line break."""
    return text.count("\n") + bool(text and not text.endswith("\n"))
