"""DVC_REMOTE: the data is reached through another remote than the default one, and tags go on to name that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from invariants import Witness, no_secret, one_message
from registry import open_dataset
from s3 import S3Server
from support import free_ports
from tiny import Tiny, make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Another server, with a bucket of the same name."""
    with S3Server(tmp_path_factory.mktemp("other")) as server:
        yield server


def section(name: str, url: str, endpoint: str) -> str:
    return f"['remote \"{name}\"']\n    url = {url}\n    endpointurl = {endpoint}\n"


def with_remotes(clone: Tiny, server: S3Server, other: S3Server, prefix: str) -> Tiny:
    """Let the default remote be `team`, and `near` its other address; `copy` is the other server's."""
    clone.with_s3(server, prefix)
    url, near = f"s3://registry/{prefix}", server.url.replace("127.0.0.1", "localhost")
    others = section("near", url, near) + section("copy", url, other.url)
    config = (clone.folder / ".dvc/config").read_text()
    clone.write(".dvc/config", config + others + section("below", f"{url}/below", near))
    clone.edit("config/config.yaml", "reached_by: []", "reached_by: [near, below, copy]")
    clone.commit("Name other remotes")
    return clone


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, server: S3Server, other: S3Server) -> Tiny:
    """Two versions of the letters are released, the newer one is copied, and a third is built.

    From here the default remote is no longer reached.
    """
    clone = with_remotes(make_tiny(tmp_path_factory.mktemp("tiny") / "registry"), server, other, "shared")
    for rows in (10, 20):
        clone.build("letters", rows)
        clone.registry("publish")
    clone.registry("push", "copy")
    clone.build("letters", 30)
    clone.write(".dvc/config.local", section("team", "s3://registry/shared", f"http://127.0.0.1:{free_ports(1)[0]}"))
    clone.variables["AWS_MAX_ATTEMPTS"] = "1"
    return clone


@pytest.fixture
def clone(once: Tiny, tmp_path: Path) -> Tiny:
    return once.copied(tmp_path / "registry")


def test_a_release_goes_through_another_address_of_the_same_store_and_its_tag_names_the_default(
    clone, server, tmp_path
):
    assert "letters: would be released as letters-v1.2.0" in clone.registry("publish", "--dry-run", DVC_REMOTE="near")
    assert "letters-v1.2.0" in clone.registry("publish", DVC_REMOTE="near")
    assert "remote = team" in clone.git("show", "letters-v1.2.0:.dvc/config")
    witness = Witness(clone, server=server)
    witness.check_objects()
    witness.check_dvc_get(["letters-v1.2.0"], tmp_path)
    clone.registry("republish", "letters", "1.0.0", "--reason", "was right", DVC_REMOTE="near")
    witness.check_objects()


@pytest.mark.parametrize(
    ("remote", "words"),
    [
        ("copy", "copy is not known to be the same store: it lacks data of letters-v1.0.0"),
        ("below", "its url is s3://registry/shared/below, and that of team is s3://registry/shared"),
        ("nowhere", "there is no remote nowhere, which DVC_REMOTE names"),
    ],
)
def test_any_other_place_is_refused_before_anything_is_written(clone, server, other, remote, words):
    before, head = clone.tags(), clone.head()
    objects = [list(one.client().list_objects_v2(Bucket="registry")["Contents"]) for one in (server, other)]
    for command in (("publish",), ("republish", "letters", "1.0.0", "--reason", "x")):
        printed = clone.registry(*command, code=1, DVC_REMOTE=remote)
        one_message(printed)
        assert words in printed
        no_secret(clone, printed, server.admin.secret)
    assert (clone.tags(), clone.head()) == (before, head)
    assert objects == [list(one.client().list_objects_v2(Bucket="registry")["Contents"]) for one in (server, other)]


@pytest.mark.parametrize("remote", ["", "team"])
def test_none_and_the_default_one_are_as_if_it_was_unset(clone, remote):
    assert "check that the remote's server runs" in clone.registry("publish", code=1, DVC_REMOTE=remote)
    (clone.folder / ".dvc/config.local").unlink()
    assert "letters-v1.2.0" in clone.registry("publish", DVC_REMOTE=remote)


def test_it_does_not_matter_where_there_is_nothing_to_release(clone):
    clone.build("letters", 20)
    assert "Nothing new to release" in clone.registry("publish", DVC_REMOTE="copy")


def test_only_what_the_configuration_says_is_the_same_store_is_taken_for_it(clone):
    clone.edit("config/config.yaml", "[near, below, copy]", "[below]")
    clone.commit("Name fewer")
    head = clone.head()
    printed = clone.registry("publish", code=1, DVC_REMOTE="near")
    assert "release.reached_by in config/config.yaml does not name it" in printed
    assert "dvc remote default near, and commit .dvc/config" in printed
    assert clone.head() == head


def test_the_first_release_can_go_through_it(server, other, tmp_path):
    clone = with_remotes(make_tiny(tmp_path / "registry"), server, other, "first")
    clone.build("letters", 10)
    clone.registry("publish", DVC_REMOTE="near")
    witness = Witness(clone, server=server)
    witness.check_objects()


def test_what_reads_in_a_checkout_reads_through_it(clone):
    clone.run("rm", "-r", ".dvc/cache")
    assert "check that the remote's server runs" in clone.registry("samples", "letters-v1.1.0", code=1)
    assert clone.registry_json("samples", "letters-v1.1.0", DVC_REMOTE="copy")["total"] == 20
    assert "in remote copy" in clone.registry("verify", "letters-v1.1.0", "--remote", DVC_REMOTE="copy")
    assert "in remote near" in clone.registry("verify", "--remote", "near", DVC_REMOTE="copy")
    assert "which DVC_REMOTE names" in clone.registry("diff", "letters", "1.0.0", "1.1.0", code=1, DVC_REMOTE="nowhere")
    assert "lacks files of this data" in clone.registry("diff", "letters", "1.0.0", "1.1.0", code=1, DVC_REMOTE="copy")
    clone.registry("diff", "letters", "1.0.0", "1.1.0", DVC_REMOTE="near")


class TestWhereverTheRegistryIs:
    """The client reads the .dvc/config of the tag, which may be somebody else's and know no such remote."""

    @pytest.fixture
    def environment(self, clone, monkeypatch):
        for name, value in clone.variables.items():
            monkeypatch.setenv(name, value)
        (clone.folder / ".dvc/config.local").unlink()
        return monkeypatch

    def url(self, clone, **options) -> str:
        return open_dataset("letters", "1.1.0", clone.folder, **options)._remote.name

    def test_it_is_read_through_it_where_the_tag_knows_it(self, clone, environment, tmp_path):
        environment.setenv("DVC_REMOTE", "copy")
        assert self.url(clone) == "copy"
        got = open_dataset("letters", "1.1.0", clone.folder).fetch(tmp_path / "got", cache=tmp_path / "cache")
        assert list(got.iterdir())

    def test_and_from_its_default_one_where_it_does_not(self, clone, environment):
        environment.setenv("DVC_REMOTE", "of-another-registry")
        assert self.url(clone) == "team"

    @pytest.mark.parametrize("options", [{"remote": "near"}, {"remote_config": {"region": "us-east-1"}}])
    def test_what_the_call_says_comes_first(self, clone, environment, options):
        environment.setenv("DVC_REMOTE", "copy")
        assert self.url(clone, **options) == options.get("remote", "team")
