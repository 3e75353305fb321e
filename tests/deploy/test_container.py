"""The images: what is in them, and builds and releases in them, as whoever they run, in a checkout of whoever."""

import json
import os
import re
import signal
import subprocess
import tomllib
from pathlib import Path

import pytest

from clone import Clone, under_git
from podman import BASE, Mount
from project import DATASETS, copy_repository
from support import ROOT

STRANGER = 12345
"""A user of whom no passwd tells."""
LOCKED_DOWN = (f"--user={STRANGER}:{STRANGER}", "--passwd=false", "--read-only", "--tmpfs=/tmp")
TARGETS = ("client", "dagster", "kubernetes", "ray", "registry")
TOOLS = ("gcc", "cc", "make", "pip", "pip3")
"""What installs and compiles, and nothing in the result needs."""


def given_to(user: int, clone: Clone) -> Clone:
    """Let a clone belong to somebody."""
    subprocess.run(["chown", "-R", f"{user}:{user}", str(clone.folder)], check=True)
    return clone


def tags(clone: Clone) -> list[str]:
    return clone.git("-c", "safe.directory=*", "tag", "--list", "*-v*").splitlines()


@pytest.fixture(scope="session")
def built_inside(podman, once) -> Clone:
    """A clone in which a container built and released everything; look but do not touch."""

    def make(folder: Path) -> str:
        given_to(STRANGER, under_git(copy_repository(folder)))
        return podman.run(mounts=[Mount(folder)], options=LOCKED_DOWN)

    return Clone(once("built-inside", make))


@pytest.fixture
def fresh(tmp_path) -> Clone:
    return under_git(copy_repository(tmp_path / "registry"))


def test_the_default_command_builds_and_releases_all_samples_with_no_network_and_no_right(built_inside):
    names = {*DATASETS, "roco-radiology"}
    assert {tag.rpartition("-v")[0] for tag in tags(built_inside)} == names
    assert {tag.rpartition("-v")[2] for tag in tags(built_inside)} == {"1.0.0"}
    assert built_inside.record()["ending"] == "succeeded"


def test_a_run_after_that_has_nothing_to_do_for_whoever_it_is_then(podman, built_inside, tmp_path):
    clone = given_to(1000, built_inside.copied(tmp_path / "registry"))
    for user in (["--user=0:0"], []):
        printed = podman.run("registry", "run", mounts=[Mount(clone.folder)], options=user)
        assert "Nothing to be done" in printed


@pytest.mark.parametrize("user", ["0:0", "1000:0", f"{STRANGER}:0"])
def test_a_checkout_of_somebody_else_is_built_and_released(podman, fresh, user):
    subprocess.run(["chmod", "-R", "a+rwX", str(fresh.folder)], check=True)
    given_to(4321, fresh)
    podman.run("registry", "run", "tabular", mounts=[Mount(fresh.folder)], options=[f"--user={user}", "--passwd=false"])
    assert tags(fresh) == ["tabular-v1.0.0"]


def test_a_checkout_may_be_anywhere(podman, fresh):
    given_to(STRANGER, fresh)
    elsewhere = ["--workdir=/elsewhere", *LOCKED_DOWN]
    podman.run("snakemake", "--cores", "2", "tabular", mounts=[Mount(fresh.folder, "/elsewhere")], options=elsewhere)
    assert tags(fresh) == ["tabular-v1.0.0"]


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_a_checkout_that_cannot_be_written_is_one_message(podman, fresh, mode):
    printed = podman.run("registry", "run", mounts=[Mount(fresh.folder, mode=mode)], options=LOCKED_DOWN, code=1)
    assert re.match(r"error: /registry/\.snakemake: (permission denied|read-only file system)\n  what to do: ", printed)
    assert len(printed.splitlines()) == 2


def test_no_checkout_is_one_message(podman):
    printed = podman.run(code=1)
    assert printed.startswith("error: /registry: no registry is here\n  what to do: ")
    assert "mount that at /registry" in printed


def test_the_code_of_the_checkout_comes_before_what_is_installed(podman, fresh):
    where = ("python", "-c", "import registry; print(registry.__file__)")
    assert podman.run(*where, mounts=[Mount(fresh.folder)]) == "/registry/scripts/registry/__init__.py\n"
    assert podman.run(*where).startswith("/opt/registry/lib/")


