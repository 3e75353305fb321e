"""Pins: who is pinned, and whether what is pinned is here."""

import json

import pytest

from registry.config.pins import given_files, pin_of, pins
from registry.errors import RegistryError
from registry.files import write_json

PIN = {"version": "1.0.0", "tag": "tabular-v1.0.0"}


def place(root, name="tabular", files=("processed/a.parquet", "processed/b/c.parquet")):
    folder = root / "data" / name
    for file in (*files, "manifest.parquet", "metadata.json"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"12345")
    data = {"path": "processed", "files": len(files), "bytes": 5 * len(files)}
    write_json(folder / "provenance.json", {"data": data})
    return folder


def test_who_is_pinned(tmp_path):
    write_json(tmp_path / "data" / "tabular" / "pin.json", PIN | {"reason": "why"})
    (tmp_path / "data" / "emotion").mkdir()
    assert pin_of(tmp_path, "tabular") == PIN | {"reason": "why"}
    assert pin_of(tmp_path, "emotion") is None
    assert pin_of(tmp_path, "nothing") is None
    assert pins(tmp_path) == {"tabular": PIN | {"reason": "why"}}


@pytest.mark.parametrize("text", ["", "<<<<<<<", "[]", "{}", '{"version": "1.0.0"}', "\udcff"])
def test_a_pin_that_nobody_can_read(tmp_path, text):
    path = tmp_path / "data" / "tabular" / "pin.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(RegistryError, match="data/tabular/pin.json: not a pin"):
        pins(tmp_path)


def test_what_is_given(tmp_path):
    place(tmp_path)
    (tmp_path / "data/tabular/processed/.snakemake_timestamp").touch()
    expected = ["processed", "manifest.parquet", "metadata.json", "provenance.json"]
    assert given_files(tmp_path, "tabular") == [f"data/tabular/{name}" for name in expected]


@pytest.mark.parametrize(
    "file", ["processed/b/c.parquet", "manifest.parquet", "metadata.json", "provenance.json"], ids=lambda file: file
)
def test_what_is_missing(tmp_path, file):
    (place(tmp_path) / file).unlink()
    with pytest.raises(RegistryError, match="run registry pull tabular"):
        given_files(tmp_path, "tabular")


@pytest.mark.parametrize("content", [b"1234", b"123456", b""])
def test_what_has_another_size(tmp_path, content):
    (place(tmp_path) / "processed/a.parquet").write_bytes(content)
    with pytest.raises(RegistryError, match="not all of it"):
        given_files(tmp_path, "tabular")


@pytest.mark.parametrize("provenance", [None, [], {}, {"data": {}}, {"data": {"path": "processed"}}])
def test_a_provenance_that_says_nothing(tmp_path, provenance):
    (place(tmp_path) / "provenance.json").write_text(json.dumps(provenance))
    with pytest.raises(RegistryError, match="not all of it"):
        given_files(tmp_path, "tabular")


def test_one_file_is_data_too(tmp_path):
    folder = place(tmp_path, "evaluation", ("questions.csv",))
    write_json(folder / "provenance.json", {"data": {"path": "questions.csv", "files": 1, "bytes": 5}})
    assert given_files(tmp_path, "evaluation")[0] == "data/evaluation/questions.csv"
