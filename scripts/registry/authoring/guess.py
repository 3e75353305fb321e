"""Guess of which kind sources are, and draft what follows from them."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from registry.authoring import drafts
from registry.authoring.documents import are_documents, draft_documents
from registry.authoring.drafts import Draft, Wishes
from registry.authoring.pictures import draft_pictures, is_text
from registry.config.kinds import AS_IS, PICTURES
from registry.errors import RegistryError
from registry.formats.archives import members
from registry.kinds.files import TYPES, Format, is_packed


def draft(files: Mapping[str, Path], given: Format, wishes: Wishes, root: Path) -> Draft:
    """Return what follows from source files {name: path}, in the registry at `root`; what `wishes` say is not guessed.

    Raises RegistryError for what is of no kind.
    """
    if wishes.kind == AS_IS:
        return drafts.draft_files(files, given, wishes)
    guesses = wishes.kind is None and given.type is None
    listed = {file: _listed(file, path) for file, path in files.items()}
    if (wishes.kind in PICTURES or guesses) and (found := draft_pictures(files, listed, given, wishes, root)):
        return found
    if wishes.kind == "documents" or (guesses and are_documents(listed)):
        return draft_documents(listed, given, wishes)
    try:
        return drafts.draft(files, given, wishes)
    except RegistryError as error:
        if not guesses or not all(map(is_text, files)):
            raise
        raise RegistryError(error.reason, hint="if it is no table, but a text: --kind documents") from None


def _listed(file: str, path: Path) -> list[str]:
    """Return the names of what is in a folder or an archive; of another file, and of rows that are packed, its own."""
    if path.is_file() and (is_packed(Path(file)) or PurePosixPath(file).suffix.lower() in TYPES):
        return [file]
    names = [member.name for member in members(path)]
    return [file] if path.is_file() and names == [path.name] else names
