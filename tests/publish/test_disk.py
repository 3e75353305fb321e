"""Publish on a disk that is full: one message, nothing half-released, and with space again it is completed."""

import shutil
from pathlib import Path

import pytest

from disk import fill, small_disk
from invariants import Witness, Work, one_message
from support import stress
from tiny import Tiny, make_tiny

ROWS = 60_000


@pytest.fixture(scope="session")
def tiny_once(once) -> Tiny:
    """1.0.0 of both datasets is released, and many more rows are built for both."""

    def make(folder: Path) -> str:
        clone = make_tiny(folder)
        for name in ("letters", "numbers"):
            clone.build(name, 10)
        printed = clone.registry("publish")
        for name in ("letters", "numbers"):
            clone.build(name, ROWS)
        return printed

    return Tiny(once("tiny-with-many-rows", make))


EXPECTED = {f"{name}-v{version}" for name in ("letters", "numbers") for version in ("1.0.0", "1.1.0")}


PLACES = [
    "before:registry.storage.dvc.Store._add:1",
    "after:dvc_data.hashfile.db.HashFileDB.add:2",
    "before:dvc.dvcfile.SingleStageFile.dump:1",
    "after:dvc_data.hashfile.transfer._add:1",
    "before:registry.storage.git.Git.commit_object:1",
    "before:git mktag:1",
    "before:git update-ref:1",
]
"""Where the last space goes."""
MORE_PLACES = [
    "before:registry.release.publish._publish:1",
    "before:dvc_data.hashfile.db.HashFileDB.add:1",
    "after:registry.storage.dvc.Store.add:1",
    "before:git write-tree:1",
    "before:git commit-tree:1",
    "before:registry.storage.git.Git.fast_forward:1",
]


@pytest.mark.parametrize("place", [*PLACES, *stress(MORE_PLACES)])
def test_a_disk_that_is_full_from_one_moment_on(place, tiny_once, tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, 64):
        clone = tiny_once.copied(disk / "registry")
        witness, work = Witness(clone), Work(clone)
        before = witness.look()
        clone.variables["TMPDIR"] = str(disk)
        filler = disk / ".filler"
        printed = clone.interfered(place, f"cat /dev/zero > {filler} 2> /dev/null; true", code=1)
        one_message(printed)
        assert "free some space" in printed
        assert witness.look() == before
        filler.unlink()
        work.check()
        clone.registry("publish")
        assert set(witness.look()) == EXPECTED
        witness.check()
        work.check_is_all()


@pytest.mark.parametrize("leave", [500, *stress([0, 1500])])
def test_a_full_store(leave, tiny_once, tmp_path):
    clone = tiny_once.copied(tmp_path / "registry")
    store = clone.folder / ".dvc" / "storage"
    shutil.move(store, tmp_path / "store")
    with small_disk(store, 16):
        shutil.copytree(tmp_path / "store", store, dirs_exist_ok=True)
        witness, work = Witness(clone), Work(clone)
        before = witness.look()
        filler = fill(store, leave)
        printed = clone.registry("publish", code=1)
        one_message(printed)
        assert "free some space" in printed
        assert witness.look() == before
        witness.check_objects()
        filler.unlink()
        clone.registry("publish")
        assert set(witness.look()) == EXPECTED
        witness.check_with_dvc(tmp_path)
        work.check_is_all()
