"""Tags that no publish made, whatever their names and their objects hold, keep no command from the other versions."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from forging import forge
from registry.client import list_datasets, open_dataset
from registry.describe.metadata import metadata_digest
from registry.release.lineage import name_source
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.tags import odd_tags, releases
from registry.vectors.settings import DATASET
from registry.vectors.versions import built_version, is_released
from s3 import S3Server
from tiny import Tiny

TAGGER = "tagger A <a@b> 1700000000 +0000"
LISTING = ("status", "log letters", "publish --dry-run", "samples letters-v1.1.0", "push local")
"""Commands that list the tags, all of them or those that HEAD contains."""


@pytest.fixture
def here(clone: Tiny, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """The clone, whose git configuration is that of its commands."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return clone


def stored(clone: Tiny, kind: str, content: bytes) -> str:
    """Put an object into git as it is, however odd."""
    path = clone.folder / ".git" / "content"
    path.write_bytes(content)
    return clone.git("hash-object", "-w", "-t", kind, "--literally", str(path))


def tag_text(target: str, kind: str = "commit", tagger: str = TAGGER, message: str = "words") -> bytes:
    return f"object {target}\ntype {kind}\ntag x\n{tagger}\n\n{message}\n".encode()


def odd_text(clone: Tiny, how: str) -> bytes:
    """Return the text of a tag that git itself cannot read, or not in every way."""
    commit, blob = clone.git("rev-parse", "HEAD"), stored(clone, "blob", b"hello")
    return {
        "a date before all time": tag_text(commit, tagger="tagger A <a@b> -62135596800 +0000"),
        "a date after all time": tag_text(commit, tagger="tagger A <a@b> 67768036191676800 +0000"),
        "no tag line": f"object {commit}\ntype commit\n{TAGGER}\n\nwords\n".encode(),
        "no type": f"object {commit}\ntag x\n{TAGGER}\n\nwords\n".encode(),
        "an unknown type": tag_text(commit, "apple"),
        "another type": tag_text(blob),
        "a missing object": tag_text("1" * 40),
        "nothing": b"",
    }[how]


@pytest.mark.parametrize(
    "how",
    [
        "a date before all time",
        "a date after all time",
        "no tag line",
        "no type",
        "an unknown type",
        "another type",
        "a missing object",
        "nothing",
    ],
)
def test_a_tag_that_git_cannot_read_stops_no_command(clone, how):
    target = stored(clone, "tag", odd_text(clone, how))
    for name in ("holiday", "letters-v9.0.0"):
        (clone.folder / ".git" / "refs" / "tags" / name).write_text(f"{target}\n")
    printed = [clone.registry(*command.split()) for command in LISTING]
    assert "letters-v9.0.0 is left out: " in printed[LISTING.index("status")]
    assert not [text for text in printed if "holiday" in text]


def test_a_number_that_no_computer_reads_stops_no_command(clone):
    message = f"letters 1.2.0\n\ncontent of 1.{'9' * 5000}.0"
    clone.git("tag", "--annotate", "--message", message, "letters-v1.2.0", "letters-v1.1.0^{commit}")
    long = f"letters-v1.0.{'9' * 4400}"
    clone.git("pack-refs", "--all")
    packed = clone.folder / ".git" / "packed-refs"
    target, commit = clone.git("rev-parse", "letters-v1.1.0", "letters-v1.1.0^{commit}").splitlines()
    head, *lines = packed.read_text().splitlines(keepends=True)
    before = next(place for place, line in enumerate(lines) if line.endswith("/letters-v1.1.0\n"))
    packed.write_text(head + "".join([*lines[:before], f"{target} refs/tags/{long}\n^{commit}\n", *lines[before:]]))
    for command in ("status", "log letters", "list ."):
        printed = clone.registry(*command.split()).replace("\n", "")
        assert f"{long}: its number is too long" in printed.replace(" is left out", "")


def with_origin(clone: Tiny, server: S3Server, folder: Path) -> None:
    """Push releases to an origin, and their data to where others could reach it."""
    clone.with_s3(server, folder.parent.name).with_origin(folder).git("push", "--quiet", "--tags", "origin")


@pytest.mark.parametrize("name", ["x\u2028refs/tags/letters-v7.0.0", "x\u3000letters-v7.0.0", "a\u2028b"])
def test_a_name_that_looks_like_several_lines_or_words_is_one_name(clone, server, tmp_path, name):
    with_origin(clone, server, tmp_path / "origin.git")
    clone.git("tag", "--annotate", "--message", "x", name)
    clone.git("push", "--quiet", "origin", f"refs/tags/{name}")
    assert "7.0.0" not in clone.registry("list", str(tmp_path / "origin.git"))
    clone.build("letters", 30)
    assert "letters-v1.2.0" in clone.registry("publish")


