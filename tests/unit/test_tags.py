"""Tags: what is a release, which one is newest, what superseded what."""

import subprocess
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from semver import Version

from registry.config.names import NAME
from registry.errors import RegistryError
from registry.storage.git import Git
from registry.storage.tag_object import MAX_TAG
from registry.storage.tags import (
    TAG,
    Release,
    find_release,
    history,
    odd_tags,
    parse_tag,
    releases,
    tag_message,
    tag_name,
)

names = st.from_regex(NAME, fullmatch=True)
numbers = st.integers(0, 10**6)
versions = st.builds(Version, numbers, numbers, numbers)
SIGNER = {f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}


@given(names, versions)
def test_a_tag_names_one_dataset_and_one_version(dataset, version):
    assume(TAG.fullmatch(f"{dataset}-v{version}")["dataset"] == dataset)
    match = TAG.fullmatch(tag_name(dataset, version))
    assert (match["dataset"], Version.parse(match["version"])) == (dataset, version)


@given(names, versions, st.text(min_size=1, max_size=5))
def test_nothing_may_follow_or_precede(dataset, version, more):
    assert TAG.fullmatch(f"{dataset}-v{version}{more}") is None or more.isdigit()
    assert TAG.fullmatch(f"{dataset}-v{version}-{more}") is None
    assert TAG.fullmatch(f"{dataset}-v{version}+{more}") is None


@pytest.mark.parametrize(
    "tag",
    ["v1.0.0", "a-v1.0", "a-1.0.0", "a-v01.0.0", "a-v1.00.0", "A-v1.0.0", "a_b-v1.0.0", "a-v1.0.0-rc.1", "a--v1.0.0",
     "-v1.0.0", "a-v1.0.0\n", "a-v١.0.0", "a/b-v1.0.0", "a-v-1.0.0"],
)  # fmt: skip
def test_what_is_no_release(tag):
    assert TAG.fullmatch(tag) is None


@pytest.fixture
def git(tmp_path) -> Git:
    """A repository with two commits on main."""
    git = Git(tmp_path)
    git.run("init", "--quiet", "--initial-branch", "main")
    for number in range(2):
        (tmp_path / "file").write_text(str(number))
        git.run("add", "file")
        git.run("commit", "--quiet", "--message", f"Commit {number}", env=SIGNER)
    return git


def tagged(git: Git, tag: str, message: str = "words", revision: str = "HEAD") -> None:
    """Make an annotated tag."""
    target = git.tag_object(tag, git.commit(revision), message, SIGNER)
    git.update_refs(None, {tag: target}, "test")


def test_no_tags_are_no_releases(git):
    assert releases(git) == {}
    with pytest.raises(RegistryError, match="a has no version\n.*nothing is released here yet"):
        find_release(git, "a", "latest")


def test_releases_are_sorted_as_versions_and_others_are_left_out(git):
    for version in ("1.10.0", "1.9.0", "10.0.0", "2.0.0", "1.9.10"):
        tagged(git, f"b-c-v{version}")
    tagged(git, "a-v1.0.0", "a 1.0.0\n\nMINOR: 3 rows added to all\n\nrows: all 3\n")
    for tag in ("v3.0.0", "b-c-v11.0.0-rc.1", "other", "folder/b-c-v12.0.0"):
        tagged(git, tag)
    found = releases(git)
    assert list(found) == ["a", "b-c"]
    assert [str(release.version) for release in found["b-c"]] == ["1.9.0", "1.9.10", "1.10.0", "2.0.0", "10.0.0"]
    assert [release.tag for release in found["b-c"]][-1] == "b-c-v10.0.0"
    assert found["a"][0].message.rstrip() == "a 1.0.0\n\nMINOR: 3 rows added to all\n\nrows: all 3"
    assert found["a"][0].commit == git.commit()
    assert found["a"][0].date.tzinfo is not None


def test_only_what_a_commit_contains(git):
    tagged(git, "a-v1.0.0", revision="HEAD~1")
    tagged(git, "a-v1.1.0")
    assert [str(one.version) for one in releases(git, merged=git.commit("HEAD~1"))["a"]] == ["1.0.0"]
    assert [str(one.version) for one in releases(git, merged=git.commit())["a"]] == ["1.0.0", "1.1.0"]
    assert releases(git, merged=git.commit("HEAD~1"))["a"][0].commit == git.commit("HEAD~1")


def raw_tag(git: Git, tag: str, *, tagger: str | None = "A <a@b> 1700000000 +0000", message: bytes = b"words") -> None:
    """Make an annotated tag that git itself would refuse to make."""
    lines = [f"object {git.commit()}", "type commit", f"tag {tag}", *([f"tagger {tagger}"] if tagger else [])]
    content = "\n".join(lines).encode() + b"\n\n" + message
    target = git.run("hash-object", "-t", "tag", "-w", "--literally", "--stdin", stdin=content)
    git.update_refs(None, {tag: target}, "test")


