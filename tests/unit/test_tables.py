"""Tables are read strictly."""

import contextlib
import csv
import io
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import RegistryError
from registry.formats.blocks import BLOCK, Block, blocks
from registry.formats.records import records_in, sound_records
from registry.formats.shards import Shard
from registry.formats.tables import (
    arrow_batches,
    as_lazy,
    counts,
    csv_batches,
    only_batch,
    parquet_batches,
    read_csv,
    read_parquet,
    regrouped,
    value_counts,
    write_rows,
)
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


def test_a_header_of_two_lines(tmp_path):
    found = read_csv(write(tmp_path, b'"a\n""x""",b\n1,y\n'), {'a\n"x"': pl.Int64, "b": pl.String})
    assert found.rows() == [(1, "y")]


WRONG = [
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
]


@pytest.mark.parametrize(("content", "message"), WRONG)
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


def test_a_byte_order_mark_in_the_data_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("registry.formats.blocks.BLOCK", 1)
    content = "a,b\n\ufeffx,1\n\ufeffy,2\n".encode()
    assert read_csv(write(tmp_path, content), dict.fromkeys("ab", pl.String)).rows() == [
        ("\ufeffx", "1"),
        ("\ufeffy", "2"),
    ]


@pytest.mark.parametrize("of", [1, 2, 7, 100])
def test_shares_have_every_row_once(tmp_path, monkeypatch, of):
    monkeypatch.setattr("registry.formats.blocks.BLOCK", 2)
    texts = ["x", 'a "b"', "two\nlines", "", "é\r\n", ",", "\ufeff", 'x\n"y\n'] * 3
    table = pl.DataFrame({"a": map(float, range(len(texts))), "b": texts})
    path = write(tmp_path, table.write_csv(quote_style="non_numeric").encode())
    shares = [list(csv_batches(path, COLUMNS, shard=Shard(number, of))) for number in range(of)]
    assert pl.concat(batch for share in shares for batch in share).equals(table)
    assert of > 7 or all(shares)


@pytest.mark.parametrize("of", [2, 7])
@pytest.mark.parametrize(("content", "message"), WRONG)
def test_what_is_wrong_is_wrong_in_one_of_the_shares_too(tmp_path, content, message, of):
    path = write(tmp_path, content)
    found = []
    for number in range(of):
        try:
            list(csv_batches(path, COLUMNS, shard=Shard(number, of)))
        except RegistryError as error:
            found.append(str(error))
    assert [text for text in found if message in text]


def test_a_share_of_a_file_whose_quotes_are_no_bytes_is_refused(tmp_path):
    for encoding in ("utf-16", "iso2022_jp"):
        path = write(tmp_path, "a,b\n1,x\n".encode(encoding))
        with pytest.raises(RegistryError, match="cannot be read in shares, as "):
            list(csv_batches(path, COLUMNS, encoding=encoding, shard=Shard(0, 2)))


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


PIECES = [
    "1",
    "x",
    "é",
    '"',
    '"',
    ",",
    ",",
    ";",
    "\n",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\0",
    "\u2028",
    '"x"',
    '""',
    "NA",
    "1,x\n",
]


@settings(max_examples=examples(1000))
@given(st.lists(st.sampled_from(PIECES)).map("".join), st.sampled_from(",;"), st.integers(1, 3))
def test_all_records_at_once_are_right_just_where_each_of_them_is(text, separator, width):
    block = Block(1, text)
    try:
        found = [*records_in(block, separator=separator, path=Path("a.csv"))]
    except RegistryError:
        found = []
    right = found and all(fields == width for _, _, fields in found)
    expected = ("".join(f"{one}\n" for _, one, _ in found).encode(), len(found)) if right else None
    assert sound_records(block, separator=separator, width=width) == expected


