"""`registry rollback` and `release`, and old content under a new number: there and back without computing anything."""

import json
import sys
from datetime import datetime
from pathlib import Path

import pytest

from clone import Clone
from commands import unpin
from project import DATASETS
from registry.storage.snapshot import ADDED
from tiny import Tiny, make_tiny

DONE = "Nothing to be done"
PIN = "data/tabular/pin.json"


@pytest.fixture(scope="session")
def versions_once(once, released_once) -> Clone:
    """A clone with tabular 1.0.0, 1.1.0 (more samples) and 2.0.0 (another seed); look but do not touch."""

    def make(folder: Path) -> str:
        clone = released_once.copied(folder)
        for params in ({"n_samples": 1_100}, {"n_samples": 1_200, "seed": 7}):
            clone.configure("tabular", **params)
            clone.run("snakemake", "--cores", "2", "tabular")
        tags = [tag for tag in clone.tags() if tag.startswith("tabular")]
        assert tags == ["tabular-v1.0.0", "tabular-v1.1.0", "tabular-v2.0.0"]
        return ""

    return Clone(once("versions", make))


@pytest.fixture
def versions(versions_once, tmp_path) -> Clone:
    """A copy of its own of a clone with three versions of tabular."""
    return versions_once.copied(tmp_path / "registry")


@pytest.fixture(scope="session")
def rolled_once(once, versions_once) -> Clone:
    """A clone in which tabular was rolled back to 1.0.0; look but do not touch."""

    def make(folder: Path) -> str:
        clone = versions_once.copied(folder)
        return clone.registry("rollback", "tabular", "1.0.0", "--reason", "labels of 2.0.0 are wrong")

    return Clone(once("rolled", make))


@pytest.fixture
def rolled(rolled_once, tmp_path) -> Clone:
    """A copy of its own of a clone in which tabular was rolled back to 1.0.0."""
    return rolled_once.copied(tmp_path / "registry")


def tabular(clone: Clone) -> dict[str, bytes]:
    """Return {path: bytes} of all that there is of tabular, but sources, reports and the pin."""
    folder = clone.folder / "data/tabular"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and {"raw", ".raw"}.isdisjoint(path.relative_to(folder).parts)
        and path.name not in ("raw.dvc", "pin.json", ".snakemake_timestamp")
    }


def status(clone: Clone) -> dict[str, dict]:
    return {one["dataset"]: one for one in clone.registry_json("status")}


def jobs(clone: Clone, *arguments: str) -> str:
    """Return what a dry run prints."""
    return clone.snakemake("-n", *arguments)


def test_back_to_the_first_version_and_to_the_latest_again(versions, released_once):
    newest = tabular(versions)
    logs = {path: path.read_text() for path in versions.folder.glob("logs/*/*.log")}
    config = (versions.folder / "config/datasets/tabular.yaml").read_bytes()
    commits = versions.git("rev-list", "--count", "HEAD")

    printed = versions.registry("rollback", "tabular", "1.0.0", "--reason", "labels of 2.0.0 are wrong")
    assert "tabular is back at 1.0.0 and pinned there" in printed
    assert tabular(versions) == tabular(released_once)
    assert json.loads((versions.folder / PIN).read_text()) == {
        "version": "1.0.0",
        "tag": "tabular-v1.0.0",
        "reason": "labels of 2.0.0 are wrong",
    }
    assert (versions.folder / "config/datasets/tabular.yaml").read_bytes() == config
    assert not (versions.folder / "data/tabular/raw").exists()
    assert (versions.folder / "reports/tabular/profile.json").read_bytes() == (
        released_once.folder / "reports/tabular/profile.json"
    ).read_bytes()
    assert (versions.folder / "reports/tabular/overview.svg").exists(), "git does not know it: it may be the user's own"
    assert versions.git("status", "--porcelain") == ""
    assert "labels of 2.0.0 are wrong" in versions.git("log", "-1", "--format=%B")
    assert status(versions)["tabular"]["state"] == "pinned"
    assert DONE in jobs(versions)
    assert DONE in jobs(versions, "tabular")

    printed = versions.registry("unpin", "tabular")
    assert "tabular: 2.0.0 restored" in printed
    assert tabular(versions) == newest
    assert not (versions.folder / PIN).exists()
    assert versions.git("status", "--porcelain") == ""
    assert int(versions.git("rev-list", "--count", "HEAD")) == int(commits) + 2
    assert versions.git("diff", "tabular-v2.0.0", "HEAD", "--stat") == ""
    assert DONE in jobs(versions)
    assert DONE in versions.run("snakemake", "--cores", "2")
    assert {path: path.read_text() for path in versions.folder.glob("logs/*/*.log")} == logs
    assert status(versions)["tabular"]["state"] == "released"

    versions.configure("tabular", n_samples=1_300)
    assert versions.planned() == {"tabular"}
    versions.configure("tabular", n_samples=1_200)
    versions.configure("radiology-mini", test_ratio=0.3)
    assert versions.planned() == {"radiology-mini"}


