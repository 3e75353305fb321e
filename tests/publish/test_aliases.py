"""Datasets with other names: each release has a tag under each of them, and there is one dataset all the same."""

import json
from collections.abc import Iterator
from pathlib import Path

import dvc.api
import pytest
import yaml

import tiny
from forging import forge
from invariants import Witness
from registry.client import list_datasets, open_dataset
from registry.errors import RegistryError
from registry.files import dvc_digest
from registry.storage.snapshot import ADDED
from s3 import S3Server
from tiny import Tiny, make_tiny

DESCRIBED = (
    *ADDED,
    "manifest.parquet.dvc",
    "metadata.json",
    "processed.dvc",
    "provenance.json",
    "raw.dvc",
)


def name_too(clone: Tiny, dataset: str, *aliases: str) -> None:
    """Give a dataset other names, and commit that."""
    path = clone.folder / "config" / "datasets" / f"{dataset}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"aliases": [*aliases]}, sort_keys=False))
    clone.git("commit", "--quiet", "--message", "Name it", f"config/datasets/{dataset}.yaml")


def objects(clone: Tiny) -> dict[str, str]:
    """Return {tag: the object that it names}."""
    return Witness(clone).look()


@pytest.fixture(scope="session")
def released_tiny(once) -> Tiny:
    """1.0.0 of letters and numbers, neither of which has another name."""

    def make(folder: Path) -> str:
        clone = make_tiny(folder)
        for name in ("letters", "numbers"):
            clone.build(name, 10)
        return clone.registry("publish")

    return Tiny(once("tiny-without-aliases", make))


@pytest.fixture(scope="session")
def glyphs_once(once, released_tiny) -> Tiny:
    """Letters has the alias glyphs since, and 20 rows that wait to be released."""

    def make(folder: Path) -> str:
        clone = released_tiny.copied(folder)
        name_too(clone, "letters", "glyphs")
        clone.build("letters", 20)
        return ""

    return Tiny(once("tiny-with-alias", make))


@pytest.fixture(scope="session")
def served_once(once, glyphs_once) -> Tiny:
    """Letters 1.1.0 is glyphs 1.1.0, too."""

    def make(folder: Path) -> str:
        return glyphs_once.copied(folder).registry("publish")

    return Tiny(once("tiny-served", make))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def plain(released_tiny, tmp_path) -> Tiny:
    return released_tiny.copied(tmp_path / "registry")


@pytest.fixture
def waiting(glyphs_once, tmp_path) -> Tiny:
    return glyphs_once.copied(tmp_path / "registry")


@pytest.fixture
def served(served_once, tmp_path) -> Tiny:
    return served_once.copied(tmp_path / "registry")


def test_a_release_has_a_tag_under_the_alias_whose_commit_is_on_no_branch(served_once):
    git = served_once.git
    assert set(served_once.tags()) == {"letters-v1.0.0", "letters-v1.1.0", "numbers-v1.0.0", "glyphs-v1.1.0"}
    assert (
        git("rev-parse", "glyphs-v1.1.0^{commit}^")
        == git("rev-parse", "letters-v1.1.0^{commit}")
        == git("rev-parse", "HEAD")
    )
    added = git("diff", "--name-status", "letters-v1.1.0", "glyphs-v1.1.0").splitlines()
    assert added == [f"A\tdata/glyphs/{file}" for file in DESCRIBED]
    for file in DESCRIBED:
        assert git("rev-parse", f"glyphs-v1.1.0:data/glyphs/{file}") == git("rev-parse", f"HEAD:data/letters/{file}")
    assert git("branch", "--contains", "glyphs-v1.1.0") == ""


def test_plain_dvc_reads_it_by_the_alias(served_once, tmp_path):
    Witness(served_once).check_with_dvc(tmp_path)
    text = dvc.api.read("data/glyphs/metadata.json", repo=str(served_once.folder), rev="glyphs-v1.1.0")
    assert json.loads(text)["dataset"]["name"] == "letters"


