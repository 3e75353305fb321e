"""
The configuration, the names of files that follow from it, and what else the modules share.

DATASETS maps each dataset's name to its configuration (config/datasets/<name>.yaml, validated), PINNED the names of those
that were rolled back to their pins (data/<name>/pin.json). What is wrong with a dataset stops that dataset alone:
DATASETS.broken maps the names of those to their errors.
"""

import gc
import os
import re
import sys
from pathlib import Path

SCRIPTS = Path(workflow.basedir).parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
# For the scripts, which run in processes of their own.
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [str(SCRIPTS), os.getenv("PYTHONPATH")])))
# Rules and jobs are many objects, and all of them stay: to look for garbage among them took a tenth of the time.
gc.set_threshold(100_000)
# They multiply no matrices, for which numpy would keep threads. ONNX Runtime, which computes vectors, has its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from registry.config import embeddings
from registry.config.kinds import PICTURES, tables_of
from registry.config.load import (
    check_committed,
    check_samples,
    load_datasets,
    normalise,
    parents,
    raw_names,
    read_yaml,
    source_files,
    source_name,
)
from registry.config.leakage import leakage
from registry.config.names import rule_of
from registry.describe.run import run_of
from registry.errors import RegistryError
from registry.workflow.exchange import exchange, place_of
from registry.workflow.hook import forget_functions, lift_rate_limit, spare_libraries
from registry.config.pins import pin_of, pinned
from registry.release.assess import assess
from registry.workflow.run import Run
from registry.workflow.running import hold_running

RUN = Run(workflow)
SNAKEMAKE_MB = 500
"""What Snakemake itself takes in a job on a cluster, in megabytes: one starts the job there, and one its script."""
hold_running()
spare_libraries()
try:
    exchange(workflow)
    # Snakemake, which reads it next, takes the last of two keys, and has no limits.
    check_committed(read_yaml(Path("config/config.yaml")))
    # What jobs would refuse, once they have made the data.
    run_of(os.environ)
except RegistryError as error:
    raise WorkflowError(str(error))


configfile: "config/config.yaml"


try:
    config |= normalise(config)
    DATASETS = load_datasets(config)
    check_samples(DATASETS)
except RegistryError as error:
    raise WorkflowError(str(error))


def usable_pins():
    """Return {dataset: its pin} and {dataset: its Snapshot} of those that are pinned.

    What is pinned and cannot be taken as it is counts among the broken.
    """
    pins, snapshots = {}, {}
    for dataset in pinned(Path()):
        try:
            pin, snapshot = pin_of(Path(), dataset), assess(Path(), dataset, DATASETS, quick=True).snapshot
            if snapshot is None:
                where, hint = f"data/{dataset}/pin.json", f"run registry pull {dataset}"
                raise RegistryError("pinned, but the data is not here, or not all of it", where=where, hint=hint)
            pins[dataset], snapshots[dataset] = pin, snapshot
        except RegistryError as error:
            DATASETS.leave_out(dataset, error)
    return pins, snapshots


PINNED, SNAPSHOTS = usable_pins()
RUN.configure(config, DATASETS, PINNED)


# How many jobs share the work on each dataset whose rules make parts; for one run also --set-scatter tabular=4.
scattergather:
    **{rule_of(dataset): DATASETS.shards.get(dataset, config.get("shards", 1)) for dataset in DATASETS},


# No rule needs it yet; one that is written for any dataset will.
wildcard_constraints:
    dataset="|".join(DATASETS),


module steps:
    snakefile:
        "steps.smk"
    config:
        config


def modules_of(datasets):
    """Return the rule modules of datasets. Nothing builds a dataset that is pinned, so its module is left out."""
    folder = Path(workflow.basedir) / "rules"
    modules = [folder / f"{rule_of(dataset)}.smk" for dataset in datasets if dataset not in PINNED]
    return [str(module) for module in modules if module.is_file()]


def configured():
    """Return the datasets that are made by configuration alone, and are not pinned."""
    return [dataset for dataset in DATASETS if "kind" in DATASETS[dataset] and dataset not in PINNED]


def of_a_kind():
    """Return those that are made of files."""
    return [dataset for dataset in configured() if DATASETS[dataset]["kind"] != embeddings.KIND]


def embedded():
    """Return those that are the embeddings of others."""
    return [dataset for dataset in configured() if DATASETS[dataset]["kind"] == embeddings.KIND]


def tables_named(dataset, param):
    """Return the tables of another dataset that a param of embeddings names; none where it is not given."""
    table = DATASETS[dataset]["params"].get(param)
    if table is None:
        return []
    return [f"data/{table}"] if "/" in table else [*tables_of(DATASETS[table]).values()]


def engine_of(dataset):
    """Return who computes the vectors of embeddings in this run, which is no param of a rule: nothing is built again."""
    return embeddings.engine_of(DATASETS[dataset]["params"], config)


