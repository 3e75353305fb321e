"""Draw the synthetic table from its parameters alone."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from registry.files import atomic_file, write_json
from registry.workflow.job import job

DECIMALS = 6
"""Digits kept, so that the last bits of a processor's arithmetic never reach the file."""
ROWS = 1 << 16
"""Rows in memory at once."""


def generate(
    n_samples: int, n_features: int, seed: int, class_balance: float, missing_rate: float
) -> Iterator[pl.DataFrame]:
    """Yield n_samples rows in batches, with the float64 columns feature_0... and the int64 column label.

    Features are normal with unit deviation, around 1 for label 1 and 0 for label 0. Labels, features and gaps are drawn
    from streams of their own, so that a larger n_samples continues the same rows.
    """
    labels_rng, features_rng, gaps_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))
    for start in range(0, n_samples, ROWS):
        rows = min(ROWS, n_samples - start)
        labels = (labels_rng.random(rows) < class_balance).astype(np.int64)
        features = features_rng.standard_normal((rows, n_features)) + labels[:, np.newaxis]
        gaps = gaps_rng.random((rows, n_features)) < missing_rate
        columns = {
            f"feature_{index}": pl.Series(features[:, index].round(DECIMALS)).scatter(
                np.flatnonzero(gaps[:, index]), None
            )
            for index in range(n_features)
        }
        yield pl.DataFrame(columns | {"label": labels})


if __name__ == "__main__":
    with job(snakemake):
        with atomic_file(snakemake.output.table) as partial, partial.open("wb") as table:
            for number, batch in enumerate(generate(**snakemake.params.options)):
                batch.write_csv(table, include_header=number == 0)
        write_json(snakemake.output.sources, {"mode": "generated", "files": []})
