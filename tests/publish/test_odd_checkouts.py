"""Checkouts of a kind that DVC or git cannot release from: what is in the way is named, and harms no other dataset."""

from pathlib import Path

import pytest

from tiny import Tiny, make_tiny

SKIPPED = 3


@pytest.fixture(scope="module")
def built_tiny(tmp_path_factory) -> Tiny:
    """Letters and numbers, of which nothing was released yet."""
    clone = make_tiny(tmp_path_factory.mktemp("odd") / "registry")
    for name in ("letters", "numbers"):
        clone.build(name, 10)
    return clone


@pytest.fixture
def clone(built_tiny, tmp_path) -> Tiny:
    return built_tiny.copied(tmp_path / "registry")


def test_a_users_own_list_of_ignored_files_does_not_matter(clone, tmp_path):
    clone.write("reports/letters/profile.json", "{}\n")
    (tmp_path / "ignored").write_text("data/\nreports/\n*.dvc\n*.json\n")
    (tmp_path / "gitconfig").write_text(f"[core]\nexcludesFile = {tmp_path}/ignored\n")
    clone.registry("publish", GIT_CONFIG_GLOBAL=str(tmp_path / "gitconfig"))
    assert clone.tags() == ["letters-v1.0.0", "numbers-v1.0.0"]
    assert "reports/letters/profile.json" in clone.git("ls-tree", "-r", "--name-only", "letters-v1.0.0").splitlines()


def test_a_dataset_that_git_ignores_is_skipped_alone(clone):
    path = clone.folder / ".gitignore"
    path.write_text("data/letters/\n")
    printed = clone.registry("publish", code=SKIPPED)
    said = (
        "letters: skipped, not released: git ignores data/letters/processed.dvc: line 1 of .gitignore (data/letters/)"
    )
    assert said in printed
    assert clone.tags() == ["numbers-v1.0.0"]


@pytest.mark.parametrize("place", ["data/letters", "data/letters/processed", "data/letters/manifest.parquet"])
def test_a_dataset_behind_a_link_is_skipped_alone(clone, tmp_path, place):
    linked(clone, place, tmp_path / "larger-disk")
    printed = clone.registry("publish", code=SKIPPED)
    assert f"letters: skipped, not released: {place} is a link, and DVC takes no data behind one" in printed
    assert clone.tags() == ["numbers-v1.0.0"]


def test_nothing_half_written_is_put_right_behind_a_link(clone, tmp_path):
    linked(clone, "data/letters", tmp_path / "elsewhere")
    (tmp_path / "victim").write_text("outs:")
    (tmp_path / "elsewhere" / "own.dvc").write_text("outs:")
    (clone.folder / "data" / "numbers" / "own.dvc").symlink_to(tmp_path / "victim")
    clone.registry("publish", code=SKIPPED)
    assert (tmp_path / "elsewhere" / "own.dvc").read_text() == (tmp_path / "victim").read_text() == "outs:"


def linked(clone: Tiny, place: str, target: Path) -> None:
    """Move a file or folder elsewhere, and put a link in its place."""
    (clone.folder / place).rename(target)
    (clone.folder / place).symlink_to(target)


def test_an_index_that_dvc_cannot_read_is_one_message_that_says_what_to_do(clone):
    clone.git("update-index", "--split-index")
    printed = clone.registry("publish", code=1)
    assert "DVC cannot read git's index\n  what to do: if it is split, " in printed
    command = printed.partition("if it is split, ")[2].partition(";")[0]
    clone.run("sh", "-c", command)
    clone.registry("publish")
    assert clone.tags() == ["letters-v1.0.0", "numbers-v1.0.0"]
