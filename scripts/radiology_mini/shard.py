"""Check a share of the pictures, and make them upright RGB JPEGs."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from radiology_mini.process import CHECKED, check_pictures, read_captions
from registry.files import atomic_folder, write_json
from registry.formats.shards import Shard, shard_of
from registry.workflow.job import job


def check(raw: Path, part: Path, shard: Shard, *, options: Mapping[str, Any], threads: int = 1) -> None:
    """Write the good ones of a share of the pictures, and what was found of all in it, into the folder `part`."""
    pictures = read_captions(raw, options).pictures
    share = shard.share(len(pictures))
    with atomic_folder(part) as partial:
        checked = check_pictures(raw / "images", pictures[share.start : share.stop], partial, options, threads)
        write_json(partial / CHECKED, {name: asdict(result) for name, result in checked.items()})


if __name__ == "__main__":
    with job(snakemake):
        check(
            Path(snakemake.input.captions).parent,
            Path(snakemake.output.part),
            shard_of(snakemake.wildcards),
            options=snakemake.params.options,
            threads=snakemake.threads,
        )
