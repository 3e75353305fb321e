"""scripts/ci/submit_argo.py against a server that speaks Argo's API."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from clone import under_git
from github_actions import Actions
from json_api import JsonApi
from project import copy_repository
from support import ROOT

NAME = "data-pipeline-x7k2p"


class Argo(JsonApi):
    """Argo's API: what it was asked, and the answers to questions about the workflow, of which the last one stays."""

    def __init__(self) -> None:
        super().__init__("the-token", (401, {"message": "token not valid"}))
        self.submitted: list[dict[str, Any]] = []
        self.answers: list[tuple[int, dict[str, Any]]] = [(200, {"status": {"phase": "Succeeded"}})]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Take a workflow, or tell how it is."""
        if method == "POST":
            assert path == "/api/v1/workflows/registry/submit"
            self.submitted.append(body)
            return 200, {"metadata": {"name": NAME}}
        assert path.startswith(f"/api/v1/workflows/registry/{NAME}?")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def argo() -> Iterator[Argo]:
    with Argo() as server:
        yield server


def submit(template: str = "data-pipeline", **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "ARGO_TOKEN": "the-token", "ARGO_PAUSE": "0", **environment}
    command = [sys.executable, ROOT / "scripts" / "ci" / "submit_argo.py", template]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def test_a_workflow_is_submitted_with_what_was_asked_for_and_waited_for(argo, tmp_path):
    argo.answers = [(200, {}), (200, {"status": {"phase": "Running"}}), (503, {}), *argo.answers]
    summary = tmp_path / "summary.md"
    asked = {"DATASETS": "tabular emotion", "BUMP": "minor", "SOURCE": "", "FORCE": "false"}
    done = submit(ARGO_SERVER=argo.url, GITHUB_STEP_SUMMARY=str(summary), **asked)
    assert done.returncode == 0, done.stderr
    (body,) = argo.submitted
    assert body["resourceName"] == "data-pipeline"
    assert body["submitOptions"]["parameters"] == ["datasets=tabular emotion", "force=false", "bump=minor"]
    link = f"{argo.url}/workflows/registry/{NAME}"
    assert link in done.stdout
    assert summary.read_text() == f"## Succeeded\n\n{link}\n"


def test_it_ends_as_the_workflow_does(argo):
    argo.answers = [(200, {"status": {"phase": "Failed", "message": "child failed"}})]
    done = submit("embeddings-pipeline", ARGO_SERVER=argo.url, DATASETS="opencloudhub-readmes-embeddings")
    assert (done.returncode, done.stderr) == (1, f"{NAME} ended with Failed: child failed\n")
    assert argo.submitted[0]["submitOptions"]["parameters"] == ["dataset=opencloudhub-readmes-embeddings"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ARGO_TOKEN": "old"}, "ARGO_TOKEN is wrong or has expired: make a new one"),
        ({"ARGO_TOKEN": ""}, "not set: ARGO_TOKEN"),
        ({"ARGO_SERVER": "http://127.0.0.1:1"}, "does not answer as Argo does"),
        ({"ARGO_SERVER": "nowhere"}, "ARGO_SERVER is no address"),
        ({"ARGO_SERVER": "http://argo.example.org"}, "ARGO_SERVER: its address does not begin with https://"),
        ({"ARGO_NAMESPACE": "../x"}, "ARGO_NAMESPACE is no name"),
    ],
)
def test_what_is_wrong_is_one_message(argo, given, said):
    done = submit(**{"ARGO_SERVER": argo.url, **given})
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_argo_says_stays_in_one_line_of_the_log(argo):
    argo.answers = [(200, {"status": {"phase": "Failed", "message": "x\n::error::y"}})]
    assert submit(ARGO_SERVER=argo.url).stderr == f"{NAME} ended with Failed: x ::error::y\n"


def test_a_redirect_is_no_answer(argo):
    argo.answers = [(302, {})]
    done = submit(ARGO_SERVER=argo.url)
    assert done.returncode == 1
    assert done.stderr.startswith("Argo answers 302: it sends clients elsewhere")


def test_a_server_that_stays_broken_is_given_up(argo):
    argo.answers = [(502, {})]
    done = submit(ARGO_SERVER=argo.url)
    assert done.returncode == 1
    assert "Argo answers 502" in done.stderr


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed, which runs actions")
def test_both_workflows_submit_and_wait(argo, tmp_path):
    clone = under_git(copy_repository(tmp_path / "begun"))
    clone.git("clone", "--quiet", "--bare", ".", str(tmp_path / "origin.git"))
    actions = Actions(clone, tmp_path / "origin.git", tmp_path / "actions")
    asked = {"source": "samples", "force": "true", "bump": "minor", "remote": "", "dry-run": "false"}
    known = {"variables": {"ARGO_SERVER": argo.url}, "secrets": {"ARGO_TOKEN": "the-token"}}
    data = {**asked, "datasets": "tabular", "where": "argo"}
    ended = actions.run("run-data-pipelines.yaml", "workflow_dispatch", inputs=data, **known)
    assert ended.code == 0, ended.printed
    assert "## Succeeded" in ended.summary
    ended = actions.run("run-embeddings-pipeline.yaml", "workflow_dispatch", inputs={**asked, "engine": "ray"}, **known)
    assert ended.code == 0, ended.printed
    assert [body["resourceName"] for body in argo.submitted] == ["data-pipeline", "embeddings-pipeline"]
    for body in argo.submitted:
        assert {"source=samples", "force=true", "bump=minor"} <= {*body["submitOptions"]["parameters"]}
    assert "the-token" not in ended.printed
