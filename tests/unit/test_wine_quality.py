"""Wine quality: the table that the served model reads, and what is said of it."""

import csv
import json

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from analyzing import rule
from registry.describe.description import describe
from registry.errors import RegistryError
from wine_quality.analyze import measure
from wine_quality.process import FEATURES, process

HEADER = ";".join(f'"{name}"' for name in (*FEATURES, "quality"))
RED = "7.4;0.7;0;1.9;0.076;11;34;0.9978;3.51;0.56;9.4;5"
WHITE = "7;0.27;0.36;20.7;0.045;45;170;1.001;3;0.45;8.8;6"


@pytest.fixture
def wines(tmp_path):
    red, white = tmp_path / "red.csv", tmp_path / "white.csv"
    red.write_text(f"{HEADER}\n{RED}\n{RED}\n")
    white.write_text(f"{HEADER}\n{WHITE}\n")
    return red, white


def test_the_csv_has_the_order_that_clients_rely_on(wines, tmp_path):
    process(*wines, tmp_path / "processed")
    with (tmp_path / "processed" / "wine-quality.csv").open() as stream:
        header, *rows = csv.reader(stream)
    assert header == [*FEATURES, "quality", "wine_type"]
    assert [[float(value) for value in row] for row in rows] == [
        [float(value) for value in f"{line};{kind}".split(";")] for line, kind in ((RED, 0), (RED, 0), (WHITE, 1))
    ]
    assert [row[-2:] for row in rows] == [["5", "0"], ["5", "0"], ["6", "1"]]


def test_the_parquet_file_is_the_same_table(wines, tmp_path):
    process(*wines, tmp_path / "processed")
    table = pl.read_parquet(tmp_path / "processed" / "wine-quality.parquet")
    assert table.equals(pl.read_csv(tmp_path / "processed" / "wine-quality.csv", schema=table.schema))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (";", ",", "separator"),
        ('"pH"', '"ph"', "missing: pH; unexpected: ph"),
        ('"alcohol"', '"pH"', "duplicate: pH"),
        ("7.4", "high", "line 2: fixed acidity is 'high'"),
        (";5\n", ";5.5\n", "line 2: quality is '5.5'"),
    ],
)
def test_a_table_that_is_not_as_published(wines, tmp_path, old, new, message):
    wines[0].write_text(wines[0].read_text().replace(old, new))
    with pytest.raises(RegistryError, match="red.csv") as caught:
        process(*wines, tmp_path / "processed")
    assert message in str(caught.value)
    assert not (tmp_path / "processed").exists()


def run_analyze(tmp_path, columns):
    dataset = {
        "name": "wine-quality",
        "source": "samples",
        "about": {"title": "t", "description": "d", "license": "l"},
        "contract": {"columns": columns, "rows": {}},
    }
    table = tmp_path / "processed" / "wine-quality.parquet"
    with describe(rule(tmp_path, dataset, tmp_path / "processed"), pq.read_schema(table)) as about:
        measure(about, table)
    return json.loads((tmp_path / "metadata.json").read_text()), pl.read_parquet(tmp_path / "manifest.parquet")


FLOATS = {name: {"dtype": "float64"} for name in FEATURES}
WHOLE = {"quality": {"dtype": "int64"}, "wine_type": {"dtype": "int64"}}


def test_statistics_are_those_of_numpy(wines, tmp_path):
    process(*wines, tmp_path / "processed")
    metadata, manifest = run_analyze(tmp_path, FLOATS | WHOLE)
    alcohol = np.array([9.4, 9.4, 8.8])
    found = metadata["statistics"]["features"]["alcohol"]
    assert found["mean"] == pytest.approx(alcohol.mean())
    assert found["std"] == pytest.approx(alcohol.std(ddof=1))
    assert (found["min"], found["max"], found["median"]) == (8.8, 9.4, 9.4)
    assert metadata["statistics"]["target"]["median"] == 5
    assert metadata["summary"]["num_samples"] == 3
    assert metadata["summary"]["duplicate_rows"] == 1
    assert metadata["summary"]["quality_distribution"] == {"5": 2, "6": 1}
    assert metadata["summary"]["wine_type_distribution"] == {"red": 2, "white": 1}
    assert manifest["key"].to_list() == ["winequality-red.csv:0", "winequality-red.csv:1", "winequality-white.csv:0"]
    assert manifest["input_id"].n_unique() == 2


@pytest.mark.parametrize(("found", "message"), [("NaN", "finite"), ("", "no nulls")])
def test_a_number_that_is_none_or_missing_breaks_the_contract(wines, tmp_path, found, message):
    wines[1].write_text(f"{HEADER}\n{WHITE.replace('20.7', found)}\n")
    process(*wines, tmp_path / "processed")
    with pytest.raises(RegistryError, match=f"residual sugar: {message}"):
        run_analyze(tmp_path, FLOATS | WHOLE)
