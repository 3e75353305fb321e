"""Turn the hub's three Parquet files of dair-ai/emotion into text and class name, cleaned as the configuration says."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from registry.errors import RegistryError
from registry.files import output_folder, write_json
from registry.formats.tables import parquet_batches, regrouped
from registry.formats.texts import CONTROLS, is_blank
from registry.workflow.job import job

SCHEMA = pa.schema([("text", pa.string()), ("label", pa.string())])
COLUMNS = {"text": pl.String, "label": pl.Int64}
ROWS = 1 << 15
"""Texts that are in memory at once, beside those of the evaluation splits."""
PROBLEMS = ("nulls", "empty_texts", "control_characters", "labels_out_of_range", "in_two_splits")
POLICIES = {"control_characters": "fail"}
"""Of problems that the configuration need not name."""
EXAMPLES = 3
"""Rows of a kind that an error names."""


def find_problems(samples: pl.DataFrame, num_classes: int, later: pl.Series) -> dict[str, pl.Series]:
    """Return, for each kind of problem, which rows have it.

    `samples` has text and label (a class number), `later` the texts of the splits that rank higher. A text that is in
    two splits counts in the one that ranks lower, so that dropping it keeps the evaluation splits as published.
    """
    text, label = pl.col("text"), pl.col("label")
    texts = samples["text"].to_list()
    blank = pl.Series([text is not None and is_blank(text) for text in texts], dtype=pl.Boolean)
    controls = pl.Series([bool(CONTROLS.search(text or "")) for text in texts], dtype=pl.Boolean)
    problems = {
        "nulls": text.is_null() | label.is_null(),
        "empty_texts": blank,
        "control_characters": controls,
        "labels_out_of_range": ~label.is_between(0, num_classes - 1),
        "in_two_splits": text.is_in(later.implode()) & ~blank,
    }
    found = samples.select(rule.fill_null(False).alias(name) for name, rule in problems.items())
    return {name: found[name] for name in problems}


@dataclass
class Cleaning:
    """What was found in a split: how many rows of each problem, the first of these, and the rows that were dropped."""

    found: Counter[str] = field(default_factory=Counter)
    first: dict[str, list[int]] = field(default_factory=dict)
    dropped: list[int] = field(default_factory=list)

    def clean(
        self, samples: pl.DataFrame, problems: Mapping[str, pl.Series], policies: Mapping[str, str]
    ) -> pl.DataFrame:
        """Return the samples that the policies leave; their column position tells where in the split they are."""
        dropped = pl.repeat(False, samples.height, eager=True)
        for name, rows in problems.items():
            self.found[name] += int(rows.sum())
            first = self.first.setdefault(name, [])
            first += samples["position"].filter(rows).head(EXAMPLES - len(first)).to_list()
            if policies[name] == "drop":
                dropped |= rows
        self.dropped += samples["position"].filter(dropped).to_list()
        return samples.filter(~dropped)


def check_policies(cleanings: Mapping[str, Cleaning], policies: Mapping[str, str]) -> None:
    """Raise RegistryError that lists the rows of every problem whose policy is fail."""
    failures = []
    for name in PROBLEMS:
        number = sum(cleaning.found[name] for cleaning in cleanings.values())
        if policies[name] == "fail" and number:
            first = [f"{split} row {row}" for split, its in cleanings.items() for row in its.first.get(name, [])]
            failures.append(f"    {name}: {number:,}, e.g. " + ", ".join(first[:EXAMPLES]))
    if failures:
        raise RegistryError(
            "these rows are not allowed:\n" + "\n".join(failures),
            where="emotion",
            hint="fix the source, or set params.problems to drop or keep in config/datasets/emotion.yaml",
        )


def process(files: Mapping[str, Path], folder: Path, cleaning: Path, options: Mapping[str, Any]) -> None:
    """Write `<folder>/<split>/<split>.parquet` for each split's file, and the report of what was found.

    `files` come in the order in which the splits rank, the lowest first.
    """
    policies = POLICIES | options["problems"]
    names = dict(enumerate(options["classes"]))
    label = pl.col("label").replace_strict(names, default=None, return_dtype=pl.String)
    cleanings = {split: Cleaning() for split in files}
    kept = dict.fromkeys(files, 0)
    later = [pl.Series(dtype=pl.String)]
    lowest = next(iter(files))

    def cleaned(split: str) -> Iterator[pl.DataFrame]:
        texts = pl.concat(later)
        for samples in numbered(parquet_batches(files[split], COLUMNS, ROWS)):
            problems = find_problems(samples, len(names), texts)
            if split != lowest:
                later.append(samples["text"])
            yield cleanings[split].clean(samples, problems, policies).select("text", label)

    with output_folder(folder) as partial:
        for split in reversed(files):
            (partial / split).mkdir()
            with pq.ParquetWriter(partial / split / f"{split}.parquet", SCHEMA, compression="zstd") as writer:
                for table in regrouped(cleaned(split), ROWS):
                    writer.write_table(table.to_arrow().cast(SCHEMA))
                    kept[split] += table.height
        check_policies(cleanings, policies)
        for split, number in kept.items():
            if not number:
                raise RegistryError(f"no text is left for {split}", where="emotion", hint="fix the source")
    report = {
        "found": {name: sum(one.found[name] for one in cleanings.values()) for name in PROBLEMS},
        "dropped": {split: one.dropped for split, one in cleanings.items()},
    }
    write_json(cleaning, report)


def numbered(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield batches with the column position, which counts on through all of them."""
    start = 0
    for batch in batches:
        yield batch.with_row_index("position", offset=start)
        start += batch.height


if __name__ == "__main__":
    with job(snakemake):
        process(
            dict(zip(("train", "val", "test"), map(Path, snakemake.input), strict=True)),
            Path(snakemake.output.folder),
            Path(snakemake.output.cleaning),
            snakemake.params.options,
        )
