"""The servers of one machine: what names them agrees, and a run releases to their like under these .env files."""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from botocore.exceptions import ClientError
from configobj import ConfigObj

from clone import BIN, Clone, under_git
from invariants import one_message
from postgres import Database, running_postgres
from project import copy_repository
from registry.files import dvc_digest
from s3 import Identity, S3Server
from support import ROOT, free_ports

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OPENED = {"dagster": "3000"}
"""Services on this machine's own network, and the ports that their images open; test_dagster_image.py looks how."""
FILES = {".env.docker": "docker", ".env.minikube": "minikube"}
SOURCE = 'set -a; source "$0"; set +a; "$@"'
READER = 'AWS_ACCESS_KEY_ID=$S3_READER_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY=$S3_READER_SECRET_ACCESS_KEY; "$@"'
DATASETS = ("tabular", "opencloudhub-readmes-embeddings")
LOGGED = """
import json
import mlflow
from registry import open_dataset

with mlflow.start_run() as run:
    open_dataset("tabular", "1.0.0", ".").log_to_mlflow()
recorded = mlflow.get_run(run.info.run_id)
inputs = {one.dataset.name: one.tags[0].value for one in recorded.inputs.dataset_inputs}
print(json.dumps({"tracking": mlflow.get_tracking_uri(), "inputs": inputs}))
"""


def sourced(file: Path) -> dict[str, str]:
    """Return the variables that bash reads from a file."""
    printed = subprocess.run(["bash", "-c", SOURCE, file, "env", "-0"], env={"PATH": os.environ["PATH"]}, check=True,
                             stdout=subprocess.PIPE, text=True).stdout  # fmt: skip
    pairs = dict(line.split("=", 1) for line in printed.split("\0") if line)
    return {name: value for name, value in pairs.items() if name not in ("PATH", "PWD", "SHLVL", "_", "OLDPWD")}


def dvc_remote(name: str) -> dict[str, str]:
    return ConfigObj(str(ROOT / ".dvc" / "config"))[f'remote "{name}"']


def ports(service: str) -> dict[str, str]:
    """Return {port in the container: port on this machine}."""
    return {inside: outside for _, outside, inside in (port.split(":") for port in SERVICES[service].get("ports", []))}


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


