"""`registry list` and `get`, on a small registry at addresses of every kind, with tags and objects that are odd."""

import hashlib
import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from forks import REGISTRY
from registry import list_datasets, open_dataset
from registry.client import ListedVersion
from registry.describe.metadata import metadata_digest
from registry.errors import RegistryError
from registry.files import dvc_digest
from registry.gate import GateError
from tiny import Tiny

VERSIONS = [
    ("letters", "1.0.0"),
    ("numbers", "2.0.0"),
    ("numbers", "1.10.0"),
    ("numbers", "1.9.0"),
    ("numbers", "1.0.0"),
]


@pytest.fixture
def tiny(released_tiny, tmp_path, monkeypatch) -> Tiny:
    """A copy of it, to be changed at will; its user is in another folder, and has fetched nothing yet."""
    monkeypatch.setenv("REGISTRY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".site-cache"))
    monkeypatch.chdir(tmp_path)
    return Tiny(released_tiny).copied(tmp_path / "origin")


def reader(tiny: Tiny, *arguments: str, code: int = 0) -> str:
    """Run `registry` in the folder above the registry, and return what it printed."""
    folder = tiny.folder.parent
    ended = REGISTRY.run("forks:registry", *arguments, cwd=folder, env=tiny.environment())
    return ended.with_code(code)


def cells(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines() if "." in line]


def test_list(tiny):
    table = cells(reader(tiny, "list", "origin"))
    assert [(row[0], row[1]) for row in table] == VERSIONS
    assert [row[2] for row in table] == ["10", "5", "30", "20", "20"]
    assert [row[3] for row in table] == ["1", "3", "3", "3", "3"]
    found = json.loads(reader(tiny, "list", "origin", "--json"))
    assert [(one["dataset"], one["version"]) for one in found["versions"]] == VERSIONS
    provenance = json.loads((tiny.folder / "data/letters/provenance.json").read_text())
    assert found["versions"][0]["bytes"] == provenance["data"]["bytes"]
    assert found["left_out"] == {}


@pytest.mark.parametrize("address", ["origin.git", "file://{}/origin.git", "{}/origin/.git", "{}/origin.git"])
def test_addresses(tiny, tmp_path, address):
    tiny.git("clone", "--quiet", "--bare", ".", str(tmp_path / "origin.git"))
    before = sorted(tmp_path.rglob("*"))
    assert [(one.dataset, one.version) for one in list_datasets(address.format(tmp_path)).versions] == VERSIONS
    assert open_dataset("numbers", "^1", address.format(tmp_path)).version == "1.10.0"
    assert sorted(tmp_path.rglob("*")) == before, "a clone stayed"


def test_a_server_that_gives_parts_gives_large_descriptions_too(tiny):
    tiny.git("config", "uploadpack.allowFilter", "true")
    path = tiny.folder / "data/letters/metadata.json"
    metadata = json.loads(path.read_text()) | {"summary": {"words": "many " * 100_000}}
    path.write_text(json.dumps(metadata))
    provenance = path.with_name("provenance.json")
    made = json.loads(provenance.read_text()) | {"metadata": {"sha256": metadata_digest(metadata)}}
    provenance.write_text(json.dumps(made))
    tiny.commit("Tell more")
    tiny.git("tag", "--annotate", "--message", "letters 1.1.0", "letters-v1.1.0")
    assert open_dataset("letters", repo=f"file://{tiny.folder}").metadata == metadata


def spoil(tiny: Tiny, tag: str, **files: str) -> None:
    """Make a tag whose commit has these files of its dataset, {name with _ for .: content}, and no others of it."""
    name = tag.partition("-v")[0]
    shutil.rmtree(tiny.folder / "data" / name, ignore_errors=True)
    for file, content in files.items():
        tiny.write(f"data/{name}/{file.replace('_', '.')}", content)
    tiny.git("add", "--all", "--force")
    tiny.git("commit", "--quiet", "--allow-empty", "--message", tag)
    tiny.git("tag", "--annotate", "--message", tag, tag)


def descriptions(name: str, **data: object) -> dict[str, str]:
    about = {"path": "processed", "md5": "0" * 32 + ".dir", "files": 1, "bytes": 1} | data
    metadata = {
        "dataset": {"name": name},
        "schema": {"features": {"value": {"dtype": "int64"}}},
        "splits": {"all": {"num_samples": 1}},
        "content_hash": f"sha256:{'0' * 64}",
    }
    provenance = {
        "source": {"mode": "generated", "files": []},
        "config": {},
        "code": {},
        "libraries": {},
        "content_hash": metadata["content_hash"],
        "data": about,
        "manifest": {"md5": "a" * 32},
        "metadata": {"sha256": metadata_digest(metadata)},
        "contract": {},
    }
    return {
        "metadata_json": json.dumps(metadata),
        "provenance_json": json.dumps(provenance),
        "processed_dvc": f"outs:\n- md5: '{about['md5']}'\n  path: processed\n",
        "manifest_parquet_dvc": f"outs:\n- md5: {'a' * 32}\n  path: manifest.parquet\n",
    }


def test_odd_tags_are_left_out_by_name(tiny):
    blob = tiny.git("hash-object", "-w", "notes.txt")
    spoil(tiny, "nothing-v1.0.0")
    spoil(tiny, "text-v1.0.0", metadata_json="no JSON", provenance_json="{}")
    spoil(tiny, "shape-v1.0.0", metadata_json="[1]", provenance_json='"?"')
    spoil(tiny, "deep-v1.0.0", metadata_json="[" * 100_000, provenance_json="{}")
    spoil(tiny, "outside-v1.0.0", **descriptions("outside", path="../../../etc/passwd"))
    spoil(tiny, "negative-v1.0.0", **descriptions("negative", bytes=-1))
    spoil(tiny, "words-v1.0.0", **descriptions("words", files="many"))
    spoil(tiny, "md5-v1.0.0", **descriptions("md5", md5="../../../../id_rsa"))
    spoil(tiny, "good-v1.0.0", **descriptions("good"))
    tiny.git("tag", "light-v1.0.0")
    tiny.git("tag", "--annotate", "--message", "a file", "blob-v1.0.0", blob)
    tiny.git("tag", f"long-v1.0.{'9' * 60}")
    tiny.git("tag", "--annotate", "--message", "no release", "letters-v2")
    found = list_datasets("origin")
    odd = ("nothing", "text", "shape", "deep", "outside", "negative", "words", "md5", "light", "blob")
    assert found.left_out.keys() == {*(f"{name}-v1.0.0" for name in odd), f"long-v1.0.{'9' * 60}"}
    assert ListedVersion("good", "1.0.0", "good-v1.0.0", 1, 1, 1) in found.versions
    assert [(one.dataset, one.version) for one in found.versions if one.dataset != "good"] == VERSIONS
    printed = reader(tiny, "list", "origin")
    for tag, why in found.left_out.items():
        assert f"left out: {tag}: {why}" in printed.splitlines()
    for name in odd:
        with pytest.raises(RegistryError, match=f"{name}-v1.0.0"):
            open_dataset(name, repo="origin")


def test_a_lightweight_tag_is_not_the_latest(tiny):
    tiny.git("tag", "numbers-v9.0.0")
    assert open_dataset("numbers", repo="origin").version == "2.0.0"
    message = reader(tiny, "get", "origin", "numbers@9.0.0", code=1)
    assert "numbers-v9.0.0 is left out: not an annotated tag of a commit" in message


def test_no_releases(tiny, tmp_path):
    tiny.git("init", "--quiet", str(tmp_path / "empty"))
    assert reader(tiny, "list", "empty") == "Nothing is released there.\n"
    assert json.loads(reader(tiny, "list", "empty", "--json").replace("Nothing is released there.\n", "")) == {
        "versions": [],
        "left_out": {},
    }


def test_an_address_without_a_registry(tiny):
    printed = reader(tiny, "list", "https://me:secret@127.0.0.1:9/registry.git", code=1)
    assert printed.startswith("error: https://127.0.0.1:9/registry.git: git cannot read it: ")
    assert "secret" not in printed
    assert reader(tiny, "list", "--", "--upload-pack=touch x", code=1).startswith("error: --upload-pack=touch x: git")
    assert not (tiny.folder.parent / "x").exists()


@pytest.mark.parametrize(
    ("wanted", "version"),
    [("numbers", "2.0.0"), ("numbers@latest", "2.0.0"), ("numbers@^1", "1.10.0"), ("numbers@1.9.0", "1.9.0")],
)
def test_get(tiny, wanted, version):
    assert reader(tiny, "get", "origin", wanted) == f"numbers-v{version}/processed\n"
    recorded = json.loads(tiny.git("show", f"numbers-v{version}:data/numbers/provenance.json"))["data"]["md5"]
    assert dvc_digest(tiny.folder.parent / f"numbers-v{version}/processed") == recorded


def files(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert found
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_get_again(tiny):
    assert json.loads(reader(tiny, "get", "origin", "letters", "--out", "here", "--json")) == {
        "dataset": "letters",
        "version": "1.0.0",
        "tag": "letters-v1.0.0",
        "path": "here/processed",
    }
    assert reader(tiny, "get", "origin", "letters", "--out", "here") == "here/processed\n"
    (tiny.folder.parent / "here/processed/more").touch()
    assert reader(tiny, "get", "origin", "letters", "--out", "here", code=1).startswith("error: here: already exists\n")
    assert (tiny.folder.parent / "here/processed/more").exists()


def test_get_from_the_cache_when_the_remote_is_gone(tiny):
    reader(tiny, "get", "origin", "numbers@1.0.0")
    (tiny.folder / ".dvc/storage").rename(tiny.folder / "gone")
    reader(tiny, "get", "origin", "numbers@1.0.0", "--out", "again")
    above = tiny.folder.parent
    assert files(above / "again") == files(above / "numbers-v1.0.0")
    assert "cannot read the data from its DVC remote" in reader(tiny, "get", "origin", "letters", code=1)
    assert "cannot read the data" in reader(
        tiny, "get", "origin", "numbers@1.0.0", "--out", "x", "--cache", "c", code=1
    )
    assert not (above / "letters-v1.0.0").exists()
    assert not (above / "x").exists()


def test_a_damaged_cache_is_noticed(tiny):
    reader(tiny, "get", "origin", "numbers@1.0.0")
    for path in (tiny.folder.parent / "cache/md5").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1] + b"?")
    reader(tiny, "get", "origin", "numbers@1.0.0", "--out", "again")
    assert files(tiny.folder.parent / "again") == files(tiny.folder.parent / "numbers-v1.0.0")


