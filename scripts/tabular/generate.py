"""Draw the synthetic table from its parameters alone."""

import numpy as np
import polars as pl

from registry.files import atomic_file, write_json
from registry.workflow.job import job

DECIMALS = 6
"""Digits kept, so that the last bits of a processor's arithmetic never reach the file."""


def generate(n_samples: int, n_features: int, seed: int, class_balance: float, missing_rate: float) -> pl.DataFrame:
    """Return float64 columns feature_0... and an int64 column label with n_samples rows.

    Features are normal with unit deviation, around 1 for label 1 and 0 for label 0. Labels, features and gaps are drawn
    from streams of their own, so that a larger n_samples continues the same rows.
    """
    labels_rng, features_rng, gaps_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))
    labels = (labels_rng.random(n_samples) < class_balance).astype(np.int64)
    features = features_rng.standard_normal((n_samples, n_features)) + labels[:, np.newaxis]
    gaps = gaps_rng.random((n_samples, n_features)) < missing_rate
    columns = {
        f"feature_{index}": pl.Series(features[:, index].round(DECIMALS)).scatter(np.flatnonzero(gaps[:, index]), None)
        for index in range(n_features)
    }
    return pl.DataFrame(columns | {"label": labels})


if __name__ == "__main__":
    with job(snakemake):
        table = generate(**snakemake.params.options)
        with atomic_file(snakemake.output.table) as partial:
            table.write_csv(partial)
        write_json(snakemake.output.sources, {"mode": "generated", "files": []})
