"""Sources that are not copied: hashed where they are, and noticed when they change."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from registry.config.load import raw_names, source_files
from registry.errors import RegistryError
from registry.files import listing_sha256
from registry.sources.fetch import KEPT, fetch
from registry.sources.in_place import changed_in_place, source_path
from registry.sources.raw import REMEMBERED, forget_raw, read_sources, write_sources
from registry.storage.snapshot import came_from

CONTENT = {"a.txt": b"one", "b/c.txt": b"two"}
FOLDER = listing_sha256({name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()})
FILE = hashlib.sha256(b"big").hexdigest()
DATA, RAW = Path("data/one"), Path("data/one/raw")


@pytest.fixture
def next_door(tmp_path, monkeypatch):
    """A folder beside the current one, which is a repository's."""
    for name, content in (CONTENT | {".hidden": b""}).items():
        path = tmp_path / "next door/texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "next door/big.csv").write_bytes(b"big")
    (tmp_path / "repository").mkdir()
    monkeypatch.chdir(tmp_path / "repository")
    return tmp_path / "next door"


def dataset(next_door, mode="upstream", accept=(FILE, FOLDER)):
    files = [
        {"file": "big.csv", "urls": [f"{next_door}/big.csv"], "max_bytes": 3},
        {"folder": "in/texts", "urls": ["../next door/texts"], "max_bytes": 10, "max_files": 2},
    ]
    hashes = [[{"sha256": sha256, "note": "then"}] if sha256 else [] for sha256 in accept]
    return {
        "name": "one",
        "source": mode,
        "sources": {"files": [file | {"copy": False, "accept": own} for file, own in zip(files, hashes, strict=True)]},
    }


def get(next_door, **options):
    files = source_files(dataset(next_door, **options))
    fetched = fetch("one", files, mode="upstream", mirror=None, target=RAW, lock=Path("lock.yaml"))
    write_sources(RAW / "sources.json", fetched)
    return [RAW / name for name in raw_names(dataset(next_door))]


def test_nothing_is_copied_and_everything_recorded(next_door):
    big, texts = get(next_door)
    assert {path.name for path in RAW.rglob("*") if path.is_file()} == {
        "big.csv.in-place.json",
        "texts.in-place.json",
        "sources.json",
    }
    recorded = read_sources(RAW / "sources.json")
    url = f"{next_door}/big.csv"
    assert recorded["files"] == [
        {"file": "big.csv", "url": url, "bytes": 3, "sha256": FILE, "copied": False, "served_by": url},
        {"file": "in/texts", "url": "../next door/texts", "bytes": 6, "sha256": FOLDER, "files": 2, "copied": False}
        | {"served_by": "../next door/texts"},
    ]
    assert source_path(big).read_bytes() == b"big"
    assert (source_path(texts) / "a.txt").read_bytes() == b"one"
    assert source_path(RAW / "other.csv") == RAW / "other.csv"
    assert changed_in_place(DATA, Path()) == []


def test_raw_is_the_same_wherever_and_whenever_it_is_hashed(next_door):
    get(next_door)
    before = {path: path.read_bytes() for path in RAW.rglob("*") if path.is_file()}
    os.utime(next_door / "big.csv", (1, 1))
    get(next_door)
    assert {path: path.read_bytes() for path in RAW.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("change", "url"),
    [
        (lambda there: (there / "big.csv").write_bytes(b"BIG"), "big.csv"),
        (lambda there: (there / "big.csv").write_bytes(b"bigger"), "big.csv"),
        (lambda there: (there / "texts/b/c.txt").write_bytes(b"TWO"), "texts"),
        (lambda there: (there / "texts/new").touch(), "texts"),
        (lambda there: (there / "texts/a.txt").unlink(), "texts"),
        (lambda there: (there / "texts/a.txt").rename(there / "texts/z.txt"), "texts"),
    ],
)
def test_a_change_is_noticed_before_it_is_read_or_released(next_door, change, url):
    paths = {"big.csv": 0, "texts": 1}
    path = get(next_door)[paths[url]]
    for file in next_door.rglob("*"):
        os.utime(file, (1, 1))
    assert source_path(path).exists()  # it was but touched
    path = get(next_door)[paths[url]]
    change(next_door)
    with pytest.raises(RegistryError, match=f"{url}: changed since it was hashed"):
        source_path(path)
    (found,) = changed_in_place(DATA, Path())
    assert found.endswith(url)
    with pytest.raises(RegistryError, match="expected sha256|larger than max_bytes|more than 2 files"):
        get(next_door)


def test_what_is_hidden_does_not_count(next_door):
    _, texts = get(next_door)
    (next_door / "texts/.hidden").write_bytes(b"more")
    assert source_path(texts).is_dir()
    assert changed_in_place(DATA, Path()) == []


