"""Measure the READMEs: their sizes and lines, and what cleaning found."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.describe.statistics import summarise
from registry.workflow.job import job

SPLIT = "all"
FEATURES = {
    "repository": {"description": "name of the repository"},
    "path": {"description": "path of the README in its repository"},
    "sha": {"description": "id of the git blob, of the bytes as they are upstream"},
    "size": {"description": "bytes upstream"},
    "lines": {"description": "lines of the text"},
    "text": {"description": "UTF-8, without a byte order mark"},
}


def measure(about: Description, documents: Path, index: Mapping[str, Any], cleaning: Mapping[str, Any]) -> None:
    """Add the READMEs and what follows from them, from the index of what was fetched and from what cleaning found."""
    sizes: dict[str, int] = {}
    lines: list[int] = []
    with pq.ParquetFile(documents) as file:
        for batch in file.iter_batches(use_threads=False):
            repositories = batch.column("repository").to_pylist()
            about.add(SPLIT, batch, inputs=["text"], keys=repositories)
            sizes |= zip(repositories, batch.column("size").to_pylist(), strict=True)
            lines += batch.column("lines").to_pylist()
    about.features |= FEATURES
    about.facts["summary"] = {
        "files": len(sizes),
        "bytes": sum(sizes.values()),
        "lines": sum(lines),
        "repositories": len(index["documents"]) + len(index["without_readme"]),
        "without_readme": len(index["without_readme"]),
        "cleaning": {
            **{defect: len(facts["repositories"]) for defect, facts in cleaning["defects"].items()},
            "byte_order_marks_removed": len(cleaning["byte_order_marks_removed"]),
        },
        "bytes_distribution": sizes,
    }
    about.facts["metrics"] = {SPLIT: summarise(list(sizes.values()), "bytes_") | summarise(lines, "lines_")}


if __name__ == "__main__":
    with job(snakemake):
        with describe(snakemake, pq.read_schema(snakemake.input.documents)) as about:
            measure(
                about,
                Path(snakemake.input.documents),
                index=json.loads(Path(snakemake.input.index).read_text(encoding="utf-8")),
                cleaning=json.loads(Path(snakemake.input.cleaning).read_text(encoding="utf-8")),
            )
        draw_distributions(about.metadata, snakemake.output.overview)
