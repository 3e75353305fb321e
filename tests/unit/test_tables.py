"""Tables are read strictly."""

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.errors import RegistryError
from registry.formats.tables import counts, only_batch, read_csv, read_parquet, write_parquet

COLUMNS = {"a": pl.Float64, "b": pl.String}


def write(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    return path


def test_a_table_as_expected(tmp_path):
    table = read_csv(write(tmp_path, b'a;"b"\n1.5;"x;y"\n;z\n'), COLUMNS, separator=";")
    assert table.rows() == [(1.5, "x;y"), (None, "z")]
    assert table.schema == COLUMNS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"a,b\n", "no rows"),
        (b"a;b\n1;x\n", "is ',' the separator?"),
        (b"a,c\n1,x\n", "missing: b; unexpected: c"),
        (b"a,b,b\n1,x,y\n", "duplicate: b"),
        (b"a\n1\n", "missing: b"),
        (b"b,a\nx,1\n", "another order"),
        (b"a,b\none,x\n", "not a table of a, b"),
        (b"a,b\n1,x,2\n", "not a table of a, b"),
        (b"a,b\n1,\xff\xfe\n", "not UTF-8"),
        (b"a,b\n1,x\0\n", "NUL"),
        (b'"' + b"x" * 200_000, "its header cannot be read"),
    ],
)
def test_a_table_that_is_not_as_expected(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(RegistryError, match="table.csv") as caught:
        read_csv(path, COLUMNS)
    assert message in str(caught.value)


def test_parquet_comes_back_with_plain_strings(tmp_path):
    schema = pa.schema([("b", pa.string()), ("a", pa.float64())])
    path = tmp_path / "table.parquet"
    write_parquet(pl.DataFrame({"b": ["x", None], "a": [1.0, 2.0]}), path, schema)
    assert pq.read_schema(path) == schema
    assert read_parquet(path, COLUMNS).rows() == [(1.0, "x"), (2.0, None)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [({"a": pl.Int64}, "a is Float64, not Int64"), ({"c": pl.String}, "not a Parquet file with the columns c")],
)
def test_parquet_of_another_shape(tmp_path, columns, message):
    path = tmp_path / "table.parquet"
    pl.DataFrame({"a": [1.0]}).write_parquet(path)
    with pytest.raises(RegistryError, match=message):
        read_parquet(path, columns)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"a,b\n1,2\n"])
def test_not_parquet_at_all(tmp_path, content):
    path = tmp_path / "table.parquet"
    path.write_bytes(content)
    with pytest.raises(RegistryError, match="not a Parquet file"):
        read_parquet(path, {"a": pl.Float64})


def test_a_whole_table_is_one_batch():
    table = pl.concat([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})], rechunk=False)
    assert only_batch(table, pa.schema([("a", pa.int64())])).to_pydict() == {"a": [1, 2]}


def test_counts_are_ordered_by_value():
    assert counts(pl.Series("a", [10, 9, 10])) == {"9": 1, "10": 2}
