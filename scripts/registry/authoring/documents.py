"""Draft a dataset of documents: Markdown, HTML and plain files, one by one or in folders and archives."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from registry.authoring.drafts import LOOKED_AT, Draft, Wishes, shared
from registry.errors import RegistryError
from registry.kinds.documents import FORMATS
from registry.kinds.files import TYPES, Format
from registry.kinds.inputs import TEXT
from registry.kinds.pictures import is_litter, is_picture

KIND = "documents"
COUNTED = {"dtype": "int64", "min": 1}
SAID = {"dtype": "string", "min_length": 1}


def are_documents(listed: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether source files {name: what is in it} are documents, or hold more of them than of what else is data.

    What is called .txt may be a table where it is a file of its own.
    """
    return all(
        _is_document(file) and not _is_table(file) if names == [file] else _holds_some(names)
        for file, names in listed.items()
    )


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_document(name: str) -> bool:
    return _suffix(name) in FORMATS


def _is_table(name: str) -> bool:
    return _suffix(name) in TYPES


def _holds_some(names: Sequence[str]) -> bool:
    names = [name for name in names[:LOOKED_AT] if not is_litter(name)]
    documents = sum(map(_is_document, names))
    return documents > sum(is_picture(name) or (_is_table(name) and not _is_document(name)) for name in names)


def draft_documents(listed: Mapping[str, Sequence[str]], given: Format, wishes: Wishes) -> Draft:
    """Return the draft of source files {name: what is in it} as documents.

    Raises RegistryError for wishes that documents have no use for.
    """
    for option, value in {"--key": wishes.key, "--target": wishes.target, "--input": wishes.inputs}.items():
        if value:
            raise RegistryError("documents have no columns to choose from", where=option, hint="leave it out")
    params: dict[str, Any] = {"encoding": given.encoding} if given.encoding != Format.encoding else {}
    formats = sorted({FORMATS[_suffix(name)] for names in listed.values() for name in names if _is_document(name)})
    columns: dict[str, Any] = {"source": {"dtype": "string", "values": [*listed]}} if len(listed) > 1 else {}
    found = {"dtype": "string", **({"values": formats} if formats else {})}
    columns |= {"path": SAID, "format": found, "lines": COUNTED, TEXT: SAID}
    return Draft(KIND, shared(wishes) | params, columns, None, versioning="living")
