"""Dagster in a container, as compose.yaml says: its page, a run that releases to a server like MinIO, and its end."""

import json
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from clone import Clone, under_git
from local_stack import SERVICES, sourced
from podman import Mount, Podman
from project import copy_repository
from registry.files import dvc_digest
from s3 import Identity, S3Server
from support import ROOT, free_ports, wait_until

SERVICE = SERVICES["dagster"]
PORT = "3000"
USER = 4321
"""The owner of the checkout, of whom no passwd tells."""
LAUNCH = """
mutation ($job: String!) {
  launchRun(executionParams: {
    selector: {repositoryLocationName: "registry", repositoryName: "__repository__", jobName: $job}
  }) {
    ... on LaunchRunSuccess { run { runId } }
  }
}
"""
STATUS = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"


@dataclass
class Serving:
    """A container with Dagster's page on a port of its own."""

    podman: Podman
    name: str
    clone: Clone
    s3: S3Server
    port: int

    def asked(self, query: str, **variables: str) -> dict[str, Any]:
        """Ask the page's GraphQL."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]

    def launched(self, job: str) -> str:
        """Start a job, as its button does, and return the run's id."""
        return self.asked(LAUNCH, job=job)["launchRun"]["run"]["runId"]

    def status(self, run: str) -> str:
        return self.asked(STATUS, run=run)["runOrError"]["status"]

    def ended(self, run: str) -> str:
        """Wait for the end of a run, and return how it ended."""
        return wait_until(lambda: (found := self.status(run)) in ("SUCCESS", "FAILURE", "CANCELED") and found)

    def is_well(self) -> bool:
        """Ask what `make up-dagster` waits for."""
        command = [part.replace(PORT, str(self.port)) for part in SERVICE["healthcheck"]["test"][1:]]
        process = self.podman.start("exec", self.name, *command)
        process.communicate(timeout=60)
        return process.returncode == 0

    def said(self) -> str:
        return self.podman.call("logs", self.name)


@pytest.fixture(scope="module")
def serving(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    variables, folder = sourced(ROOT / SERVICE["env_file"]), tmp_path_factory.mktemp("served")

    class MinIO(S3Server):
        admin = Identity(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])

    (port,) = free_ports(1)
    clone = under_git(copy_repository(folder / "registry"))
    image = podman.image(SERVICE["build"]["target"])
    (made,) = json.loads(podman.call("image", "inspect", image))
    command = [part.replace(f"--port {PORT}", f"--port {port}") for part in made["Config"]["Cmd"]]
    options = [
        *(f"--name=dagster-{port}", f"--network={SERVICE['network_mode']}", f"--user={USER}:{USER}", "--passwd=false"),
        *("--read-only", "--tmpfs=/tmp", f"--env-file={ROOT / SERVICE['env_file']}"),
        *(f"--env={name}={value}" for name, value in SERVICE["environment"].items()),
        Mount(clone.folder, SERVICE["volumes"][0].split(":")[1]).option(),
    ]
    with MinIO(folder / "s3", buckets=("data-registry",)) as s3:
        clone.run("dvc", "remote", "modify", "docker", "endpointurl", s3.url)
        clone.run("dvc", "remote", "default", "docker")
        clone.commit("Release to the MinIO next door")
        clone.run("chown", "-R", f"{USER}:{USER}", str(clone.folder))
        podman.call("run", "--detach", *options, image, *command)
        served = Serving(podman, f"dagster-{port}", clone, s3, port)
        try:
            wait_until(served.is_well)
            yield served
        finally:
            podman.call("rm", "--force", "--time=60", served.name)


def test_its_page_is_open_to_this_machine_alone_and_sends_nothing_home(serving):
    assert socket.socket().connect_ex(("127.0.0.1", serving.port)) == 0
    # Who listens on every address listens here, too.
    assert socket.socket().connect_ex(("127.0.0.2", serving.port)) != 0
    # Dagster says so where it would.
    assert "Telemetry" not in serving.said()


def test_a_run_builds_and_releases_to_the_remote_of_the_checkout(serving):
    assert serving.ended(serving.launched("tabular")) == "SUCCESS", serving.said()
    git = ("-c", "safe.directory=*")
    assert serving.clone.git(*git, "tag").split() == ["tabular-v1.0.0"]
    md5 = dvc_digest(serving.clone.folder / "data" / "tabular" / "manifest.parquet")
    assert serving.s3.client().head_object(Bucket="data-registry", Key=f"files/md5/{md5[:2]}/{md5[2:]}")
    assert {path.stat().st_uid for path in serving.clone.folder.rglob("*")} == {USER}
    assert (serving.clone.folder / ".cache" / "dagster" / "history").is_dir()
    assert serving.clone.git(*git, "status", "--porcelain") == ""


def test_its_end_is_that_of_a_run_and_releases_nothing(serving):
    record = serving.clone.folder / "logs" / "run.json"
    serving.launched("all")
    wait_until(lambda: json.loads(record.read_text(encoding="utf-8"))["ending"] == "running")
    serving.podman.call("stop", "--time=60", serving.name)
    assert json.loads(record.read_text(encoding="utf-8"))["ending"] == "interrupted"
    assert serving.clone.git("-c", "safe.directory=*", "tag").split() == ["tabular-v1.0.0"]
