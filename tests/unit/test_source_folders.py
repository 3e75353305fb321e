"""Source folders: fetched whole or not at all, and held to one hash for all of their files."""

import hashlib
import subprocess
from pathlib import Path

import pytest
import yaml

from registry.config.load import source_files
from registry.errors import RegistryError
from registry.sources import retrieve as places
from registry.sources.accepted import changed_sources
from registry.sources.fetch import fetch
from registry.sources.raw import check_raw, write_sources
from registry.sources.samples import edited_samples

FILES = {"a.txt": b"two", "b-1.jsonl": b"three", "b/1 ä.txt": b"one", "b/c/d.txt": b"four"}
LISTING = "".join(f"{hashlib.sha256(FILES[name]).hexdigest()}  {name}\n" for name in sorted(FILES))
SHA256 = hashlib.sha256(LISTING.encode()).hexdigest()
DATASET = {
    "name": "one",
    "sources": {"files": [{"folder": "texts", "urls": ["origin"], "accept": [], "max_bytes": 99}]},
}


def put(folder):
    for name, content in (FILES | {".hidden": b"", "b/.hidden/x": b""}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """The current folder, with FILES and hidden ones in origin/."""
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "origin")
    return tmp_path


def get(*urls, mode="upstream", mirror=None, sha256=(SHA256,), max_bytes=100, max_files=10):
    source = {"file": "texts", "urls": list(urls), "sha256": list(sha256), "max_bytes": max_bytes}
    where = {"mode": mode, "mirror": mirror, "target": Path("data/one/raw"), "lock": Path("lock.yaml")}
    return fetch("one", [source | {"max_files": max_files}], **where)


def fetched():
    raw = Path("data/one/raw")
    return {path.relative_to(raw / "texts").as_posix() for path in raw.rglob("*") if path.is_file()}


@pytest.mark.parametrize("url", ["origin", "origin/", "{}/origin", "origin/**", "{}/origin/**/*"])
def test_a_folder_is_fetched_and_recorded_as_one(repository, url):
    url = url.format(repository)
    assert get(url)["files"] == [
        {"file": "texts", "url": url, "bytes": 15, "sha256": SHA256, "files": 4, "served_by": url}
        | ({} if "*" in url else {"hidden_files": 2})
    ]
    assert fetched() == FILES.keys()


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("origin/*.txt", {"a.txt"}),
        ("origin/**/*.txt", {"a.txt", "b/1 ä.txt", "b/c/d.txt"}),
        ("origin/b/*", {"1 ä.txt"}),
        ("origin/b/**", {"1 ä.txt", "c/d.txt"}),
        ("origin/[ab]*", {"a.txt", "b-1.jsonl"}),
        ("*/?.txt", {"origin/a.txt"}),
    ],
)
def test_wildcards_choose_files_and_names_begin_where_they_do(repository, pattern, names):
    get(pattern, sha256=[])
    assert fetched() == names


@pytest.mark.parametrize("url", ["origin", "origin/*.txt"])
def test_wildcards_in_the_name_of_the_checkout_are_none(tmp_path, monkeypatch, url):
    put(tmp_path / "a[1]/origin")
    put(tmp_path / "a1/origin/another's")
    monkeypatch.chdir(tmp_path)
    places.retrieve([url], Path("found"), lambda path: None, max_bytes=99, max_files=9, root=tmp_path / "a[1]")
    names = {path.relative_to("found").as_posix() for path in Path("found").rglob("*") if path.is_file()}
    assert names == ({"a.txt"} if "*" in url else FILES.keys())


@pytest.mark.parametrize(("url", "hidden"), [("origin", 2), ("origin/*.txt", None)])
def test_hidden_files_that_are_left_out_are_counted(repository, url, hidden):
    Path("origin/b/.hidden/y").touch()
    assert get(url, sha256=[])["files"][0].get("hidden_files") == hidden


def test_what_wildcards_do_not_match_need_not_be_sound(repository):
    Path("origin/link.csv").symlink_to("/etc/passwd")
    get("origin/*.txt", sha256=[])
    with pytest.raises(RegistryError, match="link.csv: a link that leads out of the folder"):
        get("origin/", sha256=[])