def test_a_pin_survives_changes_of_code_and_configuration_and_forceall(rolled):
    before = tabular(rolled)
    path = rolled.folder / "scripts/tabular/process.py"
    path.write_text(path.read_text() + "\n# one more line\n")
    rolled.configure("tabular", n_samples=1_400)
    rolled.commit()
    assert DONE in jobs(rolled)
    rolled.configure("emotion", classes=["sad", "glad", "loving", "angry", "afraid", "surprised"])
    assert rolled.planned() == {"emotion"}
    assert rolled.planned("--forceall") == set(DATASETS) - {"tabular"}
    rolled.snakemake("--cores", "2", "--forceall", "--config", "publish=false", "--", "tabular", "wine_quality")
    assert tabular(rolled) == before
    printed = rolled.registry("unpin", "tabular")
    assert "snakemake will build it again: built with params.n_samples: 1200, not 1400" in printed
    assert rolled.planned("tabular") == {"tabular"}


def test_a_pull_completes_a_killed_unpin(rolled):
    rolled.interfered("before:registry.restore.rollback.restore:1", command="unpin tabular")
    waiting = rolled.folder / ".git" / "registry-pending.json"
    rolled.registry("pull", "emotion")
    assert json.loads(waiting.read_text())["restore"] == "tabular"
    rolled.registry("pull", "tabular")
    assert not waiting.exists()


def test_a_run_shows_the_pin_and_publishes_around_it(rolled):
    rolled.edit("config/datasets/wine-quality.yaml", "title: ", "title: New ")
    printed = rolled.run("snakemake", "--cores", "2")
    assert next(line for line in printed.splitlines() if line.startswith("  tabular ")).split()[-1] == "pinned"
    assert "tabular pinned: pinned at 1.0.0" in printed
    assert "wine-quality: released as wine-quality-v1.0.1" in printed
    outcomes = {one["dataset"]: one["state"] for one in rolled.registry_json("publish")["outcomes"]}
    assert outcomes["tabular"] == "pinned"
    assert "tabular-v2.0.1" not in rolled.tags()
    assert "tabular" not in rolled.git("log", "-1", "--format=%s")


def test_a_pin_survives_a_new_clone(rolled, tmp_path):
    clone = rolled.cloned(tmp_path / "clone")
    clone.write("data/wine-quality/pin.json", "<<<<<<<")
    printed = clone.snakemake("-n")
    assert "tabular is left out: data/tabular/pin.json: pinned, but the data is not here, or not all of it" in printed
    assert "registry pull tabular" in printed
    assert "wine-quality is left out: data/wine-quality/pin.json: not a pin" in printed
    states = {one["dataset"]: one["state"] for one in clone.registry_json("status")}
    assert (states["tabular"], states["wine-quality"], states["emotion"]) == ("incomplete", "broken", "incomplete")
    assert "wine-quality: broken, not released" in clone.registry("publish", code=3)
    (clone.folder / "data/wine-quality/pin.json").unlink()
    assert clone.planned("emotion") == {"emotion"}
    found = {one["dataset"]: one for one in clone.registry_json("pull")}
    assert found["tabular"] | {"state": None} == {
        "dataset": "tabular",
        "state": None,
        "version": "1.0.0",
        "pinned": True,
        "rebuild": None,
        "unpublished": [],
        "reason": None,
    }
    assert tabular(clone) == tabular(rolled)
    assert DONE in jobs(clone)
    assert "tabular" not in clone.planned("--forceall")
    next((clone.folder / "data/tabular/processed").iterdir()).unlink()
    assert "registry pull tabular" in clone.snakemake("-n", "tabular", fails=True)


