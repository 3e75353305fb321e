"""Tables are read strictly."""

import contextlib
import csv
import io

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import RegistryError
from registry.formats.tables import counts, only_batch, read_csv, read_parquet, write_parquet
from support import examples

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
        (b"a,b\none,x\n", "line 2: a is 'one', not Float64"),
        (b'a,b\n1,x\n2,"x\ny"\none,x\n', "line 5: a is 'one', not Float64"),
        (b"a,b\n1,x,2\n", "line 2: the number of fields is 3, not 2"),
        (b"a,b\n1,x\n2\n", "line 3: the number of fields is 1, not 2"),
        (b'a,b\n1,"x\ny"\n2\n', "line 4: the number of fields is 1, not 2"),
        (b"a,b\n\n1,x\n", "line 2 is blank"),
        (b"a,b\n1,x\n\r\n", "line 3 is blank"),
        (b"\n", "line 1 is blank"),
        (b"a,b\r1,x\r", "line 1: a carriage return ends no line"),
        (b'a,b\n1,"one \\" inch"\n2,plain\n3,"two \\" inch"\n4,last\n', "line 2: its quotes do not match"),
        (b'a,b\n1,5" disk\n2,3" disk\n', "line 2: its quotes do not match"),
        (b'a,b\n1,5"" disk\n', "line 2: its quotes do not match"),
        (b'a,b\n1, "x"\n', "line 2: its quotes do not match"),
        (b'a,b\n1,x\n2,"y\n3,z\n', "line 3: a quote is opened and never closed"),
        (b"a,b\n1,x\n1,\xff\xfe\n", "not UTF-8: invalid start byte in line 3, at byte 10"),
        (
            "a,b\n1,x\n".encode("utf-16"),
            "byte order mark of UTF-16\n  what to do: save it as UTF-8, or read it with enc",
        ),
        (b"a,b\n1,x\0\n", "line 2 holds NUL"),
        (b'"' + b"x" * 200_000 + b'",b\n', "its header cannot be read"),
    ],
)
def test_a_table_that_is_not_as_expected(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(RegistryError, match="table.csv") as caught:
        read_csv(path, COLUMNS)
    assert message in str(caught.value)


def test_a_long_file_with_one_bad_byte_names_its_line(tmp_path):
    rows = b"1,x\n" * 10_000
    with pytest.raises(RegistryError, match="not UTF-8.*in line 10,002, at byte 40,006"):
        read_csv(write(tmp_path, b"a,b\n" + rows + b"1,\xff\n" + rows), COLUMNS)


def test_a_file_as_others_write_it(tmp_path):
    path = write(tmp_path, 'NA;Köln\r\n1;"?"\r\n2;""\r\n'.encode("cp1252"))
    found = read_csv(path, COLUMNS, separator=";", header=False, nulls=["NA", "?"], encoding="cp1252")
    assert found.rows() == [(None, "Köln"), (1, None), (2, "")]


@pytest.mark.parametrize("encoding", ["UTF8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path, encoding):
    text = "a,b\n1,x\n" if encoding != "UTF8" else "\ufeffa,b\n1,x\n"
    assert read_csv(write(tmp_path, text.encode(encoding)), COLUMNS, encoding=encoding).rows() == [(1, "x")]


def test_an_encoding_that_nobody_knows(tmp_path):
    with pytest.raises(RegistryError, match="no encoding 'cp-none'"):
        read_csv(write(tmp_path, b""), COLUMNS, encoding="cp-none")


TEXTS = st.none() | st.text(st.sampled_from(["a", "é", '"', ",", ";", "\n", "\r", "\\", " ", "#", "1", "\t", "\u2028"]))


@settings(max_examples=examples(200))
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_what_was_written_comes_back(tmp_path_factory, rows, end, always, header):
    def field(text):
        needed = always or not text or any(letter in text for letter in '",\n\r')
        return "" if text is None else '"' + text.replace('"', '""') + '"' if needed else text

    lines = [",".join(map(field, row)) for row in [("a", "b"), *rows][not header :]]
    path = write(tmp_path_factory.getbasetemp(), end.join([*lines, ""]).encode())
    assert read_csv(path, dict.fromkeys("ab", pl.String), header=header).rows() == rows


@settings(max_examples=examples(500))
@given(
    st.lists(
        st.sampled_from([b"1", b"x", b'"', b",", b"\n", b"\r", b"\\", b" ", b"\0", b"\xff", b"\xef\xbb\xbf", b'"x"'])
    )
)
def test_what_is_read_is_what_a_strict_parser_reads(tmp_path_factory, parts):
    content = b"a,b\n" + b"".join(parts)
    with contextlib.suppress(RegistryError):
        read_csv(write(tmp_path_factory.getbasetemp(), content), {"a": pl.Int64, "b": pl.Boolean})
    try:
        found = read_csv(write(tmp_path_factory.getbasetemp(), content), dict.fromkeys("ab", pl.String))
    except RegistryError:
        return
    expected = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    assert [[field or "" for field in row] for row in found.rows()] == list(expected)[1:]


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
    with pytest.raises(RegistryError, match="not a sound Parquet file"):
        read_parquet(path, {"a": pl.Float64})


def test_a_whole_table_is_one_batch():
    table = pl.concat([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})], rechunk=False)
    assert only_batch(table, pa.schema([("a", pa.int64())])).to_pydict() == {"a": [1, 2]}


def test_counts_are_ordered_by_value():
    assert counts(pl.Series("a", [10, 9, 10])) == {"9": 1, "10": 2}
