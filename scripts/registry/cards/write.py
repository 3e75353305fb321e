"""What a release adds for people and programs. It is committed with the release, and no version is made for it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from registry.cards.card import WRITTEN, Occasion, card
from registry.cards.croissant import croissant
from registry.compare.drift import Drift, moved
from registry.describe.metadata import profile_of
from registry.errors import RegistryError
from registry.files import atomic_file, read_regular
from registry.gate import MAX_DESCRIPTION, GateError, checked_inside, read_json
from registry.shown import ODD
from registry.storage.address import public_address
from registry.storage.repository import Repository
from registry.storage.snapshot import CARD, CROISSANT, Snapshot
from registry.storage.tags import Release, entries_of, releases

MOVED = 5
"""Measures of columns that a card names as those that have moved most."""
MAX_NOTES = 1 << 20
"""Bytes of sections that somebody wrote which a card takes."""
WRITERS: Mapping[str, Callable[[Snapshot, Occasion], str]] = {CARD: card, CROISSANT: croissant}


def new_cards(
    repository: Repository,
    snapshot: Snapshot,
    version: str,
    tag: str,
    changes: Sequence[str],
    problems: Mapping[str, Any] | None = None,
    *,
    say: Callable[[str], None] = print,
) -> dict[str, bytes]:
    """Return {path: content} of what is added to what is about to be released under a number, for these reasons.

    `problems` are what cleaning has found in it, where that is known. Raises GateError for sections of the user's own
    that are a link, or behind one.
    """
    before = releases(repository.git).get(snapshot.dataset, [])
    occasion = Occasion(
        version,
        tag,
        datetime.now(UTC).date(),
        changes,
        entries_of(before),
        _drift(repository, before, snapshot),
        public_address(repository.git.origin()),
        _notes(repository, snapshot.dataset, say),
        problems,
    )
    return {path: WRITERS[path.rpartition("/")[2]](snapshot, occasion).encode() for path in snapshot.added}


def _notes(repository: Repository, dataset: str, say: Callable[[str], None]) -> str:
    """Return the sections that somebody wrote for the cards of a dataset, and say where they are not UTF-8."""
    path = f"config/datasets/{dataset}.md"
    place = checked_inside(repository.root, path)
    if place.is_symlink():
        raise GateError("it is a link, which may lead out of the checkout", where=path, hint="put a file in its place")
    if not place.is_file():
        return ""
    content = read_regular(place, MAX_NOTES)
    try:
        return content.decode().strip()
    except UnicodeDecodeError as error:
        # What is too long ends anywhere, within a character, too.
        if error.start < MAX_NOTES - 3:
            line = content.count(b"\n", 0, error.start) + 1
            say(
                f"{path}: line {line} is not UTF-8, so the card has {ODD} in the place of some characters; "
                "save it as UTF-8, and the next card has them"
            )
        return content.decode(errors="replace").strip()


def _drift(repository: Repository, before: Sequence[Release], snapshot: Snapshot) -> list[Drift]:
    """Return what has moved most since the newest of these releases, as far as it can be read."""
    try:
        old = Snapshot.at(repository, snapshot.dataset, before[-1].commit) if before else snapshot
        return moved(*(profile_of(one.metadata, where=one.name) for one in (old, snapshot)))[:MOVED]
    except RegistryError:
        return []


def own_files(repository: Repository, snapshot: Snapshot, head: str) -> list[str]:
    """Return where texts of the user's own are in the place of what a release adds, as `head` does not have them.

    What a killed release left there is none.
    """
    places = {path: checked_inside(repository.root, path) for path in snapshot.added}
    changed = repository.git.changed(head, [path for path, place in places.items() if place.exists()])
    return [path for path in changed if WRITTEN.encode() not in read_regular(places[path], MAX_DESCRIPTION)]


def write_cards(
    repository: Repository,
    snapshot: Snapshot,
    version: str,
    tag: str,
    changes: Sequence[str],
    *,
    own: Sequence[str],
    say: Callable[[str], None],
) -> None:
    """Write what is added to what is built here, and about to be released, where its commit takes it from.

    What is the user's `own` stays.
    """
    problems = _problems(repository, snapshot.dataset)
    for path, content in new_cards(repository, snapshot, version, tag, changes, problems, say=say).items():
        if path not in own:
            with atomic_file(checked_inside(repository.root, path)) as partial:
                partial.write_bytes(content)


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