def test_rolling_back_again_changes_nothing_and_to_another_version_moves_the_pin(rolled, versions_once):
    head, before = rolled.head(), tabular(rolled)
    assert "pinned at 1.0.0 already" in rolled.registry("rollback", "tabular", "v1.0.0")
    assert (rolled.head(), tabular(rolled)) == (head, before)
    assert "reason" in json.loads((rolled.folder / PIN).read_text())
    done = rolled.registry_json("rollback", "tabular", "tabular-v1.1.0")
    assert (done["changed"], done["commit"]) == (True, rolled.head())
    assert json.loads((rolled.folder / PIN).read_text()) == {"version": "1.1.0", "tag": "tabular-v1.1.0"}
    content = rolled.git("show", "tabular-v1.1.0:data/tabular/metadata.json")
    assert (rolled.folder / "data/tabular/metadata.json").read_text() == content + "\n"
    assert DONE in jobs(rolled)


def test_the_users_own_work_is_spared(versions):
    versions.write("notes.md", "mine\n")
    versions.write("staged.md", "staged\n")
    versions.git("add", "staged.md")
    versions.write("README.md", "unstaged\n")
    before = versions.git("status", "--porcelain")
    versions.registry("rollback", "tabular", "1.0.0")
    assert versions.git("status", "--porcelain") == before
    versions.registry("unpin", "tabular")
    assert versions.git("status", "--porcelain") == before


@pytest.mark.parametrize("file", ["processed/tabular.parquet", "metadata.json", "raw/dataset.csv"])
def test_unpublished_work_is_not_lost(versions, released_once, file):
    path = versions.folder / "data/tabular" / file
    path.write_bytes(path.read_bytes() + b" ")
    edited, head = path.read_bytes(), versions.head()
    printed = versions.registry("rollback", "tabular", "1.0.0", code=1)
    assert f"unpublished work would be lost: data/tabular/{file}" in printed
    assert "--force" in printed
    assert (path.read_bytes(), versions.head()) == (edited, head)
    assert not (versions.folder / PIN).exists()
    versions.registry("rollback", "tabular", "1.0.0", "--force")
    assert tabular(versions) == tabular(released_once)


def test_an_unpublished_build_is_not_lost(versions):
    versions.configure("tabular", n_samples=1_300)
    versions.run("snakemake", "--cores", "2", "tabular", "--config", "publish=false")
    built = tabular(versions)
    assert "unpublished work" in versions.registry("rollback", "tabular", "1.0.0", code=1)
    assert tabular(versions) == built


def test_where_nothing_can_be_committed_it_says_so(versions, released_once):
    versions.git("switch", "--quiet", "--detach")
    head = versions.head()
    done = versions.registry_json("rollback", "tabular", "1.0.0")
    assert (done["commit"], done["uncommitted"]) == (None, "HEAD is detached")
    assert tabular(versions) == tabular(released_once)
    assert versions.head() == head
    assert DONE in jobs(versions)
    assert "Not committed: HEAD is detached" in versions.registry("rollback", "tabular", "1.1.0")
    versions.registry("unpin", "tabular")
    assert versions.git("status", "--porcelain") == ""
    assert DONE in jobs(versions)