def test_the_hash_is_that_of_what_sha256sum_prints(repository):
    command = "find . -type f -not -path '*/.*' -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    printed = subprocess.run(command, shell=True, check=True, capture_output=True, text=True, cwd="origin").stdout
    assert printed.split()[0] == SHA256


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda: Path("origin/b/c/d.txt").write_bytes(b"more"), {}, "expected sha256"),
        (lambda: Path("origin/b/c/d.txt").rename("origin/b/c/e.txt"), {}, "expected sha256"),
        (lambda: Path("origin/new").touch(), {}, "expected sha256"),
        (lambda: None, {"max_bytes": 14}, r"larger than max_bytes \(14\)"),
        (lambda: None, {"max_files": 3}, "more than 3 files"),
        (lambda: Path("origin/b\n").touch(), {}, "a name that cannot be taken"),
        (
            lambda: Path("origin/x.csv").write_bytes(b"version https://git-lfs.github.com/spec/v1"),
            {"sha256": []},
            "LFS",
        ),
    ],
)
def test_a_fault_is_one_clear_error_and_leaves_what_was_there(repository, change, options, words):
    get("origin")
    change()
    with pytest.raises(RegistryError, match=words):
        get("origin", **options)
    assert fetched() == FILES.keys()
    assert not Path("lock.yaml").exists()


def test_places_without_files_and_without_listings(repository):
    Path("empty/.hidden").mkdir(parents=True)
    for url, words in {
        "empty": "there are no files",
        "origin/*.csv": "there are no files",
        "none": "no such file",
        "origin/a.txt": "not a directory",
        "origin/**.txt": r"`\*\*` stands for whole folders",
        "http://127.0.0.1:1/origin": "cannot be listed by HTTP",
    }.items():
        with pytest.raises(RegistryError, match=f"texts: could not be fetched:\n.*{words}"):
            get(url)
    get("none", "origin")
    assert fetched() == FILES.keys()


def test_an_interrupt_leaves_nothing(repository, monkeypatch):
    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(places.shutil, "copyfileobj", interrupted)
    with pytest.raises(KeyboardInterrupt):
        get("origin")
    assert not any(Path("data/one/raw").iterdir())


def test_the_first_download_is_locked(repository):
    get("origin", sha256=[])
    assert yaml.safe_load(Path("lock.yaml").read_text()) == {"upstream": {"texts": SHA256}}
    Path("origin/a.txt").write_bytes(b"TWO")
    with pytest.raises(RegistryError, match="locked in lock.yaml"):
        get("origin", sha256=[])


def test_a_mirror_has_the_folder_by_its_name(repository):
    put(repository / "mirror/one/texts")
    assert get("none", mode="mirror", mirror="mirror")["files"][0]["served_by"] == "mirror"
    assert fetched() == FILES.keys()


def test_samples_are_held_to_their_lines_in_sha256sums(repository):
    put(repository / "data/samples/one/texts")
    sums = repository / "data/samples/SHA256SUMS"
    sums.touch()
    dataset = DATASET | {"source": "samples"}
    with pytest.raises(RegistryError, match="no sample of texts") as raised:
        source_files(dataset)
    subprocess.run(raised.value.hint, shell=True, check=True)
    (source,) = source_files(dataset)
    assert source == {"file": "texts", "urls": ["origin"], "max_bytes": 99, "sha256": [SHA256], "max_files": 100_000}
    assert edited_samples(dataset) == {}
    (repository / "data/samples/one/texts/a.txt").write_bytes(b"TWO")
    (repository / "data/samples/one/texts/new.txt").write_bytes(b"new")
    edited = edited_samples(dataset)
    assert [*edited] == ["data/samples/one/texts/a.txt", "data/samples/one/texts/new.txt"]
    command = "(" + edited["data/samples/one/texts/a.txt"].partition("(")[2].partition(" accepts ")[0]
    subprocess.run(command, shell=True, check=True)
    assert edited_samples(dataset) == {}
    target = Path("data/one/raw")
    fetch("one", source_files(dataset), mode="samples", mirror=None, target=target, lock=Path("lock.yaml"))
    assert fetched() == FILES.keys() | {"new.txt"}


def test_a_change_by_hand_below_raw_is_noticed(repository):
    raw = Path("data/one/raw")
    write_sources(raw / "sources.json", get("origin"))
    check_raw(["data/one/raw/texts", "data/one/raw/texts/a.txt"])
    (raw / "texts/b/c/d.txt").write_bytes(b"more")
    for path in ("data/one/raw/texts", "data/one/raw/texts/a.txt"):
        with pytest.raises(RegistryError, match="data/one/raw/texts: changed since it was fetched"):
            check_raw([path])


def test_the_checkout_accepts_it_by_its_hash(repository):
    made_from = {"mode": "upstream", "files": [{"file": "texts", "sha256": SHA256}]}
    assert changed_sources(DATASET | {"source": "upstream"}, made_from) == []
    accepting = {"folder": "texts", "urls": [], "max_bytes": 9, "accept": [{"sha256": "0" * 64}]}
    assert changed_sources({"name": "one", "source": "upstream", "sources": {"files": [accepting]}}, made_from) == [
        "texts"
    ]