def test_what_was_hashed_elsewhere_is_held_to_its_hash(next_door):
    big, texts = get(next_door)
    forget_raw(DATA)
    assert not (DATA / REMEMBERED).exists()
    assert source_path(big).read_bytes() == b"big"
    assert source_path(texts).is_dir()
    (next_door / "big.csv").write_bytes(b"BIG")
    assert changed_in_place(DATA, Path()) == []
    with pytest.raises(RegistryError, match="big.csv: changed since it was hashed"):
        source_path(big)


def test_a_place_that_is_not_here_is_named(next_door):
    big, texts = get(next_door)
    next_door.rename(next_door.with_name("elsewhere"))
    assert changed_in_place(DATA, Path()) == []
    for path, place in (big, f"{next_door}/big.csv"), (texts, "../next door/texts"):
        with pytest.raises(RegistryError, match=f"{place}: it is read where it is, and not copied: .*no such file"):
            source_path(path)
    with pytest.raises(RegistryError, match=f"big.csv: could not be fetched:\n    {next_door}/big.csv: no such file"):
        get(next_door)


def test_more_than_may_be_and_nothing_at_all(next_door):
    (next_door / "texts/a.txt").write_bytes(b"x" * 9)
    with pytest.raises(RegistryError, match=r"in/texts: .*\n.*larger than max_bytes \(10\)"):
        get(next_door)
    (next_door / "texts/a.txt").unlink()
    (next_door / "texts/b/c.txt").unlink()
    with pytest.raises(RegistryError, match=r"in/texts: .*\n.*there are no files"):
        get(next_door)


def test_the_first_hash_is_locked_unless_it_only_stands_for_a_file(next_door):
    (next_door / "texts/a.txt").write_bytes(b"<html>")
    with pytest.raises(RegistryError, match="in/texts: could not be fetched:\n.*an HTML page"):
        get(next_door, accept=("", ""))
    (next_door / "texts/a.txt").write_bytes(b"one")
    get(next_door, accept=("", ""))
    assert FILE in Path("lock.yaml").read_text()
    (next_door / "big.csv").write_bytes(b"BIG")
    with pytest.raises(RegistryError, match="locked in lock.yaml"):
        get(next_door, accept=("", ""))


def test_samples_and_mirrors_are_copied(next_door):
    for mode in "samples", "mirror":
        assert raw_names(dataset(next_door, mode=mode)) == ["big.csv", "in/texts"]
    assert all("copy" not in file for file in source_files(dataset(next_door, mode="mirror")))


def test_a_copy_from_before_goes_and_the_place_itself_does_not(next_door):
    files = source_files(dataset(next_door))
    options = {"mode": "upstream", "mirror": None, "target": RAW, "lock": Path("lock.yaml")}
    fetch("one", [{**file, "copy": True} for file in files], **options)
    assert (RAW / "in/texts/a.txt").is_file()
    get(next_door)
    assert {path.name for path in RAW.iterdir()} == {"big.csv.in-place.json", "in", "sources.json"}
    assert [path.name for path in (RAW / "in").iterdir()] == ["texts.in-place.json"]

    (next_door / "big.csv").rename(RAW / "big.csv")
    fetch("one", [{**files[0], "urls": [f"{RAW}/big.csv"]}], **options)
    assert (RAW / "big.csv").read_bytes() == b"big"


def test_what_an_older_download_left_in_raw_does_not_make_it_another(next_door):
    get(next_door)
    provenance = {"source": json.loads((RAW / "sources.json").read_text())}
    (RAW / "big.csv").write_bytes(b"older")
    assert came_from(RAW, provenance)
    del provenance["source"]["files"][0]["copied"]
    (RAW / "sources.json").write_text(json.dumps(provenance["source"]))
    assert not came_from(RAW, provenance)


def test_the_pointer_says_where_it_is(next_door):
    big, _ = get(next_door)
    assert json.loads(big.read_text()) == {"url": f"{next_door}/big.csv", "bytes": 3, "sha256": FILE}


def test_the_look_of_what_is_copied_by_now_is_forgotten(next_door):
    get(next_door)
    write_sources(RAW / "sources.json", {"mode": "samples", "files": []})
    (next_door / "big.csv").write_bytes(b"gib")
    assert not changed_in_place(DATA, Path())


def test_what_a_refresh_has_just_hashed_is_not_hashed_again_if_it_looks_the_same(next_door):
    kept, files = Path(KEPT, "one", "raw"), source_files(dataset(next_door))
    fetched = fetch("one", files, mode="upstream", mirror=None, target=kept, lock=Path("other.yaml"))
    write_sources(kept / "sources.json", fetched)
    before = (next_door / "big.csv").stat()
    (next_door / "big.csv").write_bytes(b"gib")
    os.utime(next_door / "big.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [path.name for path in get(next_door)] == ["big.csv.in-place.json", "texts.in-place.json"]
    os.utime(next_door / "big.csv", ns=(1, 1))
    with pytest.raises(RegistryError, match="expected sha256"):
        get(next_door)
