"""The kind `as_is`: files of any sort, their rows and their copies, and how `registry new --as-is` finds them."""

import hashlib
import os
import sys
import tarfile
from pathlib import Path

import polars as pl
import pytest
import yaml
from test_authoring import root  # noqa: F401  it is a fixture
from typer.testing import CliRunner

from registry.authoring.check import check
from registry.authoring.drafts import Wishes
from registry.authoring.new import new, write
from registry.cli import app
from registry.config.kinds import AS_IS
from registry.config.load import load_datasets
from registry.config.schema import breaches
from registry.errors import RegistryError
from registry.kinds import as_is
from registry.kinds.as_is import COLUMNS, FOLDER, files_in, read, stored
from registry.kinds.files import Format
from registry.storage.repository import read_config
from support import ROOT

FILES = {
    "pump/a.pdf": b"%PDF one",
    "pump/B c.PDF": b"%PDF two",
    "weights.safetensors": bytes(range(256)) * 8,
    "a.tar.gz": b"not opened",
    "no suffix": b"",
    "Über/ü.md": b"%PDF one",
}
CONTRACT = {name: {"dtype": "int64" if dtype == pl.Int64 else "string"} for name, dtype in COLUMNS.items()}
WISHES = Wishes(kind=AS_IS)


@pytest.fixture
def things(tmp_path: Path) -> Path:
    """A folder of FILES, and hidden ones."""
    folder = tmp_path / "things"
    for name, content in (FILES | {".hidden": b"x", "pump/.DS_Store": b"x"}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def rows(files: dict[str, Path], contract=CONTRACT) -> pl.DataFrame:
    return pl.concat([part.samples for part in read(files, contract, {})])


def test_each_file_is_a_row_and_its_path_is_its_key(things, monkeypatch):
    files = {"things": things, "alone.bin": things / "weights.safetensors"}
    names = {f"things/{name}": content for name, content in FILES.items()}
    names["alone.bin"] = FILES["weights.safetensors"]
    expected = [
        (name, Path(name).suffix.lower(), len(names[name]), hashlib.sha256(names[name]).hexdigest())
        for name in sorted(names)
    ]
    found = rows(files)
    assert found.rows() == expected
    monkeypatch.setattr(as_is, "AT_ONCE", 1)
    parts = [*read(files, CONTRACT, {})]
    assert len(parts) == len(names)
    assert pl.concat([part.samples for part in parts]).equals(found)
    assert pl.concat([part.keys for part in parts]).to_list() == sorted(names)
    assert {split for part in parts for split in part.splits} == {"all"}
    assert sum(part.counts["bytes"] for part in parts) == sum(map(len, names.values()))
    assert rows(files, {name: CONTRACT[name] for name in ("sha256", "path")}).columns == ["sha256", "path"]


def test_files_are_copied_to_the_byte_and_hang_together_with_nothing(things, tmp_path):
    places = files_in({"things": things})
    samples = rows({"things": things})
    assert stored(places, tmp_path / "processed", samples).equals(samples)
    for path, place in places.items():
        copy = tmp_path / "processed" / FOLDER / path
        assert copy.read_bytes() == place.read_bytes()
        assert copy.stat().st_ino != place.stat().st_ino


def test_a_file_that_changes_while_it_is_read_is_named(things, tmp_path):
    samples = rows({"things": things})
    (things / "pump" / "a.pdf").write_bytes(b"%PDF xxx")
    with pytest.raises(RegistryError, match=r"things/pump/a.pdf: it changed while it was read"):
        stored(files_in({"things": things}), tmp_path / "processed", samples)


@pytest.mark.parametrize("odd", ["link", "pipe", "name"])
def test_what_is_no_file_of_the_folder_is_refused(things, tmp_path, odd):
    (tmp_path / "secret").write_bytes(b"x")
    match odd:
        case "link":
            (things / "link").symlink_to(tmp_path / "secret")
        case "pipe":
            os.mkfifo(things / "pipe")
        case "name":
            (things / "a\nb").write_bytes(b"x")
    with pytest.raises(RegistryError, match="leads out of the folder|no plain file|cannot be taken"):
        files_in({"things": things})


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        (CONTRACT | {"author": {"dtype": "string"}}, "files have no author"),
        ({"path": CONTRACT["path"]}, "files have sha256, of dtype string"),
    ],
)
def test_columns_that_files_have_not_are_named(things, contract, message):
    with pytest.raises(RegistryError, match=message):
        rows({"things": things}, contract)


def test_it_has_no_params():
    schema = ROOT / "scripts/registry/kinds/as_is.schema.yaml"
    assert breaches({}, schema) == []
    assert "'key' was unexpected" in "\n".join(breaches({"key": "path"}, schema))


def added(root: Path, *sources: Path | str, wishes: Wishes = WISHES) -> dict:  # noqa: F811
    """Add the dataset `kept`, and return the content of its file."""
    with new(root, "kept", [str(source) for source in sources], Format(), wishes) as made:
        write(root, made)
    return yaml.safe_load((root / "config/datasets/kept.yaml").read_text(encoding="utf-8"))


