"""What a remote has lost or damaged is found, named, never taken for good, and repaired from a cache that has it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from invariants import one_message
from registry.client import open_dataset
from registry.errors import RegistryError
from s3 import S3Server
from tiny import Tiny, make_tiny

LIST, FILE, MANIFEST = "data/numbers/processed", "data/numbers/processed/rest.parquet", "data/numbers/manifest.parquet"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, server: S3Server) -> Tiny:
    """Two versions of `numbers` and one of `letters` on S3."""
    clone = make_tiny(tmp_path_factory.mktemp("tiny") / "registry").with_s3(server, "store")
    clone.build("letters", 10)
    for rows in (10, 20):
        clone.build("numbers", rows)
        clone.registry("publish")
    return clone


class Remote:
    """The objects of the remote, by where the working tree has them."""

    def __init__(self, clone: Tiny, server: S3Server) -> None:
        self.clone, self.server, self.client = clone, server, server.client()
        self.sound: dict[str, bytes] = {}

    def md5(self, path: str) -> str:
        out = LIST if path.startswith(LIST) else path
        md5 = next(
            line.split()[-1] for line in (self.clone.folder / f"{out}.dvc").read_text().splitlines() if "md5: " in line
        )
        if path == out:
            return md5
        listed = json.loads(self.cached(md5).read_text())
        return next(one["md5"] for one in listed if f"{LIST}/{one['relpath']}" == path)

    def cached(self, md5: str) -> Path:
        return self.clone.folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]

    def key(self, md5: str) -> dict[str, str]:
        return {"Bucket": self.server.buckets[0], "Key": f"store/files/md5/{md5[:2]}/{md5[2:]}"}

    def read(self, md5: str) -> bytes:
        return self.client.get_object(**self.key(md5))["Body"].read()

    def spoil(self, path: str, how: str) -> str:
        """Damage the object of a path, or remove it, and return its md5."""
        md5 = self.md5(path)
        content = self.sound.setdefault(md5, self.read(md5))
        if how == "missing":
            self.client.delete_object(**self.key(md5))
        else:
            damage = {
                "halved": content[: len(content) // 2],
                "flipped": content[:-9] + b"?" + content[-8:],
                "empty": b"",
            }
            self.client.put_object(**self.key(md5), Body=damage[how])
        return md5


@pytest.fixture
def remote(once: Tiny, server: S3Server) -> Iterator[Remote]:
    """The remote, which is whole again afterwards."""
    remote = Remote(once, server)
    yield remote
    for md5, content in remote.sound.items():
        remote.client.put_object(**remote.key(md5), Body=content)


@pytest.fixture
def reader(once: Tiny, tmp_path: Path) -> Tiny:
    """A clone that has fetched nothing yet."""
    clone = once.elsewhere(tmp_path / "clone")
    clone.variables["REGISTRY_CACHE"] = str(tmp_path / "cache")
    return clone


@pytest.mark.parametrize(("path", "how"), [(LIST, "halved"), (FILE, "flipped"), (MANIFEST, "empty")])
def test_every_command_that_reads_a_damaged_object_says_which_and_how_to_repair_it(path, how, remote, reader):
    md5 = remote.spoil(path, how)
    commands = [("pull",)]
    commands += [] if path == MANIFEST else [("get", ".", "numbers")]
    commands += [("samples", "numbers-v1.1.0"), ("diff", "numbers", "1.0.0", "1.1.0")] if path == MANIFEST else []
    for command in commands:
        printed = reader.registry(*command, code=1)
        one_message(printed)
        assert f"remote team (s3://registry/store) does not hold what was released: {md5} is damaged" in printed
        assert "registry push team --repair" in printed
        assert "registry verify --remote team" in printed
    assert not (reader.folder / LIST).exists()
    assert not (reader.folder / "numbers-v1.1.0").exists()


def test_verify_names_version_and_file_and_repair_puts_it_back(remote, once):
    md5s = {path: remote.spoil(path, how) for path, how in ((LIST, "flipped"), (FILE, "missing"))}
    shared = remote.spoil("data/numbers/processed/part-0.parquet", "missing")
    found = once.registry_json("verify", "--remote", "team", code=1)
    assert [(one["tag"], one["path"], one["md5"], one["fault"]) for one in found["faulty"]] == [
        ("numbers-v1.0.0", "data/numbers/processed/part-0.parquet", shared, "missing"),
        ("numbers-v1.1.0", LIST, md5s[LIST], "damaged"),
        ("numbers-v1.1.0", "data/numbers/processed/part-0.parquet", shared, "missing"),
        ("numbers-v1.1.0", FILE, md5s[FILE], "missing"),
    ]
    assert found["tags"] == ["letters-v1.0.0", "numbers-v1.0.0", "numbers-v1.1.0"]
    assert len(once.registry_json("verify", "numbers-v1.0.0", "--remote", "team", code=1)["faulty"]) == 1
    assert "0 are missing" in once.registry("verify", "letters", "--remote")
    printed = once.registry("push", "team", "--repair")
    assert printed.count("and is repaired") == 4
    assert "Nothing to repair" in once.registry("push", "team", "--repair")
    assert "; 0 are missing or damaged" in once.registry("verify", "--remote", "team")
    assert {md5: remote.read(md5) for md5 in remote.sound} == remote.sound


def test_nothing_is_repaired_from_a_cache_that_is_damaged_itself(remote, once, tmp_path):
    md5, copy = remote.spoil(FILE, "flipped"), once.copied(tmp_path / "copy")
    spoilt = remote.read(md5)
    cached = copy.folder / remote.cached(md5).relative_to(once.folder)
    cached.chmod(0o644)
    cached.write_bytes(b"damaged, too")
    printed = copy.registry("push", "team", "--repair", code=1)
    assert f"numbers-v1.1.0: {FILE} is damaged ({md5}), and the cache here does not have it" in printed
    assert remote.read(md5) == spoilt


def test_unknown_remotes_and_versions_are_errors(once):
    for command in (("verify", "--remote", "nope"), ("push", "nope", "--repair"), ("pull", "--remote", "nope")):
        assert "there is no remote nope" in once.registry(*command, code=1)
    assert "numbers has no version 9.0.0" in once.registry("verify", "numbers-v9.0.0", "--remote", "team", code=1)
    assert "words has no version" in once.registry("push", "team", "words", "--repair", code=1)
    once.registry("verify", code=2)


def test_a_flipped_byte_shows_where_tables_are_read_in_place(remote, once, monkeypatch):
    for name, value in once.environment().items():
        monkeypatch.setenv(name, value)
    md5 = remote.spoil(FILE, "flipped")
    found = open_dataset("numbers", repo=once.folder)
    found.lazy_frame()
    for read in (found.lazy_frame, found.ray_dataset):
        with pytest.raises(RegistryError, match=f"{md5} is damaged"):
            read(verify=True)
    assert open_dataset("letters", repo=once.folder).lazy_frame(verify=True).collect().height == 10
    remote.spoil(FILE, "halved")
    with pytest.raises(RegistryError, match="registry verify --remote team"):
        found.lazy_frame()


def test_an_unknown_remote_is_an_error_though_the_cache_has_all(once, reader):
    reader.registry("get", str(once.folder), "letters")
    printed = reader.registry("get", str(once.folder), "letters", "--out", "again", "--remote", "nope", code=1)
    assert "there is no remote nope" in printed
