"""Say in the descriptions of what is built what only its release knows: what it was made of, and what it may keep."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from registry.config.load import parents
from registry.describe.metadata import FILLED_IN
from registry.describe.run import without_notes
from registry.files import atomic_file, write_json
from registry.gate import GateError, read_json
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.tags import Release, with_content


def parents_first(root: Path, names: Sequence[str]) -> list[str]:
    """Return datasets in their order, but those that are made of others, as provenance.json says, after the rest."""
    return sorted(names, key=lambda name: bool(_parents(root / "data" / name / "provenance.json")))


def _parents(provenance: Path) -> list[str]:
    try:
        return parents(read_json(provenance.read_bytes(), where=provenance)["config"])
    except (OSError, GateError, KeyError, TypeError, AttributeError):
        return []


def name_source(
    repository: Repository,
    built: Snapshot,
    contained: Mapping[str, list[Release]],
    planned: Mapping[str, tuple[str, str]],
) -> Snapshot:
    """Fill in, on disk too, the tag of the version that a dataset was made of; None where there is none.

    `contained` are the releases that HEAD contains by dataset, `planned` maps datasets to the tag and the content_hash
    of what is about to be released.
    """
    metadata = built.metadata
    made_of = parents(built.provenance["config"])
    if FILLED_IN not in metadata or not made_of:
        return built
    wanted, corpus = metadata.get("source_content_hash"), made_of[0]
    named, planned_hash = planned.get(corpus, (None, None))
    if planned_hash != wanted:
        release = with_content(repository, contained.get(corpus, []), wanted)
        named = release.tag if release else None
    if metadata[FILLED_IN] == named:
        return built
    filled = metadata | {FILLED_IN: named}
    write_json(repository.root / built.folder / "metadata.json", filled)
    return replace(built, metadata=filled)


def keep_notes(repository: Repository, built: Snapshot, base: str) -> Snapshot:
    """Take what served each source, and which run made the data, from commit `base` if nothing else is different.

    On disk, too. The same files from another address, or the same data from another run, are no change.
    """
    path = f"{built.folder}/provenance.json"
    committed = repository.git.read(base, [path]).get(path)
    try:
        before = read_json(committed, where=path) if committed else built.provenance
        differs = before != built.provenance
        same = without_notes(before) == without_notes(built.provenance)
    except (GateError, KeyError, TypeError):
        return built
    if not (differs and same):
        return built
    write_json(repository.root / path, before)
    return replace(built, provenance=before)


@contextmanager
def put_back(repository: Repository, name: str) -> Iterator[None]:
    """Let a dataset's descriptions be after the block what they were before."""
    paths = [repository.root / "data" / name / file for file in ("metadata.json", "provenance.json")]
    before = {path: path.read_bytes() for path in paths if path.is_file()}
    try:
        yield
    finally:
        for path, content in before.items():
            if path.read_bytes() != content:
                with atomic_file(path) as partial:
                    partial.write_bytes(content)
