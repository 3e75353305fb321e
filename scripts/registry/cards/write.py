"""What a release has for people beside its data. It is committed with the release, and no version is made for it."""

import json
from collections.abc import Callable, Sequence

from registry.cards.card import CARD, WRITTEN, Occasion, card
from registry.files import atomic_file, read_regular
from registry.gate import MAX_DESCRIPTION, checked_inside
from registry.storage.address import public_address
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.tags import history, releases

MAX_NOTES = 1 << 20
"""Bytes of sections that somebody wrote which a card takes."""


def new_card(repository: Repository, snapshot: Snapshot, version: str, tag: str, changes: Sequence[str]) -> bytes:
    """Return the card of what is about to be released under a number, for these reasons."""
    name, root, origin = snapshot.dataset, repository.root, repository.git.origin()
    report, notes = root / "reports" / name / "cleaning.json", root / "config" / "datasets" / f"{name}.md"
    occasion = Occasion(
        version,
        tag,
        changes,
        history(repository.git, name) if name in releases(repository.git) else [],
        public_address(origin) if origin else None,
        read_regular(notes, MAX_NOTES).decode(errors="replace").strip() if notes.is_file() else "",
        json.loads(read_regular(report, MAX_DESCRIPTION)) if report.is_file() else None,
    )
    return card(snapshot, occasion).encode()


def makes_way(repository: Repository, snapshot: Snapshot, head: str, say: Callable[[str], None]) -> bool:
    """Tell whether a new card can take the place of what is at data/<dataset>/README.md, which `head` has otherwise.

    What a killed release left there is put back. A text of the user's own stays, as do data of that name.
    """
    path = f"{snapshot.folder}/{CARD}"
    if snapshot.provenance["data"]["path"].casefold() == CARD.casefold():
        return False
    place = checked_inside(repository.root, path)
    if not repository.git.changed(head, [path]) or not place.exists():
        return True
    if WRITTEN.encode() not in read_regular(place, MAX_DESCRIPTION):
        own = f"config/datasets/{snapshot.dataset}.md"
        say(f"{path} is your own, and stays; text in {own} would become a part of each release's card")
        return False
    before = repository.git.read(head, [path])
    if path in before:
        with atomic_file(place) as partial:
            partial.write_bytes(before[path])
    else:
        place.unlink()
    return True
