"""Parquet files of others are read as they were written, or refused: never without a bound, never with a traceback."""

import contextlib
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import RegistryError
from registry.formats import parquet
from registry.formats.parquet import read_table, rows_of
from registry.formats.tables import read_parquet
from support import examples

ROWS = [
    {"image": {"bytes": b"\xff\0", "path": "a"}, "text": "Köln", "tags": ["x", None], "n": 1},
    {"image": {"bytes": None, "path": None}, "text": None, "tags": [], "n": None},
    {"image": None, "text": "", "tags": None, "n": 3},
    {"image": {"bytes": b"", "path": "b"}, "text": "Köln", "tags": ["y"], "n": 4},
]
SCHEMA = pa.schema(
    [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("text", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("n", pa.int64()),
    ]
)


def written(folder: Path, table: pa.Table, **options: object) -> Path:
    path = folder / "t.parquet"
    pq.write_table(table, path, **options)
    return path


def as_text(*values: bytes | None) -> pa.Array:
    """Texts that need not be UTF-8."""
    return pa.array(values, pa.binary()).view(pa.string())


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"row_group_size": 2}, {"compression": "zstd"}])
def test_rows_and_tables_are_what_was_written(tmp_path, options):
    path = written(tmp_path, pa.Table.from_pylist(ROWS, schema=SCHEMA), **options)
    assert list(rows_of(path, ["image", "text", "tags", "n"])) == ROWS
    assert [row["image"] for row in rows_of(path, ["image.bytes"])] == [
        row["image"] and {"bytes": row["image"]["bytes"]} for row in ROWS
    ]
    assert read_parquet(path, {"n": pl.Int64, "text": pl.String}).rows() == [(row["n"], row["text"]) for row in ROWS]


def test_a_table_without_rows(tmp_path):
    path = written(tmp_path, SCHEMA.empty_table())
    assert list(rows_of(path, ["text"])) == []
    assert read_parquet(path, {"text": pl.String, "n": pl.Int64}).is_empty()


@pytest.mark.parametrize("dtype", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())])
def test_texts_of_every_arrow_type_are_texts(tmp_path, dtype):
    path = written(tmp_path, pa.table({"a": pa.array(["x", None, "x"]).cast(dtype)}))
    assert read_parquet(path, {"a": pl.String}).rows() == [("x",), (None,), ("x",)]


@pytest.mark.parametrize(
    ("names", "twice"), [(["a", "a"], "a"), (["a", "b", "c", "b", "a"], "a, b"), (["a", "b", "b"], "b")]
)
def test_two_columns_of_one_name_are_refused(tmp_path, names, twice):
    path = written(tmp_path, pa.Table.from_arrays([pa.array([1])] * len(names), names=names))
    with pytest.raises(RegistryError, match=f"t.parquet: more than one column is called {twice}$"):
        read_parquet(path, {"a": pl.Int64})


def test_two_fields_of_one_name_are_refused(tmp_path):
    fields = [pa.field("bytes", pa.binary()), pa.field("bytes", pa.binary())]
    image = pa.StructArray.from_arrays([pa.array([b"x"]), pa.array([b"y"])], fields=fields)
    path = written(tmp_path, pa.table({"image": image}))
    with pytest.raises(RegistryError, match="more than one column is called image.bytes$"):
        list(rows_of(path, ["image.bytes"]))


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"row_group_size": 1}])
@pytest.mark.parametrize("read", [read_table, lambda *args: list(rows_of(*args))])
@pytest.mark.parametrize("nested", [False, True])
def test_a_text_that_is_not_utf8_is_named(tmp_path, options, read, nested):
    column = as_text(b"x", None, b"a\xff", b"\xfe")
    if nested:
        column = pa.ListArray.from_arrays([0, 1, 2, 4], column)
    path = written(tmp_path, pa.table({"n": range(len(column)), "text": column}), **options)
    with pytest.raises(RegistryError, match=r"t.parquet: row 2: text is not UTF-8$"):
        read(path, ["n", "text"])


