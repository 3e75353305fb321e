"""What jobs remember of raw/, and how a change by hand is noticed."""

import hashlib
import json
from pathlib import Path

import pytest

from registry.errors import RegistryError
from registry.sources.raw import check_raw, forget_parts, forget_raw, read_sources, remember_raw

RAW = Path("data/letters/raw")


@pytest.fixture(autouse=True)
def raw(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "images/1.png", "images/2.png"):
        (RAW / name).parent.mkdir(parents=True, exist_ok=True)
        (RAW / name).write_text(name)


def remember(*names):
    remember_raw([str(RAW / name) for name in names])


def sources(**hashes):
    files = [{"file": name.replace("_", "."), "sha256": sha256} for name, sha256 in hashes.items()]
    (RAW / "sources.json").write_text(json.dumps({"mode": "samples", "files": files}))


@pytest.mark.parametrize(
    ("remembered", "changed", "read"),
    [
        ("a.csv", "a.csv", "a.csv"),
        ("images", "images/2.png", "images"),
        ("images", "images/3.png", "images"),
        ("images", "images/1.png", "images/1.png"),
        ("images/1.png", "images/1.png", "images"),
        (".", "a.csv", "a.csv"),
        (".", "images/1.png", "."),
    ],
)
def test_what_changed_is_not_read(remembered, changed, read):
    remember(remembered)
    check_raw([str(RAW / read)])
    (RAW / changed).write_text("another")
    with pytest.raises(RegistryError, match="changed since it was fetched or made"):
        check_raw([str(RAW / read)])


def test_what_is_not_read_may_change():
    remember("a.csv", "images")
    (RAW / "images/1.png").write_text("another")
    check_raw([str(RAW / "a.csv"), "data/letters/processed/x.parquet", "reports/letters/raw/a.csv", "raw", "data"])


@pytest.mark.parametrize("first", [["images"], ["images/1.png", "images/2.png"], ["."]])
@pytest.mark.parametrize("then", [["images"], ["images/1.png", "images/2.png"], ["."], [".", "a.csv"]])
def test_the_last_job_is_right_whatever_its_outputs_were_before(first, then):
    remember(*first, "a.csv")
    (RAW / "images/1.png").write_text("fetched again")
    remember(*then)
    check_raw([str(RAW), str(RAW / "images"), str(RAW / "images/1.png"), str(RAW / "a.csv")])
    (RAW / "images/1.png").write_text("another")
    with pytest.raises(RegistryError, match="changed since"):
        check_raw([str(RAW / "images/1.png")])


def test_jobs_remember_beside_each_other():
    remember("a.csv")
    remember("images")
    (RAW / "a.csv").write_text("another")
    check_raw([str(RAW / "images")])
    with pytest.raises(RegistryError, match="changed since"):
        check_raw([str(RAW / "a.csv")])


def test_what_nobody_remembers_is_held_to_the_sources():
    sources(a_csv=hashlib.sha256(b"a.csv").hexdigest())
    check_raw([str(RAW / "a.csv"), str(RAW)])
    (RAW / "a.csv").write_text("another")
    for read in (RAW / "a.csv", RAW):
        with pytest.raises(RegistryError, match=r"^data/letters/raw/a.csv: changed"):
            check_raw([str(read)])
    check_raw([str(RAW / "images")])


def test_what_others_bring_is_not_what_was_remembered():
    remember("a.csv")
    (RAW / "a.csv").write_text("of another version")
    part = RAW.parent / ".shards" / "1-of-2.parquet"
    part.parent.mkdir()
    part.touch()
    forget_raw(RAW.parent)
    check_raw([str(RAW / "a.csv")])
    assert not part.exists()


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[]", '{"files": 1}', '{"files": [{}]}', ""])
def test_sources_that_cannot_be_read_are_refused(text):
    (RAW / "sources.json").write_text(text)
    with pytest.raises(RegistryError, match="sources.json: not what a download writes"):
        check_raw([str(RAW / "a.csv")])


@pytest.mark.parametrize("text", ["{", "[]", '{"mode": "x"}', '{"files": [{}]}'])
def test_a_record_of_sources_that_cannot_be_read_is_refused(text):
    (RAW / "sources.json").write_text(text)
    with pytest.raises(RegistryError, match="sources.json: not what a download writes"):
        read_sources(RAW / "sources.json")


def test_parts_that_nobody_read_go_with_the_making_of_the_data():
    parts = Path("data", "tea", ".shards")
    (parts / ".2-of-4.partial").mkdir(parents=True)
    for name in ("1-of-2.parquet", "1-of-4.parquet"):
        (parts / name).touch()
    read = str(parts / "1-of-2.parquet")
    forget_parts([read], ["data/tea/processed/tea.parquet"])
    assert len([*parts.iterdir()]) == 3
    forget_parts([read], ["data/tea/processed", "data/tea/.processed.md5"])
    assert [*map(str, parts.iterdir())] == [read]
