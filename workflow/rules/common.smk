"""
The configuration, the names of files that follow from it, and what else the modules share.

DATASETS maps each dataset's name to its configuration (config/datasets/<name>.yaml, validated), PINNED the names of those
that were rolled back to their pins (data/<name>/pin.json). What is wrong with a dataset stops that dataset alone:
DATASETS.broken maps the names of those to their errors.
"""

import os
import re
import sys
from pathlib import Path

SCRIPTS = Path(workflow.basedir).parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
# For the scripts, which run in processes of their own.
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [str(SCRIPTS), os.getenv("PYTHONPATH")])))
# They multiply no matrices, for which numpy would keep threads. ONNX Runtime, which computes vectors, has its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from snakemake.io import ReportObject, is_flagged

from registry.config.load import check_samples, load_datasets, normalise, parents, read_yaml, selected, source_files
from registry.config.names import closest, is_name, rule_of
from registry.errors import RegistryError
from registry.config.fingerprint import fingerprint
from registry.workflow.exchange import exchange, place_of, unfetched
from registry.workflow.hook import LEFT_OUT, lift_rate_limit
from registry.config.pins import pin_of, pinned
from registry.release.assess import assess
from registry.shown import shown
from registry.sources.samples import edited_samples
from registry.storage.snapshot import DESCRIPTIONS
from registry.workflow.run import Run
from registry.workflow.running import hold_running

RUN = Run(workflow)
NEVER_MADE = "logs/left-out"
LONGEST_NAME = 255
SNAKEMAKE_MB = 500
"""What Snakemake itself takes in a job on a cluster, in megabytes: one starts the job there, and one its script."""
hold_running()
try:
    exchange(workflow)
    # Snakemake, which reads it next, takes the last of two keys, and has no limits.
    read_yaml(Path("config/config.yaml"))
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


def state_of(dataset):
    """Return in words what has been reached once a dataset has all of its files."""
    return f"pinned at {PINNED[dataset]['version']}" if dataset in PINNED else "complete"


def complete(dataset):
    """Return what makes a dataset complete: all that its rules make of it but its sources, file by file.

    Naming the files matters: Snakemake takes any folder that is there for done, even an empty one. A pinned dataset is
    taken as it is. Raises WorkflowError for one that is broken.
    """
    if dataset in PINNED:
        snapshot = SNAPSHOTS[dataset]
        return [local(file) for file in (snapshot.data, *(f"{snapshot.folder}/{file}" for file in DESCRIPTIONS))]
    if dataset in DATASETS.broken:
        raise WorkflowError(str(DATASETS.broken[dataset]))
    folder = f"data/{dataset}/"
    made = MADE.get(dataset, [])
    return [unfetched(file) for file in made if not place_of(file).startswith((f"{folder}raw", f"{folder}."))]


def made_by_rules():
    """Return {dataset: the files below data/<dataset>/ that rules make, once all modules are included}."""
    made = {}
    for maker in workflow.rules:
        for file in maker.output:
            if place := re.match("data/([^/]+)/", place_of(file)):
                made.setdefault(place[1], []).append(file)
    return made


def wanted(wildcards):
    """Return the files of all datasets that `snakemake` without a target builds."""
    return [file for dataset in selected(config, DATASETS) for file in complete(dataset)]


def leave_out_unmade():
    """Count the datasets that no rule makes among the broken, and tell whoever runs this what is left out."""
    for dataset in [dataset for dataset in DATASETS if dataset not in PINNED and dataset not in MADE]:
        hint = f"write its rules into workflow/rules/{rule_of(dataset)}.smk"
        DATASETS.leave_out(dataset, RegistryError(f"no rule makes data/{dataset}/", where=dataset, hint=hint))
    broken = left_out()
    if workflow.is_main_process:
        for dataset, error in broken.items():
            print(shown(f"{dataset} is left out: {error}"), file=sys.stderr)
    for dataset in selected(config, DATASETS):
        if dataset in broken:
            raise WorkflowError(str(broken[dataset]))


def leave_out_undivided():
    """Count the datasets among the broken whose files ask for shards, and whose rules make no parts."""
    divided = {dataset_of(maker) for maker in workflow.rules if "scatteritem" in maker.wildcard_names}
    for dataset in [
        name for name in DATASETS if name in DATASETS.shards and name not in divided and name not in PINNED
    ]:
        hint = "take the key out, or write a rule that makes a part (docs/datasets.md)"
        where = f"config/datasets/{dataset}.yaml"
        DATASETS.leave_out(dataset, RegistryError("shards: no rule of it makes a part", where=where, hint=hint))


def left_out():
    """Return {dataset: its error} of those that are broken, and not pinned."""
    return {dataset: error for dataset, error in DATASETS.broken.items() if dataset not in PINNED}


def left_out_of_all():
    """Return the names of the datasets that `snakemake` without a target would build, were they not broken."""
    return [*left_out()] if config["datasets"] == "all" else []


def named():
    """Return the datasets that have a rule of their name, as all have whose names allow it."""
    return dict.fromkeys([*DATASETS, *PINNED, *filter(is_name, left_out())])


def without_rules():
    """Return a pattern for the names of folders below data/ that are not here, nor of a dataset which rules make."""
    broken = left_out()
    made = [dataset for dataset in named() if dataset not in broken or dataset in MADE]
    here = [path.name for path in Path("data").glob("*") if path.name not in broken]
    return rf"(?!(?:{'|'.join(map(re.escape, [*made, *here]))})/)[^/]+"


