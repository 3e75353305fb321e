"""Statistics of tables."""

import polars as pl
import pytest

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
