"""Guess of which kind sources are, and draft what follows from them."""

from collections.abc import Mapping
from pathlib import Path

from registry.authoring import drafts
from registry.authoring.documents import are_documents, draft_documents
from registry.authoring.drafts import Draft, Wishes
from registry.authoring.pictures import draft_pictures
from registry.config.kinds import PICTURES
from registry.kinds.files import Format


def draft(files: Mapping[str, Path], given: Format, wishes: Wishes, root: Path) -> Draft:
    """Return what follows from source files {name: path}, in the registry at `root`; what `wishes` say is not guessed.

    Raises RegistryError for what is of no kind.
    """
    guesses = wishes.kind is None and given.type is None
    if (wishes.kind in PICTURES or guesses) and (found := draft_pictures(files, given, wishes, root)):
        return found
    if wishes.kind == "documents" or (guesses and are_documents(files)):
        return draft_documents(files, given, wishes)
    return drafts.draft(files, given, wishes)