def not_here():
    """Return a pattern for the names of targets that could be rules, and are no files here."""
    here = [re.escape(path.name) for path in Path().iterdir()]
    return rf"(?!(?:{'|'.join(here)})$)[A-Za-z0-9_-]+"


def refuse(wildcards):
    """Raise WorkflowError for a target that nothing makes: why, or what may have been meant."""
    if "folder" in wildcards.keys():
        name, known = wildcards.folder, [*named()]
    else:
        name, known = wildcards.target, [rule.name for rule in workflow.rules]
    dataset = name.replace("_", "-")
    if dataset in left_out() or Path(workflow.basedir, "rules", f"{rule_of(dataset)}.smk").is_file():
        try:
            DATASETS[dataset]
        except RegistryError as error:
            raise WorkflowError(str(error))
    meant = closest(name, known)
    raise WorkflowError(f"nothing makes {name}" + (f"\n  what to do: perhaps you mean {meant}" if meant else ""))


def raw_files(dataset):
    """Return the paths of a dataset's source files below raw/."""
    return [f"data/{dataset}/raw/{source['file']}" for source in DATASETS[dataset]["sources"]["files"]]


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


class ShownWhileHere(ReportObject):
    """What the report shows of the file `path`: it counts as marked for the report only while that is there.

    Pictures are in no release, so that a clone and a version that was gone back to have none, or another version's.
    """

    def __bool__(self):
        here = os.path.exists(self.path)
        if not here:
            print(
                shown(f"the report leaves out {self.path}: only a build makes it, no release holds it"), file=sys.stderr
            )
        return here


def show_what_is_here():
    """Let the report leave out those files of reports/ that are not here, where Snakemake would make none at all."""
    for file in [file for maker in workflow.rules for file in maker.output if file.startswith("reports/")]:
        if is_flagged(file, "report"):
            file.flags["report"] = ShownWhileHere(*file.flags["report"])
            file.flags["report"].path = str(file)


def dataset_of(maker):
    """Return the dataset below whose data/<dataset>/ or reports/<dataset>/ a rule writes; None if there is none."""
    places = [re.match(r"(?:data|reports)/([^/]+)/", place_of(file)) for file in maker.output]
    return next((place[1] for place in places if place), None)


def script_of(maker):
    """Return the path of the script that a rule runs, relative to scripts/."""
    if not maker.script:
        raise RegistryError(
            "it runs no script, so that no fingerprint covers what it does",
            where=maker.name,
            hint="write one in scripts/",
        )
    path = Path(os.path.normpath(maker.basedir.join(maker.script).get_path_or_uri(secret_free=False)))
    if not path.is_relative_to(SCRIPTS):
        raise RegistryError(f"its script, {maker.script}, is not in scripts/", where=maker.name, hint="move it there")
    if not path.is_file():
        raise RegistryError(
            f"there is no script {maker.script}", where=maker.name, hint="write it, or put the name right"
        )
    return path.relative_to(SCRIPTS).as_posix()


def group_by_dataset():
    """Let a cluster take all jobs of a dataset for one of its own: to start one takes it longer than most jobs run.

    A dataset is left out that scatters work over several jobs, or uses several cores: such work is neither to wait for
    what is small nor to be done again with it. So is one whose job would have too long a name for a file.
    """
    of_dataset = {}
    for maker in workflow.rules:
        if dataset := dataset_of(maker):
            of_dataset.setdefault(dataset, []).append(maker)
    for dataset, makers in of_dataset.items():
        makes_parts = len(getattr(gather, rule_of(dataset))("{scatteritem}")) > 1
        used = [maker for maker in makers if makes_parts or maker.wildcard_names != {"scatteritem"}]
        small = all(not maker.has_wildcards() and maker.resources["_cores"].value == 1 for maker in used)
        name = "_".join(["group", dataset, *(maker.name for maker in used)])
        if small and len(name) < LONGEST_NAME:
            for maker in used:
                maker.group = maker.group or dataset


def watch_samples():
    """Give each rule that fetches a dataset's sources the param `edited`, which is what `edited_samples` returns.

    A sample that was edited is then a change of params, for which Snakemake runs the job, and `job` refuses it.
    """
    for maker in workflow.rules:
        dataset = dataset_of(maker)
        if f"data/{dataset}/raw/sources.json" in map(place_of, maker.output):
            maker.set_params(edited=lambda wildcards, dataset=dataset: edited_samples(DATASETS[dataset]))


def track_code():
    """Give rules the fingerprints of the code behind their scripts, as the param `code`: {script: fingerprint}.

    A change of code is then a change of params. The rule that writes a dataset's provenance.json has all scripts that
    the dataset is made with. Those of the datasets in REGISTRY_STALE get a fingerprint that no code has: `registry
    pull` has no other way to tell Snakemake that what it restored must be built again.
    """
    stale = os.environ.get("REGISTRY_STALE", "").split(",")
    makers = {}
    for maker in workflow.rules:
        if (dataset := dataset_of(maker)) or maker.script:
            makers.setdefault(dataset, []).append(maker)
    for dataset, its in makers.items():
        for maker in its:
            describes = f"data/{dataset}/provenance.json" in map(place_of, maker.output)
            try:
                scripts = [script_of(other) for other in (its if describes else [maker])]
                maker.set_params(
                    code={script: "stale" if dataset in stale else fingerprint(script, SCRIPTS) for script in scripts}
                )
            except RegistryError as error:
                if dataset not in DATASETS.keys() | DATASETS.broken.keys():
                    raise WorkflowError(str(error))
                DATASETS.leave_out(dataset, error)