@pytest.mark.parametrize(
    "entry",
    [
        {"relpath": "../../../outside", "md5": "{md5}"},
        {"relpath": "/tmp/outside", "md5": "{md5}"},
        {"relpath": "a//b", "md5": "{md5}"},
        {"relpath": "a\0b", "md5": "{md5}"},
        {"relpath": "\ud800", "md5": "{md5}"},
        {"relpath": "here", "md5": "../../../../origin/notes.txt"},
        {"relpath": 3, "md5": "{md5}"},
        "here",
    ],
)
def test_a_list_of_files_that_leads_elsewhere(tiny, entry):
    store = tiny.folder / ".dvc/storage/files/md5"
    md5 = hashlib.md5(b"something").hexdigest()
    text = json.dumps([entry]).replace("{md5}", md5)
    listed = hashlib.md5(text.encode()).hexdigest()
    for name, content in ((md5, b"something"), (f"{listed}.dir", text.encode())):
        (store / name[:2]).mkdir(exist_ok=True)
        (store / name[:2] / name[2:]).write_bytes(content)
    spoil(tiny, "evil-v1.0.0", **descriptions("evil", md5=f"{listed}.dir"))
    above = tiny.folder.parent
    before = {path for path in above.rglob("*") if "cache" not in str(path) and ".git/" not in str(path)}
    assert "evil-v1.0.0: the list of its files: " in reader(tiny, "get", "origin", "evil", code=1)
    with pytest.raises(GateError):
        _ = open_dataset("evil", repo="origin").urls
    assert {path for path in above.rglob("*") if "cache" not in str(path) and ".git/" not in str(path)} == before


