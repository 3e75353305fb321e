"""kill -9 at every step of a publish: what was released stays, and the next publish completes the rest."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from commands import republish
from invariants import Witness, Work, one_message
from registry.files import data_files, dvc_digest
from s3 import S3Server
from support import stress
from tiny import Tiny, make_tiny

CACHE = "dvc_data.hashfile.db.HashFileDB.add"
COPY = "dvc_objects.fs.local.copyfile"
STEPS = [
    "before:registry.storage.dvc.Store.add:1",
    f"half:{COPY}:1",
    f"after:{CACHE}:3",
    "after:dvc.dvcfile.SingleStageFile.dump:2",
    "before:dvc_data.hashfile.transfer._add:1",
    "after:dvc_data.hashfile.transfer._add:2",
    f"half:{COPY}:7",
    "after:registry.storage.dvc.Store.push:1",
    "before:git write-tree:1",
    "after:registry.storage.git.Git.commit_object:1",
    "after:registry.storage.git.Git.tag_object:1",
    "after:git update-index:2",
    "after:registry.storage.git.Git.fast_forward:1",
    "before:git update-ref:1",
    "after:git update-ref:1",
]
"""Places in a publish of both datasets to the embedded store."""
MORE_STEPS = [
    "before:registry.release.publish._publish:1",
    "before:dvc.repo.Repo.add:1",
    f"before:{CACHE}:1",
    f"after:{CACHE}:1",
    "before:dvc.dvcfile.SingleStageFile.dump:1",
    "after:registry.storage.dvc.Store.add:1",
    "before:registry.storage.dvc.Store._transfer:1",
    "after:dvc_data.hashfile.transfer._add:1",
    "after:dvc_data.hashfile.transfer._add:3",
    f"half:{COPY}:5",
    f"half:{COPY}:9",
    "after:registry.storage.dvc.Store._transfer:1",
    "before:git read-tree:1",
    "after:registry.storage.git.Git.tag_object:2",
    "before:registry.storage.git.Git.fast_forward:1",
]
PUSH_STEPS = [
    "after:git fetch:1",
    "before:s3fs.core.S3FileSystem._put_file:4",
    "after:registry.storage.git.Git.commit_object:1",
    "before:git push:1",
    "after:git push:1",
    "after:git read-tree:2",
    "after:git update-ref:1",
]
"""Places in a publish to S3 that pushes to an origin."""
MORE_PUSH_STEPS = [
    "before:git fetch:1",
    "before:s3fs.core.S3FileSystem._put_file:1",
    "after:registry.storage.dvc.Store.push:1",
    "after:registry.storage.git.Git.tag_object:2",
    "after:git update-index:2",
    "before:git update-ref:1",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def tiny_once(once) -> Tiny:
    """1.0.0 of both datasets is released, and more rows are built for both."""

    def make(folder: Path) -> str:
        _with_news(make_tiny(folder))
        return ""

    return Tiny(once("tiny-with-news", make))


@pytest.fixture(scope="module")
def pushed_once(tmp_path_factory: pytest.TempPathFactory, server: S3Server) -> Tiny:
    """The same with release.push to a bare repository and data on S3."""
    folder = tmp_path_factory.mktemp("pushed")
    clone = make_tiny(folder / "registry").with_s3(server, "crashes").with_origin(folder / "origin.git")
    return _with_news(clone)


def _with_news(clone: Tiny) -> Tiny:
    for name in ("letters", "numbers"):
        clone.build(name, 10)
    clone.registry("publish")
    for name in ("letters", "numbers"):
        clone.build(name, 20)
    return clone


EXPECTED = {f"{name}-v{version}" for name in ("letters", "numbers") for version in ("1.0.0", "1.1.0")}


@pytest.mark.parametrize("place", [*STEPS, *stress(MORE_STEPS)])
def test_a_publish_killed_anywhere_is_completed_by_the_next(place, tiny_once, tmp_path):
    clone = tiny_once.copied(tmp_path / "registry")
    witness, work = Witness(clone), Work(clone)
    witness.look()
    clone.interfered(place)
    witness.check_objects()
    work.check()
    clone.registry("publish")
    assert set(witness.look()) == EXPECTED
    witness.check()
    work.check_is_all()
    assert "Nothing new" in clone.registry("publish")


@pytest.mark.parametrize("place", [*PUSH_STEPS, *stress(MORE_PUSH_STEPS)])
def test_with_an_origin_too(place, pushed_once, server, tmp_path):
    clone, origin = twin(pushed_once, tmp_path)
    # Rows that the server has not seen in another test.
    rows = 21 + [*PUSH_STEPS, *MORE_PUSH_STEPS].index(place)
    for name in ("letters", "numbers"):
        clone.build(name, rows)
    witness, work = Witness(clone, origin, server), Work(clone)
    witness.look()
    clone.interfered(place)
    witness.check_objects()
    work.check()
    clone.registry("publish")
    assert set(witness.look()) == EXPECTED == set(clone.tags())
    assert clone.head() == clone.git("rev-parse", "refs/remotes/origin/main")
    assert clone.git("ls-remote", "origin", "refs/heads/main").split()[0] == clone.head()
    witness.check()
    work.check_is_all()


REPUBLISH = " ".join(republish("numbers", "1.0.0", "broken"))
ROLLBACK = "rollback numbers 1.0.0"
BACK = [
    (REPUBLISH, "before:registry.restore.rollback.put:1"),
    (REPUBLISH, "before:registry.restore.rollback.record:1"),
    (REPUBLISH, "after:git push:1"),
    (ROLLBACK, "after:registry.restore.rollback.write_json:1"),
    (ROLLBACK, "after:git push:1"),
    (ROLLBACK, "after:registry.storage.git.Git.fast_forward:1"),
]
"""Places on the way back to an older version."""
MORE_BACK = [
    (REPUBLISH, "after:registry.storage.dvc.Store.push:1"),
    (REPUBLISH, "before:git push:1"),
    (REPUBLISH, "after:registry.storage.git.Git.fast_forward:1"),
    (ROLLBACK, "after:registry.restore.rollback.put:1"),
    (ROLLBACK, "before:git push:1"),
]


@pytest.mark.parametrize(("command", "place"), [*BACK, *stress(MORE_BACK)])
def test_on_the_way_back_too(command, place, pushed_once, server, tmp_path):
    clone, origin = twin(pushed_once, tmp_path)
    first = clone.git("rev-parse", "numbers-v1.0.0:data/numbers/processed.dvc")
    clone.registry("publish")
    witness, work = Witness(clone, origin, server), Work(clone)
    witness.look()
    clone.interfered(place, command=command)
    witness.check_objects()
    work.check()
    clone.registry(*command.split())
    assert set(witness.look()) == set(clone.tags())
    assert witness.tags.keys() == EXPECTED | ({"numbers-v2.0.0"} if command == REPUBLISH else set())
    assert clone.git("rev-parse", "HEAD:data/numbers/processed.dvc") == first
    assert dvc_digest(clone.folder / "data" / "numbers" / "processed") in clone.git("show", first)
    assert clone.git("ls-tree", "--name-only", "HEAD", "data/numbers/pin.json")
    assert clone.head() == clone.git("ls-remote", "origin", "refs/heads/main").split()[0]
    witness.check()
    work.check_is_all()


def twin(clone: Tiny, folder: Path) -> tuple[Tiny, Path]:
    """Return a copy of a clone with a copy of its origin."""
    origin = folder / "origin.git"
    shutil.copytree(clone.git("remote", "get-url", "origin"), origin)
    copy = clone.copied(folder / "registry")
    copy.git("remote", "set-url", "origin", str(origin))
    return copy, origin


@pytest.fixture(scope="module")
def calls(tiny_once: Tiny, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many calls of functions such a publish takes."""
    return tiny_once.copied(tmp_path_factory.mktemp("counted") / "registry").calls("publish")


