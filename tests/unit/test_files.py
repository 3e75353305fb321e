"""Atomic writes and digests, the latter compared with DVC itself."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from registry.files import (
    atomic_file,
    atomic_folder,
    data_files,
    dvc_digest,
    dvc_digest_and_hashes,
    hashed,
    link_or_copy,
    output_file,
    output_folder,
    sealed,
    sealed_path,
    sha256_of,
    write_json,
)
from support import ROOT

ODD_NAMES = [
    "b.txt",
    "a b.txt",
    "ä.txt",
    "日本.txt",
    'quote".txt',
    "back\\slash",
    "a.d/x",
    "a/b",
    "a-b/x",
    "A/y",
    "z/z/z/z",
]


@pytest.fixture(scope="module")
def dvc_repo(tmp_path_factory):
    """A DVC repository in which `file`, `folder` and `single` were added by DVC itself."""
    repo = tmp_path_factory.mktemp("repo")
    for name in ODD_NAMES:
        path = repo / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    (repo / "folder" / "empty").write_bytes(b"")
    (repo / "folder" / ".hidden").write_bytes(b"hidden")
    (repo / "folder" / ".snakemake_timestamp").touch()
    (repo / "folder" / "a" / ".snakemake_timestamp").touch()
    (repo / "file").write_bytes(bytes(range(256)) * 9000)
    (repo / "single").mkdir()
    (repo / "single" / "only.txt").write_text("one\r\ntwo\n")
    (repo / "folder" / "a" / ".half.parquet.partial").mkdir()
    (repo / "folder" / "a" / ".half.parquet.partial" / "half.parquet").write_bytes(b"PAR")
    (repo / "folder" / "whole.partial").write_bytes(b"a name like another")
    shutil.copyfile(ROOT / ".dvcignore", repo / ".dvcignore")
    dvc = [sys.executable, "-m", "dvc"]
    for command in (["init", "--no-scm", "-q"], ["add", "-q", "file", "folder", "single"]):
        subprocess.run([*dvc, *command], cwd=repo, check=True)
    return repo


@pytest.mark.parametrize("name", ["file", "folder", "single"])
def test_the_digest_is_the_one_that_dvc_records(dvc_repo, name):
    (recorded,) = yaml.safe_load((dvc_repo / f"{name}.dvc").read_text())["outs"]
    digest, hashes = dvc_digest_and_hashes(dvc_repo / name)
    assert dvc_digest(dvc_repo / name) == digest == recorded["md5"]
    assert hashes == {path: hashed(path) for path in data_files(dvc_repo / name)}


def test_data_files_are_all_files_but_snakemakes_own_and_those_that_are_not_finished(dvc_repo):
    found = {path.relative_to(dvc_repo / "folder").as_posix() for path in data_files(dvc_repo / "folder")}
    assert found == {*ODD_NAMES, "empty", ".hidden", "whole.partial"}
    assert data_files(dvc_repo / "file") == [dvc_repo / "file"]


def test_sha256_is_that_of_the_bytes(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_appears_whole_with_the_folders_above_it(tmp_path):
    with atomic_file(tmp_path / "a" / "b" / "file") as partial:
        partial.write_text("new")
        assert not (tmp_path / "a" / "b" / "file").exists()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_that_fails_leaves_the_old_content_and_nothing_else(tmp_path, error):
    (tmp_path / "file").write_text("old")
    with pytest.raises(error), atomic_file(tmp_path / "file") as partial:
        partial.write_text("half")
        raise error
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_a_block_that_writes_no_file_fails(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "file"):
        pass


def test_a_folder_replaces_the_old_one_and_what_a_killed_run_left(tmp_path):
    (tmp_path / "folder" / "old").mkdir(parents=True)
    (tmp_path / ".folder.partial" / "left").mkdir(parents=True)
    with atomic_folder(tmp_path / "folder") as partial:
        (partial / "new").write_text("new")
        assert (tmp_path / "folder" / "old").exists()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["folder", "folder/new"]


@pytest.mark.parametrize("left", ["a file", "a folder", "a link to a file", "a link to a folder"])
@pytest.mark.parametrize("write", [atomic_file, atomic_folder])
def test_what_is_in_place_of_the_half_written_one_goes_and_is_not_written_through(tmp_path, left, write):
    (tmp_path / "victims").mkdir()
    (tmp_path / "victims" / "out").write_text("a private key")
    planted = tmp_path / ".out.partial"
    match left:
        case "a file":
            planted.write_text("left")
        case "a folder":
            (planted / "out").mkdir(parents=True)
        case "a link to a file":
            planted.symlink_to(tmp_path / "victims" / "out")
        case "a link to a folder":
            planted.symlink_to(tmp_path / "victims")
    with write(tmp_path / "out") as partial:
        place = partial / "new" if write == atomic_folder else partial
        place.write_text("new")
        assert stat.S_IMODE(planted.stat().st_mode) == 0o700
        assert not planted.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "victims"]
    assert (tmp_path / "victims" / "out").read_text() == "a private key"


def test_what_is_written_has_the_permissions_that_the_user_chose(tmp_path):
    (tmp_path / "plain").touch()
    with atomic_file(tmp_path / "file") as partial:
        partial.touch()
    with atomic_folder(tmp_path / "folder"):
        pass
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) & 0o777 == 0o777 & ~mask()


def mask():
    found = os.umask(0)
    os.umask(found)
    return found


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_folder_that_fails_leaves_the_old_content_and_nothing_else(tmp_path, error):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")
    with pytest.raises(error), atomic_folder(tmp_path / "folder") as partial:
        (partial / "half").write_text("half")
        raise error
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["folder", "folder/old"]


def test_an_output_has_its_checksum_beside_it_and_keeps_the_old_pair_when_it_fails(tmp_path):
    with output_folder(tmp_path / "processed") as partial:
        (partial / "a").write_text("new")
    with output_file(tmp_path / "questions.csv") as partial:
        partial.write_text("a,b\n")
    for name in ("processed", "questions.csv"):
        assert sealed(tmp_path / name) == dvc_digest(tmp_path / name)
        assert (tmp_path / f".{name}.md5").read_text() == dvc_digest(tmp_path / name) + "\n"
        assert sealed_path(tmp_path / f".{name}.md5") == tmp_path / name
    once = dvc_digest(tmp_path / "processed")
    with pytest.raises(ValueError), output_folder(tmp_path / "processed") as partial:
        (partial / "a").write_text("newer")
        raise ValueError
    assert sealed(tmp_path / "processed") == dvc_digest(tmp_path / "processed") == once


def test_json_is_readable_utf8_in_the_order_given(tmp_path):
    write_json(tmp_path / "value.json", {"z": "ä", "a": [1, None]})
    text = (tmp_path / "value.json").read_bytes().decode("utf-8")
    assert text == '{\n  "z": "ä",\n  "a": [\n    1,\n    null\n  ]\n}\n'
    assert list(json.loads(text)) == ["z", "a"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), object()])
def test_json_refuses_what_it_cannot_say_and_keeps_the_old_file(tmp_path, value):
    (tmp_path / "value.json").write_text("old")
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "value.json", {"deep": [value]})
    assert [path.name for path in tmp_path.iterdir()] == ["value.json"]
    assert (tmp_path / "value.json").read_text() == "old"


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "other-file-system"])
def test_a_file_has_a_second_name_or_else_a_copy(tmp_path, elsewhere):
    with tempfile.TemporaryDirectory(dir="/dev/shm" if elsewhere else tmp_path) as folder:
        source, target = Path(folder, "a"), tmp_path / "b"
        source.write_text("x")
        if elsewhere and source.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is but one file system")
        link_or_copy(source, target)
        assert source.stat().st_nlink == (1 if elsewhere else 2)
        with pytest.raises(FileExistsError):
            link_or_copy(source, target)
    assert target.read_text() == "x"