def leave_out_doubled():
    """Count the datasets among the broken that have a kind and rules of their own: Snakemake takes no two of a name.

    `registry eject` leaves one so that is killed before its end.
    """
    for dataset in configured():
        rules_file = f"workflow/rules/{rule_of(dataset)}.smk"
        if (Path(workflow.basedir).parent / rules_file).is_file():
            hint = f"take the kind out: registry eject {dataset}; or remove the rules"
            error = RegistryError("it has a kind, and rules of its own", where=rules_file, hint=hint)
            DATASETS.leave_out(dataset, error)


def has_pictures(dataset):
    """Tell whether the samples of a dataset of a kind are pictures; one that was ejected has none any more."""
    columns = DATASETS[dataset]["contract"]["columns"]
    return DATASETS[dataset].get("kind", "images" if "image" in columns else None) in PICTURES


def threads_to_analyze(dataset):
    """Return on how many threads a dataset is measured: pictures are held against each other on two."""
    compared = has_pictures(dataset) and leakage(DATASETS[dataset]["contract"])
    return 2 if compared and DATASETS[dataset]["source"] != "samples" else 1


def environment_of(dataset):
    """Return the environment in which a dataset of a kind is made."""
    return f"../../envs/{'images' if has_pictures(dataset) else 'tables'}.yaml"


def described_kind(dataset):
    """Return what describes a dataset of a kind."""
    what = described(dataset, overview="overview.svg")
    if has_pictures(dataset):
        what |= described(dataset, samples="samples.png")
        what["near_duplicates"] = f"reports/{dataset}/near_duplicates.json"
    return what


def prompt_of(dataset):
    """Return the file with the prompt of a dataset of a kind, in a list; none where its params name no prompt."""
    return [f"data/{dataset}/raw/prompt.json"] if "prompt" in DATASETS[dataset]["params"] else []


def sources_of(dataset):
    """Return the names of a dataset's source files and folders."""
    return [source_name(source) for source in DATASETS[dataset]["sources"]["files"]]


def options_of(dataset):
    """Return the params of a dataset of a kind and, if it is built from a part of its sources, from which."""
    part = DATASETS[dataset]["sources"].get("sample")
    return DATASETS[dataset]["params"] | ({"sample": part} if part else {})


def raw_files(dataset):
    """Return the paths of a dataset's source files and folders below raw/, for the rules that read them."""
    return [f"data/{dataset}/raw/{name}" for name in raw_names(DATASETS[dataset])]


def fetched_files(dataset):
    """Return the same for the rule that fetches them, where Snakemake wants to know which are folders."""
    folders = {
        f"data/{dataset}/raw/{source['folder']}"
        for source in DATASETS[dataset]["sources"]["files"]
        if "folder" in source
    }
    return [directory(path) if path in folders else path for path in raw_files(dataset)]


def download_params(dataset):
    """Return the params of a dataset's download: what to fetch from where, and by which hashes."""
    return {
        "dataset": dataset,
        "source": DATASETS[dataset]["source"],
        "files": source_files(DATASETS[dataset]),
    }


def needs(mem_mb=500, runtime=10):
    """Return the resources of a job: megabytes of memory and minutes, with what is enough for most.

    Either may be a function of its inputs' size, in megabytes: `needs(mem_mb=lambda size: 300 + 20 * size)`. A job that
    is tried again, as on clusters, gets as much more as it was tried. There, Snakemake runs beside the script.
    """

    def grown(need, beside=0):
        if callable(need):
            return lambda wildcards, input, attempt: (round(need(input.size_mb)) + beside) * attempt
        return lambda wildcards, attempt: (need + beside) * attempt

    return {"mem_mb": grown(mem_mb, SNAKEMAKE_MB), "runtime": grown(runtime)}


def outputs_of(step):
    """Return all that another rule makes as the inputs of the next, under the same names."""
    named = dict(step.output.items())
    if sum(1 if isinstance(files, str) else len(files) for files in named.values()) < len(step.output):
        raise WorkflowError(f"{step.output[0]} and what is made with it: name each output of that rule")
    return named


def parts_of(step):
    """Return what a rule makes in all shards of its dataset, in their order; nothing where one job does all at once."""
    parts = getattr(gather, rule_of(dataset_of(step)))([place_of(file) for file in step.output])
    return parts if len(parts) > 1 else []


FIGURES = {"overview": "distributions"}
"""What the report calls figures that it does not call by their own name."""


def described(dataset, **figures):
    """Return what describes a dataset: manifest, metadata, provenance, and what it shows in reports/<dataset>/.

    `figures` maps names to files there; a figure's caption is workflow/report/<name>.rst.
    """

    def in_report(path, caption, what):
        return report(path, caption=f"../report/{caption}.rst", category=dataset, labels={"what": what})

    return {
        "manifest": f"data/{dataset}/manifest.parquet",
        "metadata": in_report(f"data/{dataset}/metadata.json", "metadata", "metadata"),
        "provenance": f"data/{dataset}/provenance.json",
    } | {name: in_report(f"reports/{dataset}/{file}", name, FIGURES.get(name, name)) for name, file in figures.items()}


def dataset_of(maker):
    """Return the dataset below whose data/<dataset>/ or reports/<dataset>/ a rule writes; None if there is none."""
    places = [re.match(r"(?:data|reports)/([^/]+)/", place_of(file)) for file in maker.output]
    return next((place[1] for place in places if place), None)
