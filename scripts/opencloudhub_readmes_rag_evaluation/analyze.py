"""Measure the evaluation questions: their categories, manifest, metadata and provenance."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from registry.describe.charts import draw_distributions
from registry.describe.manifest import positions, write_manifest
from registry.describe.metadata import write_metadata
from registry.describe.provenance import write_provenance
from registry.describe.statistics import moments
from registry.formats.tables import counts, only_batch
from registry.workflow.job import job


def analyze(questions_path: Path, sources: Path, dataset: dict[str, Any], code: dict[str, str], output: Any) -> None:
    """Read the questions and write what follows from them."""
    questions = pl.read_csv(questions_path, infer_schema=False)
    schema = pa.schema([(name, pa.string()) for name in questions.columns])
    batch = only_batch(questions, schema)
    keys = positions(questions_path.name, 0, questions.height)
    with write_manifest(output.manifest, dataset, schema) as manifest:
        manifest.add("all", batch, inputs=["question"], keys=keys)
    concepts = [len(json.loads(text)) for text in questions["key_concepts"]]
    metadata = write_metadata(
        output.metadata,
        dataset,
        manifest,
        num_questions=questions.height,
        summary={"category_distribution": counts(questions["category"])},
        metrics={
            "all": moments(questions["question"].str.len_chars().to_list(), "question_length_")
            | moments(concepts, "key_concepts_")
        },
    )
    write_provenance(output.provenance, dataset, manifest, metadata, data=questions_path, sources=sources, code=code)
    draw_distributions(metadata, output.overview)


if __name__ == "__main__":
    with job(snakemake):
        analyze(
            questions_path=Path(snakemake.input.questions),
            sources=Path(snakemake.input.sources),
            dataset=snakemake.params.dataset,
            code=snakemake.params.code,
            output=snakemake.output,
        )
