"""Executors that an extra brings are named before Snakemake calls them an invalid choice."""

import pytest

from registry.extras import MissingExtraError
from registry.workflow.snakemake import become
from support import ROOT

PROFILES = ROOT / "workflow" / "profiles"


@pytest.mark.parametrize("extra", ["slurm", "cluster-generic"])
@pytest.mark.parametrize("option", ["--workflow-profile", "--profile"])
def test_a_profile_without_its_extra_names_that(tmp_path, extra, option):
    with pytest.raises(MissingExtraError, match=rf"pip install 'data-registry\[{extra}\]'"):
        become(tmp_path, [option, str(PROFILES / extra)], say=print)


@pytest.mark.parametrize("arguments", [["--executor", "slurm"], ["--executor=slurm"]])
def test_an_executor_without_its_extra_names_that(tmp_path, arguments):
    with pytest.raises(MissingExtraError, match="slurm"):
        become(tmp_path, arguments, say=print)
