"""Check the evaluation questions; the file is published as it is, byte for byte."""

import json
import shutil
from pathlib import Path

import polars as pl

from registry.errors import RegistryError
from registry.files import output_file
from registry.formats.tables import csv_batches
from registry.workflow.job import job

COLUMNS = dict.fromkeys(("question", "expected_answer", "key_concepts", "category"), pl.String)


def is_concepts(text: str | None) -> bool:
    """Tell whether a text is a JSON list of at least one non-empty string."""
    try:
        concepts = json.loads(text or "")
    except (json.JSONDecodeError, RecursionError):
        return False
    return isinstance(concepts, list) and bool(concepts) and all(isinstance(c, str) and c.strip() for c in concepts)


def process(source: Path, target: Path) -> None:
    """Copy the questions to `target`; RegistryError names every row whose key_concepts is no JSON list of texts."""
    texts = (text for batch in csv_batches(source, COLUMNS) for text in batch["key_concepts"])
    wrong = [str(row) for row, text in enumerate(texts, start=1) if not is_concepts(text)]
    if wrong:
        raise RegistryError(
            f"key_concepts is not a JSON list of texts in question {', '.join(wrong)}",
            where=source,
            hint='write it as ["MLflow", "experiment tracking"], with the quotes doubled for CSV',
        )
    with output_file(target) as partial:
        shutil.copyfile(source, partial)


if __name__ == "__main__":
    with job(snakemake):
        process(Path(snakemake.input.questions), Path(snakemake.output.questions))