def test_clients_read_it_by_the_alias(served_once, tmp_path):
    opened, own = (open_dataset(name, "^1", served_once.folder) for name in ("glyphs", "letters"))
    assert opened == own
    assert dvc_digest(opened.fetch(tmp_path / "fetched")) == own.digest
    listed = [(one.dataset, one.version, one.alias_of, one.rows) for one in list_datasets(served_once.folder).versions]
    assert ("glyphs", "1.1.0", "letters", 20) in listed
    assert ("letters", "1.1.0", None, 20) in listed
    with pytest.raises(RegistryError, match=r"no version 1\.0\.0 of glyphs"):
        open_dataset("glyphs", "1.0.0", served_once.folder)


def test_the_command_line_takes_the_alias(served):
    assert "glyphs (alias of letters)" in served.registry("list", ".")
    assert served.registry_json("get", ".", "glyphs@1.1.0")["path"] == "glyphs-v1.1.0/processed"
    for name in ("glyphs", "glyphs-v1.1.0"):
        assert served.registry_json("samples", name)["tag"] == "letters-v1.1.0"
    assert served.registry_json("diff", "glyphs", "1.1.0")["to"] == "what is built"
    assert served.registry_json("verify", "glyphs", "--remote", "local")["tags"] == ["letters-v1.0.0", "letters-v1.1.0"]
    assert served.registry_json("verify", "glyphs-v1.1.0", "--remote", "local")["tags"] == ["letters-v1.1.0"]
    assert [one["tag"] for one in served.registry_json("push", "local", "glyphs")] == ["letters-v1.1.0"]
    assert [entry["tag"] for entry in served.registry_json("log", "glyphs")] == ["letters-v1.1.0", "letters-v1.0.0"]
    last = served.registry_json("samples", "glyphs")["rows"][-1]["sample_id"]
    assert [place["tag"] for place in served.registry_json("find", last, "--dataset", "glyphs")["places"]] == [
        "letters-v1.1.0"
    ]


def test_there_is_one_dataset(served, tmp_path):
    assert {one["dataset"]: one["state"] for one in served.registry_json("status")} == {
        "letters": "released",
        "numbers": "released",
    }
    first = served.registry_json("samples", "glyphs")["rows"][0]["sample_id"]
    assert served.registry_json("find", first)["versions"] == 3
    clone = served.elsewhere(tmp_path / "clone")
    assert "glyphs-v1.1.0" in clone.tags()
    assert not (clone.folder / "data" / "glyphs").exists()
    assert "there is no dataset glyphs" in clone.registry("publish", "glyphs", code=1)


def test_a_checkout_of_the_tag_has_no_other_dataset_either(served):
    served.git("checkout", "--quiet", "glyphs-v1.1.0")
    assert (served.folder / "data" / "glyphs" / "metadata.json").is_file()
    assert {one["dataset"] for one in served.registry_json("status")} == {"letters", "numbers"}


def test_an_alias_that_comes_later_gets_the_tag_of_the_newest_release_and_nothing_else(plain):
    head, build = plain.head(), (plain.folder / "data/letters/provenance.json").read_bytes()
    name_too(plain, "letters", "glyphs")
    plain.git("reset", "--quiet", "--soft", head)
    assert "config/datasets/letters.yaml gives another name to what is released: commit it" in plain.registry("publish")
    plain.commit()
    assert {one["state"] for one in plain.registry_json("status")} == {"released"}
    assert "letters-v1.0.0: would be glyphs-v1.0.0, too" in plain.registry("publish", "--dry-run")
    done = plain.registry_json("publish")
    assert (done["aliases"], done["commit"]) == ({"glyphs-v1.0.0": "letters-v1.0.0"}, None)
    assert {one["state"] for one in done["outcomes"]} == {"unchanged"}
    assert plain.git("rev-parse", "HEAD^") == head
    assert plain.registry_json("publish")["aliases"] == {}
    assert (plain.folder / "data/letters/provenance.json").read_bytes() == build
    assert "aliases" not in json.loads(build)["config"]


def test_whoever_makes_it_makes_the_same(plain, tmp_path):
    name_too(plain, "letters", "glyphs")
    other = plain.elsewhere(tmp_path / "other")
    other.git("config", "user.name", "Somebody Else")
    (other.folder / ".dvc" / "storage").symlink_to(plain.folder / ".dvc" / "storage")
    for clone in (plain, other):
        clone.registry("publish", code=None)
    assert objects(plain) == objects(other)
    assert "glyphs-v1.0.0" in other.tags()


