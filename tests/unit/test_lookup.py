"""What a file or a text may be, as ids: they must be those that manifests hold."""

import hashlib
import io
import os
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from registry.describe.manifest import ID_BYTES, write_manifest
from registry.errors import RegistryError
from registry.trace import lookup as readings
from registry.trace.lookup import read
from specified import column_of

ABOUT = {"title": "Things", "description": "Things.", "license": "CC0"}
WINE = pa.schema([("acid", pa.float64()), ("kind", pa.int64()), ("name", pa.string()), ("good", pa.bool_())])


def manifest_of(folder, table, inputs):
    """The rows (sample_id, input_id) and the columns of the manifest of a table, as a build writes it."""
    path = folder / "manifest.parquet"
    schema = pa.schema([field for field in table.schema if field.name != "source"])
    contract = {"columns": {field.name: column_of(field.type, nullable=True) for field in schema}, "rows": {}}
    dataset = {"name": "things", "source": "samples", "about": ABOUT, "contract": contract}
    with write_manifest(path, dataset, schema) as manifest:
        manifest.add("all", table.to_batches()[0], inputs=inputs, keys=[str(row) for row in range(len(table))])
        columns = {column["name"]: column["type"] for column in manifest.schema}
    rows = pq.read_table(path)
    return list(zip(rows["sample_id"].to_pylist(), rows["input_id"].to_pylist(), strict=True)), columns


def written(folder, content, name="given"):
    path = folder / name
    path.write_bytes(content)
    return str(path)


def test_ids_are_as_long_as_those_of_manifests():
    assert readings.ID_BYTES == ID_BYTES


