"""Check that the batches of a stream follow each other from the first message on, and record which they are."""

from collections.abc import Iterable
from pathlib import Path

from registry.errors import RegistryError
from registry.files import write_json
from registry.sources.batches import Batch, check_continuous, find_batches
from registry.sources.stream import MODE, list_batches, record_of
from registry.workflow.job import job


def chosen(folder: Path, files: Iterable[str]) -> list[Batch]:
    """Return the batches in `folder` that are among these files, by topic, partition and offset. Raises RegistryError.

    There has to be one, and none may be missing before or between them.
    """
    files = {Path(file) for file in files}
    batches = [batch for batch in find_batches(folder) if folder / batch.path in files]
    if not batches:
        raise RegistryError(
            "no batch of messages is here",
            where=folder,
            hint="read some with registry ingest events, or build from the committed ones with source: samples",
        )
    # As if one that ends before the first message stood before each partition.
    partitions = dict.fromkeys((batch.topic, batch.partition) for batch in batches)
    check_continuous(sorted([*(Batch(*partition, -1, -1) for partition in partitions), *batches]))
    return batches


if __name__ == "__main__":
    with job(snakemake):
        folder, mode = Path(snakemake.params.folder), snakemake.params.mode
        batches = chosen(folder, snakemake.input.batches)
        record = record_of(mode, folder, [batch.path.as_posix() for batch in batches])
        if mode == MODE:
            list_batches(folder, record)
        write_json(snakemake.output.sources, record)
