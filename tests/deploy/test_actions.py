"""The workflows of GitHub Actions, run with act against a bare repository and an S3 server."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from clone import under_git
from github_actions import Actions, Ended
from origin import with_origin
from project import copy_repository
from s3 import S3Server

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed, which runs actions")

RUN = "run-data-pipelines.yaml"
ASKED = {
    "datasets": "tabular",
    "source": "configured",
    "force": "false",
    "bump": "by the data",
    "remote": "",
    "dry-run": "false",
    "where": "runner",
}


@pytest.fixture
def actions(server: S3Server, tmp_path: Path) -> Actions:
    """A registry of one dataset that pushes its releases, and whose data goes to the S3 server."""
    clone = under_git(copy_repository(tmp_path / "begun"))
    clone.edit("config/config.yaml", "datasets: all", "datasets: [tabular]")
    return Actions(clone, with_origin(clone, server, tmp_path), tmp_path / "actions")


@pytest.fixture
def keys(server: S3Server) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": server.admin.key, "AWS_SECRET_ACCESS_KEY": server.admin.secret}


def in_origin(actions: Actions, *command: str) -> str:
    done = subprocess.run(["git", "-C", actions.origin, *command], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def asked(actions: Actions, secrets: dict[str, str], environment: dict[str, str] | None = None, **given: str) -> Ended:
    inputs = ASKED | {name.replace("_", "-"): value for name, value in given.items()}
    job = "runner" if inputs["where"] == "runner" else "argo"
    return actions.run(RUN, "workflow_dispatch", job=job, inputs=inputs, secrets=secrets, environment=environment)


def test_a_checkout_that_lacks_history_or_does_not_push_is_refused(actions, keys):
    actions.clone.edit("config/config.yaml", "push: true", "push: false")
    actions.clone.edit(f".github/workflows/{RUN}", "fetch-depth: 0", "fetch-depth: 1")
    actions.clone.commit("Break two things")
    actions.clone.git("push", "--quiet", "origin", "main")
    shallow = asked(actions, keys)
    assert shallow.code == 1
    assert "fetch-depth: 0" in shallow.printed
    assert "this clone is shallow" in shallow.summary
    actions.clone.edit(f".github/workflows/{RUN}", "fetch-depth: 1", "fetch-depth: 0")
    silent = asked(actions, keys)
    assert silent.code == 1
    assert "release" in silent.summary
    assert "would be lost with this machine" in silent.summary
    assert in_origin(actions, "tag", "--list") == ""


def test_a_push_that_is_refused_and_a_key_that_is_wrong_are_told_and_release_nothing(actions, keys):
    hook = actions.origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'GH006: Protected branch update failed for refs/heads/main.' >&2\nexit 1\n")
    hook.chmod(0o755)
    refused = asked(actions, keys)
    assert refused.code == 1
    assert "Protected branch" in refused.printed
    assert "not released" in refused.summary
    assert in_origin(actions, "tag", "--list") == ""
    hook.unlink()
    wrong = asked(actions, {**keys, "AWS_SECRET_ACCESS_KEY": "expired"})
    assert wrong.code == 1
    assert "not released" in wrong.summary
    assert in_origin(actions, "tag", "--list") == ""
    # The next run completes it.
    assert asked(actions, keys).code == 0
    assert in_origin(actions, "tag", "--list") == "tabular-v1.0.0"


def test_what_is_asked_for_is_released_and_told_in_the_summary(actions, keys, server):
    ended = asked(actions, keys)
    assert ended.code == 0, ended.printed
    assert in_origin(actions, "tag", "--list") == "tabular-v1.0.0"
    provenance = json.loads(in_origin(actions, "show", "tabular-v1.0.0:data/tabular/provenance.json"))
    assert provenance["run"]["commit"] == actions.clone.head()
    assert "<code>1.0.0</code>" in ended.summary
    assert {"report.html", "run.json", "logs.tar.gz"} <= {each.name for each in (ended.artifacts / "results").iterdir()}
    assert server.admin.secret not in ended.printed
    assert not (ended.artifacts / "runner").exists()
    # The same every night: nothing changed, so no commit and no tag. The catalog is published where that is asked for.
    head = in_origin(actions, "rev-parse", "main")
    asked_for = {"REGISTRY_NIGHTLY": "true", "REGISTRY_PAGES": "true"}
    nightly = {"job": "runner", "variables": asked_for, "secrets": keys}
    ended = actions.run(RUN, "schedule", **nightly)
    assert ended.code == 0, ended.printed
    assert "Nothing to do" in ended.summary
    assert "tabular" in (ended.artifacts / "runner" / "index.html").read_text(encoding="utf-8")
    assert (ended.artifacts / "runner" / "datasets" / "tabular-v1.0.0.html").is_file()
    assert in_origin(actions, "tag", "--list") == "tabular-v1.0.0"
    assert in_origin(actions, "rev-parse", "main") == head


@pytest.mark.parametrize(
    ("job", "called"),
    [
        ("test", ["make test"] * 2),
        ("clusters", ["apt-get slurm-wlm", "make test-cluster"]),
        ("orchestrate", ["make test-orchestrate"]),
        ("container", ["docker build"]),
        ("deploy", ["apt-get podman", "make test-deploy"]),
    ],
)
def test_jobs_of_ci_call_what_takes_long(actions, tmp_path, job, called):
    calls, programs = tmp_path / "calls", tmp_path / "programs"
    programs.mkdir()
    for name in ("apt-get", "docker", "make"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {calls}\n')
    (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    ended = actions.run("ci.yaml", "push", job=job, environment={"PATH": f"{programs}:{os.environ['PATH']}"})
    assert ended.code == 0, ended.printed
    for line, words in zip(calls.read_text().splitlines(), called, strict=True):
        assert {*words.split()} <= {*line.split()}


@pytest.mark.parametrize(
    ("job", "printed"), [("dry-run", "tabular"), ("lint", "All checks passed"), ("samples", "tabular")]
)
def test_jobs_of_ci_run(actions, job, printed):
    actions.clone.edit("config/config.yaml", "publish: true", "publish: false")
    actions.clone.commit("Build alone")
    actions.clone.git("push", "--quiet", "origin", "main")
    ended = actions.run("ci.yaml", "push", job=job)
    assert ended.code == 0, ended.printed
    assert printed in ended.printed
    assert in_origin(actions, "tag", "--list") == ""


def test_embeddings_on_the_runner_are_computed_there_whatever_the_configuration_says(actions, keys):
    # A registry that refuses the engine says which one it was told.
    actions.clone.edit("scripts/ci/inputs.sh", "'local|ray'", "'other'")
    actions.clone.commit("Know another engine")
    actions.clone.git("push", "--quiet", "origin", "main")
    given = {name: value for name, value in ASKED.items() if name not in ("datasets", "where")}
    ended = actions.run(
        "run-embeddings-pipeline.yaml", "workflow_dispatch", inputs={**given, "engine": "local"}, secrets=keys
    )
    assert ended.code == 1
    assert "ENGINE: 'local' is none" in ended.printed