@dataclass
class Stack:
    """Servers like those of compose.yaml, with its names and passwords, on ports of their own."""

    s3: S3Server
    database: Database
    mlflow: str


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, mlflow_address: str) -> Iterator[Stack]:
    variables = sourced(ROOT / ".env.docker")

    class MinIO(S3Server):
        admin = Identity(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
        reader = Identity(variables["S3_READER_ACCESS_KEY_ID"], variables["S3_READER_SECRET_ACCESS_KEY"])

    name, user, password = (variables[f"PGVECTOR_{part}"] for part in ("DATABASE", "USER", "PASSWORD"))
    folder, policy = tmp_path_factory.mktemp("s3"), ROOT / "deploy" / "stack" / "reader.json"
    with MinIO(folder, buckets=("data-registry", "other"), policy=policy) as s3, running_postgres() as postgres:
        Database(postgres.server("postgres")).run(
            f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{password}'", f"CREATE DATABASE {name} OWNER {user}"
        )
        yield Stack(s3, Database(postgres.server(name, user, password)), mlflow_address)


class Here(Clone):
    """A clone on a machine with these servers, where a file of the project names them to every command."""

    def __init__(self, folder: Path, file: str, stack: Stack) -> None:
        super().__init__(folder)
        self.file = file
        self.stack = stack
        self.remote = FILES[file]

    def under(self, *command: str, code: int = 0, **extra: str) -> str:
        """Run a command as docs/storage.md says, whatever the files of the user say about S3."""
        variables = self.stack.s3.environment() | {"MLFLOW_DISABLE_TELEMETRY": "true"} | extra
        return self.run("bash", "-c", SOURCE, self.file, *command, code=code, **variables)

    def as_reader(self, *command: str, code: int = 0) -> str:
        """Run a command with the key that may only read."""
        return self.under("bash", "-c", READER, "reader", *command, code=code)

    def fails(self, *command: str, run: Callable[..., str] | None = None) -> str:
        """Run a command that fails, check that it released nothing, and return what it printed."""
        before, head = self.tags(), self.head()
        printed = (run or self.under)(*command, code=1)
        one_message(printed)
        assert (self.tags(), self.head()) == (before, head)
        return printed


@pytest.fixture(scope="module", params=FILES)
def released(request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Here:
    """A clone that released to the remote of a file: look, but release nothing more."""
    file = request.param
    clone = Here(under_git(copy_repository(tmp_path_factory.mktemp("here") / "registry")).folder, file, stack)
    variables, remote = sourced(clone.folder / file), clone.remote
    for name, value in {
        "PGVECTOR_HOST": stack.database.server.host,
        "PGVECTOR_PORT": str(stack.database.server.port),
        "MLFLOW_TRACKING_URI": stack.mlflow,
    }.items():
        clone.edit(file, f"\n{name}={variables[name]}\n", f"\n{name}={value}\n")
    clone.run("dvc", "remote", "modify", remote, "endpointurl", stack.s3.url)
    clone.edit("config/config.yaml", "vector_store: embedded", "vector_store: server")
    clone.commit("Name the servers of the test")
    clone.run("dvc", "remote", "default", remote)
    clone.git("commit", "--quiet", "--message", "Release to the MinIO next door", ".dvc/config")
    datasets = DATASETS if file == ".env.docker" else ("tabular",)
    clone.under("registry", "run", *datasets)
    return clone


@pytest.fixture
def clone(released: Here, tmp_path: Path) -> Here:
    """A copy of its own, with more rows to release."""
    clone = Here(released.copied(tmp_path / "registry").folder, released.file, released.stack)
    clone.edit("config/datasets/tabular.yaml", "n_samples: 1_000", "n_samples: 1_100")
    clone.commit("More rows")
    return clone


def test_a_run_releases_to_the_stack(released, stack):
    assert "tabular-v1.0.0" in released.tags()
    for pointer in released.folder.glob("data/*/manifest.parquet.dvc"):
        md5 = dvc_digest(pointer.with_suffix(""))
        assert stack.s3.client().head_object(Bucket="data-registry", Key=f"files/md5/{md5[:2]}/{md5[2:]}")
    if released.file == ".env.docker":
        assert {version for version, _ in stack.database.serves()} == {f"{DATASETS[-1]}-v1.0.0"}


def test_no_password_leaves_the_files_that_hold_them(released):
    secrets = {value for name, value in sourced(released.folder / released.file).items() if "SECRET" in name}
    for place in ("data", "logs", "reports", ".dvc/config"):
        for file in [released.folder / place, *(released.folder / place).rglob("*")]:
            assert file.is_dir() or not [each for each in secrets if each.encode() in file.read_bytes()], file
    assert not [each for each in secrets if each in released.git("log", "--format=%B%N", "--all")]
    assert not [each for each in secrets if each in released.git("tag", "--list", "--format=%(contents)")]


def test_the_readers_key_reads_and_releases_nothing(clone, tmp_path):
    got = tmp_path / "got"
    clone.as_reader(
        "dvc", "get", f"file://{clone.folder}", "data/tabular/processed", "--rev", "tabular-v1.0.0", "-o", str(got)
    )
    assert [*got.rglob("*.parquet")]
    printed = clone.fails("registry", "run", "tabular", run=clone.as_reader)
    assert "check the credentials" in printed
    assert clone.stack.s3.reader.secret not in printed
    assert "to release: registry publish" in clone.as_reader("registry", "run", "tabular")


def test_the_readers_policy_allows_one_bucket_to_be_read(stack):
    reader = stack.s3.client(stack.s3.reader)
    for bucket in ("data-registry", "other"):
        stack.s3.client().put_object(Bucket=bucket, Key="one", Body=b"1")
    assert reader.get_object(Bucket="data-registry", Key="one")["Body"].read() == b"1"
    assert reader.list_objects_v2(Bucket="data-registry")["Contents"]
    for refused in (
        partial(reader.get_object, Bucket="other", Key="one"),
        partial(reader.list_objects_v2, Bucket="other"),
        partial(reader.put_object, Bucket="data-registry", Key="one", Body=b"2"),
        partial(reader.delete_object, Bucket="data-registry", Key="one"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()


def test_another_default_remote_is_refused_with_what_to_do(clone):
    clone.run("dvc", "remote", "default", "local")
    clone.commit("Release into this folder")
    printed = clone.fails("registry", "run", "tabular")
    assert f"releases go to remote local, and {clone.remote} is not known to be the same store" in printed
    assert f"dvc remote default {clone.remote}, and commit .dvc/config" in printed


def test_servers_that_are_not_up_are_one_message(clone):
    clone.run("dvc", "remote", "modify", clone.remote, "endpointurl", f"http://127.0.0.1:{free_ports(1)[0]}")
    clone.commit("Name a server that is down")
    printed = clone.fails("registry", "run", "tabular", run=partial(clone.under, AWS_MAX_ATTEMPTS="1"))
    assert "check that the remote's server runs" in printed


def test_a_dataset_is_logged_to_mlflow_where_the_file_says(released, stack):
    found = json.loads(released.under("python", "-c", LOGGED).splitlines()[-1])
    assert found["tracking"] == stack.mlflow
    assert found["inputs"] == {"tabular": "1.0.0"}