def test_a_stop_ends_jobs_and_the_next_run_completes(podman, fresh):
    given_to(1000, fresh)
    mount, name = Mount(fresh.folder), f"stopped-{os.getpid()}"
    run = podman.start("run", "--rm", f"--name={name}", "--network=none", mount.option(), podman.image())
    assert any("embed: computing" in line for line in run.stdout)
    podman.call("kill", f"--signal={signal.SIGTERM.name}", name)
    printed, _ = run.communicate()
    assert run.returncode == 128 + signal.SIGTERM
    assert "nothing is released: " in printed
    assert json.loads((fresh.folder / "logs" / "run.json").read_text())["ending"] != "running"
    podman.run(mounts=[mount])
    assert {tag.rpartition("-v")[0] for tag in tags(fresh)} >= {*DATASETS}


def test_the_client_gets_what_was_released(podman, built_inside):
    client, mount = podman.image("client"), Mount(built_inside.folder, "/origin", "ro")
    got = podman.run(
        *("sh", "-c", "registry get /origin wine-quality@1.0.0 --out /tmp/got && cat /tmp/got/processed/*.csv"),
        **{"image": client, "mounts": [mount], "options": LOCKED_DOWN},
    )
    assert len(got.splitlines()) > 500
    printed = podman.run("registry", "run", image=client, mounts=[Mount(built_inside.folder, mode="ro")], code=1)
    assert printed == "error: needs snakemake: pip install 'data-registry[build]'\n"


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_says_what_it_is_and_runs_as_nobody_in_particular(podman, target):
    (found,) = json.loads(podman.call("image", "inspect", podman.image(target)))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    labels = {key.rpartition(".")[2]: value for key, value in found["Labels"].items() if "opencontainers" in key}
    assert (labels["version"], labels["licenses"]) == (project["version"], project["license"])
    assert labels["description"] == project["description"]
    assert labels.keys() >= {"title", "source", "revision"}
    assert found["Config"]["User"] == "1000:0"
    assert not any(name.startswith("PIP") for name in found["Config"]["Env"])


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_holds_no_compiler_and_only_compiled_code_of_ours(podman, target):
    image = podman.image(target)
    assert podman.run("sh", "-c", f"command -v {' '.join(TOOLS)} || true", image=image) == ""
    listed = podman.run("find", "/opt/registry", "/registry", "/home", "-type", "f", image=image).splitlines()
    ours = [Path(path) for path in listed if "/site-packages/registry/" in path]
    compiled = {path.parent.parent / f"{path.name.split('.')[0]}.py" for path in ours if path.suffix == ".pyc"}
    assert compiled == {path for path in ours if path.suffix == ".py"}
    assert not [path for path in listed if path.startswith("/registry/") or path.endswith("/.env")]


def test_the_images_that_build_read_streams(podman):
    packages = "import confluent_kafka, fastavro, grpc_tools, jsonschema_rs"
    for target in ("registry", "dagster"):
        podman.run("python", "-c", packages, image=podman.image(target))


def test_pods_of_the_kubernetes_profile_have_its_plugins(podman):
    plugins = "import snakemake_executor_plugin_kubernetes, snakemake_storage_plugin_s3"
    podman.run("python", "-c", plugins, image=podman.image("kubernetes"))


def test_nothing_but_the_package_gets_into_a_build(podman, tmp_path):
    context = copy_repository(tmp_path / "context").folder
    for secret in (
        ".env",
        "scripts/.env",
        ".git/config",
        "data/emotion/raw/train.csv",
        ".venv/bin/python",
        ".dvc/tmp/x",
    ):
        (context / secret).parent.mkdir(parents=True, exist_ok=True)
        (context / secret).write_text("secret", encoding="utf-8")
    image = podman.image("project", context)
    listed = {
        Path(path).relative_to("/source") for path in podman.run("find", "/source", "-type", "f", image=image).split()
    }
    assert {path.parts[0] for path in listed} == {"LICENSE", "README.md", "pyproject.toml", "envs", "scripts"}
    assert {path.parts[1] for path in listed if path.parts[0] == "scripts"} == {"registry"}
    assert {path.suffix for path in listed if path.parts[0] == "envs"} == {".txt"}


def test_the_base_is_what_the_dockerfile_names():
    assert f"ARG BASE={BASE}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_an_image_has_the_version_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"ARG VERSION={project['version']}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
