"""The cache of downloads: whole, checked whenever something is taken, and safe to share."""

import hashlib
import multiprocessing
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from registry.storage.objects import DamagedDownloadError, ObjectCache

CONTENTS = {hashlib.md5(content).hexdigest(): content for content in (b"one", b"two", b"three", b"")}
ONE, TWO, THREE, EMPTY = CONTENTS


class Remote:
    def __init__(self, contents: Mapping[str, bytes] = CONTENTS) -> None:
        self.contents = dict(contents)
        self.asked: list[str] = []

    def download(self, targets: Mapping[str, Path]) -> None:
        for md5, path in targets.items():
            self.asked.append(md5)
            path.write_bytes(self.contents[md5])


def fetch(cache: ObjectCache, folder: Path, remote: Remote, files: Mapping[str, str], say=print) -> None:
    with cache.new_folder(folder, "version", say) as partial:
        cache.copy({partial / name: md5 for name, md5 in files.items()}, remote.download, "version")


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_downloaded_once_is_not_downloaded_again(tmp_path):
    cache, remote = ObjectCache(tmp_path / "cache"), Remote()
    fetch(cache, tmp_path / "first", remote, {"a": ONE, "below/b": TWO, "same": ONE})
    assert sorted(remote.asked) == sorted([ONE, TWO])
    fetch(cache, tmp_path / "second", remote, {"a": ONE, "c": THREE, "nothing": EMPTY})
    assert sorted(remote.asked) == sorted(CONTENTS)
    assert (tmp_path / "first" / "below" / "b").read_bytes() == b"two"
    assert (tmp_path / "second" / "nothing").read_bytes() == b""
    assert left(tmp_path) == ["cache", "first", "second"]
    assert left(tmp_path / "cache" / "incoming") == []


@pytest.mark.parametrize("damage", [b"", b"onE", b"one and more"])
def test_a_damaged_object_is_downloaded_again(tmp_path, damage):
    cache, remote = ObjectCache(tmp_path / "cache"), Remote()
    fetch(cache, tmp_path / "first", remote, {"a": ONE, "b": TWO})
    (tmp_path / "cache" / "md5" / ONE[:2] / ONE[2:]).write_bytes(damage)
    fetch(cache, tmp_path / "second", remote, {"a": ONE, "b": TWO})
    assert (tmp_path / "second" / "a").read_bytes() == b"one"
    assert sorted(remote.asked) == sorted([ONE, TWO, ONE])


def test_a_damaged_object_of_the_remote_is_refused(tmp_path):
    cache, remote = ObjectCache(tmp_path / "cache"), Remote(CONTENTS | {TWO: b"tw0"})
    with pytest.raises(DamagedDownloadError, match=TWO):
        fetch(cache, tmp_path / "new", remote, {"a": ONE, "b": TWO})
    assert left(tmp_path) == ["cache"]
    assert not (tmp_path / "cache" / "md5" / TWO[:2] / TWO[2:]).exists()


def test_a_download_that_fails_leaves_nothing_half_written(tmp_path):
    cache, remote = ObjectCache(tmp_path / "cache"), Remote({ONE: b"one"})
    with pytest.raises(KeyError):
        fetch(cache, tmp_path / "new", remote, {"a": ONE, "b": TWO})
    assert left(tmp_path) == ["cache"]
    assert left(tmp_path / "cache" / "incoming") == []


def test_a_folder_that_is_there_is_not_overwritten(tmp_path):
    cache = ObjectCache(tmp_path / "cache")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work").touch()
    with pytest.raises(FileExistsError):
        fetch(cache, tmp_path / "mine", Remote(), {"a": ONE})
    assert left(tmp_path / "mine") == ["work"]
    assert left(tmp_path) == ["cache", "mine"]


def _killed(folder: Path) -> None:
    def download(targets: Mapping[str, Path]) -> None:
        for path in targets.values():
            path.write_bytes(b"on")
            os.kill(os.getpid(), signal.SIGKILL)

    cache = ObjectCache(folder / "cache")
    with cache.new_folder(folder / "new", "version", print) as partial:
        (partial / "begun").touch()
        cache.copy({partial / "a": ONE}, download, "version")


def test_what_a_killed_process_left_behind_is_removed(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "new").exists()
    assert len(left(tmp_path)) == 2, "a folder that is not yet what it will be"
    fetch(ObjectCache(tmp_path / "cache"), tmp_path / "new", Remote(), {"a": ONE})
    assert left(tmp_path) == ["cache", "new"]
    assert left(tmp_path / "new") == ["a"]
    assert left(tmp_path / "cache" / "incoming") == []


def _waits(folder: Path, said, asked) -> None:
    remote = Remote()
    fetch(ObjectCache(folder / "cache"), folder / "second", remote, {"a": ONE}, say=said.put)
    asked.put(remote.asked)


def test_of_two_that_fetch_the_same_one_waits_and_downloads_nothing(tmp_path):
    context = multiprocessing.get_context("fork")
    said, asked = context.Queue(), context.Queue()
    process = context.Process(target=_waits, args=(tmp_path, said, asked))
    cache = ObjectCache(tmp_path / "cache")
    with cache.new_folder(tmp_path / "first", "version", print) as partial:
        process.start()
        assert said.get() == f"another process is fetching the same into {cache.folder}: waiting for it"
        cache.copy({partial / "a": ONE}, Remote().download, "version")
    assert asked.get() == []
    process.join()
    assert left(tmp_path / "second") == left(tmp_path / "first") == ["a"]


def test_the_folder_of_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.delenv("REGISTRY_CACHE", raising=False)
    assert ObjectCache().folder.name == "data-registry"
    monkeypatch.setenv("REGISTRY_CACHE", str(tmp_path / "chosen"))
    assert ObjectCache().folder == tmp_path / "chosen"
    assert ObjectCache(tmp_path / "option").folder == tmp_path / "option"