def test_a_newest_release_that_cannot_be_read_goes_without_and_stops_no_other(plain):
    plain.write("data/letters/metadata.json", "{}")
    plain.commit("Break it")
    plain.git("tag", "--annotate", "--message", "letters 1.1.0", "letters-v1.1.0")
    name_too(plain, "letters", "glyphs")
    name_too(plain, "numbers", "digits")
    assert plain.registry_json("publish", code=3)["aliases"] == {"digits-v1.0.0": "numbers-v1.0.0"}


@pytest.mark.parametrize(
    "place",
    [
        "after:git mktag:1",
        "after:registry.release.record.write_pending:1",
        "before:git update-ref:1",
        "after:git update-ref:1",
    ],
)
def test_a_kill_leaves_both_tags_or_none(waiting, place):
    both = {"letters-v1.1.0", "glyphs-v1.1.0"}
    waiting.interfered(place)
    assert both & set(waiting.tags()) in (both, set())
    waiting.registry("publish")
    assert both < set(waiting.tags())
    Witness(waiting).check()


@pytest.mark.parametrize("place", ["before:git update-ref:1", "after:git push:1"])
def test_origin_is_offered_both_and_a_kill_leaves_it_neither_by_half(waiting, server, tmp_path, place):
    waiting.with_s3(server, tmp_path.name).with_origin(tmp_path / "origin.git")
    waiting.git("push", "--quiet", "--tags", "origin")
    waiting.interfered(place)
    origin = Witness(waiting, tmp_path / "origin.git", server)
    assert {"letters-v1.1.0", "glyphs-v1.1.0"} < set(origin.look())
    waiting.registry("publish")
    assert objects(waiting) == origin.look()


def test_a_later_alias_reaches_origin_and_a_killed_one_is_made_again(plain, server, tmp_path):
    name_too(plain, "letters", "glyphs")
    plain.with_s3(server, tmp_path.name).with_origin(tmp_path / "origin.git")
    plain.git("push", "--quiet", "--tags", "origin")
    plain.interfered("before:git push:1")
    assert "glyphs-v1.0.0" not in plain.tags()
    plain.interfered("after:git push:1")
    plain.registry("publish")
    assert objects(plain) == Witness(plain, tmp_path / "origin.git", server).look()
    assert "glyphs-v1.0.0" in plain.tags()


def test_the_alias_follows_what_is_released_again(served):
    printed = served.registry("republish", "glyphs", "letters-v1.0.0", "--reason", "x", code=1)
    assert "glyphs has no version" in printed
    done = served.registry_json("republish", "letters", "1.0.0", "--reason", "x")
    assert done["aliases"] == {"glyphs-v2.0.0": "letters-v2.0.0"}
    assert open_dataset("glyphs", repo=served.folder).version == "2.0.0"
    served.registry("rollback", "glyphs", "1.1.0")
    assert json.loads((served.folder / "data/letters/pin.json").read_text())["tag"] == "letters-v1.1.0"
    assert not (served.folder / "data" / "glyphs").exists()


def test_a_dataset_can_change_its_name_and_go_on_under_the_old_one(plain, monkeypatch):
    plain.git("mv", "config/datasets/letters.yaml", "config/datasets/glyphs.yaml")
    plain.git("rm", "-r", "--quiet", "data/letters")
    name_too(plain, "glyphs", "letters")
    plain.commit("Call letters glyphs")
    monkeypatch.setitem(tiny.FILES, "glyphs", 1)
    plain.build("glyphs", 10)
    plain.registry("publish")
    assert {"glyphs-v2.0.0", "letters-v2.0.0", "letters-v1.0.0"} < set(plain.tags())
    assert open_dataset("letters", repo=plain.folder).tag == "glyphs-v2.0.0"
    assert open_dataset("letters", "^1", plain.folder).tag == "letters-v1.0.0"


def test_nothing_is_put_among_the_versions_that_a_name_had(plain, monkeypatch):
    plain.build("letters", 10, seed=1)
    plain.registry("publish")
    plain.git("mv", "config/datasets/letters.yaml", "config/datasets/glyphs.yaml")
    plain.git("rm", "-r", "--quiet", "data/letters")
    plain.commit("Call letters glyphs")
    monkeypatch.setitem(tiny.FILES, "glyphs", 1)
    for rows in (10, 20):
        plain.build("glyphs", rows)
        plain.registry("publish")
    name_too(plain, "glyphs", "letters")
    assert plain.registry_json("publish")["aliases"] == {}
    assert {tag for tag in plain.tags() if tag.startswith("letters")} == {"letters-v1.0.0", "letters-v2.0.0"}
    plain.build("glyphs", 30)
    plain.registry("publish")
    assert open_dataset("letters", repo=plain.folder).tag == "glyphs-v3.0.0"