def test_a_file_is_found_by_its_bytes(tmp_path):
    table = pa.table({"caption": ["a", "b"], "source": pa.array([b"\xff\xd8one", b"\xff\xd8two"], pa.binary())})
    rows, _ = manifest_of(tmp_path, table, ["source"])
    found = read(written(tmp_path, b"\xff\xd8two"))
    assert found.ids[rows[1][1]] == "bytes"
    assert rows[0][1] not in found.ids


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_picture_without_loss_is_found_by_its_grey_pixels(tmp_path, mode):
    pixels = np.arange(2 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(2, 28, 28)
    pixels[1] = pixels[1].T
    dtype = pa.list_(pa.list_(pa.uint8(), 28), 28)
    table = pa.table({"image": pa.array(pixels.tolist(), dtype), "label": pa.array([1, 2], pa.uint8())})
    rows, _ = manifest_of(tmp_path, table, ["image"])
    buffer = io.BytesIO()
    Image.fromarray(pixels[1]).convert(mode).save(buffer, "PNG")
    found = read(written(tmp_path, buffer.getvalue()))
    assert found.ids[rows[1][1]] == "grey pixels, 28x28"
    assert rows[0][1] not in found.ids


def test_a_picture_is_found_by_its_colours(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    dtype = pa.list_(pa.list_(pa.list_(pa.uint8(), 3), 5), 4)
    rows, _ = manifest_of(tmp_path, pa.table({"image": pa.array([pixels.tolist()], dtype)}), ["image"])
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    assert read(written(tmp_path, buffer.getvalue())).ids[rows[0][1]] == "colour pixels, 5x4"


def test_half_a_picture_is_still_bytes(tmp_path):
    buffer = io.BytesIO()
    Image.new("L", (64, 64)).save(buffer, "PNG")
    found = read(written(tmp_path, buffer.getvalue()[:-30]))
    assert found.names == ["bytes", "text, what is not UTF-8 replaced", "sha256", "source file"]


TEXTS = {
    "one": ("i feel fine", "text"),
    "ends": ("ends with a line break\n", "text"),
    "windows": ("two\r\nlines\r\n", "text"),
    "break": ("a line", "text without its last line break"),
    "windows break": ("a line of Windows", "text without its last line break"),
    "space": ("inner  space", "text without space around it"),
    "mark": ("marked", "text without byte order mark"),
    "bad": ("caf\ufffd", "text, what is not UTF-8 replaced"),
}
GIVEN = {
    "one": b"i feel fine",
    "ends": b"ends with a line break\n",
    "windows": b"two\r\nlines\r\n",
    "break": b"a line\n",
    "windows break": b"a line of Windows\r\n",
    "space": b"\t inner  space \n\n",
    "mark": b"\xef\xbb\xbfmarked",
    "bad": b"caf\xe9",
}


@pytest.mark.parametrize("name", GIVEN)
def test_a_text_is_found_however_its_file_ends(tmp_path, name):
    table = pa.table({"text": [text for text, _ in TEXTS.values()], "label": range(len(TEXTS))})
    rows, _ = manifest_of(tmp_path, table, ["text"])
    ids = read(written(tmp_path, GIVEN[name])).ids
    found = {place: ids[input_id] for place, (_, input_id) in enumerate(rows) if input_id in ids}
    assert found == {list(TEXTS).index(name): TEXTS[name][1]}


def test_a_text_that_is_no_file_is_a_text(tmp_path):
    text = "i feel " + "very " * 2000 + "fine, ümlaut"
    rows, _ = manifest_of(tmp_path, pa.table({"text": [text], "label": [1]}), ["text"])
    assert read(text).ids[rows[0][1]] == "text"


def test_an_argument_that_is_no_unicode_does_not_break_anything():
    assert read(os.fsdecode(b"caf\xe9")).names[:2] == ["bytes", "text, what is not UTF-8 replaced"]


def test_an_id_is_found_as_it_is():
    for space in ("", " ", "\n", "\u00a0", "\u3000"):
        assert read(f"{space}{'00FF' * 8}{space}").ids[bytes.fromhex("00ff" * 8)] == "id"
    assert "id" not in read("00ff" * 8 + "0").names


def test_a_folder_is_no_sample(tmp_path):
    with pytest.raises(RegistryError, match="a folder, not a sample"):
        read(str(tmp_path))


def test_nothing_is_no_sample():
    with pytest.raises(RegistryError, match="nothing to look for"):
        read("")


@pytest.mark.parametrize("most", [0, 3])
def test_a_file_of_any_size_is_found_by_its_hash(tmp_path, monkeypatch, most):
    monkeypatch.setattr(readings, "MAX_BYTES", most)
    sha256 = hashlib.sha256(b"abc").hexdigest()
    rows, _ = manifest_of(tmp_path, pa.table({"path": ["a"], "sha256": [sha256]}), ["sha256"])
    found = read(written(tmp_path, b"abc"))
    assert found.source == sha256
    assert found.ids[rows[0][1]] == "sha256"
    assert found.names == (
        ["sha256", "source file"] if most == 0 else [*dict.fromkeys(found.ids.values()), "source file"]
    )
    assert read(sha256).ids[rows[0][1]] == "text"


values = st.tuples(
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.integers(-(2**53), 2**53),
    st.none() | st.text(' ab,;\t"é', min_size=1),
    st.none() | st.booleans(),
)


def spelt(row, separator, *, without=()):
    """A row as CSV spells it."""
    quoted = ["" if v is None else '"' + v.replace('"', '""') + '"' if isinstance(v, str) else str(v) for v in row]
    return separator.join(field for place, field in enumerate(quoted) if place not in without)


@given(values, st.sampled_from(",;\t"), st.integers(0, len(WINE) - 1))
def test_a_row_is_found_whole_and_without_its_target(tmp_path_factory, row, separator, target):
    columns = [pa.array([value], field.type) for value, field in zip(row, WINE, strict=True)]
    inputs = [name for place, name in enumerate(WINE.names) if place != target]
    folder = tmp_path_factory.mktemp("row")
    [(sample_id, input_id)], types = manifest_of(folder, pa.table(columns, WINE), inputs)
    whole = read(spelt(row, separator)).row_ids(types)
    assert whole[sample_id] == "whole row"
    assert input_id in whole
    part = read(spelt(row, separator, without=[target])).row_ids(types)
    assert input_id in part
    if row[target] is not None:
        assert sample_id not in part


def test_other_rows_are_not_found(tmp_path):
    schema = pa.schema([("a", pa.float64()), ("b", pa.float64()), ("target", pa.int64())])
    rows = [(7.4, 0.7, 5), (7.4, None, 5), (7.5, 0.7, 5), (0.7, 7.4, 5)]
    table = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
    ids, columns = manifest_of(tmp_path, table, ["a", "b"])
    inputs = [input_id for _, input_id in ids]
    assert len(set(inputs)) == 4
    for place, text in enumerate(["7.40, 0.7", "7.4,", "7.5;.7", "a,b\n0.7,7.4e0\n"]):
        found = read(text).row_ids(columns)
        assert [place for place, input_id in enumerate(inputs) if input_id in found] == [place], text
    for text in ("7.4", "7.4,x", "7.4,0.8,5", "7.4,0.7,5,0", "7.4,0.7\n7.4,0.7\n7.4,0.7"):
        assert not set(read(text).row_ids(columns)) & {id_ for pair in ids for id_ in pair}, text


def test_whole_numbers_may_be_written_with_a_point(tmp_path):
    table = pa.table({"a": [7.0], "kind": pa.array([1], pa.int64())})
    [(sample_id, _)], columns = manifest_of(tmp_path, table, ["a"])
    assert read("7,1.0").row_ids(columns)[sample_id] == "whole row"
    assert list(read("7,1.5").row_ids(columns).values()) == ["row without `kind`"]


def test_the_first_columns_are_enough(tmp_path):
    table = pa.table({"a": [1.0], "b": [2.0], "c": [3], "d": [4]})
    [(_, input_id)], columns = manifest_of(tmp_path, table, ["a", "b"])
    assert read("1,2").row_ids(columns)[input_id] == "row of 2 columns"


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (date(2020, 1, 31), pa.date32(), "2020-01-31"),
        (time(18, 30), pa.time64("ns"), "18:30"),
        (datetime(2020, 1, 31, 18, 30), pa.timestamp("us"), "2020-01-31T18:30:00"),
        (datetime(2020, 1, 31, 18, 30, tzinfo=UTC), pa.timestamp("ms", "Europe/Berlin"), "2020-01-31 19:30:00+01:00"),
        (timedelta(seconds=2), pa.duration("ms"), "2000"),
        (Decimal("1.50"), pa.decimal128(5, 2), "1.5"),
        (2**64 - 1, pa.uint64(), str(2**64 - 1)),
        ([1, None], pa.list_(pa.int64()), "[1, null]"),
        ([[0.5, 1]], pa.list_(pa.list_(pa.float32(), 2)), "[[0.5, 1]]"),
        (
            {"a": "x", "b": date(2020, 1, 31)},
            pa.struct([("a", pa.string()), ("b", pa.date32())]),
            '{"a": "x", "b": "2020-01-31"}',
        ),
        (None, pa.list_(pa.int64()), ""),
    ],
    ids=lambda value: str(value) if isinstance(value, pa.DataType) else "",
)
def test_values_of_other_types_are_given_as_texts_and_nested_ones_as_json(tmp_path, value, dtype, text):
    table = pa.table({"a": pa.array([value], dtype), "b": [1.0]})
    [(sample_id, input_id)], columns = manifest_of(tmp_path, table, ["a"])
    found = read(f"{text}\t1").row_ids(columns)
    assert found[sample_id] == "whole row"
    assert input_id in found


@pytest.mark.parametrize("text", ["[1", "{}", "[" * 5000, "2020", "x", "25:00"])
@pytest.mark.parametrize(
    "name", ["list<int64>", "struct<a: int64>", "time[us]", "date", "duration[s]", "text", "list<"]
)
def test_what_is_no_value_of_a_type_is_no_reason_to_fail(text, name):
    read(f"{text}\t1").row_ids({"a": name, "b": "int64"})


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("1", "decimal(10, 99999999999)"),
        ("1", "decimal(99999999999, 1)"),
        (f"[{2**70}]", "list<int64>"),
        ("", "fixed_size_list<int8>[999999999]"),
        ("", "fixed_size_list<fixed_size_list<int8>[99999]>[99999]"),
        ("", "struct<a: fixed_size_binary[999999999]>"),
    ],
)
def test_what_no_type_holds_is_no_value_of_it(text, dtype):
    assert readings._value(text, dtype) is None
