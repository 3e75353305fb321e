"""The servers of one machine: what compose.yaml, the .env files, the Makefile and the docs say of them agrees."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from clone import BIN
from local_stack import COMPOSE, FILES, SERVICES, dvc_remote, ports, sourced
from support import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OPENED = {"dagster": "3000"}
"""Services on this machine's own network, and the ports that their images open; test_dagster_image.py looks how."""


def test_compose_follows_its_schema():
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"]
    subprocess.run(command, check=True)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_watched_and_open_to_this_machine_alone(name):
    service = SERVICES[name]
    if build := service.get("build"):
        assert f" AS {build['target']}\n" in DOCKERFILE
        said = f"podman build --target {build['target']} --tag {service['image']} {build['context']}\n"
        assert said in (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    else:
        assert re.search(r":(v|RELEASE\.)?\d[\w.-]+$", service["image"])
    assert service["restart"] == "no" or service["healthcheck"]["test"]
    assert [port for port in service.get("ports", []) if not port.startswith("127.0.0.1:")] == []
    # Without a network of its own it opens its ports by itself.
    assert ("network_mode" in service) == (name in OPENED)
    assert all(condition["condition"] == "service_healthy" for condition in service.get("depends_on", {}).values())
    named = [place for volume in service.get("volumes", []) if (place := volume.split(":")[0])[0] not in "./"]
    assert set(named) <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("file", FILES)
def test_the_files_name_every_variable(file):
    variables = sourced(ROOT / file)
    asked = dict(re.findall(r"(?<!\$)\$\{(\w+)(:-)?", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    assert {name for name, default in asked.items() if not default} <= set(variables)
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    elsewhere = {"AWS_SESSION_TOKEN", "HF_TOKEN", "PGVECTOR_FOLDER"}
    text = (ROOT / file).read_text(encoding="utf-8")
    offered = set(re.findall(r"^(?:# )?(\w+)=", example, re.MULTILINE)) - elsewhere
    assert offered <= set(re.findall(r"^(?:# )?(\w+)=", text, re.MULTILINE))
    assert {"DVC_REMOTE", "MLFLOW_TRACKING_URI", "RAY_ADDRESS", "GITHUB_TOKEN"} <= set(variables)
    assert (variables["GITHUB_TOKEN"], variables["RAY_ADDRESS"]) == ("", "")
    assert "AWS_ENDPOINT_URL" not in variables, "sources in S3 would be asked for there"
    remote = dvc_remote(FILES[file])
    assert variables["DVC_REMOTE"] == FILES[file]
    assert f"# AWS_ENDPOINT_URL={remote['endpointurl']}\n" in text
    assert f"MinIO at {remote['endpointurl']}," in text


def test_both_files_name_the_same_variables():
    assert [*sourced(ROOT / ".env.docker")] == [*sourced(ROOT / ".env.minikube")]


def test_ports_are_those_of_compose():
    variables = sourced(ROOT / ".env.docker")
    assert ports("postgres") == {"5432": variables["PGVECTOR_PORT"]}
    port = str(urlsplit(variables["MLFLOW_TRACKING_URI"]).port)
    assert ports("mlflow") == {port: port}
    assert f"--port={port}" in SERVICES["mlflow"]["command"]
    assert ports("redpanda") == {"9092": variables["KAFKA_BOOTSTRAP_SERVERS"].removeprefix("localhost:")}
    assert f"--advertise-kafka-addr={variables['KAFKA_BOOTSTRAP_SERVERS']}" in SERVICES["redpanda"]["command"]
    assert ports("minio")["9000"] == str(urlsplit(dvc_remote("docker")["endpointurl"]).port)
    forwarded = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))["forwardPorts"]
    outside = [*(port for name in SERVICES for port in ports(name).values()), *OPENED.values()]
    assert {str(port) for port in forwarded} == set(outside)
    printed = (ROOT / "Makefile").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
    assert [port for port in outside if f"localhost:{port}" not in printed] == []
    assert [port for port in outside if f"localhost:{port}" not in page] == []


def test_make_up_starts_what_has_no_profile():
    started = re.search(r"STACK\) up --detach --wait (.+) &&", (ROOT / "Makefile").read_text(encoding="utf-8"))[
        1
    ].split()
    assert {*started, "bucket"} == {name for name in SERVICES if "profiles" not in SERVICES[name]}


def test_the_bucket_is_that_of_the_remotes_and_its_reader_may_only_read():
    bucket = urlsplit(dvc_remote("docker")["url"]).netloc
    assert dvc_remote("minikube")["url"] == dvc_remote("docker")["url"]
    folder = ROOT / "deploy" / "stack"
    assert f"stack/{bucket}\n" in (folder / "bucket.sh").read_text(encoding="utf-8")
    rules = json.loads((folder / "reader.json").read_text(encoding="utf-8"))["Statement"]
    actions = {action for rule in rules for action in rule["Action"]}
    assert actions == {"s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject"}
    assert {place for rule in rules for place in rule["Resource"]} == {
        f"arn:aws:s3:::{bucket}",
        f"arn:aws:s3:::{bucket}/*",
    }


def test_the_dev_container_is_pinned_and_has_the_projects_python():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f":{project['requires-python'].removeprefix('>=')}-" in container["image"]
    assert [name for name in container["features"] if not re.search(r":\d+\.\d+\.\d+$", name)] == []


def test_make_up_without_a_means_to_start_containers(tmp_path):
    for program in ("sh", "make"):
        (tmp_path / program).symlink_to(Path("/usr/bin") / program)
    made = subprocess.run(["make", "PYTHON=true", "UV=", "up"], cwd=ROOT, env={"PATH": str(tmp_path)}, text=True,
                          capture_output=True)  # fmt: skip
    assert made.returncode != 0
    assert "neither docker compose nor podman compose runs here: install one of them" in made.stderr


@pytest.mark.parametrize(("info", "user"), [("  seccomp", "1234:1234"), ("  rootless", "0:0")])
def test_make_up_dagster_starts_it_as_whoever_calls_and_as_root_where_that_is_the_caller(tmp_path, info, user):
    programs = {"id": "echo 1234", "docker": f'test "$1" != info || echo "{info}"; echo "$REGISTRY_USER $*" >> called'}
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    for file in ("Makefile", ".env.docker"):
        (tmp_path / file).write_bytes((ROOT / file).read_bytes())
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["make", "PYTHON=true", "up-dagster"], cwd=tmp_path, env={"PATH": path}, check=True)
    last = (tmp_path / "called").read_text(encoding="utf-8").splitlines()[-1]
    assert last == f"{user} compose --profile dagster up --detach --wait --build dagster"
