"""Measure the evaluation questions: their lengths, concepts and categories."""

import json

import polars as pl
import pyarrow as pa

from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.describe.manifest import row_keys
from registry.describe.statistics import summarise
from registry.formats.tables import counts, only_batch
from registry.workflow.job import job


def measure(about: Description, questions: pl.DataFrame) -> None:
    """Add the questions and what follows from them."""
    keys = row_keys("questions.csv", 0, questions.height)
    about.add("all", only_batch(questions, about.schema), inputs=["question"], keys=keys)
    lengths = questions["question"].str.len_chars().to_list()
    concepts = [len(json.loads(text)) for text in questions["key_concepts"]]
    about.facts["num_questions"] = questions.height
    about.facts["summary"] = {"category_distribution": counts(questions["category"])}
    about.facts["metrics"] = {
        "all": summarise(lengths, "question_length_") | summarise(concepts, "key_concepts_"),
    }


if __name__ == "__main__":
    with job(snakemake):
        questions = pl.read_csv(snakemake.input.questions, infer_schema=False)
        with describe(snakemake, pa.schema([(name, pa.string()) for name in questions.columns])) as about:
            measure(about, questions)
        draw_distributions(about.metadata, snakemake.output.overview)
