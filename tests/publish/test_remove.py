"""`registry remove`: what a checkout has of a dataset goes in one commit, and its releases stay."""

import shutil
from pathlib import Path

import pytest
import yaml

from clone import Clone
from invariants import Witness, Work, one_message
from registry.client import list_datasets, open_dataset
from tiny import Tiny, make_tiny

SUMS = "data/samples/SHA256SUMS"
LINES = f"{'1' * 64}  letters/values.csv\n{'2' * 64}  numbers/values.csv\n{'3' * 64}  letters-too/values.csv\n"


@pytest.fixture(scope="session")
def tiny_once(once) -> Tiny:
    """1.0.0 of both datasets is released, with samples, locks and a report."""

    def make(folder: Path) -> str:
        clone = make_tiny(folder)
        clone.write(SUMS, LINES)
        for name in ("letters", "numbers"):
            clone.write(f"data/samples/{name}/values.csv", "value\n1\n")
            clone.write(f"config/locks/{name}.yaml", "")
            clone.write(f"reports/{name}/profile.json", "{}")
            clone.write(f"workflow/rules/{name}.smk", "# its rules\n")
        clone.commit("Add samples")
        for name in ("letters", "numbers"):
            clone.build(name, 10)
        clone.registry("publish")
        return ""

    return Tiny(once("tiny-with-samples", make))


@pytest.fixture
def clone(tiny_once, tmp_path) -> Tiny:
    return tiny_once.copied(tmp_path / "registry")


def states(clone: Clone) -> dict[str, tuple[str, str | None]]:
    return {one["dataset"]: (one["state"], one["version"]) for one in clone.registry_json("status")}


def gone(clone: Clone, name: str = "letters") -> bool:
    """Tell whether neither the working tree nor HEAD has anything of a dataset but its code."""
    places = ["config/datasets/*", "config/locks/*", "data/*", "data/samples/*", "reports/*"]
    here = [path for place in places for path in clone.folder.glob(place) if path.stem == name]
    there = clone.git("ls-tree", "-r", "--name-only", "HEAD", "config", "data", "reports").splitlines()
    return not here and not [path for path in there if f"/{name}/" in path or path.endswith(f"/{name}.yaml")]


def test_it_goes_in_one_commit_and_its_releases_stay(clone, tmp_path):
    witness, work, head = Witness(clone), Work(clone), clone.head()
    witness.look()
    printed = clone.registry("remove", "letters", "--reason", "Nobody uses it.")
    assert "letters is retired; its last version is 1.0.0, and all can be read as before." in printed
    assert "What stays here of it: workflow/rules/letters.smk" in printed
    assert gone(clone)
    assert (clone.folder / SUMS).read_text() == "".join(LINES.splitlines(keepends=True)[1:])
    assert clone.git("rev-parse", "HEAD^") == head
    assert clone.git("log", "-1", "--format=%B") == ("Retire letters\n\nIts last version is 1.0.0.\n\nNobody uses it.")
    assert set(clone.git("diff", "--name-only", "HEAD^").splitlines()) >= {
        SUMS,
        "config/datasets/letters.yaml",
        "config/locks/letters.yaml",
        "data/letters/metadata.json",
        "data/letters/processed.dvc",
        "data/samples/letters/values.csv",
        "reports/letters/profile.json",
    }
    work.check_is_all()
    assert states(clone) == {"letters": ("retired", "1.0.0"), "numbers": ("released", "1.0.0")}
    assert "Nothing new" in clone.registry("publish")
    assert "letters-v1.0.0" in clone.registry("log", "letters")
    assert "  letters   1.0.0" in clone.registry("find", "values.csv:3")
    assert clone.registry_json("samples", "letters-v1.0.0")
    assert {one.dataset for one in list_datasets(clone.folder).versions} == {"letters", "numbers"}
    assert open_dataset("letters", repo=clone.folder).version == "1.0.0"
    elsewhere = clone.elsewhere(tmp_path / "clone")
    elsewhere.registry("pull", code=None)  # without Snakemake's rules, it cannot be marked as done
    assert (elsewhere.folder / "data/numbers/processed").exists()
    assert gone(elsewhere)
    assert states(elsewhere)["letters"] == ("retired", "1.0.0")
    witness.check_with_dvc(tmp_path)


def test_it_can_be_run_again_and_taken_back(clone):
    clone.registry("remove", "letters")
    head = clone.head()
    assert "letters is retired already; its last version is 1.0.0." in clone.registry("remove", "letters")
    assert clone.head() == head
    clone.git("revert", "--no-edit", head)
    clone.restored("letters")
    assert states(clone)["letters"] == ("released", "1.0.0")
    assert (clone.folder / SUMS).read_text() == LINES


def test_one_that_is_added_again_goes_on_with_the_next_number(clone):
    description = (clone.folder / "config/datasets/letters.yaml").read_text()
    clone.registry("remove", "letters")
    clone.write("config/datasets/letters.yaml", description)
    clone.build("letters", 20)
    assert "letters: released as letters-v1.1.0 (MINOR)" in clone.registry("publish")


