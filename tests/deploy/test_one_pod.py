"""The job that runs the whole registry in one pod, as its manifest says, against a bare repository and S3."""

from collections.abc import Callable
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from argo_pods import KUBERNETES
from clone import Clone, under_git
from origin import with_origin
from project import copy_repository
from s3 import S3Server
from support import ROOT

MANIFESTS = [*yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "run.yaml").read_text(encoding="utf-8"))]


@pytest.fixture
def pod(server: S3Server, tmp_path: Path) -> Callable[..., str]:
    """Start the pod, whose volume is tmp_path/volume, with other variables than its manifest has."""
    origin = with_origin(under_git(copy_repository(tmp_path / "begun")), server, tmp_path)
    (tmp_path / "volume").mkdir()
    (container,) = MANIFESTS[1]["spec"]["template"]["spec"]["containers"]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    variables |= {"REPOSITORY": str(origin), "DATASETS": "tabular"} | server.environment(server.admin)

    def run(code: int = 0, **given: str) -> str:
        return Clone(tmp_path / "volume").run(*container["args"], code=code, **variables | given)

    return run


def test_kubernetes_knows_every_field():
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_it_clones_builds_and_releases_and_goes_on_from_there(pod, tmp_path):
    # What a pod leaves that was killed while it cloned.
    (tmp_path / "volume" / "main.new" / ".git").mkdir(parents=True)
    clone, origin = Clone(tmp_path / "volume" / "main"), Clone(tmp_path / "origin.git")
    pod()
    assert origin.tags() == clone.tags() == ["tabular-v1.0.0"]
    assert "Nothing to be done" in pod()
    # As it is where a run was stopped between its build and its release.
    pod(PUBLISH="false", DATASETS="wine-quality")
    assert origin.tags() == ["tabular-v1.0.0", "wine-quality-v1.0.0"]
    # Another origin or branch than that of the clone on the volume.
    for other in ({"REPOSITORY": str(tmp_path / "other.git")}, {"BRANCH": "other"}):
        assert "it is a clone of branch main of" in pod(code=1, **other)


def test_its_parameters_are_no_commands(pod, tmp_path):
    printed = pod(code=1, DATASETS="tabular; touch injected")
    assert "DATASETS: 'tabular; touch injected' is none" in printed
    assert not [*(tmp_path / "volume").rglob("injected")]
