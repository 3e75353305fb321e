"""Tabular: drawn from its params alone."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.formats.shards import Shard
from support import examples
from tabular import generate as generator
from tabular.process import process, read

PARAMS = {"n_samples": 500, "n_features": 3, "seed": 1, "class_balance": 0.3, "missing_rate": 0.1}


def generate(*size: int, **params: float) -> pl.DataFrame:
    return pl.concat(generator.generate(*size, **params))


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
    process(read(tmp_path / "dataset.csv", PARAMS["n_features"]), tmp_path / "processed")
    assert pl.read_parquet(tmp_path / "processed" / "tabular.parquet").equals(table)


def test_the_table_does_not_depend_on_how_much_is_drawn_at_once(monkeypatch):
    once = generate(**PARAMS)
    monkeypatch.setattr(generator, "ROWS", 7)
    assert generate(**PARAMS).equals(once)


@pytest.mark.parametrize("of", [2, 7])
def test_the_bytes_do_not_depend_on_the_number_of_shards(tmp_path, monkeypatch, of):
    monkeypatch.setattr("tabular.process.ROWS", 200)
    generate(**PARAMS).write_csv(tmp_path / "dataset.csv")

    def processed(table: pl.LazyFrame) -> bytes:
        process(table, tmp_path / "processed")
        return (tmp_path / "processed" / "tabular.parquet").read_bytes()

    parts = [tmp_path / f"{number}.parquet" for number in range(of)]
    for number, part in enumerate(parts):
        read(tmp_path / "dataset.csv", PARAMS["n_features"], Shard(number, of)).sink_parquet(part)
    assert all(pl.read_parquet(part).height for part in parts)
    assert processed(pl.scan_parquet(parts)) == processed(read(tmp_path / "dataset.csv", PARAMS["n_features"]))