def test_a_dry_run_removes_nothing(clone):
    head = clone.head()
    printed = clone.registry("remove", "letters", "--dry-run")
    assert "letters would be retired" in printed
    assert "  - config/datasets/letters.yaml\n" in printed
    assert (clone.head(), clone.git("status", "--porcelain")) == (head, "")
    assert states(clone)["letters"] == ("released", "1.0.0")
    done = clone.registry_json("remove", "letters")
    assert (done["version"], done["commit"], done["changed"]) == ("1.0.0", clone.head(), True)


@pytest.mark.parametrize(
    "file",
    [
        "config/datasets/letters.yaml",
        "data/letters/metadata.json",
        "data/letters/processed/rest.parquet",
        "data/letters/raw/values.csv",
        "data/letters/notes.md",
        "data/samples/letters/values.csv",
        "data/samples/letters/new.csv",
        "data/samples/letters/ignored.pyc",
    ],
)
def test_unpublished_work_is_not_lost(clone, file):
    place, head = clone.folder / file, clone.head()
    clone.write(file, "mine\n")
    printed = clone.registry("remove", "letters", code=1)
    one_message(printed)
    assert f"unpublished work would be lost: {file}" in printed
    assert "--force" in printed
    of_git = file.startswith("data/samples/")
    assert ("git add config/datasets/letters.yaml data/samples/letters && git commit" in printed) == of_git
    assert (place.read_text(), clone.head()) == ("mine\n", head)
    clone.git("add", "--all")
    clone.registry("remove", "letters", "--force")
    assert gone(clone)
    assert clone.git("status", "--porcelain") == ""


def test_data_that_the_cache_lacks_is_asked_for_in_the_remote(clone):
    shutil.rmtree(clone.folder / ".dvc/cache")
    storage = clone.folder / ".dvc/storage"
    storage.rename(storage.with_name("elsewhere"))
    assert "unpublished work would be lost: data/letters/" in clone.registry("remove", "letters", code=1)
    storage.with_name("elsewhere").rename(storage)
    clone.registry("remove", "letters")
    assert gone(clone)


def test_a_dataset_that_was_never_released(clone):
    clone.write("config/datasets/more.yaml", (clone.folder / "config/datasets/letters.yaml").read_text())
    clone.write(SUMS, LINES + f"{'4' * 64}  more/values.csv\n{'5' * 64}  mine/values.csv\n")
    head = clone.head()
    assert "would be lost: config/datasets/more.yaml" in clone.registry("remove", "more", code=1)
    clone.registry("remove", "more", "--force")
    assert gone(clone, "more")
    assert clone.head() == head
    assert (clone.folder / SUMS).read_text() == LINES + f"{'5' * 64}  mine/values.csv\n"
    assert "more" not in states(clone)


def test_sums_of_the_user_are_spared(clone):
    mine = f"{'5' * 64}  mine/values.csv\n"
    clone.write(SUMS, LINES + mine)
    clone.registry("remove", "letters")
    assert clone.git("show", f"HEAD:{SUMS}") + "\n" == LINES.split("\n", 1)[1]
    assert (clone.folder / SUMS).read_text() == LINES.split("\n", 1)[1] + mine
    assert clone.git("status", "--porcelain") == f" M {SUMS}"


def _made_of(clone: Tiny) -> None:
    clone.edit("config/datasets/numbers.yaml", "contract:", "sources: {datasets: [letters]}\ncontract:")


def _broken(clone: Tiny) -> None:
    _made_of(clone)
    clone.edit("config/datasets/numbers.yaml", "license:", "licence:")


def _referring(clone: Tiny) -> None:
    path = clone.folder / "config/datasets/numbers.yaml"
    dataset = yaml.safe_load(path.read_text())
    dataset["contract"]["columns"]["value"]["references"] = {"dataset": "letters", "column": "value"}
    path.write_text(yaml.safe_dump(dataset))


def _selected(clone: Tiny) -> None:
    clone.edit("config/config.yaml", "datasets: all", "datasets: [letters]")


def _behind(clone: Tiny) -> None:
    clone.build("letters", 20)
    clone.registry("publish")
    clone.git("reset", "--quiet", "--hard", "HEAD^")


