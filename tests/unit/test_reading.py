"""Rows of files that lie here: of tables and of folders of pictures, in batches and as frames; odd and hostile ones."""

import json
import pickle
from datetime import date, time
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from registry.errors import RegistryError
from registry.formats import images, parquet
from registry.reading import folders, pictures
from registry.reading.columns import picture_columns
from registry.reading.frames import as_pandas, as_polars
from registry.reading.pictures import decoded
from registry.reading.rows import Rows, rows_of, table_of
from registry.reading.tables import File
from support import examples

TURNS = [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "Köln"}]


def parquet_rows(folder: Path, *tables: pa.Table, columns: list[str] | None = None, **options: object) -> Rows:
    here = {}
    for number, table in enumerate(tables):
        path = folder / f"{number}"
        pq.write_table(table, path, **options)
        here[f"{number}.parquet"] = File(path, f"things-v1.0.0: {number}.parquet")
    return rows_of("parquet", list(here), here, columns, {})


def csv_rows(folder: Path, text: str, columns: list[str] | None = None, **dtypes: str) -> Rows:
    path = folder / "object"
    path.write_text(text, encoding="utf-8")
    features = {name: {"dtype": dtype} for name, dtype in dtypes.items()}
    return rows_of("csv", ["q.csv"], {"q.csv": File(path, "things-v1.0.0: q.csv")}, columns, features)


def picture(mode: str = "RGB", size: tuple[int, int] = (3, 2), kind: str = "PNG", **options: object) -> bytes:
    stream = BytesIO()
    Image.new(mode, size, 1).save(stream, kind, **options)
    return stream.getvalue()


def picture_rows(folder: Path, annotations: object, images: dict[str, bytes], columns: list[str] | None = None) -> Rows:
    path = folder / "annotations"
    path.write_text(annotations if isinstance(annotations, str) else json.dumps(annotations), encoding="utf-8")
    here = {"d/train/annotations.json": File(path, "things-v1.0.0: annotations.json")}
    for number, (name, content) in enumerate(images.items()):
        (folder / str(number)).write_bytes(content)
        here[f"d/train/images/{name}"] = File(folder / str(number), name)
    return rows_of("json", ["d/train/annotations.json"], here, columns, {})


@settings(max_examples=examples(20))
@given(st.lists(st.integers(0, 30), min_size=1, max_size=4), st.integers(1, 12), st.integers(1, 7), st.integers(1, 4))
def test_batches_have_the_size_that_was_asked_for(tmp_path_factory, lengths, size, group, workers):
    folder, start, tables = tmp_path_factory.mktemp("rows"), 0, []
    for length in lengths:
        tables.append(pa.table({"n": pa.array(range(start, start + length), pa.int64()), "text": ["x"] * length}))
        start += length
    found = parquet_rows(folder, *tables, row_group_size=group)
    batches = list(found.batches(size))
    assert [one for batch in batches for one in batch["n"].to_pylist()] == list(range(start))
    assert [batch.num_rows for batch in batches[:-1]] == [size] * (len(batches) - 1)
    shares = [list(found.batches(size, number, workers)) for number in range(workers)]
    for number, share in enumerate(shares):
        assert [batch.to_pylist() for batch in share] == [batch.to_pylist() for batch in batches[number::workers]]
    assert table_of(found)["n"].to_pylist() == list(range(start))


NESTED = pa.table(
    {
        "messages": [[{"role": "user", "content": "Köln"}], [], None],
        "bytes": [b"\0", None, b""],
        "id": pa.array([2**64 - 1, None, 2**53 + 1], pa.uint64()),
        "facts": pa.array([[("a", "b")], [], None], pa.map_(pa.string(), pa.string())),
        "vector": pa.array([[1.5, 2], None, [3, 4]], pa.list_(pa.float32(), 2)),
        "day": [date(2020, 1, 31), None, date(1, 1, 1)],
        "price": [Decimal("1.10"), None, Decimal("2.00")],
        "word": pa.array(["a", "b", "a"]).dictionary_encode(),
        "a.b": [1, 2, 3],
        "a": [{"b": 1}, {"b": 2}, None],
        "nothing": pa.nulls(3),
    }
)


def test_nested_and_odd_columns_come_as_they_are(tmp_path):
    columns = [name for name in NESTED.column_names if name != "a.b"]
    found = parquet_rows(tmp_path, NESTED.select(columns))
    assert table_of(found).to_pylist() == NESTED.select(columns).to_pylist()
    assert table_of(found).schema.field("word").type == pa.string()
    assert [batch.num_rows for batch in found.batches(2)] == [2, 1]
    found = parquet_rows(tmp_path, NESTED.select(["bytes", "id"]), columns=["id", "bytes", "id"])
    assert table_of(found).column_names == ["id", "bytes"]
    assert table_of(pickle.loads(pickle.dumps(found))).equals(table_of(found))