def test_a_tag_that_ends_like_another_does_not_take_its_place_when_a_release_is_completed(clone):
    clone.build("letters", 30)
    clone.git("tag", "x\u3000letters-v1.2.0")
    clone.interfered("before:registry.release.record.fast_forward:1")
    begun = json.loads(waiting(clone).read_text())["tags"]
    clone.registry("publish")
    assert clone.git("rev-parse", "letters-v1.2.0") == begun["letters-v1.2.0"]


def test_a_name_that_is_not_utf8_may_change_on_origin(clone, server, tmp_path):
    file = os.fsencode(clone.folder) + b"/caf\xe9.txt"
    Path(os.fsdecode(file)).write_text("1")
    clone.git("add", "--all")
    with_origin(clone, server, tmp_path / "origin.git")
    other = clone.elsewhere(tmp_path / "other")
    Path(os.fsdecode(os.fsencode(other.folder) + b"/caf\xe9.txt")).write_text("2")
    other.git("commit", "--quiet", "--all", "--message", "Change")
    other.git("push", "--quiet", "origin", "main")
    clone.registry("publish")


def test_a_message_that_takes_minutes_to_read_is_not_read(clone):
    message = clone.folder / ".git" / "message"
    message.write_text("x\n" * (1 << 20))
    clone.git("tag", "--annotate", "--file", str(message), "letters-v9.0.0", "letters-v1.1.0^{commit}")
    printed = " ".join(clone.registry("status").split())
    assert "letters-v9.0.0 is left out: it has 2,097," in printed
    assert "bytes, more than 1,048,576" in printed