@pytest.mark.parametrize(
    ("name", "prepare", "message", "hint"),
    [
        ("leters", None, "there is no dataset leters", "did you mean letters? choose from: letters, numbers"),
        ("samples", None, "there is no dataset samples", "choose from: letters, numbers"),
        ("../data", None, "there is no dataset ../data", "choose from: letters, numbers"),
        ("abc", ("alias",), "abc is an alias of letters", "registry remove letters"),
        ("letters", _made_of, "numbers is made of letters", "registry remove numbers first"),
        ("letters", _broken, "numbers is made of letters", "registry remove numbers first"),
        ("letters", _referring, "numbers is made of letters, or refers to it", "registry remove numbers first"),
        ("letters", _selected, "datasets names letters", "take it out there"),
        ("letters", ("rollback", "letters", "1.0.0"), "letters is pinned", "registry unpin letters first"),
        ("letters", _behind, "letters-v1.1.0 is released, and not part of it", "registry follow"),
        (
            "letters",
            ("git", "switch", "--quiet", "--detach"),
            "not removed: HEAD is detached",
            "registry remove letters",
        ),
    ],
)
def test_what_is_refused(clone, name, prepare, message, hint):
    if callable(prepare):
        prepare(clone)
    elif prepare == ("alias",):
        clone.edit("config/datasets/letters.yaml", "about:", "aliases: [abc]\nabout:")
    elif prepare:
        (clone.run if prepare[0] == "git" else clone.registry)(*prepare)
    before = clone.head(), clone.git("status", "--porcelain")
    printed = clone.registry("remove", name, code=1)
    one_message(printed)
    assert message in printed
    assert hint in printed
    assert (clone.head(), clone.git("status", "--porcelain")) == before
    assert (clone.folder / "data/letters/processed").is_dir()


def test_a_pin_goes_with_it_by_force(clone):
    clone.registry("rollback", "letters", "1.0.0")
    clone.registry("remove", "letters", "--force")
    assert gone(clone)
    assert states(clone)["letters"] == ("retired", "1.0.0")


def test_what_an_earlier_command_has_left_to_restore_of_it_is_forgotten(clone):
    clone.registry("rollback", "letters", "1.0.0")
    clone.interfered("after:git update-ref:1", command="unpin letters")
    clone.registry("remove", "letters")
    assert gone(clone)
    assert not (clone.folder / ".git/registry-pending.json").exists()
    clone.registry("rollback", "numbers", "1.0.0")


def test_a_name_that_became_an_alias_is_not_called_retired(clone):
    clone.registry("remove", "letters")
    clone.edit("config/datasets/numbers.yaml", "about:", "aliases: [letters]\nabout:")
    assert states(clone).keys() == {"numbers"}


def test_where_it_is_pushed(clone, tmp_path):
    clone.with_origin(tmp_path / "origin.git").git("push", "--quiet", "--tags", "origin")
    other = clone.elsewhere(tmp_path / "other")
    clone.registry("remove", "letters")
    assert clone.git("ls-remote", "origin", "refs/heads/main").split()[0] == clone.head()
    assert "origin has newer commits" in other.registry("remove", "numbers", code=1)
    other.registry("follow")
    assert gone(other)
    other.registry("remove", "numbers")
    assert states(other) == {"letters": ("retired", "1.0.0"), "numbers": ("retired", "1.0.0")}


def test_what_origin_refuses_is_still_here(clone, tmp_path):
    clone.with_origin(tmp_path / "origin.git").git("push", "--quiet", "--tags", "origin")
    hook = tmp_path / "origin.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    head = clone.head()
    assert "origin rejected the push" in clone.registry("remove", "letters", code=1)
    assert (clone.head(), clone.git("status", "--porcelain")) == (head, "")
    assert states(clone)["letters"] == ("released", "1.0.0")
    edited, new = "data/letters/metadata.json", "data/letters/notes.md"
    for file in (edited, new):
        clone.write(file, "mine\n")
    clone.registry("remove", "letters", "--force", code=1)
    assert [(clone.folder / file).read_text() for file in (edited, new)] == ["mine\n"] * 2
    hook.unlink()
    clone.registry("remove", "letters", "--force")
    assert gone(clone)
    assert not clone.git("ls-tree", "HEAD", new)


PLACES = [
    "before:registry.restore.retire.record:1",
    "after:registry.storage.git.Git.commit_object:1",
    "after:git read-tree:2",
    "before:git update-ref:1",
    "after:git update-ref:1",
    "before:registry.storage.dvc.Store.remove:1",
    "after:registry.storage.dvc.Store.remove:3",
]


@pytest.mark.parametrize("place", PLACES)
def test_killed_anywhere_it_completes_when_run_again(place, clone):
    witness, work = Witness(clone), Work(clone)
    witness.look()
    clone.interfered(place, command="remove letters")
    witness.check_objects()
    work.check()
    clone.registry("remove", "letters")
    assert gone(clone)
    assert clone.git("rev-list", "--count", "letters-v1.0.0..HEAD") == "1"
    assert states(clone) == {"letters": ("retired", "1.0.0"), "numbers": ("released", "1.0.0")}
    witness.check()
    work.check_is_all()


def test_snakemake_no_longer_knows_it_until_it_is_back(released):
    released.registry("remove", "tabular")
    assert "Nothing to be done" in released.snakemake("-n")
    assert "tabular" in released.snakemake("-n", "tabular", fails=True)
    assert "tabular" not in released.planned("--forceall")
    released.git("revert", "--no-edit", "HEAD")
    assert "tabular: 1.0.0 restored" in released.registry("pull", "tabular")
    assert "Nothing to be done" in released.snakemake("-n")
    assert states(released)["tabular"] == ("released", "1.0.0")