def test_an_alias_that_is_not_committed_is_not_used_yet(plain):
    name_too(plain, "letters", "glyphs")
    plain.git("reset", "--quiet", "--soft", "HEAD^")
    assert plain.registry_json("publish")["aliases"] == {}
    plain.git("commit", "--quiet", "--message", "Name it")
    assert plain.registry_json("publish")["aliases"] == {"glyphs-v1.0.0": "letters-v1.0.0"}


def test_numbers_that_the_alias_has_already_are_not_used(waiting):
    waiting.git("tag", "glyphs-v1.1.0")
    waiting.registry("publish")
    assert {"letters-v1.2.0", "glyphs-v1.2.0"} < set(waiting.tags())


def as_alias(clone: Tiny, tag: str, of: str, commit: str) -> None:
    clone.git("tag", "--annotate", "--message", f"x\n\nalias of {of}", tag, commit)


UNFIT = {
    "another-version-v1.1.0": ("letters-v1.0.0", "glyphs-v1.1.0"),
    "no-such-version-v3.0.0": ("letters-v3.0.0", "glyphs-v1.1.0"),
    "the-release-itself-v1.1.0": ("letters-v1.1.0", "letters-v1.1.0"),
    "not-a-child-v1.0.0": ("letters-v1.0.0", "glyphs-v1.1.0"),
    "an-alias-of-an-alias-v1.1.0": ("glyphs-v1.1.0", "glyphs-v1.1.0"),
    "an-alias-of-itself-v9.0.0": ("an-alias-of-itself-v9.0.0", "HEAD"),
}
"""Tags, for which each says it stands, and where its commit is."""


def test_a_tag_that_stands_for_nothing_that_fits_is_left_out(served):
    for tag, (of, revision) in UNFIT.items():
        as_alias(served, tag, of, f"{revision}^{{commit}}")
    reasons = {tag: f"it was not made for {of}, as it says" for tag, (of, _) in UNFIT.items()}
    printed = served.registry("status").replace("\n", " ")
    for tag, reason in reasons.items():
        assert f"{tag} is left out: {reason}" in printed
    assert list_datasets(served.folder).left_out == reasons
    with pytest.raises(RegistryError, match="no dataset not-a-child; not-a-child-v1.0.0 is left out: it was not made"):
        open_dataset("not-a-child", repo=served.folder)
    assert "error:" in served.registry("samples", "not-a-child-v1.0.0", code=1)


def test_an_alias_that_holds_something_else_is_refused(served):
    served.git("tag", "--delete", "glyphs-v1.1.0")

    def change(files: dict[str, bytes]) -> None:
        for path, content in [*files.items()]:
            files[path.replace("letters", "glyphs")] = content.replace(b"md5: ", b"md5: 0")

    forge(served, "letters-v7.0.0", "letters-v1.1.0", change)
    as_alias(served, "glyphs-v1.1.0", "letters-v1.1.0", "letters-v7.0.0^{commit}")
    served.git("tag", "--delete", "letters-v7.0.0")
    reason = "it does not hold what letters-v1.1.0 does"
    assert reason in served.registry("samples", "glyphs", code=1)
    assert reason in list_datasets(served.folder).left_out["glyphs-v1.1.0"]
    with pytest.raises(RegistryError, match=reason):
        open_dataset("glyphs", repo=served.folder)


def test_a_version_under_the_name_of_another_dataset_is_still_refused(served):
    commit = served.git("rev-parse", "glyphs-v1.1.0^{commit}")
    served.git("tag", "--annotate", "--message", "numbers 9.0.0\n\nrows: all 20", "glyphs-v9.0.0", commit)
    assert "it is a version of letters" in served.registry("samples", "glyphs-v9.0.0", code=1)
    with pytest.raises(RegistryError, match="it is a version of letters"):
        open_dataset("glyphs", repo=served.folder)
