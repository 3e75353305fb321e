"""Radiology mini's Parquet file, unpacked into pictures and captions, or refused."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from radiology_rows import GOOD, SCHEMA, row, stem_of, tree, unpacked

from pictures import picture
from radiology_mini.download import download, suffix, unpack
from registry.errors import RegistryError


def test_pictures_are_named_by_their_bytes_and_kept_as_they_are(tmp_path):
    rows = [row(picture(1)), row(picture(2, "PNG")), row(b""), row(None), row(b"#!/bin/sh"), row(picture(1), "again")]
    raw = unpacked(tmp_path, rows)
    names = [entry["image"] for entry in json.loads((raw / "captions.json").read_text())]
    empty = "e3b0c44298fc1c14.bin"
    assert names == [
        f"{stem_of(picture(1))}.jpg",
        f"{stem_of(picture(2, 'PNG'))}.png",
        empty,
        empty,
        f"{stem_of(b'#!/bin/sh')}.bin",
        f"{stem_of(picture(1))}.jpg",
    ]
    assert tree(raw / "images") == {name: r["image"]["bytes"] or b"" for name, r in zip(names, rows, strict=True)}


def test_rows_keep_their_order_and_what_belongs_to_them(tmp_path):
    rows = [row(picture(1), None), row(picture(2), " Röntgen ", "id-2"), row(picture(3))]
    entries = json.loads((unpacked(tmp_path, rows) / "captions.json").read_text())
    assert [(entry["caption"], entry["image_id"], entry["cui"]) for entry in entries] == [
        (None, None, ["C1"]),
        (" Röntgen ", "id-2", ["C1"]),
        ("a caption", None, ["C1"]),
    ]
    assert list(entries[0]) == ["image", "image_id", "caption", "cui"]


@pytest.mark.parametrize("path", ["../../escaped.jpg", "/tmp/escaped.jpg", "..\\escaped", "a\0b", "images/"])  # noqa: S108
def test_the_path_in_the_file_is_never_used(tmp_path, path):
    raw = unpacked(tmp_path, [row(picture(1), path=path)])
    assert tree(tmp_path).keys() == {"source.parquet", "raw/captions.json", f"raw/images/{stem_of(picture(1))}.jpg"}
    assert "escaped" not in (raw / "captions.json").read_text()


def test_the_path_in_the_file_is_not_even_read(tmp_path):
    path = pa.array([b"\xff not UTF-8"], pa.binary()).view(pa.string())
    image = pa.StructArray.from_arrays([pa.array([picture(1)]), path], fields=list(SCHEMA.field("image").type))
    table = pa.Table.from_pylist(GOOD[:1], schema=SCHEMA).set_column(0, "image", image)
    pq.write_table(table, tmp_path / "t.parquet")
    assert unpack(tmp_path / "t.parquet", tmp_path)[0]["image"] == f"{stem_of(picture(1))}.jpg"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"text": ["a"]}), "image.bytes is missing; image_id is missing; caption is missing; cui is missing"),
        (pa.Table.from_pylist([GOOD[0]], schema=SCHEMA).drop_columns("caption"), "layout: caption is missing"),
        (pa.table({"image": [b"x"], "image_id": ["a"], "caption": ["a"], "cui": [["a"]]}), "image.bytes is missing"),
        (
            pa.table({"image": [{"bytes": "x"}], "image_id": ["a"], "caption": [1], "cui": ["a"]}),
            "image.bytes is string, not binary; caption is int64, not string; cui is string, not list<string>",
        ),
        (SCHEMA.empty_table(), "has no rows"),
    ],
)
def test_another_layout(tmp_path, table, message):
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(RegistryError, match=message):
        unpack(tmp_path / "t.parquet", tmp_path)


@pytest.mark.parametrize("spoil", [lambda data: b"no", lambda data: data[:100], lambda data: data[:4] + b"x" * 4000])
def test_no_parquet(tmp_path, spoil):
    pq.write_table(pa.Table.from_pylist(GOOD, schema=SCHEMA), tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(spoil((tmp_path / "t.parquet").read_bytes()))
    with pytest.raises(RegistryError, match="t.parquet: not a sound Parquet file"):
        unpack(tmp_path / "t.parquet", tmp_path)


def test_pages_that_are_damaged(tmp_path):
    pq.write_table(pa.Table.from_pylist(GOOD, schema=SCHEMA), tmp_path / "t.parquet", write_page_checksum=True)
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    data[60:80] = b"\xff" * 20
    (tmp_path / "t.parquet").write_bytes(data)
    with pytest.raises(RegistryError, match="not a sound Parquet file"):
        unpack(tmp_path / "t.parquet", tmp_path)


def fetched(folder: Path, rows: list[dict], sha256: list[str]) -> None:
    """Download rows from a mirror in `folder` into `<folder>/raw`."""
    source = folder / "mirror" / "mini" / "data" / "t.parquet"
    source.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), source)
    raw = folder / "raw"
    download(
        raw / "images",
        raw / "captions.json",
        raw / "sources.json",
        dataset="mini",
        files=[{"file": "data/t.parquet", "urls": ["https://hub/t.parquet"], "sha256": sha256, "max_bytes": 10**6}],
        mode="mirror",
        mirror=str(folder / "mirror"),
        lock=folder / "lock.yaml",
    )


def test_download_leaves_pictures_captions_and_the_record_but_not_the_parquet_file(tmp_path):
    fetched(tmp_path, GOOD[:2], [])
    names = {f"images/{stem_of(entry['image']['bytes'])}.jpg" for entry in GOOD[:2]}
    assert tree(tmp_path / "raw").keys() == names | {"captions.json", "sources.json"}
    record = json.loads((tmp_path / "raw/sources.json").read_text())
    assert record["mode"] == "mirror"
    assert record["files"][0]["url"] == "https://hub/t.parquet"
    assert record["files"][0]["sha256"] in (tmp_path / "lock.yaml").read_text()


@pytest.mark.parametrize(("rows", "sha256"), [(GOOD[:2], ["0" * 64]), ([], [])])
def test_a_failed_download_leaves_nothing(tmp_path, rows, sha256):
    with pytest.raises(RegistryError):
        fetched(tmp_path, rows, sha256)
    assert tree(tmp_path / "raw") == {}


def test_large_types_and_an_image_without_a_path_will_do(tmp_path):
    image = pa.array([{"bytes": picture(1)}], pa.struct([("bytes", pa.large_binary())]))
    text = pa.array(["a"], pa.large_string())
    table = pa.table(
        {"cui": pa.array([None], pa.list_(pa.string())), "caption": text, "image_id": text, "image": image}
    )
    pq.write_table(table, tmp_path / "t.parquet")
    assert unpack(tmp_path / "t.parquet", tmp_path) == [
        {"image": f"{stem_of(picture(1))}.jpg", "image_id": "a", "caption": "a", "cui": None}
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("JPEG", ".jpg"), ("PNG", ".png"), ("GIF", ".gif"), ("TIFF", ".tif"), ("BMP", ".bmp"), ("WEBP", ".webp")],
)
def test_suffix(kind, expected):
    assert suffix(picture(1, kind)) == expected


@pytest.mark.parametrize("data", [b"", b"R", b"RIFF1234WAVE", b"\x7fELF", b"#!/bin/sh"])
def test_suffix_of_anything_else(data):
    assert suffix(data) == ".bin"


def test_big_endian_tiff():
    assert suffix(b"MM\0*\0\0\0\x08") == ".tif"