def test_a_list_of_files_that_is_too_long_is_not_read(tiny, monkeypatch):
    monkeypatch.setattr("registry.storage.released.MAX_LISTING", 10)
    monkeypatch.setattr(Path, "read_bytes", None)
    with pytest.raises(GateError, match=r"letters-v1.0.0: the list of its files: \d+ bytes, more than 10"):
        open_dataset("letters", repo="origin").fetch("here")
    assert not Path("here").exists()


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (("--out", "/proc/x/y"), "No such file or directory"),
        (("--out", "x" * 300), "File name too long"),
        (("--out", "x" * 250), "File name too long"),
        (("--out", "/dev/null/x"), "Not a directory"),
        (("--cache", "/dev/null/x"), "Not a directory"),
    ],
)
def test_a_place_where_nothing_can_be_written(tiny, option, reason):
    printed = reader(tiny, "get", "origin", "letters", *option, code=1)
    assert printed.startswith("error: ")
    assert f"cannot write there: {reason}" in printed
    assert "Traceback" not in printed


def test_a_table_is_not_read_from_a_remote_with_other_files(tiny):
    [url] = open_dataset("letters", repo="origin").urls.values()
    assert open_dataset("letters", repo="origin").lazy_frame().collect().height == 10
    path = Path(url.removeprefix("file://"))
    path.chmod(0o644)
    pl.DataFrame({"value": [666] * 3}).write_parquet(path)
    with pytest.raises(
        RegistryError, match=r"letters-v1.0.0: its DVC remote has 1 files with [\d,]+ bytes of it, where"
    ):
        open_dataset("letters", repo="origin").lazy_frame()


def test_rows_are_not_read_from_a_damaged_remote(tiny, monkeypatch):
    found = open_dataset("letters", repo="origin")
    (url,) = found.urls.values()
    path = Path(url.removeprefix("file://"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(RegistryError, match=r"at letters-v1.0.0: .*damaged"):
        found.to_polars()
    monkeypatch.setenv("REGISTRY_CACHE", "/dev/null/x")
    with pytest.raises(RegistryError, match="cannot write there: Not a directory"):
        found.to_polars()


@pytest.mark.parametrize("wanted", ["", "@1.0.0", "letters@"])
def test_wrong_usage(tiny, wanted):
    assert "write NAME or NAME@VERSION" in reader(tiny, "get", "origin", wanted, code=2)


def test_text_of_others_does_not_steer_the_terminal(tiny):
    printed = reader(tiny, "get", "origin", "letters@\x1b[31m[red]2", code=1)
    assert "\x1b" not in printed
    assert "[red]2" in printed