def test_the_pins_of_two_datasets(versions):
    versions.registry("rollback", "tabular", "1.0.0")
    versions.registry("rollback", "radiology-mini", "1.0.0")
    assert "tabular" not in versions.planned("--forceall")
    assert "radiology-mini" not in versions.planned("--forceall")
    path = versions.folder / "scripts/registry/describe/manifest.py"
    path.write_text(path.read_text() + "\n# one more line\n")
    assert versions.planned() == set(DATASETS) - {"tabular", "radiology-mini"}


def test_a_pin_alone_is_enough_to_go_back(versions, released_once):
    versions.write(PIN, json.dumps({"version": "1.0.0", "tag": "tabular-v1.0.0"}))
    printed = versions.registry("pull", "tabular")
    assert "tabular: 1.0.0 (pinned) restored" in printed
    assert tabular(versions) == tabular(released_once)
    assert DONE in jobs(versions)


def test_wrong_names(versions):
    assert "choose from: latest, 1.0.0, 1.1.0, 2.0.0" in versions.registry("rollback", "tabular", "3.0.0", code=1)
    assert "tabullar has no version" in versions.registry("rollback", "tabullar", "1.0.0", code=1)
    assert "tabular is not pinned" in versions.registry("unpin", "tabular", code=1)


def test_a_pin_that_nobody_can_read(versions):
    versions.write(PIN, "<<<<<<<")
    for printed in (versions.snakemake("-n", "tabular", fails=True), versions.registry("pull", code=1)):
        assert "data/tabular/pin.json: not a pin" in printed
        assert "Traceback" not in printed


def test_code_that_made_the_same_data_since_is_not_forgotten(versions):
    path = versions.folder / "scripts/tabular/analyze.py"
    path.write_text(path.read_text() + "\n# one more line\n")
    versions.commit()
    assert "committed without a new version" in versions.run("snakemake", "--cores", "2", "tabular")
    recorded = tabular(versions)
    versions.registry("rollback", "tabular", "1.0.0")
    versions.registry("unpin", "tabular")
    assert tabular(versions) == recorded
    assert DONE in jobs(versions)


def test_a_version_that_differs_in_its_metadata_alone_comes_back_as_it_was(released):
    first = released.git("show", "wine-quality-v1.0.0:data/wine-quality/metadata.json")
    released.edit("config/datasets/wine-quality.yaml", "title: ", "title: New ")
    released.snakemake("--cores", "2", "wine_quality")
    newest = released.git("show", "wine-quality-v1.0.1:data/wine-quality/metadata.json")
    released.registry("rollback", "wine-quality", "1.0.0")
    path = released.folder / "data" / "wine-quality" / "metadata.json"
    assert path.read_text(encoding="utf-8") == first + "\n"
    released.registry("unpin", "wine-quality")
    assert path.read_text(encoding="utf-8") == newest + "\n" != first + "\n"
    assert released.git("diff", "wine-quality-v1.0.1", "HEAD", "--stat") == ""


def test_in_a_linked_working_tree(versions, tmp_path):
    versions.git("switch", "--quiet", "--create", "elsewhere")
    versions.git("worktree", "add", "--quiet", str(tmp_path / "tree"), "main")
    tree = Clone(tmp_path / "tree")
    tree.registry("pull", "tabular")
    newest = tabular(tree)
    tree.registry("rollback", "tabular", "1.0.0")
    assert DONE in jobs(tree, "tabular")
    assert not (versions.folder / PIN).exists()
    tree.registry("unpin", "tabular")
    assert tabular(tree) == newest


KILLED = {
    ("rollback", "tabular", "1.0.0"): [
        "before:registry.restore.rollback._place:1",
        "after:registry.restore.rollback.write_json:1",
        "after:registry.storage.dvc.Store._lay_out:1",
        "after:registry.restore.rollback.put:1",
        "after:registry.storage.git.Git.commit_object:1",
        "before:git update-ref:1",
        "after:git update-ref:1",
    ],
    unpin("tabular"): [
        "before:registry.restore.rollback._place:1",
        "before:registry.storage.dvc.Store._lay_out:1",
        "after:registry.restore.rollback.put:1",
        "after:registry.storage.git.Git.fast_forward:1",
        "after:git update-ref:1",
    ],
}
"""Places on the way back and there again, in the order in which a command comes to them."""