@settings(max_examples=examples(300))
@given(
    st.lists(st.sampled_from([*PIECES, "1,x\n", "2,y\n"])).map("".join),
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-32-be", "gb18030"]),
    st.sampled_from([b"", b"\xff", b"\xef\xbb\xbf", b"\xc3"]),
    st.sampled_from([(",", "."), (";", "."), (";", ",")]),
    st.sampled_from([(), ("NA",), ("", "x")]),
    st.sampled_from([*range(1, 12), BLOCK]),
    st.integers(1, 3),
    st.booleans(),
)
def test_records_read_at_once_and_one_by_one_are_the_same(
    tmp_path_factory, text, encoding, odd, marks, nulls, size, of, header
):
    path = write(tmp_path_factory.getbasetemp(), text.encode(encoding, errors="replace") + odd)
    separator, decimal = marks

    def outcome(number):
        options = {"separator": separator, "decimal": decimal, "nulls": nulls, "encoding": encoding, "header": header}
        columns = {"1": pl.Int64, "x": pl.String}
        try:
            return pl.concat(csv_batches(path, columns, **options, shard=Shard(number, of))).to_dict(as_series=False)
        except (RegistryError, ValueError) as error:
            return str(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("registry.formats.blocks.BLOCK", size)
        at_once = [outcome(number) for number in range(of)]
        patch.setattr("registry.formats.tables.sound_records", lambda *_, **__: None)
        assert [outcome(number) for number in range(of)] == at_once


def test_a_block_ends_with_a_record_and_the_last_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("registry.formats.blocks.BLOCK", 4)
    path = write(tmp_path, b'a,b\n1,"x\n\ny"\n2,z\n3,"\n')
    assert [*blocks(path, "utf-8")] == [(1, "a,b\n"), (2, '1,"x\n\ny"\n'), (5, "2,z\n"), (6, '3,"\n')]
    monkeypatch.setattr("registry.formats.blocks.BLOCK", BLOCK)
    assert [*blocks(write(tmp_path, b"a,b\n1,x"), "utf-8")] == [(1, "a,b\n1,x")]


def test_batches_are_a_table_of_which_anything_can_be_asked():
    def read():
        return (pl.DataFrame({"a": [float(n), n + 0.5], "b": ["x", str(n)]}) for n in range(5))

    def table():
        return as_lazy(read, COLUMNS)

    assert table().collect().height == 10
    twice = table()
    assert pl.concat([twice.filter(pl.col("a") < 2), twice.filter(pl.col("a") >= 2)]).collect().height == 10
    assert table().filter(pl.col("a") >= 4).select("b").collect().rows() == [("x",), ("4",)]
    assert table().head(3).collect().rows() == [(0.0, "x"), (0.5, "0"), (1.0, "x")]
    assert table().filter(pl.col("b") == "x").head(2).collect()["a"].to_list() == [0, 1]
    assert table().select(pl.col("a").sum()).collect().item() == 22.5


def test_a_parquet_file_without_rows_has_columns_of_a_type_too(tmp_path):
    pl.DataFrame({"a": ["x"], "b": ["y"]}).clear().write_parquet(tmp_path / "none.parquet")
    with pytest.raises(RegistryError, match="a is String, not Float64"):
        list(parquet_batches(tmp_path / "none.parquet", COLUMNS, 2))


def test_parquet_comes_back_with_plain_strings(tmp_path):
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"b": ["x", None], "a": [1.0, 2.0]}), path)
    assert read_parquet(path, COLUMNS).rows() == [(1.0, "x"), (2.0, None)]


def test_parquet_in_batches_is_the_same_table(tmp_path):
    path = tmp_path / "table.parquet"
    table = pl.DataFrame({"b": ["x", None, "y", "x", "z"], "c": range(5), "a": [1.0, 2.0, None, 4.0, 5.0]})
    table.write_parquet(path, row_group_size=3)
    batches = list(parquet_batches(path, COLUMNS, 2))
    assert [batch.height for batch in batches] == [2, 1, 2]
    assert pl.concat(batches).equals(table.select("a", "b"))
    with pytest.raises(RegistryError, match="a is Float64, not Int64"):
        list(parquet_batches(path, {"a": pl.Int64}, 2))


@given(st.lists(st.integers(0, 5)), st.integers(1, 7))
def test_regrouped_batches_have_the_same_rows(heights, rows):
    batches = [pl.DataFrame({"a": [number] * height}, {"a": pl.Int64}) for number, height in enumerate(heights)]
    found = list(regrouped(batches, rows))
    assert [row for batch in found for row in batch.rows()] == [row for batch in batches for row in batch.rows()]
    assert all(batch.height == rows for batch in found[:-1])
    assert all(0 < batch.height <= rows for batch in found)


def test_rows_are_written_so_many_at_once(tmp_path):
    schema, path = pa.schema([("a", pa.int64())]), tmp_path / "table.parquet"
    assert write_rows(({"a": number} for number in range(5)), path, schema, 2) == 5
    assert pq.read_metadata(path).num_row_groups == 3
    assert pq.read_table(path).equals(pa.table({"a": range(5)}, schema=schema))
    assert write_rows([], path, schema, 2) == 0
    assert pq.read_table(path).equals(schema.empty_table())


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
    assert only_batch(table.clear(), pa.schema([("a", pa.int64())])).to_pydict() == {"a": []}


def test_counts_are_ordered_by_value():
    assert counts(pl.Series("a", [10, 9, 10])) == {"9": 1, "10": 2}


def test_a_file_is_read_in_batches_whose_counts_add_up(tmp_path):
    table = pl.DataFrame({"a": [1, 2, 1, None, 2]})
    table.write_parquet(tmp_path / "a.parquet", row_group_size=4)
    batches = list(arrow_batches(tmp_path / "a.parquet", 3))
    assert max(batch.num_rows for batch in batches) <= 3
    assert pl.concat(map(pl.DataFrame, batches)).equals(table)
    assert sum((value_counts(batch["a"]) for batch in batches), Counter()) == {1: 2, 2: 2}
