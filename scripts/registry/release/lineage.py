"""Say in metadata.json which released version of another dataset a dataset was made of."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from registry.config.load import parents
from registry.describe.metadata import FILLED_IN
from registry.files import atomic_file, write_json
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.tags import Release, with_content


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


@contextmanager
def put_back(repository: Repository, name: str) -> Iterator[None]:
    """Let a dataset's metadata.json be after the block what it was before."""
    path = repository.root / "data" / name / "metadata.json"
    before = path.read_bytes() if path.is_file() else None
    try:
        yield
    finally:
        if before is not None and path.read_bytes() != before:
            with atomic_file(path) as partial:
                partial.write_bytes(before)
