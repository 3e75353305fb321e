"""Draft a dataset of documents: Markdown, HTML and plain files, one by one or in folders and archives."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from registry.authoring.drafts import LOOKED_AT, Draft, Wishes, shared
from registry.errors import RegistryError
from registry.formats.archives import members
from registry.kinds.documents import FORMATS
from registry.kinds.files import TYPES, Format, is_packed
from registry.kinds.inputs import TEXT
from registry.kinds.pictures import is_litter, is_picture

KIND = "documents"
COUNTED = {"dtype": "int64", "min": 1}
SAID = {"dtype": "string", "min_length": 1}


def are_documents(files: Mapping[str, Path]) -> bool:
    """Tell whether source files {name: path} are documents, or hold more of them than of what else is data."""
    return all(
        _is_one(file) if path.is_file() and _is_data(file) else _holds_some(path) for file, path in files.items()
    )


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_data(name: str) -> bool:
    return _suffix(name) in FORMATS or _suffix(name) in TYPES or is_packed(Path(name))


def _is_one(name: str) -> bool:
    """Tell whether a file is a document, if its name does not say that it could be a table."""
    return _suffix(name) in FORMATS and _suffix(name) not in TYPES


def _holds_some(path: Path) -> bool:
    names = [member.name for member in islice(members(path), LOOKED_AT) if not is_litter(member.name)]
    documents = sum(_suffix(name) in FORMATS for name in names)
    others = sum(is_picture(name) or (_suffix(name) in TYPES and _suffix(name) not in FORMATS) for name in names)
    return documents > others


def draft_documents(files: Mapping[str, Path], given: Format, wishes: Wishes) -> Draft:
    """Return the draft of documents: where each is, of which format, and its text.

    Raises RegistryError for wishes that documents have no use for.
    """
    for option, value in {"--key": wishes.key, "--target": wishes.target, "--input": wishes.inputs}.items():
        if value:
            raise RegistryError("documents have no columns to choose from", where=option, hint="leave it out")
    params: dict[str, Any] = {"encoding": given.encoding} if given.encoding != Format.encoding else {}
    formats = sorted({FORMATS[_suffix(name)] for name in _names(files) if _suffix(name) in FORMATS})
    columns: dict[str, Any] = {"source": {"dtype": "string", "values": [*files]}} if len(files) > 1 else {}
    found = {"dtype": "string", **({"values": formats} if formats else {})}
    columns |= {"path": SAID, "format": found, "lines": COUNTED, TEXT: SAID}
    return Draft(KIND, shared(wishes) | params, columns, None, versioning="living")


def _names(files: Mapping[str, Path]) -> Iterator[str]:
    for file, path in files.items():
        if path.is_file() and _suffix(file) in FORMATS:
            yield file
        else:
            yield from (member.name for member in members(path))
