"""
The configuration, the names of files that follow from it, and what else the modules share.

DATASETS maps each dataset's name to its configuration (config/datasets/<name>.yaml, validated), PINNED the names of those
that were rolled back to their pins (data/<name>/pin.json).
"""

import os
import sys
import time
from pathlib import Path

SCRIPTS = Path(workflow.basedir).parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
# For the scripts, which run in processes of their own.
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [str(SCRIPTS), os.getenv("PYTHONPATH")])))

from registry.config.load import load_datasets, normalise, selected, source_files, upstream
from registry.errors import RegistryError
from registry.config.fingerprint import fingerprint
from registry.workflow.hook import release_after_run
from registry.config.pins import given_files, pins
from registry.workflow.snakemake import hold_running
from registry.workflow.summary import print_summary

STARTED = time.time()
hold_running()
try:
    config |= normalise(config)
    DATASETS = load_datasets(config)
    PINNED = pins(Path())
except RegistryError as error:
    raise WorkflowError(str(error))


# No rule needs it yet; one that is written for any dataset will.
wildcard_constraints:
    dataset="|".join(DATASETS),


def is_pinned(module):
    """Tell whether the dataset of a rule module was rolled back, so that nothing builds it."""
    return module.replace("_", "-") in PINNED


def given(name):
    """Return what makes a pinned dataset complete; it is taken as it lies there."""
    try:
        return given_files(Path(), name)
    except RegistryError as error:
        raise WorkflowError(str(error))


def complete(name):
    """Return what makes a dataset complete: all that its rules make of it but its sources, file by file.

    Naming the files matters: Snakemake takes any folder that is there for done, even an empty one.
    """
    if name in PINNED:
        return given(name)
    folder = f"data/{name}/"
    made = [file for maker in workflow.rules for file in maker.output if file.startswith(folder)]
    if not made:
        raise WorkflowError(
            f"config/datasets/{name}.yaml: no rule makes {folder}, include its module in workflow/Snakefile"
        )
    return [file for file in made if not file.startswith((f"{folder}raw", f"{folder}."))]


def download_params(name):
    """Return the params of a dataset's download rule: what to fetch, by which hashes, with which code."""
    dataset = DATASETS[name]
    return {
        "dataset": name,
        "source": dataset["source"],
        "files": source_files(dataset),
    }


def raw_files(name):
    """Return the paths of a dataset's source files below raw/."""
    return [f"data/{name}/raw/{source['file']}" for source in DATASETS[name]["sources"]["files"]]


def code(*scripts):
    """Return {script: fingerprint} for scripts named relative to scripts/.

    `registry pull` has no other way to tell Snakemake that what it restored must be built again: for a moment the
    outputs are recorded as made by code that nobody has.
    """
    if "REGISTRY_STALE" in os.environ:
        return dict.fromkeys(scripts, "stale")
    return {script: fingerprint(script) for script in scripts}
