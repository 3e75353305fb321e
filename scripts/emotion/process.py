"""Turn the hub's three Parquet files of dair-ai/emotion into text and class name, cleaned as the configuration says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from registry.errors import RegistryError
from registry.files import output_folder, write_json
from registry.formats.tables import read_parquet, write_parquet
from registry.formats.texts import CONTROLS, is_blank
from registry.workflow.job import job

SCHEMA = pa.schema([("text", pa.string()), ("label", pa.string())])
POLICIES = {"control_characters": "fail"}
"""Of problems that the configuration need not name."""
EXAMPLES = 3
"""Rows of a kind that an error names."""


def find_problems(samples: pl.DataFrame, num_classes: int) -> dict[str, pl.Series]:
    """Return, for each kind of problem, which rows have it.

    `samples` has text, label (a class number) and split (an Enum whose order ranks the splits). A text that is in two
    splits counts in the one that ranks first, so that dropping it keeps the evaluation splits as published.
    """
    text, label, split = pl.col("text"), pl.col("label"), pl.col("split")
    texts = samples["text"].to_list()
    blank = pl.Series([text is not None and is_blank(text) for text in texts], dtype=pl.Boolean)
    controls = pl.Series([bool(CONTROLS.search(text or "")) for text in texts], dtype=pl.Boolean)
    written = text.is_not_null() & ~blank
    problems = {
        "nulls": text.is_null() | label.is_null(),
        "empty_texts": blank,
        "control_characters": controls,
        "labels_out_of_range": ~label.is_between(0, num_classes - 1),
        "in_two_splits": written & (split.to_physical() < split.to_physical().max().over("text")),
    }
    found = samples.select(rule.fill_null(False).alias(name) for name, rule in problems.items())
    return {name: found[name] for name in problems}


def clean(samples: pl.DataFrame, options: Mapping[str, Any]) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return the samples that the policies in `options` leave, and what was found and dropped.

    RegistryError lists the rows of every problem whose policy is fail.
    """
    policies = POLICIES | options["problems"]
    problems = find_problems(samples, len(options["classes"]))
    failures, dropped = [], pl.repeat(False, samples.height, eager=True)
    for name, rows in problems.items():
        if policies[name] == "drop":
            dropped |= rows
        elif policies[name] == "fail" and rows.any():
            where = samples.filter(rows).head(EXAMPLES).select("split", "position").rows()
            failures.append(f"    {name}: {rows.sum():,}, e.g. " + ", ".join(f"{s} row {p}" for s, p in where))
    if failures:
        raise RegistryError(
            "these rows are not allowed:\n" + "\n".join(failures),
            where="emotion",
            hint="fix the source, or set params.problems to drop or keep in config/datasets/emotion.yaml",
        )
    report = {
        "found": {name: int(rows.sum()) for name, rows in problems.items()},
        "dropped": {
            split: samples.filter(dropped & (samples["split"] == split))["position"].to_list()
            for split in samples["split"].dtype.categories
        },
    }
    return samples.filter(~dropped), report


def process(files: Mapping[str, Path], folder: Path, cleaning: Path, options: Mapping[str, Any]) -> None:
    """Write `<folder>/<split>/<split>.parquet` for each split's file, and the report of what was found."""
    splits = pl.Enum(list(files))
    samples = pl.concat(
        read_parquet(path, {"text": pl.String, "label": pl.Int64})
        .with_row_index("position")
        .with_columns(pl.lit(split).cast(splits).alias("split"))
        for split, path in files.items()
    )
    kept, report = clean(samples, options)
    names = dict(enumerate(options["classes"]))
    with output_folder(folder) as partial:
        for split in files:
            table = kept.filter(pl.col("split") == split).select(
                "text", pl.col("label").replace_strict(names, default=None, return_dtype=pl.String)
            )
            if table.is_empty():
                raise RegistryError(f"no text is left for {split}", where="emotion", hint="fix the source")
            write_parquet(table, partial / split / f"{split}.parquet", SCHEMA)
    write_json(cleaning, report)


if __name__ == "__main__":
    with job(snakemake):
        process(
            dict(zip(("train", "val", "test"), map(Path, snakemake.input), strict=True)),
            Path(snakemake.output.folder),
            Path(snakemake.output.cleaning),
            snakemake.params.options,
        )
