"""Fetch a dataset's source files into raw/, checked against their hashes, and record them in raw/sources.json."""

from pathlib import Path

from registry.sources.fetch import fetch
from registry.sources.raw import write_sources
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        record = Path(snakemake.output.sources)
        fetched = fetch(
            snakemake.params.dataset,
            snakemake.params.files,
            mode=snakemake.params.source,
            mirror=snakemake.config["mirror"],
            target=record.parent,
            lock=Path("config/locks") / f"{snakemake.params.dataset}.yaml",
        )
        write_sources(record, fetched)
