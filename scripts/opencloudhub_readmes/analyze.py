"""Measure the READMEs: sizes and lines, manifest, metadata and provenance."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.manifest import write_manifest
from registry.describe.metadata import write_metadata
from registry.describe.provenance import write_provenance
from registry.describe.statistics import moments
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


def analyze(
    documents: Path, raw: Path, cleaning: Path, dataset: dict[str, Any], code: dict[str, str], output: Any
) -> None:
    """Read the table once and write what follows from it; `raw` is where index.json and sources.json are."""
    index = json.loads((raw / "index.json").read_text(encoding="utf-8"))
    cleaned = json.loads(cleaning.read_text(encoding="utf-8"))
    sizes: dict[str, int] = {}
    lines: list[int] = []
    with (
        pq.ParquetFile(documents) as file,
        write_manifest(output.manifest, dataset, file.schema_arrow) as manifest,
    ):
        for batch in file.iter_batches(use_threads=False):
            repositories = batch.column("repository").to_pylist()
            manifest.add(SPLIT, batch, inputs=["text"], keys=repositories)
            sizes |= zip(repositories, batch.column("size").to_pylist(), strict=True)
            lines += batch.column("lines").to_pylist()
    metadata = write_metadata(
        output.metadata,
        dataset,
        manifest,
        features=FEATURES,
        summary={
            "files": len(sizes),
            "bytes": sum(sizes.values()),
            "lines": sum(lines),
            "repositories": len(index["documents"]) + len(index["without_readme"]),
            "without_readme": len(index["without_readme"]),
            "cleaning": {
                **{defect: len(facts["repositories"]) for defect, facts in cleaned["defects"].items()},
                "byte_order_marks_removed": len(cleaned["byte_order_marks_removed"]),
            },
            "bytes_distribution": sizes,
        },
        metrics={SPLIT: moments(list(sizes.values()), "bytes_") | moments(lines, "lines_")},
    )
    write_provenance(
        output.provenance, dataset, manifest, metadata, data=documents.parent, sources=raw / "sources.json", code=code
    )
    draw_distributions(metadata, output.overview)


if __name__ == "__main__":
    with job(snakemake):
        analyze(
            documents=Path(snakemake.input.documents),
            raw=Path(snakemake.input.sources).parent,
            cleaning=Path(snakemake.input.cleaning),
            dataset=snakemake.params.dataset,
            code=snakemake.params.code,
            output=snakemake.output,
        )