def test_a_column_whose_name_looks_like_a_field_of_another(tmp_path):
    table = pa.table({"a": [{"b": 1}], "a.c": [2]})
    assert table_of(parquet_rows(tmp_path, table, columns=["a"])).to_pylist() == [{"a": {"b": 1}}]


def test_tables_without_rows(tmp_path):
    empty, one = NESTED.select(["id", "messages"]).slice(0, 0), NESTED.select(["id", "messages"]).slice(0, 1)
    assert table_of(parquet_rows(tmp_path, empty)).equals(empty)
    assert list(parquet_rows(tmp_path, empty).batches(3)) == []
    assert [batch.num_rows for batch in parquet_rows(tmp_path, empty, one, empty).batches(3)] == [1]
    assert as_pandas(table_of(parquet_rows(tmp_path, empty))).columns.tolist() == ["id", "messages"]


def test_notes_of_pandas_in_a_file_change_no_row(tmp_path):
    table = pa.Table.from_pandas(pl.DataFrame({"n": ["a", "b"], "m": [3, 4]}).to_pandas().set_index("n"))
    assert table_of(parquet_rows(tmp_path, table)).schema.metadata is None
    assert as_pandas(table_of(parquet_rows(tmp_path, table))).columns.tolist() == ["m", "n"]


def refused(action) -> str:
    with pytest.raises(RegistryError) as caught:
        action()
    return str(caught.value)


def test_a_column_that_is_not_there(tmp_path):
    message = refused(lambda: parquet_rows(tmp_path, pa.table({"a": [1], "b": [2]}), columns=["b", "c"]))
    assert message == "things-v1.0.0: 0.parquet: no column c\n  what to do: choose from: a, b"
    assert "no column is named" in refused(lambda: parquet_rows(tmp_path, pa.table({"a": [1]}), columns=[]))


def test_files_that_do_not_agree(tmp_path):
    found = parquet_rows(tmp_path, pa.table({"a": [1], "b": [2]}), pa.table({"a": [1]}))
    assert "1.parquet: it lacks columns of the first file: b" in refused(lambda: table_of(found))
    found = parquet_rows(tmp_path, pa.table({"a": [1]}), pa.table({"a": ["x"]}))
    assert "1.parquet: not a sound Parquet file: " in refused(lambda: table_of(found))
    found = parquet_rows(tmp_path, pa.table({"a": [1]}), pa.table({"a": pa.array([2], pa.int8())}))
    assert table_of(found).equals(pa.table({"a": [1, 2]}))


def test_a_file_that_is_damaged_or_unfolds_is_named_as_in_the_repository(tmp_path, monkeypatch):
    found = parquet_rows(tmp_path, pa.table({"a": ["x" * 100]}))
    monkeypatch.setattr(parquet, "MAX_BYTES", 50)
    assert "things-v1.0.0: 0.parquet: a row group has" in refused(lambda: next(found.batches(1)))
    (tmp_path / "0").write_bytes(b"PAR1")
    assert "things-v1.0.0: 0.parquet: not a sound Parquet file" in refused(lambda: next(found.batches(1)))


def test_csv(tmp_path):
    text = "id,n,word\n007,1,a\n" + "008,2,NA\n" * 3
    assert table_of(csv_rows(tmp_path, text))["id"].to_pylist() == [7, 8, 8, 8]
    found = csv_rows(tmp_path, text, columns=["n", "id"], id="string", n="float64", word="list<odd>")
    assert table_of(found).slice(0, 2).to_pylist() == [{"n": 1.0, "id": "007"}, {"n": 2.0, "id": "008"}]
    assert [batch.num_rows for batch in found.batches(3)] == [3, 1]
    assert table_of(csv_rows(tmp_path, "a,b\n")).num_rows == 0
    for wrong in ("a,b\n1\n", "", "a\nx"):
        assert "q.csv: not a sound CSV file: " in refused(
            lambda text=wrong: table_of(csv_rows(tmp_path, text, a="int64"))
        )


