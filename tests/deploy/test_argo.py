"""Each step of the workflows, run as its manifest says: in a pod's container, against a bare repository and S3."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from argo_pods import Ended, Namespace, give_to_pods, named
from clone import Clone, under_git
from origin import with_origin
from podman import Podman
from postgres import Database, running_postgres
from project import copy_repository
from s3 import S3Server
from support import wait_until

DATASETS = "tabular opencloudhub-readmes"
EMBEDDINGS = "opencloudhub-readmes-embeddings"
SMALL = {"tabular", "opencloudhub-readmes"}
STOPPED = "stopped (SIGTERM): run the same command again, which goes on where it was"


@pytest.fixture
def origin(server: S3Server, tmp_path: Path) -> Clone:
    """A bare repository of a registry that pushes its releases, and whose data goes to the S3 server."""
    clone = under_git(copy_repository(tmp_path / "begun"))
    clone.edit("config/config.yaml", "datasets: all", f"datasets: [{DATASETS.replace(' ', ', ')}]")
    clone.edit("config/config.yaml", "identity: null", 'identity: "Ada Tester <ada@example.org>"')
    give_to_pods(with_origin(clone, server, tmp_path))
    return clone


@pytest.fixture
def namespace(podman: Podman, origin: Clone, server: S3Server, tmp_path: Path) -> Namespace:
    keys = {name: value for name, value in server.environment(server.admin).items() if not name.endswith("_FILE")}
    return Namespace(tmp_path, tmp_path / "origin.git", podman, podman.image(), {"registry": keys})


def released(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Return {tag: provenance} of what is released in the bare repository."""
    clone = Clone(tmp_path)
    git = ("-c", "safe.directory=*", "--git-dir", str(tmp_path / "origin.git"))
    found = {}
    for tag in clone.git(*git, "tag", "--list").split():
        dataset = tag.rpartition("-v")[0]
        found[tag] = json.loads(clone.git(*git, "show", f"{tag}:data/{dataset}/provenance.json"))
    return found


def push(origin: Clone, message: str, tmp_path: Path) -> None:
    """Commit what was edited, and bring it to the bare repository, which pods own."""
    origin.commit(message)
    (tmp_path / "gitconfig").write_text("[safe]\n    directory = *\n", encoding="utf-8")
    bare = tmp_path / "origin.git"
    origin.git("push", "--quiet", str(bare), "main", GIT_CONFIG_GLOBAL=str(tmp_path / "gitconfig"))
    give_to_pods(bare)


def succeeded(steps: list[Ended]) -> None:
    for step in steps:
        assert step.code == 0, step.printed


def test_one_pod_builds_and_one_step_releases(namespace, origin, server, tmp_path):
    succeeded(steps := namespace.pipeline(cores="1", actor="ada"))
    assert len(steps) == 3
    found = released(tmp_path)
    assert found.keys() == {f"{name}-v1.0.0" for name in SMALL}
    settings = named(namespace.manifests, "ConfigMap", "registry")["data"]
    assert found["tabular-v1.0.0"]["run"] == {
        "id": "uid-of-the-run",
        "url": f"{settings['ARGO_URL']}/workflows/registry/data-pipeline-x7k2p",
        "image": settings["REGISTRY_RUN_IMAGE"],
        "commit": origin.head(),
        "actor": "ada",
    }
    results = steps[-1].tmp / "results" / "main"
    assert {each.name for each in results.iterdir()} >= {"run.json", "publish.json", "report.html", "logs.tar.gz"}
    assert server.admin.secret not in "".join(step.printed for step in steps)
    # The same again: nothing is built, no commit, no tag.
    before = released(tmp_path)
    succeeded(namespace.pipeline(cores="1"))
    assert released(tmp_path) == before


def test_groups_of_datasets_are_built_apart_and_released_once(namespace, tmp_path):
    steps = namespace.pipeline(mode="fan-out", cores="1")
    succeeded(steps)
    assert json.loads(steps[0].outputs["builds"]) == [
        {"checkout": "of-opencloudhub-readmes", "datasets": "opencloudhub-readmes"},
        {"checkout": "of-tabular", "datasets": "tabular"},
    ]
    assert released(tmp_path).keys() == {f"{name}-v1.0.0" for name in SMALL}


