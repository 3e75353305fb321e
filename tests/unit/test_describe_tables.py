"""Statistics of tables."""

import json
from datetime import date, datetime
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from registry.describe import distributions
from registry.describe.distributions import FEW, LONGEST, Values, number_statistics
from registry.describe.tables import column_statistics, profile


def test_the_profile_counts_gaps_types_and_ranges(tmp_path):
    pl.DataFrame({"feature_0": [1.0, 1.0, None, 4.0], "label": [0, 0, 1, 1]}).write_parquet(tmp_path / "a.parquet")
    assert profile(tmp_path / "a.parquet", duplicate_rows=1) == {
        "rows": 4,
        "duplicate_rows": 1,
        "columns": {
            "feature_0": {
                "dtype": "Float64",
                "missing": 1,
                "missing_rate": 0.25,
                "distinct": 2,
                "mean": 2.0,
                "std": pytest.approx(3**0.5),
                "min": 1.0,
                "max": 4.0,
                "median": 1.0,
            },
            "label": {
                "dtype": "Int64",
                "missing": 0,
                "missing_rate": 0.0,
                "distinct": 2,
                "mean": 0.5,
                "std": pytest.approx((1 / 3) ** 0.5),
                "min": 0,
                "max": 1,
                "median": 0.5,
            },
        },
    }


def test_columns_that_are_no_numbers_are_counted(tmp_path):
    table = pl.DataFrame(
        {
            "day": [date(2020, 1, 31), None, date(1969, 1, 1)],
            "at": pl.Series([datetime(2020, 1, 31, 18), None, None], dtype=pl.Datetime("us", "UTC")),
            "price": pl.Series([Decimal("1.50"), Decimal("1.50"), Decimal("3.00")], dtype=pl.Decimal(5, 2)),
            "half": pl.Series([0.5, 2.5, 3.0], dtype=pl.Float16),
            "text": ["a", "a", "b"],
            "flag": [True, None, False],
            "turns": [[{"role": "user"}], [{"role": "user"}], []],
            "nothing": [None] * 3,
        }
    )
    table.write_parquet(tmp_path / "a.parquet")
    columns = profile(tmp_path / "a.parquet", duplicate_rows=0)["columns"]
    assert {name: (column["missing"], column["distinct"]) for name, column in columns.items()} == {
        "day": (1, 2), "at": (2, 1), "price": (0, 2), "half": (0, 3), "text": (0, 2), "flag": (1, 2), "turns": (0, 2),
        "nothing": (3, 0),
    }  # fmt: skip
    assert (columns["day"]["min"], columns["day"]["max"]) == ("1969-01-01", "2020-01-31")
    assert columns["at"]["min"] == columns["at"]["max"] == "2020-01-31 18:00:00+00:00"
    assert (columns["price"]["mean"], columns["price"]["max"]) == (2.0, 3.0)
    assert (columns["half"]["mean"], columns["half"]["std"]) == (2.0, pytest.approx(1.75**0.5))
    assert all("min" not in columns[name] for name in ("text", "flag", "turns", "nothing"))
    json.dumps(columns)


def test_every_column_has_its_statistics():
    found = column_statistics(pl.DataFrame({"a": [1, 2, 6], "b": [0.5, 0.5, 0.5]}))
    assert list(found) == ["a", "b"]
    assert found["a"] == {"mean": 3.0, "std": pytest.approx(7**0.5), "min": 1, "max": 6, "median": 2}
    assert found["b"]["std"] == 0


@pytest.mark.parametrize("name", ["^a$", "*"])
def test_a_columns_name_is_no_pattern(name, tmp_path):
    table = pl.DataFrame({name: [1, None], "a": [3, 4]})
    table.write_parquet(tmp_path / "a.parquet")
    assert profile(tmp_path / "a.parquet", duplicate_rows=0)["columns"][name] == {
        "dtype": "Int64", "missing": 1, "missing_rate": 0.5, "distinct": 1,
        "mean": 1, "std": 0.0, "min": 1, "max": 1, "median": 1,
    }  # fmt: skip
    assert column_statistics(table.drop_nulls())[name]["mean"] == 1
    found = number_statistics([tmp_path / "a.parquet"] * 2, table.to_arrow().schema)
    assert (found[name]["max"], found["a"]["max"]) == (1, 4)


@pytest.mark.parametrize("at_once", [1, 8, 1_000])
def test_columns_have_the_same_statistics_however_many_are_read_at_once(at_once, tmp_path, monkeypatch):
    monkeypatch.setattr(distributions, "AT_ONCE", at_once)
    parts = [{"z": [1, 2], "text": ["a", "b"], "y": [0.5, None], "a": [-7, 7], "none": [None, None]}, {"z": [6]}]
    schema = {"z": pl.Int64, "text": pl.String, "y": pl.Float64, "a": pl.Int8, "none": pl.Float32}
    tables = [pl.DataFrame(parts[0], schema), pl.DataFrame(parts[1], {"z": pl.Int64})]
    tables[1] = pl.concat([tables[0].clear(), tables[1]], how="diagonal")
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for table, file in zip(tables, files, strict=True):
        table.write_parquet(file)
    found = number_statistics(files, tables[0].to_arrow().schema)
    assert {name: (its["min"], its["max"]) for name, its in found.items()} == {
        "z": (1, 6),
        "y": (0.5, 0.5),
        "a": (-7, 7),
    }


def test_columns_of_few_short_values_have_a_distribution():
    few = [*range(FEW), None]
    columns = {"few": few, "more": [*range(FEW + 1)], "long": ["x" * LONGEST] * FEW + ["y" * (LONGEST + 1)]}
    batch = pa.record_batch(columns)
    found = Values(batch.schema)
    for part in (batch, batch.slice(0, 1)):
        found.add(part)
    assert found.distributions() == {"few": {"0": 2, **{str(value): 1 for value in range(1, FEW)}}}
    assert found.missing == {"few": 1, "more": 0, "long": 0}
