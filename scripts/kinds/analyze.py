"""Describe a dataset of any kind: its manifest, and what there is to know of every column."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.columns import Values, number_statistics
from registry.describe.description import Description, describe
from registry.describe.texts import TextLengths
from registry.formats.tables import arrow_batches, value_counts
from registry.kinds.inputs import classes_of, inputs_of, target_of
from registry.kinds.tables import Keys
from registry.workflow.job import job


def measure(
    about: Description,
    tables: Mapping[str, Path],
    keys: Path,
    *,
    inputs: Sequence[str],
    target: str | None = None,
    classes: Sequence[str] = (),
    text: str | None = None,
) -> None:
    """Add the rows of each split's table, whose keys are in the file `keys`, and what follows from them.

    `classes` are the names of those of the target; `text` is the column of texts that are measured.
    """
    whole, metrics = Values(about.schema), {}
    for split, table in tables.items():
        names, its = Keys(keys, split), Values(about.schema)
        labels, lengths = Counter(dict.fromkeys(classes, 0)), TextLengths()
        for batch in arrow_batches(table):
            about.add(split, batch, inputs=inputs, keys=names.take(batch.num_rows))
            whole.add(batch)
            its.add(batch)
            if classes:
                labels.update(value_counts(batch[target]))
            if text:
                lengths.add(batch[text])
        if found := dict(labels) or its.distributions().get(target):
            about.splits[split] = {"class_distribution": found}
        if text:
            metrics[split] = lengths.statistics()
    if classes:
        about.features[target] = {"classes": [*classes]}
    if metrics:
        about.facts["metrics"] = metrics
    about.facts["summary"] = {
        "num_samples": sum(map(about.num_samples, tables)),
        "num_features": len(about.schema.names) - (target is not None),
        "duplicate_rows": about.manifest.duplicates(),
        "missing_distribution": whole.missing,
        **{f"{name}_distribution": counts for name, counts in whole.distributions().items() if name != target},
    }
    about.facts["statistics"] = {"features": number_statistics(tables.values(), about.schema)}


if __name__ == "__main__":
    with job(snakemake):
        dataset = snakemake.params.dataset
        options, columns = dataset["params"], dataset["contract"]["columns"]
        tables = dict(zip(snakemake.params.splits, map(Path, snakemake.input.tables), strict=True))
        with describe(snakemake, pq.read_schema(next(iter(tables.values())))) as about:
            measure(
                about,
                tables,
                Path(snakemake.input.row_keys),
                inputs=inputs_of(columns, options),
                target=target_of(options),
                classes=classes_of(columns, options),
                text=options.get("text"),
            )
            about.facts["summary"] |= json.loads(Path(snakemake.input.cleaning).read_text(encoding="utf-8"))["counts"]
        draw_distributions(about.metadata, snakemake.output.overview)
