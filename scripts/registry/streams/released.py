"""Where a dataset's newest release ends in its stream: git knows, whichever batches this checkout has."""

from typing import Any

from registry.errors import RegistryError
from registry.sources.batches import MAX_OFFSET, PARTITION, TOPIC
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.tags import releases

Offsets = dict[tuple[str, int], int]
"""{(topic, partition): an offset}."""


def released_offsets(here: Repository, name: str) -> Offsets:
    """Return the offsets after the last messages of the newest release that HEAD contains; none where there is none.

    Samples are made up, and no messages of the broker. Raises RegistryError for what is not such offsets.
    """
    if here.git.commit() is None or not (known := releases(here.git, "HEAD").get(name)):
        return {}
    newest = Snapshot.at(here, name, known[-1].commit, known[-1].tag)
    if newest.provenance["source"]["mode"] == "samples":
        return {}
    stream = newest.metadata.get("stream", {})
    return _checked(stream.get("offsets", {}) if isinstance(stream, dict) else stream, newest.name)


def _checked(topics: Any, tag: str) -> Offsets:
    found: Offsets = {}
    sound = isinstance(topics, dict)
    for topic, partitions in topics.items() if sound else ():
        sound = sound and bool(TOPIC.fullmatch(topic)) and isinstance(partitions, dict)
        for partition, offset in partitions.items() if sound else ():
            if not (PARTITION.fullmatch(partition) and type(offset) is int and 0 <= offset <= MAX_OFFSET):
                sound = False
                break
            found[topic, int(partition)] = offset
    if not sound:
        raise RegistryError("its metadata.json has no offsets in stream.offsets", where=tag, hint="release it again")
    return found
