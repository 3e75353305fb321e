"""Guess of which kind sources are, and draft what follows from them."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from registry.authoring import drafts
from registry.authoring.documents import are_documents, draft_documents
from registry.authoring.drafts import Draft, Wishes
from registry.authoring.pictures import draft_pictures
from registry.config.kinds import AS_IS, PICTURES
from registry.errors import RegistryError
from registry.formats.archives import members
from registry.kinds.beside import is_text
from registry.kinds.files import TYPES, Format, is_packed

LAYOUT = {
    "separator": "--separator",
    "header": "--no-header",
    "encoding": "--encoding",
    "nulls": "--null",
    "sheet": "--sheet",
    "quoting": "--no-quotes",
    "names": "--columns",
}
"""The options that say how rows are laid out, by the fields of Format."""


def draft(files: Mapping[str, Path], given: Format, wishes: Wishes, root: Path) -> Draft:
    """Return what follows from source files {name: path}, in the registry at `root`; what `wishes` say is not guessed.

    Raises RegistryError for what is of no kind, and for wishes that its kind has no use for.
    """
    if wishes.kind == AS_IS:
        return drafts.draft_files(files, given, wishes)
    found = _guessed(files, given, wishes, root)
    _check_used(found, given, wishes)
    return found


def _guessed(files: Mapping[str, Path], given: Format, wishes: Wishes, root: Path) -> Draft:
    guesses = wishes.kind is None and given.type is None
    listed = {file: _listed(file, path) for file, path in files.items()}
    if (wishes.kind in PICTURES or guesses) and (found := draft_pictures(files, listed, given, wishes, root)):
        return found
    if wishes.kind == "documents" or (guesses and are_documents(listed)):
        return draft_documents(listed, given, wishes)
    try:
        return drafts.draft(files, listed, given, wishes)
    except RegistryError as error:
        if not guesses or not all(map(is_text, files)):
            raise
        raise RegistryError(error.reason, hint="if it is no table, but a text: --kind documents") from None


def _check_used(found: Draft, given: Format, wishes: Wishes) -> None:
    """Raise RegistryError for options that the kind has no use for, and for columns that its contract has not."""
    pictures = found.kind in PICTURES
    named = {option: names for option, names in wishes.columns().items() if option != "--by"}
    for option, names in named.items():
        if names and pictures and not found.params.keys() & {"table", "image"}:
            hint = "leave it out, or add a table that names them"
            raise RegistryError("pictures in folders have no columns to choose from", where=option, hint=hint)
        role = {"--key": "key", "--input": "inputs"}.get(option)
        if missing := [name for name in names if role in found.params and name not in found.columns]:
            what = f"{', '.join(missing)} is no column of {found.kind}"
            raise RegistryError(what, where=option, hint=f"leave it out, or name one of {', '.join(found.columns)}")
    read = {"encoding"} if found.kind == "documents" else LAYOUT.keys() if "table" in found.params else set()
    unread = [LAYOUT[field] for field in LAYOUT.keys() - read if getattr(given, field) != getattr(Format(), field)]
    if unread and (pictures or found.kind == "documents"):
        what = f"rows of a table are read by it, and these are {'pictures' if pictures else 'documents'}"
        raise RegistryError(what, where=", ".join(sorted(unread)), hint="leave it out")


def _listed(file: str, path: Path) -> list[str]:
    """Return the names of what is in a folder or an archive; of another file, and of rows that are packed, its own."""
    if path.is_file() and (is_packed(Path(file)) or PurePosixPath(file).suffix.lower() in TYPES):
        return [file]
    names = [member.name for member in members(path)]
    return [file] if path.is_file() and names == [path.name] else names