def test_killed_anywhere_it_completes_when_run_again(versions, released_once):
    newest = tabular(versions)
    for command, places in KILLED.items():
        for place in places:
            versions.interfered(place, command=" ".join(command))
        if command[0] == "rollback":
            versions.registry(*command)
            assert tabular(versions) == tabular(released_once)
        elif versions.git("ls-tree", "HEAD", PIN):
            versions.registry(*command)
        else:
            versions.registry("pull", "tabular")
        assert DONE in jobs(versions)
        assert versions.git("status", "--porcelain") == ""
    assert tabular(versions) == newest
    assert versions.git("fsck", "--connectivity-only", "--no-dangling") == ""


PUBLISH_FROM = """
import dataclasses, json, sys
from pathlib import Path
from registry.storage.repository import Repository
from registry.restore.rollback import republish
done = republish(Repository.open(Path()), "tabular", sys.argv[1], "2.0.0 is broken", dry_run=len(sys.argv) > 2)
print(json.dumps(dataclasses.asdict(done)))
"""


def publish_from(clone: Clone, *arguments: str) -> dict:
    return json.loads(clone.run(sys.executable, "-c", PUBLISH_FROM, *arguments).splitlines()[-1])


def test_old_content_under_a_new_number(versions, released_once, tmp_path):
    planned = publish_from(versions, "1.0.0", "dry")["outcomes"][0]
    assert (planned["tag"], planned["level"]) == ("tabular-v3.0.0", "MAJOR")
    assert "tabular-v3.0.0" not in versions.tags()
    assert not (versions.folder / PIN).exists()

    done = publish_from(versions, "1.0.0")
    assert done["outcomes"][0]["state"] == "released"
    assert done["commit"] == versions.head() == versions.git("rev-parse", "tabular-v3.0.0^{commit}")
    found, expected = tabular(versions), tabular(released_once)
    for name in ADDED:
        assert found.pop(name) != expected.pop(name), "it is that of another number"
    assert found == expected
    assert versions.git("status", "--porcelain") == ""
    message = versions.git("tag", "--list", "--format=%(contents)", "tabular-v3.0.0").splitlines()
    assert message[0] == "tabular 3.0.0"
    assert {"content of 1.0.0", "reason: 2.0.0 is broken"} <= set(message)
    entries = {entry["version"]: entry for entry in versions.registry_json("log", "tabular")}
    assert {version: entry["superseded_by"] for version, entry in entries.items()} == {
        "3.0.0": None,
        "2.0.0": "3.0.0",
        "1.1.0": "3.0.0",
        "1.0.0": None,
    }
    assert DONE in jobs(versions)
    assert versions.registry_json("publish")["outcomes"][-2]["state"] == "pinned"

    again = publish_from(versions, "1.0.0")
    assert (again["outcomes"][0]["state"], again["commit"]) == ("unchanged", None)
    assert [tag for tag in versions.tags() if tag.startswith("tabular-v3")] == ["tabular-v3.0.0"]

    clone = versions.cloned(tmp_path / "clone")
    assert "tabular: 3.0.0 (pinned) restored" in clone.registry("pull")
    assert tabular(clone) == tabular(versions)
    assert DONE in jobs(clone)
    printed = clone.registry("unpin", "tabular")
    assert "tabular: 3.0.0" in printed
    assert "snakemake will build it again" in printed
    assert clone.planned() == {"tabular"}


def test_old_content_after_a_rollback_and_from_a_clone_without_a_cache(rolled, released_once, tmp_path):
    done = publish_from(rolled, "1.0.0")
    assert done["outcomes"][0]["tag"] == "tabular-v3.0.0"
    assert json.loads((rolled.folder / PIN).read_text())["tag"] == "tabular-v3.0.0"
    assert json.loads((rolled.folder / PIN).read_text())["reason"] == "2.0.0 is broken"
    clone = rolled.cloned(tmp_path / "clone")
    done = publish_from(clone, "1.1.0")
    assert done["outcomes"][0]["tag"] == "tabular-v3.1.0"
    assert any((clone.folder / ".dvc/storage").rglob("*.dir"))
    assert DONE in jobs(clone, "tabular")


