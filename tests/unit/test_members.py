"""The files below a folder: in one order, by names that everybody can take, and none from outside."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import RegistryError
from registry.formats.members import check_apart, check_name, folder_members


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def names(folder, **options):
    return [member.name for member in folder_members(folder, **{"max_members": 100} | options)]


def test_members_are_sorted_by_name_with_sizes_and_without_hidden_ones(tmp_path):
    write(tmp_path, "b/1.txt", "b-1.txt", "Käse und Brot/ä 1.txt", "a.txt", ".DS_Store", ".git/config", "b/.x/1.txt")
    write(tmp_path, ".snakemake_timestamp")
    hidden: set[str] = set()
    found = folder_members(tmp_path, max_members=4, hidden=hidden)
    assert hidden == {".DS_Store", ".git", "b/.x"}
    assert [member.name for member in found] == ["Käse und Brot/ä 1.txt", "a.txt", "b-1.txt", "b/1.txt"]
    for member in found:
        with member.open() as stream:
            content = stream.read()
        assert content.decode() == member.name
        assert len(content) == member.size


def test_links_within_the_folder_are_taken_and_others_refused(tmp_path):
    folder = tmp_path / "folder"
    write(folder, "a.txt")
    write(tmp_path, "secret.txt", "other/b.txt")
    (folder / "again.txt").symlink_to("a.txt")
    assert names(folder) == ["a.txt", "again.txt"]
    for to, words in {
        "../secret.txt": "leads out of the folder",
        "/etc/passwd": "leads out of the folder",
        "../other": "leads out of the folder",
        "nothing": "a link to nothing",
        "loop": "a link to nothing",
        ".": "no plain file",
    }.items():
        (folder / "loop").symlink_to(to)
        with pytest.raises(RegistryError, match=f"folder/loop: .*{words}"):
            names(folder)
        (folder / "loop").unlink()


def test_the_folder_itself_may_be_a_link(tmp_path):
    write(tmp_path, "folder/a.txt")
    (tmp_path / "link").symlink_to("folder")
    assert names(tmp_path / "link") == ["a.txt"]


def test_what_is_no_plain_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RegistryError, match="pipe: no plain file"):
        names(tmp_path)


def test_too_many_files_and_no_folder(tmp_path):
    write(tmp_path, "a", "b", "c")
    assert len(names(tmp_path, max_members=3)) == 3
    with pytest.raises(RegistryError, match="more than 2 files"):
        names(tmp_path, max_members=2)
    with pytest.raises(RegistryError, match="no such file"):
        names(tmp_path / "none")
    with pytest.raises(RegistryError, match="not a directory"):
        names(tmp_path / "a")


@pytest.mark.parametrize("name", [b"a\nb", b"a\tb", b"a\\b", b"\xff", "a\u2028b".encode(), b"\x7f"])
def test_a_name_that_git_or_dvc_cannot_take_is_refused(tmp_path, name):
    (tmp_path / os.fsdecode(name)).write_text("")
    with pytest.raises(RegistryError, match="a name that cannot be taken"):
        names(tmp_path)


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/..", "a/../b", "a//b", "a/", "./a", "a/./b", "a\0", "a" * 256])
def test_a_name_that_leads_elsewhere_or_nowhere_is_refused(name):
    with pytest.raises(RegistryError):
        check_name(name)


@given(st.text(st.characters(), max_size=20))
def test_a_name_that_is_taken_names_a_file_below_any_folder(name):
    try:
        check_name(name)
    except RegistryError:
        return
    assert os.path.normpath(f"/folder/{name}") == f"/folder/{name}"
    assert name.splitlines() == [name]


@pytest.mark.parametrize("two", [["a", "a"], ["a", "a-b", "a/b"], ["a", "a/b/c"]])
def test_names_that_are_in_each_others_place_are_refused(two):
    with pytest.raises(RegistryError, match="^a: "):
        check_apart(two)
    check_apart(["a", "a-b", "ab/c", "b"])
