"""Publish to a real S3 server: refused, away, dying; and what it lost is put back."""

import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from invariants import Witness, Work, no_secret, one_message
from registry.errors import RegistryError
from registry.files import dvc_digest
from registry.release.push import copy_to
from registry.storage.repository import Repository
from s3 import Identity, S3Server
from support import stress
from tiny import Tiny, make_tiny

EXPECTED = {f"{name}-v{version}" for name in ("letters", "numbers") for version in ("1.0.0", "1.1.0")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3"), buckets=("registry", "second")) as server:
        yield server


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, server: S3Server) -> Tiny:
    """1.0.0 of both datasets is released to S3, and more rows are built for both."""
    clone = make_tiny(tmp_path_factory.mktemp("tiny") / "registry").with_s3(server, "shared")
    for name in ("letters", "numbers"):
        clone.build(name, 10)
    clone.registry("publish")
    return clone


ROWS = count(20)


@pytest.fixture
def clone(once: Tiny, tmp_path: Path) -> Tiny:
    """A copy of its own, with rows that the server has not seen."""
    clone, rows = once.copied(tmp_path / "registry"), next(ROWS)
    for name in ("letters", "numbers"):
        clone.build(name, rows)
    return clone


def fails(clone: Tiny, server: S3Server, *secrets: str, **variables: str) -> str:
    """Publish, check that nothing was released and nothing given away, and return the one message."""
    witness, work = Witness(clone, server=server), Work(clone)
    before, head = witness.look(), clone.head()
    printed = clone.registry("publish", code=1, **variables)
    one_message(printed)
    assert witness.look() == before
    assert clone.head() == head
    work.check()
    no_secret(clone, printed, server.admin.secret, server.reader.secret, *secrets)
    return printed


def completes(clone: Tiny, server: S3Server, folder: Path) -> None:
    """Publish again, and check that everything is released and can be fetched."""
    printed = clone.registry("publish")
    witness = Witness(clone, server=server)
    assert set(witness.look()) == EXPECTED
    witness.check_with_dvc(folder)
    no_secret(clone, printed, server.admin.secret)


WRONG = {
    "wrong secret": Identity(S3Server.admin.key, "not-the-secret-of-the-admin"),
    "unknown key": Identity("nobody-we-know", "a-secret-that-opens-nothing"),
    "may only read": S3Server.reader,
}


@pytest.mark.parametrize("who", WRONG)
def test_credentials_that_do_not_do(who, clone, server, tmp_path):
    printed = fails(clone, server, WRONG[who].secret, **server.environment(WRONG[who]))
    assert "check the credentials" in printed
    completes(clone, server, tmp_path)


