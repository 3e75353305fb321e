"""What a release has for people beside its data. It is committed with the release, and no version is made for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from registry.cards.card import WRITTEN, Occasion, card
from registry.files import atomic_file, read_regular
from registry.gate import MAX_DESCRIPTION, GateError, checked_inside, read_json
from registry.storage.address import public_address
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.tags import history, releases

MAX_NOTES = 1 << 20
"""Bytes of sections that somebody wrote which a card takes."""


def new_card(
    repository: Repository,
    snapshot: Snapshot,
    version: str,
    tag: str,
    changes: Sequence[str],
    problems: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the card of what is about to be released under a number, for these reasons.

    `problems` are what cleaning has found in it, where that is known. Raises GateError for sections of the user's own
    that are a link, or behind one.
    """
    name, origin = snapshot.dataset, repository.git.origin()
    notes = checked_inside(repository.root, path := f"config/datasets/{name}.md")
    if notes.is_symlink():
        raise GateError("it is a link, which may lead out of the checkout", where=path, hint="put a file in its place")
    occasion = Occasion(
        version,
        tag,
        changes,
        history(repository.git, name) if name in releases(repository.git) else [],
        public_address(origin) if origin else None,
        read_regular(notes, MAX_NOTES).decode(errors="replace").strip() if notes.is_file() else "",
        problems,
    )
    return card(snapshot, occasion).encode()


def is_own(repository: Repository, snapshot: Snapshot, head: str) -> bool:
    """Tell whether a text of the user's own is where the card goes, which neither `head` nor a release has made.

    What a killed release left there is none.
    """
    if snapshot.card is None:
        return False
    place = checked_inside(repository.root, snapshot.card)
    if not place.exists() or not repository.git.changed(head, [snapshot.card]):
        return False
    return WRITTEN.encode() not in read_regular(place, MAX_DESCRIPTION)


def write_card(repository: Repository, snapshot: Snapshot, version: str, tag: str, changes: Sequence[str]) -> None:
    """Write the card of what is built here, and about to be released, where its commit takes it from."""
    problems = _problems(repository, snapshot.dataset)
    with atomic_file(checked_inside(repository.root, snapshot.card)) as partial:
        partial.write_bytes(new_card(repository, snapshot, version, tag, changes, problems))


def _problems(repository: Repository, dataset: str) -> dict[str, Any] | None:
    """Return what the last build has found while cleaning; None where it has not said so."""
    path = f"reports/{dataset}/cleaning.json"
    place = checked_inside(repository.root, path)
    try:
        return (
            read_json(read_regular(place, MAX_DESCRIPTION), where=path)
            if place.is_file() and not place.is_symlink()
            else None
        )
    except GateError:
        return None