@pytest.mark.parametrize("seed", [0, 1, *stress(range(2, 40))])
def test_killed_at_random_calls(seed, calls, tiny_once, tmp_path):
    clone = tiny_once.copied(tmp_path / "registry")
    witness, work, chance = Witness(clone), Work(clone), random.Random(seed)
    for _ in range(3):
        clone.killed(chance.randrange(calls) + 1, "publish")
        witness.check_objects()
        work.check()
    clone.registry("publish")
    assert set(witness.look()) == EXPECTED
    witness.check_with_dvc(tmp_path)
    work.check()


@pytest.mark.parametrize("moment", ["prepared", "committed"])
def test_git_itself_is_killed_while_it_moves_the_references(moment, tiny_once, tmp_path):
    clone = tiny_once.copied(tmp_path / "registry")
    witness = Witness(clone)
    before = set(witness.look())
    hook = clone.folder / ".git" / "hooks" / "reference-transaction"
    clone.write(".git/hooks/reference-transaction", f'#!/bin/sh\n[ "$1" = {moment} ] && kill -9 $PPID; true\n')
    hook.chmod(0o755)
    # Killed after it was done, it is not missed.
    printed = clone.registry("publish", code=1 if moment == "prepared" else 0)
    hook.unlink()
    locks = [path for path in clone.folder.glob(".git/**/*.lock") if path.name != "registry.lock"]
    if moment == "prepared":
        one_message(printed)
        assert set(witness.look()) == before
        printed = clone.impatient("publish", code=1)
        one_message(printed)
        assert ".lock" in printed
    for lock in locks:
        lock.unlink()
    witness.check_objects()
    clone.registry("publish")
    assert set(witness.look()) == EXPECTED
    witness.check_with_dvc(tmp_path)
    assert clone.git("status", "--porcelain") == ""


