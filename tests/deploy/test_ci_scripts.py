"""The scripts of workflows by themselves, in a checkout `main` as on the volume of Argo's pods."""

import os
import subprocess
from pathlib import Path

import pytest

from clone import Clone, under_git
from project import copy_repository
from support import ROOT

BROKEN, WELL = "tabular", "wine-quality"


@pytest.fixture
def main(tmp_path: Path) -> Clone:
    """A checkout of a registry of two datasets, in a folder with nothing else."""
    clone = under_git(copy_repository(tmp_path / "main"))
    clone.edit("config/config.yaml", "datasets: all", f"datasets: [{BROKEN}, {WELL}]")
    clone.commit("Keep two")
    return clone


def publish(main: Clone, code: int = 0) -> tuple[str, set[str]]:
    """Release what is built; return what was printed, and which files tell of it."""
    volume = Clone(main.folder.parent)
    printed = volume.run(
        "main/scripts/ci/publish.sh", code=code, CHECKOUTS="main", RESULTS=str(volume.folder / "results")
    )
    return printed, {each.name for each in (volume.folder / "results" / "main").iterdir()}


@pytest.mark.parametrize(
    ("script", "given"),
    [
        ("run.sh", {"datasets": "tabular; touch injected"}),
        ("run.sh", {"datasets": "--help"}),
        ("run.sh", {"datasets": "$(touch injected)"}),
        ("run.sh", {"datasets": "tabular\nemotion"}),
        ("run.sh", {"remote": "--config"}),
        ("run.sh", {"remote": "x\n::error::"}),
        ("run.sh", {"source": "elsewhere"}),
        ("run.sh", {"bump": "huge"}),
        ("publish.sh", {"bump": "--help"}),
        ("publish.sh", {"remote": "$(touch injected)"}),
        ("refresh.sh", {"cores": "0"}),
    ],
)
def test_inputs_are_checked_and_are_no_commands(script, given, tmp_path):
    environment = {name.upper(): value for name, value in given.items()}
    summary = tmp_path / "summary.md"
    env = {**os.environ, **environment, "GITHUB_STEP_SUMMARY": str(summary)}
    command = [ROOT / "scripts" / "ci" / script]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    (name,) = environment
    assert done.stderr.startswith(f"{name}: ")
    assert len(done.stderr.splitlines()) == 1
    assert summary.read_text().startswith(f"Nothing has run: {name} ")
    assert [each.name for each in tmp_path.iterdir()] == ["summary.md"]


def test_a_build_that_was_refused_is_not_judged_by_the_run_before_it(main):
    main.run("scripts/ci/run.sh", DATASETS=WELL, PUBLISH="false")
    publish(main)
    assert main.tags() == [f"{WELL}-v1.0.0"]
    main.run("scripts/ci/run.sh", code=1, CORES="0")
    printed, _ = publish(main, code=1)
    assert "nothing has run here" in printed


def test_what_is_complete_is_released_and_reported_where_another_dataset_is_not(main):
    main.edit(f"config/datasets/{BROKEN}.yaml", "min: 100,", "min: 1_000_000,")
    main.commit("Break one")
    main.run("scripts/ci/run.sh", code=1, PUBLISH="false")
    _, told = publish(main, code=1)
    assert main.tags() == [f"{WELL}-v1.0.0"]
    assert told >= {"run.json", "publish.json", "logs.tar.gz", "report.html"}


def test_what_cannot_be_saved_hides_no_exit_code(main):
    main.run("scripts/ci/run.sh", DATASETS=WELL, PUBLISH="false")
    other = Clone(main.folder.parent / "of-other")
    main.git("clone", "--quiet", str(main.folder), str(other.folder))
    volume = Clone(main.folder.parent)
    results = volume.folder / "results" / "main"
    # Where the record of the run should go.
    (results / "run.json" / "x").mkdir(parents=True)
    given = {"CHECKOUTS": "main of-other", "RESULTS": str(results.parent)}
    printed = volume.run("main/scripts/ci/publish.sh", code=1, **given)
    assert "main: what it did is not saved" in printed
    assert "== of-other" in printed
    assert main.tags() == [f"{WELL}-v1.0.0"]