def test_a_group_that_fails_keeps_no_other_from_being_released(namespace, origin, tmp_path):
    origin.edit("config/datasets/tabular.yaml", "min: 100,", "min: 1_000_000,")
    push(origin, "Break it", tmp_path)
    steps = namespace.pipeline(mode="fan-out", cores="1")
    assert [step.code for step in steps] == [0, 0, 1, 1]
    assert released(tmp_path).keys() == {"opencloudhub-readmes-v1.0.0"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_publish_step_that_is_stopped_or_killed_is_completed_by_the_next(namespace, tmp_path, number):
    values = namespace.defaults("data-pipeline", cores="1")
    succeeded([prepared := namespace.run("data-pipeline", "prepare", values)])
    (item,) = json.loads(prepared.outputs["builds"])
    succeeded([namespace.run("data-pipeline", "build", values, **item)])
    hook = tmp_path / "origin.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch reached\nexec sleep 600\n")
    hook.chmod(0o755)
    with namespace.start("data-pipeline", "publish", values, checkouts="main") as step:
        wait_until((tmp_path / "origin.git" / "reached").exists)
        namespace.kill(number)
        printed, _ = step.communicate()
        assert step.returncode == 128 + number
    assert printed.splitlines() == ["== main", *([STOPPED] if number == signal.SIGTERM else [])]
    hook.unlink()
    succeeded([namespace.run("data-pipeline", "publish", values, checkouts="main")])
    assert released(tmp_path).keys() == {f"{name}-v1.0.0" for name in SMALL}


@pytest.mark.parametrize(
    "given",
    [
        {"datasets": "tabular; touch /registry/injected"},
        {"datasets": "--help"},
        {"branch": "main; touch /registry/injected"},
        {"repository": "$(touch /registry/injected)"},
        {"mode": "$(touch /registry/injected)"},
    ],
)
def test_parameters_are_no_commands(namespace, given):
    prepared = namespace.run("data-pipeline", "prepare", namespace.defaults("data-pipeline", **given))
    assert prepared.code == 1 or "fatal:" in prepared.printed, prepared.printed
    assert not list(namespace.volume.rglob("injected"))


def test_the_schedule_builds_and_releases_with_one_command(namespace, tmp_path):
    values = namespace.defaults("data-pipeline", actor="schedule", cores="1")
    succeeded([step := namespace.run("data-pipeline", "refresh", values)])
    assert released(tmp_path).keys() == {f"{name}-v1.0.0" for name in SMALL}
    assert (step.tmp / "results" / "run.json").is_file()


def test_a_dry_run_builds_nothing(namespace, tmp_path):
    values = namespace.defaults("data-pipeline", dry_run="true")
    succeeded([prepared := namespace.run("data-pipeline", "prepare", values)])
    (item,) = json.loads(prepared.outputs["builds"])
    succeeded([built := namespace.run("data-pipeline", "build", values, **item)])
    assert "tabular_process" in built.printed
    assert not (namespace.volume / "main" / "data" / "tabular").exists()


def test_embeddings_are_computed_with_ray_released_and_loaded(origin, namespace, podman, tmp_path):
    origin.edit("config/config.yaml", "datasets: [", f"datasets: [{EMBEDDINGS}, ")
    push(origin, "Embed them", tmp_path)
    values = namespace.defaults("embeddings-pipeline", max_workers="7")
    succeeded([prepared := namespace.run("embeddings-pipeline", "prepare", values)])
    ray_job = prepared.outputs["ray-job"]
    assert json.loads(ray_job)["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplicas"] == 7
    succeeded([namespace.compute(ray_job, podman.image("ray"))])
    assert not released(tmp_path)
    succeeded([namespace.run("embeddings-pipeline", "publish", values)])
    assert f"{EMBEDDINGS}-v1.0.0" in released(tmp_path)
    with running_postgres() as postgres:
        database = Database(postgres.server("postgres"))
        namespace.secrets["registry"] |= database.environment()
        succeeded([namespace.run("embeddings-pipeline", "load", values)])
        assert [tag for tag, _ in database.serves()] == [f"{EMBEDDINGS}-v1.0.0"]
