"""Bring released batches of a stream back beside those that no release holds yet: nothing here removes a batch."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from registry.files import atomic_file, write_json
from registry.restore.places import check_places
from registry.sources.batches import find_batches
from registry.sources.stream import INDEX, listed_entries
from registry.storage.repository import Repository
from registry.storage.snapshot import NoReleaseError, Snapshot


def has_batches(raw: Path) -> bool:
    """Tell whether a raw/ has batches of a stream, which may be in no release and, by now, with no broker."""
    return bool(find_batches(raw))


def complete_batches(repository: Repository, say: Callable[[str], None]) -> None:
    """Bring the released batches without which those that are here begin too late, as `registry ingest` leaves a clone.

    Raises RegistryError.
    """
    for raw in sorted(repository.root.glob("data/*/raw")):
        begins = {(batch.topic, batch.partition): batch.first for batch in reversed(find_batches(raw))}
        if any(begins.values()):
            with suppress(NoReleaseError):
                snapshot = Snapshot.at(repository, raw.parent.name, "HEAD")
                if bring_batches(repository, snapshot):
                    say(f"{snapshot.raw}: the released batches before those that are here were brought back")


def bring_batches(repository: Repository, snapshot: Snapshot, remote: str | None = None) -> bool:
    """Put the batches of a version that are not in raw/ there, and list them with the others; tell whether any came.

    `remote` names where they are fetched. Raises RegistryError.
    """
    root, store, md5 = repository.root, repository.store, snapshot.outs.get(snapshot.raw)
    if md5 is None:
        return False
    index, listed = f"{snapshot.raw}/{INDEX}", store.listed(snapshot.raw, md5)
    missing = {path: digest for path, digest in listed.items() if path != index and not (root / path).exists()}
    if not missing:
        return False
    check_places(root, [*missing, index])
    wanted = [*missing.values(), *([listed[index]] if index in listed else [])]
    store.fetch(wanted, remote)
    content = store.files(wanted)
    for path, digest in missing.items():
        with atomic_file(root / path) as partial:
            shutil.copyfile(content[digest], partial)
    released = {entry["file"]: entry for entry in snapshot.provenance["source"]["files"]}
    by_name = released | listed_entries(root / index)
    mode = snapshot.provenance["source"]["mode"]
    write_json(root / index, {"mode": mode, "files": [by_name[name] for name in sorted(by_name)]})
    return True