def damage(path: Path, how: str) -> None:
    """Damage a file, and leave its mode and its times as they were."""
    about, content = path.stat(), path.read_bytes()
    path.chmod(0o644)
    if how == "missing":
        path.unlink()
        return
    path.write_bytes(bytes(byte ^ 0xFF for byte in content) if how == "flipped" else content[: len(content) // 2])
    path.chmod(about.st_mode)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def objects(clone: Tiny, dataset: str) -> list[str]:
    """Return the objects that the built data of a dataset consists of, its folder's list first."""
    folder = clone.folder / "data" / dataset
    files = [*data_files(folder / "processed"), folder / "manifest.parquet"]
    return [dvc_digest(folder / "processed"), *map(dvc_digest, files)]


CACHED, STORED = ".dvc/cache", ".dvc/storage"
DAMAGES = [("flipped", CACHED), ("truncated", STORED), ("missing", STORED)]
MORE_DAMAGES = [("truncated", CACHED), ("missing", CACHED), ("flipped", STORED)]


@pytest.mark.parametrize(("how", "place"), [*DAMAGES, *stress(MORE_DAMAGES)])
def test_damaged_objects_of_what_is_being_released_are_replaced(how, place, tiny_once, tmp_path):
    clone = tiny_once.copied(tmp_path / "registry")
    killed_at = "before:registry.storage.dvc.Store.push:1" if place == CACHED else "before:git read-tree:1"
    clone.interfered(killed_at)
    witness = Witness(clone)
    for md5 in objects(clone, "numbers"):
        damage(clone.folder / place / "files" / "md5" / md5[:2] / md5[2:], how)
    clone.registry("publish")
    assert set(witness.look()) == EXPECTED
    witness.check_with_dvc(tmp_path)


@pytest.mark.parametrize("how", ["flipped", *stress(["truncated", "missing"])])
def test_a_damaged_manifest_of_the_release_before_is_fetched_again(how, tiny_once, tmp_path):
    clone = tiny_once.copied(tmp_path / "registry")
    md5 = yaml.safe_load(clone.git("show", "numbers-v1.0.0:data/numbers/manifest.parquet.dvc"))["outs"][0]["md5"]
    damage(clone.folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:], how)
    clone.registry("publish")
    assert set(clone.tags()) == EXPECTED


def test_what_the_release_before_shares_is_looked_at_again(tiny_once, tmp_path):
    clone = tiny_once.copied(tmp_path / "registry")
    shared = dvc_digest(clone.folder / "data" / "numbers" / "processed" / "part-0.parquet")
    (clone.folder / ".dvc" / "storage" / "files" / "md5" / shared[:2] / shared[2:]).unlink()
    clone.registry("publish")
    Witness(clone).check_with_dvc(tmp_path)


RWLOCK, DATA, MANIFEST = ".dvc/tmp/rwlock", "data/numbers/processed.dvc", "data/numbers/manifest.parquet.dvc"
HALF_WRITTEN = [(RWLOCK, 0), (DATA, 20), (MANIFEST, 0)]
MORE_HALF_WRITTEN = [(RWLOCK, 20), (DATA, 0), (MANIFEST, 20)]


@pytest.mark.parametrize(("file", "left"), [*HALF_WRITTEN, *stress(MORE_HALF_WRITTEN)])
def test_a_file_that_dvc_was_writing_does_not_stop_the_next_publish(file, left, tiny_once, tmp_path):
    clone = tiny_once.copied(tmp_path / "registry")
    clone.interfered("after:registry.storage.dvc.Store.add:1")
    text = (clone.folder / file).read_text()
    clone.write(file, (text + "#" * left)[:left])
    clone.registry("publish")
    assert set(clone.tags()) == EXPECTED
    Witness(clone).check_with_dvc(tmp_path)
    assert clone.git("status", "--porcelain") == ""
