"""A run under the .env files of one machine, which releases to servers like those of compose.yaml."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from clone import Clone, under_git
from invariants import one_message
from local_stack import FILES, SOURCE, sourced
from postgres import Database, running_postgres
from project import copy_repository
from registry.files import dvc_digest
from s3 import Identity, S3Server
from support import ROOT, free_ports

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
