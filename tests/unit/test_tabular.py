"""Tabular: drawn from its params alone."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import examples
from tabular.generate import generate
from tabular.process import process

PARAMS = {"n_samples": 500, "n_features": 3, "seed": 1, "class_balance": 0.3, "missing_rate": 0.1}


@settings(max_examples=examples(20))
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 4), st.integers(0, 2**32))
def test_more_samples_continue_the_same_rows(fewer, more, n_features, seed):
    draw = {"n_features": n_features, "seed": seed, "class_balance": 0.5, "missing_rate": 0.2}
    small, large = generate(min(fewer, more), **draw), generate(max(fewer, more), **draw)
    assert large.head(small.height).equals(small)


@pytest.mark.parametrize("change", [{"seed": 2}, {"class_balance": 0.6}, {"missing_rate": 0.2}, {"n_features": 4}])
def test_every_param_changes_the_table(change):
    assert not generate(**PARAMS).equals(generate(**PARAMS | change))


def test_balance_and_gaps_are_as_asked():
    table = generate(**PARAMS | {"n_samples": 20_000})
    assert table["label"].mean() == pytest.approx(0.3, abs=0.02)
    assert table["feature_1"].null_count() / table.height == pytest.approx(0.1, abs=0.02)
    assert table["label"].null_count() == 0


def test_csv_and_parquet_hold_the_same_table(tmp_path):
    table = generate(**PARAMS)
    table.write_csv(tmp_path / "dataset.csv")
    process(tmp_path / "dataset.csv", tmp_path / "processed", PARAMS["n_features"])
    assert pl.read_parquet(tmp_path / "processed" / "tabular.parquet").equals(table)