def test_old_content_from_a_checkout_that_is_behind(versions):
    versions.git("reset", "--quiet", "--hard", "tabular-v1.1.0")
    printed = versions.run(sys.executable, "-c", PUBLISH_FROM, "1.0.0", code=1)
    assert "this checkout is behind: tabular-v2.0.0" in printed


def test_old_content_where_nothing_can_be_released(versions):
    versions.git("switch", "--quiet", "--detach")
    assert publish_from(versions, "1.0.0")["skipped"] == "HEAD is detached"
    assert not (versions.folder / PIN).exists()


def test_old_content_completes_when_killed_before_its_tag(versions):
    tag = "import registry.restore.rollback as r; r.record = lambda *a, **k: __import__('os')._exit(9)\n"
    versions.run(sys.executable, "-c", tag + PUBLISH_FROM, "1.0.0", code=9)
    assert json.loads((versions.folder / PIN).read_text())["tag"] == "tabular-v3.0.0"
    assert "tabular-v3.0.0" not in versions.tags()
    assert DONE in jobs(versions)
    versions.registry("pull", "tabular")
    assert publish_from(versions, "1.0.0")["outcomes"][0]["tag"] == "tabular-v3.0.0"
    assert versions.git("status", "--porcelain") == ""


def two_letters(folder: Path) -> Tiny:
    """Make a registry with letters 1.0.0 and 1.1.0, and numbers 1.0.0."""
    clone = make_tiny(folder)
    for name, rows in (("letters", 10), ("numbers", 10), ("letters", 20)):
        clone.build(name, rows)
        clone.registry("publish")
    return clone


def test_status_shows_the_version_that_is_pinned(tmp_path):
    clone = two_letters(tmp_path / "registry")
    clone.registry("rollback", "letters", "1.0.0")
    found = status(clone)["letters"]
    assert (found["state"], found["version"], found["newest"], found["rows"]) == ("pinned", "1.0.0", "1.1.0", 10)
    made = clone.git("tag", "--list", "--format=%(taggerdate:unix)", "letters-v1.0.0")
    assert datetime.fromisoformat(found["released"]).timestamp() == int(made)


def test_status_does_not_advise_to_release_again_what_was_taken_back(tmp_path):
    clone = two_letters(tmp_path / "registry")
    clone.registry("republish", "letters", "1.0.0", "--reason", "1.1.0 is broken")
    (clone.folder / "data/letters/pin.json").unlink()
    clone.commit("Take the pin away")
    found = status(clone)["letters"]
    assert (found["state"], found["reason"]) == ("outdated", "built with params.rows: 10, not 20")
    assert found["hint"].startswith("2.0.0 took back what was released before it")
    assert "publish" not in found["hint"]

    clone.build("letters", 20)
    found = status(clone)["letters"]
    assert (found["state"], found["reason"]) == ("changed", "holds the content of 1.1.0, which 2.0.0 took back")
    assert found["hint"] == "registry pull letters brings what is released"
    clone.build("letters", 30)
    assert "registry publish --dry-run" in status(clone)["letters"]["hint"]


@pytest.mark.parametrize(("version", "would"), [("1.0.0", "letters-v"), ("1.1.0", "Nothing new to release")])
def test_a_dry_run_says_what_waits(version, would, tmp_path):
    clone = two_letters(tmp_path / "registry")
    clone.build("letters", 30)
    clone.interfered("before:registry.release.record.fast_forward:1")
    printed = clone.registry("republish", "letters", version, "--reason", "x", "--dry-run")
    assert would in printed
    assert "an earlier command was interrupted; the next release completes it first: letters-v1.2.0" in printed
    assert "letters-v1.2.0" not in clone.tags()
    done = clone.registry_json("republish", "numbers", "1.0.0", "--reason", "x")
    assert done["waiting"] is None
    assert "letters-v1.2.0" in clone.tags()