def with_bomb(clone: Tiny, leaf: str) -> None:
    """Make letters-v9.0.0, below whose folder ten folders have ten folders each and so on, with or without files."""
    files = {"file": [f"100644 blob {stored(clone, 'blob', b'x')}\tx"], "nothing": []}[leaf]

    def tree(lines: list[str]) -> str:
        done = subprocess.run(
            ["git", "mktree"], input="".join(f"{line}\n" for line in lines), cwd=clone.folder,
            env=clone.environment(), text=True, capture_output=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    bomb = tree(files)
    for _ in range(9):
        bomb = tree([f"040000 tree {bomb}\t{number}" for number in range(10)])
    env = {"GIT_INDEX_FILE": str(clone.folder / ".git" / "forged")}
    clone.git("read-tree", "letters-v1.1.0", **env)
    before = clone.git("write-tree", **env)
    data = clone.git("ls-tree", f"{before}:data/letters").splitlines()
    letters = tree([*data, f"040000 tree {bomb}\tbomb"])
    others = [line for line in clone.git("ls-tree", f"{before}:data").splitlines() if not line.endswith("\tletters")]
    folder = tree([*others, f"040000 tree {letters}\tletters"])
    tops = [line for line in clone.git("ls-tree", before).splitlines() if not line.endswith("\tdata")]
    top = tree([*tops, f"040000 tree {folder}\tdata"])
    commit = clone.git("commit-tree", top, "-p", "letters-v1.1.0^{commit}", "-m", "Forged")
    clone.git("tag", "--annotate", "--message", "words", "letters-v9.0.0", commit)


@pytest.mark.parametrize("leaf", ["file", "nothing"])
def test_more_files_than_there_is_memory_for_are_not_listed(clone, leaf):
    with_bomb(clone, leaf)
    printed = clone.registry("find", "nothing", code=2)
    assert "letters-v9.0.0: more files below data/letters than a release can have" in " ".join(printed.split())
    assert "letters-v9.0.0" in list_datasets(clone.folder).left_out


def test_a_dvc_file_with_an_odd_name_makes_no_version_in_a_checkout_nor_elsewhere(clone):
    forge(clone, "letters-v9.0.0", "letters-v1.1.0", lambda files: files.update({"data/letters/a\nb.dvc": b"x"}))
    assert "letters-v9.0.0" in clone.registry("find", "nothing", code=2)
    assert "letters-v9.0.0" in list_datasets(clone.folder).left_out


def test_a_checkout_and_a_client_leave_out_the_same_tags(here):
    commit, tree = here.git("rev-parse", "HEAD"), here.git("rev-parse", "HEAD^{tree}")
    inner = stored(here, "tag", tag_text(commit))
    odd = {
        "letters-v3.0.0": tag_text(stored(here, "blob", b"hello"), "blob"),
        "letters-v4.0.0": tag_text(tree, "tree"),
        "letters-v5.0.0": tag_text(inner, "tag"),
        "letters-v6.0.0": tag_text(commit, tagger="tagger A <a@b> -1 +0000"),
        "letters-v7.0.0": tag_text(commit, message="x" * (1 << 20)),
    }
    for tag, text in odd.items():
        here.git("update-ref", f"refs/tags/{tag}", stored(here, "tag", text))
    here.git("tag", "letters-v8.0.0")
    left_out = list_datasets(here.folder).left_out
    assert left_out == {one.tag: one.reason for one in odd_tags(Repository.open(here.folder).git)}
    assert left_out.keys() == {*odd, "letters-v8.0.0"}
    assert open_dataset("letters", repo=here.folder).version == "1.1.0"


@pytest.mark.parametrize("what", ["^{commit}", "^{tree}"])
def test_a_version_of_which_something_is_missing_keeps_no_other_away(here, what):
    forge(here, "letters-v9.0.0", "letters-v1.1.0", lambda files: files.update({"data/letters/x.dvc": b"x"}))
    target = here.git("rev-parse", f"letters-v9.0.0{what}")
    (here.folder / ".git" / "objects" / target[:2] / target[2:]).unlink()
    found = list_datasets(here.folder)
    assert [one.tag for one in found.versions] == ["letters-v1.1.0", "letters-v1.0.0", "numbers-v1.0.0"]
    assert found.left_out.keys() == {"letters-v9.0.0"}
    assert open_dataset("letters", "1.1.0", here.folder).version == "1.1.0"


def test_a_message_alone_releases_nothing(here):
    folder = here.folder / "data"
    shutil.copytree(folder / "letters", folder / DATASET)
    metadata, provenance = (folder / DATASET / name for name in ("metadata.json", "provenance.json"))
    for path in (metadata, provenance):
        path.write_text(path.read_text().replace('"name": "letters"', f'"name": "{DATASET}"'))
    described = json.loads(metadata.read_text())
    digest = {"metadata": {"sha256": metadata_digest(described)}}
    provenance.write_text(json.dumps(json.loads(provenance.read_text()) | digest))
    message = f"x\n\ncontent: {described['content_hash']}"
    here.git("tag", "--annotate", "--message", message, f"{DATASET}-v9.0.0", "HEAD~2")
    here.git("tag", "--annotate", "--message", message, "numbers-v9.0.0", "HEAD~2")
    assert not is_released(built_version(Repository.open(here.folder), DATASET))


def test_the_version_that_a_dataset_was_made_of_is_one_that_holds_its_content(here):
    repository = Repository.open(here.folder)
    numbers = Snapshot.on_disk(here.folder, "numbers")
    made = Snapshot.on_disk(here.folder, "letters")
    made.provenance["config"]["sources"] = {"datasets": ["numbers"]}
    made.metadata.update(source_content_hash=numbers.content_hash, source_data_version=None)
    message = f"x\n\ncontent: {numbers.content_hash}"
    here.git("tag", "--annotate", "--message", message, "numbers-v9.0.0", "HEAD~2")
    filled = name_source(repository, made, releases(repository.git, merged="HEAD"), {})
    assert filled.metadata["source_data_version"] == "numbers-v1.0.0"


def waiting(clone: Tiny) -> Path:
    return clone.folder / ".git" / "registry-pending.json"


def test_what_is_still_to_be_restored_outlives_another_release(clone):
    clone.registry("rollback", "letters", "1.0.0")
    clone.interfered("before:registry.restore.rollback.restore:1", command="unpin letters")
    clone.build("numbers", 25)
    assert "numbers-v1.1.0" in clone.registry("publish", "numbers")
    assert json.loads(waiting(clone).read_text())["restore"] == "letters"


@pytest.mark.parametrize("place", ["before", "after"])
def test_what_is_still_to_be_restored_outlives_a_killed_release(clone, place):
    clone.registry("rollback", "letters", "1.0.0")
    clone.interfered("before:registry.restore.rollback.restore:1", command="unpin letters")
    clone.build("numbers", 25)
    clone.interfered(f"{place}:registry.release.record.fast_forward:1", command="publish numbers")
    clone.git("commit", "--quiet", "--allow-empty", "--message", "On")
    clone.registry("publish")
    assert json.loads(waiting(clone).read_text())["restore"] == "letters"


def test_a_commit_that_was_visible_and_is_gone_blocks_nothing(clone):
    clone.registry("rollback", "letters", "1.0.0")
    clone.interfered("before:registry.restore.rollback.restore:1", command="unpin letters")
    clone.git("reset", "--quiet", "--hard", "HEAD~1")
    assert "interrupted" not in clone.registry("publish", "--dry-run")
    clone.registry("publish")
    assert clone.git("status", "--porcelain") == ""
    assert (clone.folder / "data" / "letters" / "pin.json").exists()


def test_a_dataset_that_is_still_to_be_restored_comes_before_the_pin_of_another(clone):
    for name in ("letters", "numbers"):
        clone.registry("rollback", name, "1.0.0")
    clone.interfered("before:registry.restore.rollback.restore:1", command="unpin letters")
    assert "letters is still to be restored" in clone.registry("unpin", "numbers", code=1)
    assert (clone.folder / "data" / "numbers" / "pin.json").exists()
    assert clone.git("status", "--porcelain") == ""
    clone.registry("rollback", "letters", "1.0.0")
    assert not waiting(clone).exists()