@pytest.fixture
def origin(main: Clone) -> Path:
    """Where `main` releases to."""
    main.edit("config/config.yaml", "push: false", "push: true")
    with (main.folder / ".dvc" / "config").open("a") as config:
        config.write("['remote \"team\"']\n    url = s3://registry/team\n")
    main.edit(".dvc/config", "remote = local", "remote = team")
    main.commit("Release to S3")
    origin = main.folder.parent / "origin.git"
    main.git("clone", "--quiet", "--bare", ".", str(origin))
    main.git("remote", "add", "origin", str(origin))
    return origin


def prepare(main: Clone, code: int = 0, **environment: str) -> str:
    command = ("python", "scripts/ci/prepare_checkouts.py", "../builds.json", "../checkouts")
    return main.run(*command, code=code, MODE="fan-out", DATASETS=WELL, **environment)


def test_a_pod_that_never_starts_is_not_judged_by_the_run_before_it(main, origin):
    asked = {"REPOSITORY": str(origin), "BRANCH": "main"}
    prepare(main, **asked)
    record = main.folder.parent / f"of-{WELL}" / "logs" / "run.json"
    record.parent.mkdir()
    record.write_text("{}")
    prepare(main, **asked, DRY_RUN="true")
    assert record.exists()
    prepare(main, **asked)
    assert not record.exists()


def test_a_volume_of_another_repository_or_branch_is_refused(main, origin):
    asked = {"REPOSITORY": str(origin), "BRANCH": "main"}
    main.run("python", "scripts/ci/follow_origin.py", **asked)
    prepare(main, **asked)
    for other in ({"BRANCH": "next"}, {"REPOSITORY": "https://me:hunter2@git.example.org/other.git\n::error::"}):
        for printed in (
            main.run("python", "scripts/ci/follow_origin.py", code=1, **asked | other),
            prepare(main, code=1, **asked | other),
        ):
            assert "it is a clone of branch main of " in printed
            assert "hunter2" not in printed
            assert len(printed.splitlines()) == 2


def test_a_volume_from_which_nothing_could_be_released_is_refused(main, origin):
    asked = {"REPOSITORY": str(origin), "BRANCH": "main"}
    main.edit("config/config.yaml", "push: true", "push: false")
    main.commit("Keep releases here")
    main.git("push", "--quiet", "origin", "main")
    assert "release.push is off" in main.run("python", "scripts/ci/follow_origin.py", code=1, **asked)
    main.run("python", "scripts/ci/follow_origin.py", DRY_RUN="true", **asked)


def test_a_checkout_whose_releases_would_reach_nobody_is_refused(main):
    check = ("python", "scripts/ci/check_checkout.py")
    assert "would be lost with this machine" in main.run(*check, code=1)
    main.run(*check, DRY_RUN="true")
    main.edit("config/config.yaml", "push: false", "push: true")
    main.commit("Push")
    assert "remote local is a local folder that nobody else reaches" in main.run(*check, code=1)
    main.git("switch", "--quiet", "--detach")
    assert "HEAD is detached" in main.run(*check, code=1)
    shallow = Clone(main.folder.parent / "shallow")
    main.git("clone", "--quiet", "--depth", "1", main.folder.as_uri(), str(shallow.folder))
    assert "fetch-depth: 0" in shallow.run(*check, code=1, DRY_RUN="true")


def test_files_that_are_missing_are_one_message(main):
    printed = main.run("python", "scripts/ci/prepare_checkouts.py", code=1)
    assert printed == "prepare_checkouts.py BUILDS CHECKOUTS: give the two files that it writes\n"