def test_pictures_and_their_conversations(tmp_path):
    images = {"a.png": picture(), "ä/b.png": picture("L")}
    entries = [{"image": name, "conversations": TURNS, "id": 1} for name in ["ä/b.png", "a.png", "a.png"]]
    found = picture_rows(tmp_path, entries, images)
    assert [row["file_name"] for row in table_of(found).to_pylist()] == ["ä/b.png", "a.png", "a.png"]
    assert table_of(found).to_pylist()[0] == {
        "file_name": "ä/b.png",
        "image": images["ä/b.png"],
        "messages": [{"role": "user", "content": "<image>\nWhat is it?"}, {"role": "assistant", "content": "Köln"}],
    }
    assert [batch["file_name"].to_pylist() for batch in found.batches(1, 1, 2)] == [["a.png"]]
    (tmp_path / "0").unlink()
    assert table_of(picture_rows(tmp_path, entries, {**images, "a.png": b""}, ["messages"])).column_names == [
        "messages"
    ]
    assert list(picture_rows(tmp_path, [], images).batches(2)) == []


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        ("[", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ({"image": "a.png"}, "not a list of annotations"),
        ([1], "row 0 has no image and conversations"),
        ([{"image": "a.png"}], "row 0 has no image and conversations"),
        ([{"image": "a.png", "conversations": [{"from": "x", "value": 1}]}], "row 0 has no image and conversations"),
        ([{"image": "a.png", "conversations": [{"from": [], "value": "x"}]}], "row 0 has no image and conversations"),
        ([{"image": "a.png", "conversations": [{"from": "x", "value": "\ud800"}]}], "row 0 has no image and conv"),
        ([{"image": "\ud800", "conversations": TURNS}], "row 0 has no image and conversations"),
        ([{"image": "../a.png", "conversations": TURNS}], "row 0: there is no picture '../a.png'"),
        ([{"image": "/etc/passwd", "conversations": TURNS}], "row 0: there is no picture '/etc/passwd'"),
        ([{"image": ["a.png"], "conversations": TURNS}], "row 0 has no image and conversations"),
    ],
)
def test_annotations_of_others(tmp_path, annotations, said):
    message = refused(lambda: table_of(picture_rows(tmp_path, annotations, {"a.png": picture()})))
    assert message.startswith("things-v1.0.0: annotations.json: ")
    assert said in message


def rows_beside(folder: Path, names: list[str | None], columns: list[str] | None = None) -> Rows:
    (folder / "picture").write_bytes(b"picture")
    here = {"d/train/images/a.jpg": File(folder / "picture", "a.jpg")}
    for number in range(2):
        table = pa.table({"label": [number] * len(names), "file_name": pa.array(names, pa.string())})
        pq.write_table(table, folder / f"{number}")
        here[f"d/train/{number}.parquet"] = File(folder / f"{number}", f"things-v1.0.0: {number}.parquet")
    return rows_of("parquet", ["d/train/0.parquet", "d/train/1.parquet"], here, columns, {})


def test_pictures_beside_a_table(tmp_path):
    row = {"label": 0, "file_name": "images/a.jpg", "image": b"picture"}
    found = rows_beside(tmp_path, ["images/a.jpg"] * 3)
    assert table_of(found).to_pylist() == [row] * 3 + [row | {"label": 1}] * 3
    assert [batch.num_rows for batch in found.batches(4)] == [4, 2]
    # The pictures of the other worker are not read: there are none.
    share = rows_beside(tmp_path, ["images/a.jpg", None]).batches(1, number=0, of=2)
    assert [batch["label"].to_pylist() for batch in share] == [[0], [1]]
    assert picture_columns(found.schema) == ["image"]
    assert table_of(rows_beside(tmp_path, ["x"], ["file_name"]))["file_name"].to_pylist() == ["x", "x"]
    assert table_of(rows_beside(tmp_path, ["images/a.jpg"], ["image"])).to_pylist() == [{"image": b"picture"}] * 2
    for odd in ("images/b.jpg", "../train/images/a.jpg", "/etc/passwd", None):
        found = rows_beside(tmp_path, ["images/a.jpg", odd])
        assert f"things-v1.0.0: 0.parquet: row 1: there is no picture {odd!r}" in refused(
            lambda found=found: table_of(found)
        )


def test_a_column_of_names_alone_is_a_column(tmp_path):
    table = pa.table({"file_name": ["a.jpg"]})
    assert table_of(parquet_rows(tmp_path, table)).equals(table)
    assert "no column image" in refused(lambda: parquet_rows(tmp_path, table, columns=["image"]))


def test_large_pictures_are_bounded(tmp_path, monkeypatch):
    found = picture_rows(tmp_path, [{"image": "a.png", "conversations": TURNS}], {"a.png": picture()})
    monkeypatch.setattr(folders, "MAX_IMAGES", 10)
    assert "1 pictures with" in refused(lambda: table_of(found))
    monkeypatch.setattr(folders, "MAX_CELL", 10)
    assert "a.png: it has" in refused(lambda: table_of(found))