def test_no_credentials(clone, server, tmp_path):
    credentials = {name: clone.variables.pop(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    assert "check the credentials" in fails(clone, server)
    clone.variables |= credentials
    completes(clone, server, tmp_path)


def test_no_such_bucket(server, tmp_path):
    clone = make_tiny(tmp_path / "registry").with_s3(server, "prefix")
    clone.edit(".dvc/config", "s3://registry/", "s3://no-such-bucket/")
    clone.commit()
    clone.build("letters", 10)
    printed = fails(clone, server)
    assert "make the bucket" in printed
    server.client().create_bucket(Bucket="no-such-bucket")
    clone.registry("publish")
    Witness(clone, server=server).check_with_dvc(tmp_path)


def test_no_server(clone, tmp_path):
    with S3Server(tmp_path / "s3") as other:
        clone.edit(".dvc/config", _url(clone), other.url)
        clone.git("rm", "--quiet", "data/*/*.dvc")
        clone.commit()
        clone.git("tag", "--delete", "letters-v1.0.0", "numbers-v1.0.0")
        other.stop()
        assert "server runs" in fails(clone, other)
        other.start()
        clone.registry("publish")
        Witness(clone, server=other).check_with_dvc(tmp_path)


def _url(clone: Tiny) -> str:
    lines = (clone.folder / ".dvc" / "config").read_text().splitlines()
    return next(line.split("=")[1].strip() for line in lines if "endpointurl" in line)


@pytest.mark.parametrize("place", [1, 6, *stress([3])])
def test_the_server_dies_in_the_middle_of_a_push_and_comes_back(place, tmp_path):
    with S3Server(tmp_path / "s3") as server:
        clone = make_tiny(tmp_path / "registry").with_s3(server, "prefix")
        for name in ("letters", "numbers"):
            clone.build(name, 10)
        clone.registry("publish")
        for name in ("letters", "numbers"):
            clone.build(name, 20)
        witness = Witness(clone, server=server)
        before = witness.look()
        kill = f"kill -9 -{os.getpgid(server._process.pid)}"
        printed = clone.interfered(f"before:s3fs.core.S3FileSystem._put_file:{place}", kill, code=1)
        one_message(printed)
        assert "server runs" in printed
        assert set(clone.tags()) == set(before)
        server.restart()
        witness.check_objects()
        completes(clone, server, tmp_path)


def test_an_object_that_the_server_lost_is_put_back(clone, server, tmp_path):
    shared = dvc_digest(clone.folder / "data" / "numbers" / "processed" / "part-0.parquet")
    key = f"shared/files/md5/{shared[:2]}/{shared[2:]}"
    server.client().head_object(Bucket="registry", Key=key)
    server.client().delete_object(Bucket="registry", Key=key)
    completes(clone, server, tmp_path)


def test_an_object_that_is_gone_after_it_was_pushed_is_missed(clone, server, tmp_path):
    md5 = dvc_digest(clone.folder / "data" / "numbers" / "processed" / "rest.parquet")
    remove = (
        f"{sys.executable} -c 'import sys, s3; from pathlib import Path;"
        f's3.S3Server(Path("{server.folder}"), buckets=("registry", "second")).client().delete_object('
        f'Bucket="registry", Key="shared/files/md5/{md5[:2]}/{md5[2:]}")\''
    )
    clone.variables["PYTHONPATH"] = os.pathsep.join([*sys.path, str(clone.folder / "scripts")])
    printed = clone.interfered("after:registry.storage.dvc.Store._transfer:1", remove, code=1)
    one_message(printed)
    assert "did not reach" in printed
    completes(clone, server, tmp_path)


def test_the_environment_names_the_server_of_a_remote_that_does_not(clone, server, tmp_path):
    """As docs/storage.md says: where .dvc/config names a server, the environment does not count."""
    read = ["dvc", "get", f"file://{clone.folder}", "data/letters/processed", "--rev", "letters-v1.0.0", "-o"]
    elsewhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "REGISTRY_CACHE": str(tmp_path / "cache")}
    clone.run(*read, str(tmp_path / "by name"), **elsewhere)
    clone.edit(".dvc/config", f"    endpointurl = {server.url}\n", "")
    clone.commit("Leave the server to the environment")
    clone.registry("publish", AWS_ENDPOINT_URL=server.url)
    read[-2] = "letters-v1.1.0"
    elsewhere["AWS_ENDPOINT_URL"] = server.url
    clone.run(*read, str(tmp_path / "by environment"), **elsewhere)
    clone.registry("get", f"file://{clone.folder}", "letters", "--out", "got", **elsewhere)


def test_a_copy_to_another_remote_is_no_release(clone, server, tmp_path, monkeypatch):
    with (clone.folder / ".dvc" / "config").open("a") as config:
        config.write(f"['remote \"second\"']\n    url = s3://second/copy\n    endpointurl = {server.url}\n")
    clone.commit("Name a second remote")
    clone.registry("publish")
    for name, value in clone.environment().items():
        monkeypatch.setenv(name, value)
    tags, head = clone.tags(), clone.head()
    md5 = dvc_digest(clone.folder / "data" / "numbers" / "processed" / "rest.parquet")
    (clone.folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]).unlink()
    copied = copy_to(Repository.open(clone.folder), ["numbers"], "second")
    assert [(copy.dataset, copy.tag, copy.remote) for copy in copied] == [("numbers", "numbers-v1.1.0", "second")]
    assert (clone.tags(), clone.head()) == (tags, head)
    assert server.client().get_object(Bucket="second", Key=f"copy/files/md5/{md5[:2]}/{md5[2:]}")
    clone.run("dvc", "get", ".", "data/numbers/processed", "--rev", "numbers-v1.1.0", "-o", str(tmp_path / "got"))
    copy_to(Repository.open(clone.folder), [], "second")
    clone.edit(".dvc/config", "remote = team", "remote = second")
    clone.commit()
    empty_cache(clone)
    clone.run("dvc", "pull", "data/letters/processed.dvc", "data/numbers/processed.dvc")
    with pytest.raises(RegistryError, match="no remote third"):
        copy_to(Repository.open(clone.folder), [], "third")
    with pytest.raises(RegistryError, match="words has no version"):
        copy_to(Repository.open(clone.folder), ["words"], "second")


def empty_cache(clone: Tiny) -> None:
    for path in (clone.folder / ".dvc" / "cache").rglob("*"):
        if path.is_file():
            path.unlink()
