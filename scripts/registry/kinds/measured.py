"""Measure the rows of a dataset of any kind: its manifest, and what there is to know of every column."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.describe.distributions import Values, number_statistics
from registry.describe.measures import Measured
from registry.describe.texts import TextLengths
from registry.describe.turns import Conversations, is_conversation
from registry.formats.tables import value_counts
from registry.kinds.inputs import IMAGE, classes_of, inputs_of, target_of, with_roles
from registry.kinds.tables import Keys, row_groups


class Pictures(Protocol):
    """What measures pictures: see `registry.describe.pictures`. Datasets without pictures do without its libraries."""

    def add(self, split: str, keys: Sequence[str], pictures: Sequence[bytes], labels: Sequence[str] | None) -> None:
        """Add pictures of a split."""

    def measures(self, values: pa.Array) -> Measured:
        """Measure encoded pictures, none of them null, for the profile."""

    def metrics(self) -> dict[str, Any]:
        """Return what there is to know of them, by split."""


@contextmanager
def measured(
    snakemake: Any,
    kind: str,
    *,
    pictures: Pictures | None = None,
    read: Callable[[Path], Iterable[pa.RecordBatch]] = row_groups,
    schema: pa.Schema | None = None,
) -> Iterator[Description]:
    """Describe the dataset of a rule `<dataset>_analyze`, to which the block may add; then draw its distributions.

    `pictures`, which get those of the column image, and `read` are as for `measure`. The schema is that of its tables,
    unless another one is given.
    """
    dataset = snakemake.params.dataset
    columns = dataset["contract"]["columns"]
    options = with_roles(kind, columns, dataset["params"])
    tables = dict(zip(snakemake.params.splits, map(Path, snakemake.input.tables), strict=True))
    schema = schema or pq.read_schema(next(iter(tables.values())))
    with describe(snakemake, schema, pictures={IMAGE: pictures.measures} if pictures else None) as about:
        measure(
            about,
            tables,
            Path(snakemake.input.row_keys),
            inputs=inputs_of(columns, options),
            target=target_of(options),
            classes=classes_of(columns, options),
            text=options.get("text"),
            counted=options.get("counted"),
            read=read,
            pictures=pictures,
        )
        about.facts["summary"] |= json.loads(Path(snakemake.input.cleaning).read_text(encoding="utf-8"))["counts"]
        for prompt in snakemake.input.prompt:
            about.facts["prompt"] = json.loads(Path(prompt).read_text(encoding="utf-8"))
        yield about
    draw_distributions(about.metadata, snakemake.output.overview)


def measure(
    about: Description,
    tables: Mapping[str, Path],
    keys: Path,
    *,
    inputs: Sequence[str],
    target: str | None = None,
    classes: Sequence[str] = (),
    text: str | None = None,
    counted: Sequence[str] | None = None,
    read: Callable[[Path], Iterable[pa.RecordBatch]] = row_groups,
    pictures: Pictures | None = None,
) -> None:
    """Add the rows of each split's table, whose keys are in the file `keys`, and what follows from them.

    `classes` are the names of those of the target; `text` is the column of texts that are measured, as is one of
    conversations; `counted` are the columns whose values are counted where they are few, all unless given; `read`
    yields the rows of a table; `pictures` get those of the column image.
    """
    whole, metrics = Values(about.schema), {}
    chats = next((field.name for field in about.schema if is_conversation(field.type)), None)
    for split, table in tables.items():
        names, its = Keys(keys, split), Values(about.schema)
        labels, lengths, turns = Counter(dict.fromkeys(classes, 0)), TextLengths(), Conversations()
        for batch in read(table):
            taken = names.take(batch.num_rows)
            about.add(split, batch, inputs=inputs, keys=taken)
            whole.add(batch)
            its.add(batch)
            if classes:
                labels.update(value_counts(batch[target]))
            if text:
                lengths.add(batch[text])
            if chats:
                turns.add(batch[chats])
            if pictures:
                labels_of = batch[target].to_pylist() if target else None
                pictures.add(split, taken.to_pylist(), batch[IMAGE].to_pylist(), labels_of)
        if found := dict(labels) or its.distributions().get(target):
            about.splits[split] = {"class_distribution": found}
        if text:
            metrics[split] = lengths.statistics()
        if chats:
            metrics[split] = turns.statistics() | metrics.get(split, {})
            about.splits[split] = about.splits.get(split, {}) | turns.distributions()
    if classes:
        about.features[target] = {"classes": [*classes]}
    if pictures:
        metrics = {split: metrics.get(split, {}) | found for split, found in pictures.metrics().items()}
    if metrics:
        about.facts["metrics"] = metrics
    about.facts["summary"] = {
        "num_samples": sum(map(about.num_samples, tables)),
        "num_features": len(about.schema.names) - (target is not None),
        "duplicate_rows": about.manifest.duplicates(),
        "missing_distribution": whole.missing,
        **{
            f"{name}_distribution": counts
            for name, counts in whole.distributions().items()
            if name != target and max(counts.values()) > 1 and (counted is None or name in counted)
        },
    }
    about.facts["statistics"] = {"features": number_statistics(tables.values(), about.schema)}
