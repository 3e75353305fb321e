"""Values to which contracts refer, as the data of another dataset has them."""

import polars as pl
import pytest

from registry.describe.referenced import read_referenced
from registry.errors import RegistryError


def dataset(column="id", **spec):
    columns = {"author": {"dtype": "int64", **spec, "references": {"dataset": "authors", "column": column}}}
    return {"name": "books", "contract": {"columns": columns, "rows": {}}}


@pytest.mark.parametrize("name", ["id", "^id$", "*"])
def test_values_of_all_files_are_there_once(tmp_path, name):
    for split, values in {"train": [1, 2, 2], "val": [2, 3, None]}.items():
        (tmp_path / split).mkdir()
        pl.DataFrame({"other": "x", name: values}).write_parquet(tmp_path / split / "authors.parquet")
    (found,) = read_referenced(dataset(name), {"authors": tmp_path}).values()
    assert sorted(found) == [1, 2, 3]


def test_the_data_may_be_a_file(tmp_path):
    pl.DataFrame({"id": [1]}).write_parquet(tmp_path / "authors.parquet")
    assert read_referenced(dataset(), {"authors": tmp_path / "authors.parquet"})["authors", "id"].to_list() == [1]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"id": ["a"]}, "authors.parquet: its column id is String, not int64 as in the contract"),
        ({"name": ["a"]}, "authors.parquet: it has no column id, to which a contract refers"),
        (None, "it has no Parquet file"),
    ],
)
def test_data_that_has_no_such_values_is_one_message(tmp_path, values, words):
    if values:
        pl.DataFrame(values).write_parquet(tmp_path / "authors.parquet")
    with pytest.raises(RegistryError, match=words):
        read_referenced(dataset(), {"authors": tmp_path})


def test_a_contract_that_refers_to_nothing_reads_nothing():
    assert read_referenced({"contract": {"columns": {"a": {"dtype": "int64"}}}}, {}) == {}