def test_pandas_rounds_no_number(tmp_path):
    table = pa.table(
        {
            "id": pa.array([2**63 - 1, None], pa.int64()),
            "unsigned": pa.array([2**64 - 1, None], pa.uint64()),
            "whole": pa.array([2**63 - 1, 1], pa.int64()),
            "flag": [True, None],
            "text": ["Köln", None],
        }
    )
    frame = as_pandas(table)
    assert [str(kind) for kind in frame.dtypes][:4] == ["Int64", "UInt64", "int64", "boolean"]
    assert (frame["id"][0], frame["unsigned"][0], frame["whole"][0]) == (2**63 - 1, 2**64 - 1, 2**63 - 1)
    assert frame.isna().sum().to_list() == [1, 1, 0, 1, 1]


@pytest.mark.parametrize("dtype", [pa.decimal256(50, 2), pa.list_(pa.int8(), 0)])
def test_a_type_that_polars_does_not_have_names_its_column(dtype):
    table = pa.table({"n": [1], "odd": pa.nulls(1, dtype)})
    assert "column odd: polars has no type for" in refused(lambda: as_polars(table))
    assert as_polars(table.select(["n"])).to_dicts() == [{"n": 1}]


BIG = 2**53 + 1


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([[BIG, None]], pa.list_(pa.int64())),
        ([[BIG, None]], pa.list_(pa.int64(), 2)),
        ([[BIG, 2], None], pa.list_(pa.int64(), 2)),
        ([{"a": BIG}, {"a": None}], pa.struct([("a", pa.int64())])),
        ([[{"a": BIG}, {"a": None}]], pa.list_(pa.struct([("a", pa.int64())]))),
        ([[(1, BIG), (2, None)]], pa.map_(pa.int8(), pa.int64())),
        ([[True, None]], pa.list_(pa.bool_())),
    ],
)
def test_pandas_rounds_no_number_within_others(values, type_):
    found = list(as_pandas(pa.table({"x": pa.array(values, type_)}))["x"])
    assert found == values
    assert ".0" not in str(found)


@pytest.mark.parametrize(
    ("number", "type_"),
    [
        (10**9, pa.date32()),
        (0, pa.timestamp("us", "Mars/X")),
        (1, pa.time64("ns")),
        (2**30, pa.time32("s")),
    ],
)
def test_a_value_that_python_does_not_have_names_its_column(number, type_):
    small = pa.int32() if type_.bit_width == 32 else pa.int64()
    table = pa.table({"odd": pa.array([number], small).cast(type_)})
    assert "column odd has a value that Python does not have" in refused(lambda: as_pandas(table))


def test_times_of_whole_microseconds_are_taken():
    assert as_pandas(pa.table({"t": pa.array([1000, None], pa.time64("ns"))}))["t"][0] == time(0, 0, 0, 1)


def test_which_columns_hold_pictures():
    stored = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", pa.large_binary()), ("photo", stored), ("blob", pa.binary()), ("text", pa.string())])
    assert picture_columns(schema) == ["image", "photo"]
    assert picture_columns(schema, ["blob"]) == ["blob"]
    assert picture_columns(pa.schema([("image", pa.list_(pa.uint8()))])) == []
    message = refused(lambda: picture_columns(schema, ["blob", "text"]))
    assert message == "no pictures are in text\n  what to do: columns of bytes are: image, photo, blob"


def test_pictures_come_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decoded(picture(kind="JPEG", exif=exif)).size == (2, 3)
    assert decoded({"bytes": picture("L"), "path": None}).mode == "L"
    assert decoded(None) is None
    assert decoded({"bytes": None, "path": "a.png"}) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a picture in one of the formats JPEG, PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not a picture in one of the formats"),
        (picture(size=(64, 64))[:-40], "a picture does not decode: "),
        (picture(kind="JPEG", size=(64, 64))[:-200], "a picture does not decode: "),
    ],
)
def test_pictures_of_others(content, said):
    assert said in refused(lambda: decoded(content))


def test_a_picture_that_unfolds(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.warns(Image.DecompressionBombWarning):
        assert "a picture has more pixels than PIL.Image.MAX_IMAGE_PIXELS" in refused(lambda: decoded(picture()))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)
    assert "a picture has more pixels than PIL.Image.MAX_IMAGE_PIXELS" in refused(lambda: decoded(picture()))


def test_those_who_read_decode_what_those_who_build_do():
    assert pictures.FORMATS == images.FORMATS
