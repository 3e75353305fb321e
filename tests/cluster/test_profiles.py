"""What all cluster profiles have in common."""

import pytest
import yaml

from project import DATASETS, Project
from support import ROOT

PROFILES = sorted(path.name for path in (ROOT / "workflow" / "profiles").iterdir() if path.name != "default")
SHARING = sorted({*PROFILES} - {"kubernetes"})
"""Those whose jobs share files. The other asks a bucket what is done: see test_kubernetes.py."""


def profile(name: str) -> dict:
    return yaml.safe_load((ROOT / "workflow" / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_complete_by_itself(name):
    assert profile("default").items() <= profile(name).items()


@pytest.mark.parametrize("name", SHARING)
def test_files_that_were_only_touched_plan_no_job_either_way(built, name):
    for path in (built.folder / "scripts").rglob("*.py"):
        path.touch()
    for option in ("--workflow-profile", "--profile"):
        assert "Nothing to be done" in run_dry(built, option, f"workflow/profiles/{name}")


def run_dry(project: Project, *arguments: str) -> str:
    run = project.start("-n", *arguments)
    printed, _ = run.communicate()
    assert run.returncode == 0, printed
    return printed


@pytest.mark.parametrize("name", SHARING)
def test_a_profile_plans_what_a_run_without_it_does(bare, name):
    printed = run_dry(bare, "--workflow-profile", f"workflow/profiles/{name}")
    assert [dataset for dataset in DATASETS if f": {dataset}: " not in printed] == []