def test_tags_that_no_publish_can_have_made_are_left_out_and_named(git):
    tagged(git, "a-v1.0.0")
    git.run("tag", "a-v1.1.0")
    git.run("tag", "a-v2.0.0", "HEAD:file")
    git.run("tag", "a-v3.0.0", "HEAD^{tree}")
    raw_tag(git, "a-v4.0.0", tagger=None)
    raw_tag(git, "a-v5.0.0", tagger="A <a@b> 99999999999999999 +0000")
    raw_tag(git, "a-v6.0.0", tagger="A <a@b> yesterday")
    raw_tag(git, "a-v7.0.0", tagger="A <a@b> -62135596800 +0000")
    raw_tag(git, "a-v8.0.0", message=b"x" * MAX_TAG)
    assert [str(one.version) for one in releases(git)["a"]] == ["1.0.0"]
    assert [one.tag for one in odd_tags(git)] == [
        f"a-v{version}.0" for version in ("1.1", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0", "8.0")
    ]
    assert list(releases(git, merged="HEAD")) == ["a"]
    assert find_release(git, "a", "latest").tag == "a-v1.0.0"


def test_a_message_that_steers_a_terminal_or_is_not_utf8_is_spelt_out(git):
    raw_tag(git, "a-v1.0.0", message=b"a 1.0.0\n\n\x1b[31mred \xff\n")
    (entry,) = history(git, "a")
    assert entry.changes == ["\N{REPLACEMENT CHARACTER}[31mred \N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize(
    "line", ["content of the second file changed", "content of 1.0", "content of 2.0.0", "content of 9.0.0"]
)
def test_a_message_that_only_looks_like_one_of_ours_takes_nothing_back(git, line):
    tagged(git, "a-v1.0.0")
    tagged(git, "a-v2.0.0", f"a 2.0.0\n\n{line}\ncontent: sha256:0\n")
    assert [entry.superseded_by for entry in history(git, "a")] == [None, None]
    assert find_release(git, "a", "2.0.0").content_hash is None


@pytest.mark.parametrize("digits", [10, 5000])
def test_a_number_is_short_enough_for_every_reader(git, digits):
    tagged(git, "a-v1.0.0")
    tagged(git, f"a-v{'9' * 9}.0.0", f"a\n\ncontent of 1.{'9' * digits}.0")
    assert find_release(git, "a", "latest").restored is None
    assert TAG.fullmatch(f"a-v1.{'9' * digits}.0") is None
    git.run("tag", "b-v1.0.9999999999")
    assert [(one.tag, one.version, one.reason) for one in odd_tags(git)] == [
        ("b-v1.0.9999999999", None, "its number is too long")
    ]


@pytest.mark.parametrize("end", ["\n", "\r", "\v", "\x85", "\u2028"])
def test_what_data_is_called_writes_no_line_into_a_message(git, end):
    snapshot = SimpleNamespace(dataset="a", content_hash="sha256:0", metadata={"splits": {"all": {"num_samples": 1}}})
    text = tag_message("2.0.0", [f"MAJOR: column `x{end}content of 1.0.0{end}\x1b` removed"], snapshot)
    assert text.splitlines()[2] == "MAJOR: column `x content of 1.0.0 \N{REPLACEMENT CHARACTER}` removed"
    assert len(text.splitlines()) == 6
    assert Release("a", Version(2), git.commit(), datetime.now(UTC), text).restored is None


@pytest.mark.parametrize("version", ["1.1.0", "v1.1.0", "a-v1.1.0", "latest", "^1", ">=1,<2"])
def test_a_version_is_found_however_it_is_written(git, version):
    tagged(git, "a-v1.0.0")
    tagged(git, "a-v1.1.0")
    assert find_release(git, "a", version).tag == "a-v1.1.0"


def test_a_version_that_is_not_there_is_answered_with_those_that_are(git):
    tagged(git, "a-v1.0.0")
    tagged(git, "a-v1.1.0")
    with pytest.raises(RegistryError, match=r"a has no version 2\.0\.0\n.*choose from: latest, 1\.0\.0, 1\.1\.0"):
        find_release(git, "a", "2.0.0")
    with pytest.raises(RegistryError, match="b has no version\n.*released are: a"):
        find_release(git, "b", "latest")
    assert parse_tag(git, "a-v1.0.0").tag == "a-v1.0.0"
    with pytest.raises(RegistryError, match="a-1 is not a release"):
        parse_tag(git, "a-1")


def test_history_marks_what_was_taken_back(git):
    tagged(git, "a-v1.0.0", "a 1.0.0\n\nfirst release")
    tagged(git, "a-v1.1.0", "a 1.1.0\n\nMINOR: more")
    tagged(git, "a-v2.0.0", "a 2.0.0\n\nMAJOR: worse")
    tagged(git, "a-v3.0.0", "a 3.0.0\n\ncontent of 1.1.0\nMAJOR: back")
    tagged(git, "a-v4.0.0", "a 4.0.0\n\nMAJOR: on")
    found = [(entry.version, entry.superseded_by) for entry in history(git, "a")]
    assert found == [("4.0.0", None), ("3.0.0", None), ("2.0.0", "3.0.0"), ("1.1.0", None), ("1.0.0", None)]
    assert history(git, "a")[1].changes == ["content of 1.1.0", "MAJOR: back"]
    with pytest.raises(RegistryError, match="b has no version"):
        history(git, "b")


@given(st.lists(versions, min_size=1, max_size=6, unique=True))
def test_the_newest_of_any_versions_is_the_highest(tmp_path_factory, some):
    git = Git(tmp_path_factory.mktemp("repository"))
    subprocess.run(["git", "init", "--quiet"], cwd=git.root, check=True)
    tree = git.run("mktree", stdin="")
    commit = git.run("commit-tree", tree, stdin="", env=SIGNER)
    git.update_refs(None, {tag_name("a", v): git.tag_object(tag_name("a", v), commit, "m", SIGNER) for v in some}, "t")
    assert [one.version for one in releases(git)["a"]] == sorted(some)
    assert find_release(git, "a", "latest").version == max(some)
