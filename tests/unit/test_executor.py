"""The executor of a profile is missed before Snakemake prints all of its options instead."""

import pytest

from registry.errors import RegistryError
from registry.workflow.snakemake import become
from support import ROOT

PROFILES = ROOT / "workflow" / "profiles"


@pytest.mark.parametrize("extra", ["cluster-generic", "kubernetes", "slurm"])
@pytest.mark.parametrize("option", ["--workflow-profile", "--profile"])
@pytest.mark.parametrize("joint", [False, True])
def test_a_profile_without_its_extra_names_that(tmp_path, extra, option, joint):
    profile = str(PROFILES / extra)
    with pytest.raises(RegistryError, match=f"{extra}/config.yaml: executor: {extra} is not installed") as caught:
        become(tmp_path, [f"{option}={profile}"] if joint else [option, profile], say=print)
    assert f"pip install 'data-registry[{extra}]'" in str(caught.value)