def test_a_folder_is_added_by_one_short_file_and_a_sample_of_all(root, things):  # noqa: F811
    found = added(root, things)
    [source] = found["sources"]["files"]
    assert (source["folder"], source["urls"], len(source["accept"])) == ("things", ["things"], 1)
    assert (found["kind"], found["versioning"], found["source"]) == (AS_IS, "folder", "upstream")
    assert found["contract"] == {
        "columns": {
            "path": {"dtype": "string"},
            "suffix": {"dtype": "string", "values": ["", ".gz", ".md", ".pdf", ".safetensors"]},
            "bytes": {"dtype": "int64", "min": 0},
            "sha256": {"dtype": "string"},
        },
        "rows": {"upstream": {"all": {"min": 6}}, "samples": {"all": {"min": 6}}},
    }
    assert len((root / "config/datasets/kept.yaml").read_text().splitlines()) <= 40
    told = check(root, "kept", load_datasets(read_config(root), root))
    assert told.endswith("the contract of their 6 rows")
    samples = root / "data/samples/kept/things"
    assert {path.relative_to(samples).as_posix() for path in samples.rglob("*") if path.is_file()} == FILES.keys()
    assert (samples / "pump/a.pdf").stat().st_ino != (things / "pump/a.pdf").stat().st_ino


def test_a_sample_is_all_there_is_or_nothing(root, tmp_path):  # noqa: F811
    (tmp_path / "large.bin").write_bytes(bytes(200_000))
    found = added(root, tmp_path / "large.bin")
    assert found["contract"].keys() == {"columns", "rows"}  # Another file may hold the same.
    assert found["contract"]["rows"] == {"upstream": {"all": {"min": 1}}}
    assert found["contract"]["columns"]["bytes"] == {"dtype": "int64", "min": 1}
    assert not (root / "data").exists()


def test_what_lies_here_is_read_where_it_is(root, things):  # noqa: F811
    with new(root, "kept", [str(things)], Format(), Wishes(kind=AS_IS, sample=False)):
        assert (root / ".cache").is_dir()
        assert not [*(root / ".cache").rglob("a.pdf")]


def test_many_files_are_one_source(root, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(sys.modules[new.__module__], "MAX_FILES", 999)
    (tmp_path / "many").mkdir()
    for number in range(1000):
        (tmp_path / "many" / f"{number}.s{number}").write_bytes(b"x")
    found = added(root, tmp_path / "many")
    assert found["contract"]["columns"]["suffix"] == {"dtype": "string"}
    assert found["sources"]["files"][0]["max_files"] == 2000
    assert len((root / "config/datasets/kept.yaml").read_text().splitlines()) <= 40
    assert not (root / "data").exists()


def test_archives_and_tables_are_files_like_others(root, tmp_path, http_server):  # noqa: F811
    (tmp_path / "a.csv").write_text("n\n1\n")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "a.csv", "../outside")
    (tmp_path / "b.csv.gz").write_bytes(b"not packed")
    http_server.serve("/b.parquet", b"no parquet")
    files = ["a.tar.gz", "a.csv", "b.csv.gz"]
    found = added(root, *(tmp_path / file for file in files), f"{http_server.url}/b.parquet")
    assert [source["file"] for source in found["sources"]["files"]] == [*files, "b.parquet"]
    assert found["contract"]["rows"]["upstream"] == {"all": {"min": 4}}


def test_files_that_wildcards_match_are_a_folder(root, things):  # noqa: F811
    found = added(root, f"{things}/pump/*.*", things / "weights.safetensors")
    [folder, file] = found["sources"]["files"]
    assert (folder["folder"], folder["urls"]) == ("pump", ["things/pump/*.*"])
    assert file["file"] == "weights.safetensors"
    assert found["contract"]["rows"]["upstream"] == {"all": {"min": 3}}


@pytest.mark.parametrize(
    ("wishes", "layout", "message"),
    [
        (Wishes(kind=AS_IS, key="path"), Format(), "'key' was unexpected"),
        (Wishes(kind=AS_IS, ratios={"train": 0.5, "val": 0.5}), Format(), "'split' was unexpected"),
        (WISHES, Format(separator=";"), "no rows are read of files that stay as they are"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_written(root, things, wishes, layout, message):  # noqa: F811
    with pytest.raises(RegistryError, match=message), new(root, "kept", [str(things)], layout, wishes):
        pass
    assert [*(root / "config/datasets").iterdir()] == []


@pytest.mark.parametrize("name", ["empty", "nothing"])
def test_what_has_no_bytes_is_refused(root, tmp_path, name):  # noqa: F811
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(RegistryError, match="the file is empty|there are no files"):
        added(root, tmp_path / name)


@pytest.mark.parametrize("name", ["things", "weights.safetensors", "a.zip"])
def test_what_is_of_no_kind_can_be_kept_as_it_is(root, things, name):  # noqa: F811
    (things / "a.zip").write_bytes((ROOT / "LICENSE").read_bytes())
    (things / "things").mkdir()
    (things / "things" / "x.bin").write_bytes(b"x")
    with pytest.raises(RegistryError, match="as they are: --as-is|not a sound archive"):
        added(root, things / name, wishes=Wishes())


def test_it_is_not_of_another_kind(root, things, monkeypatch):  # noqa: F811
    monkeypatch.chdir(root)
    done = CliRunner().invoke(app, ["new", "kept", str(things), "--as-is", "--kind", "images"])
    assert done.exit_code == 1
    assert "not for the kind images" in str(done.exception) + done.output


def test_what_a_link_leads_to_need_not_tell_its_format(root, tmp_path):  # noqa: F811
    (tmp_path / "blob").write_text("n\n1\n")
    (tmp_path / "a.csv").symlink_to(tmp_path / "blob")
    found = added(root, tmp_path / "a.csv", wishes=Wishes())
    assert (found["kind"], found["sources"]["files"][0]["file"]) == ("table", "a.csv")
    (root / "config/datasets/kept.yaml").unlink()
    (root / "data/samples/kept/a.csv").unlink()
    (root / "data/samples/kept").rmdir()
    assert added(root, tmp_path / "a.csv")["contract"]["columns"]["suffix"]["values"] == [".csv"]