def bomb(folder: Path, value: bytes, times: int) -> Path:
    """A file of a few kilobytes in which one value stands many times."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([value]))
    path = written(folder, pa.table({"a": column}), compression="zstd", store_schema=False)
    assert path.stat().st_size < 20_000
    return path


@pytest.mark.parametrize("read", [read_table, lambda *args: list(rows_of(*args))])
def test_what_would_unfold_to_gigabytes_is_refused(tmp_path, read):
    path = bomb(tmp_path, b"x" * 10_000_000, times=1_000)
    before = pa.total_allocated_bytes()
    with pytest.raises(RegistryError, match="a row group has .* bytes when it is unpacked, more than 4,294,967,296"):
        read(path, ["a"])
    assert pa.total_allocated_bytes() == before


def test_what_the_footer_says_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    path = written(tmp_path, pa.table({"a": [b"x" * 1_000], "b": [b"x" * 10]}))
    monkeypatch.setattr(parquet, "MAX_BYTES", 500)
    monkeypatch.setattr(parquet, "check_batch", None)
    with pytest.raises(RegistryError, match="a row group has [0-9,]+ bytes when it is unpacked, more than 500"):
        read_table(path, ["a"])


@pytest.mark.parametrize("read", [read_table, lambda *args: list(rows_of(*args))])
def test_a_value_that_is_too_long_is_named(tmp_path, monkeypatch, read):
    monkeypatch.setattr(parquet, "MAX_CELL", 5)
    path = written(tmp_path, pa.table({"image": [{"bytes": b"12345"}, None, {"bytes": b"123456"}]}))
    with pytest.raises(RegistryError, match=r"row 2: image.bytes has more than 5 bytes"):
        read(path, ["image.bytes"])


@pytest.mark.parametrize("read", [read_table, lambda *args: list(rows_of(*args))])
def test_what_is_in_a_map_is_checked(tmp_path, monkeypatch, read):
    texts = pa.map_(pa.string(), pa.string())
    maps = pa.array([[], None, [("a", "b"), ("c", "d" * 6)]], texts)
    path = written(tmp_path, pa.table({"facts": maps}))
    found = read(path, ["facts"])
    assert (
        found["facts"].to_pylist() if isinstance(found, pa.Table) else [row["facts"] for row in found]
    ) == maps.to_pylist()
    monkeypatch.setattr(parquet, "MAX_CELL", 5)
    with pytest.raises(RegistryError, match=r"row 2: facts.value has more than 5 bytes"):
        read(path, ["facts"])


def test_every_damaged_byte_is_read_or_refused(tmp_path):
    """Every byte of a small file, the footer and its names among them, in two ways."""
    path = written(tmp_path, pa.Table.from_pylist(ROWS, schema=SCHEMA), store_schema=False, compression="none")
    data = path.read_bytes()
    for place in range(len(data)):
        for bit in (0x01, 0x80):
            path.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
            with contextlib.suppress(RegistryError):
                list(rows_of(path, ["image.bytes", "text", "tags", "n"]))
            with contextlib.suppress(RegistryError):
                read_parquet(path, {"text": pl.String, "n": pl.Int64})


@settings(max_examples=examples(50))
@given(
    st.lists(st.tuples(st.none() | st.text(), st.none() | st.binary()), min_size=1), st.integers(1, 4), st.booleans()
)
def test_what_was_written_comes_back(tmp_path_factory, rows, size, dictionary):
    table = pa.table(
        {"a": pa.array([a for a, _ in rows], pa.string()), "b": pa.array([b for _, b in rows], pa.binary())}
    )
    path = written(tmp_path_factory.getbasetemp(), table, row_group_size=size, use_dictionary=dictionary)
    assert read_parquet(path, {"a": pl.String, "b": pl.Binary}).rows() == rows
    assert list(rows_of(path, ["a", "b"])) == table.to_pylist()


MAP = pa.map_(pa.string(), pa.binary())


def test_maps_are_read(tmp_path):
    table = pa.table({"a": pa.array([[("x", b"1")], None, [], [("y", None), ("x", b"2")]], MAP)})
    path = written(tmp_path, table)
    assert read_table(path, ["a"]).equals(table)
    assert list(rows_of(path, ["a"])) == table.to_pylist()


@pytest.mark.parametrize(("pair", "leaf"), [(("x" * 6, b""), "a.key"), (("x", b"123456"), "a.value")])
def test_what_a_map_holds_is_bounded(tmp_path, monkeypatch, pair, leaf):
    monkeypatch.setattr(parquet, "MAX_CELL", 5)
    path = written(tmp_path, pa.table({"a": pa.array([[("x", b"1"), ("y", None)], None, [("x", b"1"), pair]], MAP)}))
    with pytest.raises(RegistryError, match=f"t.parquet: row 2: {leaf} has more than 5 bytes$"):
        read_table(path, ["a"])


def test_types_that_hold_texts_stay_as_they_are(tmp_path):
    table = pl.DataFrame(
        {
            "list": [["a", "b"], []],
            "struct": [{"a": "x"}, {"a": None}],
            "vector": pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float32, 2)),
        }
    )
    table.write_parquet(tmp_path / "t.parquet")
    assert read_parquet(tmp_path / "t.parquet", dict(table.schema)).equals(table)


def test_numbers_that_need_no_room_in_the_file_are_bounded_too(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MAX_BYTES", 1000)
    with pytest.raises(RegistryError, match="a row group has 1,608 bytes when it is unpacked, more than 1,000"):
        read_table(written(tmp_path, pa.table({"n": [0] * 201})), ["n"])
