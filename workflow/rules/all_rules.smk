"""
What follows from the rules of all datasets, once they are there: what makes a dataset complete, which ones are left out
and why, and what every rule gets that its module need not say.
"""

from snakemake.io import ReportObject, is_flagged

from registry.config.fingerprint import fingerprint
from registry.config.load import referenced, selected
from registry.config.names import closest, is_name
from registry.files import sealed_path
from registry.shown import shown
from registry.sources.samples import edited_samples
from registry.storage.snapshot import DESCRIPTIONS
from registry.workflow.exchange import unfetched
from registry.workflow.hook import LEFT_OUT

NEVER_MADE = "logs/left-out"
PAGE_CAPTION = workflow.current_basedir.join("../report/dataset.rst")
LONGEST_NAME = 200
"""Bytes of a name that is part of the names of files, which may have 255."""


def made_by_rules():
    """Return {dataset: the files below data/<dataset>/ that rules make, once all modules are included}."""
    made = {}
    for maker in workflow.rules:
        for file in maker.output:
            if place := re.match("data/([^/]+)/", place_of(file)):
                made.setdefault(place[1], []).append(file)
    return made


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


def state_of(dataset):
    """Return in words what has been reached once a dataset has all of its files."""
    return f"pinned at {PINNED[dataset]['version']}" if dataset in PINNED else "complete"


def shown_complete(dataset):
    """Return what makes a dataset complete and, while a report is made, the page that shows it there."""
    page = RUN.page_of(dataset)
    here = [report(page, caption=PAGE_CAPTION, category=dataset, labels={"what": "dataset"})] if page else []
    return [*complete(dataset), *map(local, here)]


def wanted(wildcards):
    """Return the files of all datasets that `snakemake` without a target builds."""
    return [file for dataset in selected(config, DATASETS) for file in shown_complete(dataset)]


def named():
    """Return the datasets that have a rule of their name, as all have whose names allow it."""
    return dict.fromkeys([*DATASETS, *PINNED, *filter(is_name, left_out())])


def left_out():
    """Return {dataset: its error} of those that are broken, and not pinned."""
    return {dataset: error for dataset, error in DATASETS.broken.items() if dataset not in PINNED}


def left_out_of_all():
    """Return the names of the datasets that `snakemake` without a target would build, were they not broken."""
    return [*left_out()] if config["datasets"] == "all" else []


def unmade_tables():
    """Yield each dataset of embeddings, with a param and the table that it names, which nothing makes."""
    for dataset in embedded():
        for param in embeddings.PARENTS:
            for table in tables_named(dataset, param):
                parent = embeddings.owner(table.removeprefix("data/"))
                if parent not in PINNED and table not in map(place_of, MADE.get(parent, [])):
                    yield dataset, param, table


def leave_out_unmade():
    """Count the datasets that no rule makes among the broken, and tell whoever runs this what is left out."""
    for dataset in [dataset for dataset in DATASETS if dataset not in PINNED and dataset not in MADE]:
        hint = f"write its rules into workflow/rules/{rule_of(dataset)}.smk"
        DATASETS.leave_out(dataset, RegistryError(f"no rule makes data/{dataset}/", where=dataset, hint=hint))
    for dataset, param, table in [*unmade_tables()]:
        hint = "name a table that its rules make, as a path below data/"
        where = f"config/datasets/{dataset}.yaml: params.{param}"
        DATASETS.leave_out(dataset, RegistryError(f"no rule makes {table}", where=where, hint=hint))
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


def script_of(maker):
    """Return the path of the script that a rule runs, relative to scripts/."""
    if not maker.script:
        raise RegistryError(
            "it runs no script, so that no fingerprint covers what it does",
            where=maker.name,
            hint="write one in scripts/",
        )
    script = maker.script.format(params=maker.params)
    path = Path(os.path.normpath(maker.basedir.join(script).get_path_or_uri(secret_free=False)))
    if not path.is_relative_to(SCRIPTS):
        raise RegistryError(f"its script, {script}, is not in scripts/", where=maker.name, hint="move it there")
    if not path.is_file():
        raise RegistryError(f"there is no script {script}", where=maker.name, hint="write it, or put the name right")
    return path.relative_to(SCRIPTS).as_posix()


def rules_by_dataset():
    """Return {dataset: the rules that write below its folders}; those that write below none under None."""
    found = {}
    for maker in workflow.rules:
        found.setdefault(dataset_of(maker), []).append(maker)
    return found


def track_code():
    """Give rules the fingerprints of the code behind their scripts, as the param `code`: {script: fingerprint}.

    A change of code is then a change of params. The rule that writes a dataset's provenance.json has all scripts that
    the dataset is made with. Those of the datasets in REGISTRY_STALE get a fingerprint that no code has: `registry
    pull` has no other way to tell Snakemake that what it restored must be built again.
    """
    stale = os.environ.get("REGISTRY_STALE", "").split(",")
    for dataset, its in rules_by_dataset().items():
        for maker in its if dataset else [maker for maker in its if maker.script]:
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


def data_of(dataset):
    """Return what holds the data of a dataset, a file or a folder: what its checksum, or its version, is of."""
    if dataset in PINNED:
        return local(SNAPSHOTS[dataset].data)
    made = {place_of(file): file for file in MADE[dataset]}
    checksum = next(place for place in made if re.fullmatch(rf"data/{dataset}/\.[^/]+\.md5", place))
    return made[str(sealed_path(checksum))]


def bring_referenced():
    """Give each rule that describes a dataset the data to which its contract refers, as the input `references`."""
    referring = {dataset: others for dataset in DATASETS if (others := referenced(DATASETS[dataset]))}
    its_rules = rules_by_dataset() if referring else {}
    for dataset, others in referring.items():
        for maker in its_rules.get(dataset, []):
            if f"data/{dataset}/provenance.json" in map(place_of, maker.output):
                maker.set_input(references=lambda wildcards, others=others: [data_of(other) for other in others])


def watch_samples():
    """Give each rule that fetches a dataset's sources the param `edited`, which is what `edited_samples` returns.

    A sample that was edited is then a change of params, for which Snakemake runs the job, and `job` refuses it.
    """
    for maker in workflow.rules:
        dataset = dataset_of(maker)
        records = {f"data/{dataset}/raw/sources.json", f"data/{dataset}/.stream/sources.json"}
        if records & {*map(place_of, maker.output)}:
            maker.set_params(edited=lambda wildcards, dataset=dataset: edited_samples(DATASETS[dataset]))


def group_by_dataset():
    """Let a cluster take all jobs of a dataset for one of its own: to start one takes it longer than most jobs run.

    A dataset is left out that scatters work over several jobs, or uses several cores: such work is neither to wait for
    what is small nor to be done again with it. So is one whose job would have too long a name for a file.
    """
    for dataset, makers in rules_by_dataset().items():
        if dataset is None:
            continue
        makes_parts = dataset in DATASETS and len(getattr(gather, rule_of(dataset))("{scatteritem}")) > 1
        used = [maker for maker in makers if makes_parts or maker.wildcard_names != {"scatteritem"}]
        small = all(not maker.has_wildcards() and maker.resources["_cores"].value == 1 for maker in used)
        name = "_".join(["group", dataset, *(maker.name for maker in used)])
        if small and len(name) < LONGEST_NAME:
            for maker in used:
                maker.group = maker.group or dataset


class ShownWhileHere(ReportObject):
    """What the report shows of the file `path`: it counts as marked for the report only while that is there.

    Pictures are in no release, so that a clone and a version that was gone back to have none, or another version's. A
    dataset whose last build failed has no metadata, either.
    """

    said = set()

    def __bool__(self):
        here = os.path.exists(self.path)
        if not here and self.path not in self.said:
            self.said.add(self.path)
            of_builds = self.path.startswith("reports/")
            why = "only a build makes it, no release holds it" if of_builds else "it is not here"
            print(shown(f"the report leaves out {self.path}: {why}"), file=sys.stderr)
        return here


def show_what_is_here():
    """Let the report leave out those files that are not here, where Snakemake would make no report at all."""
    for file in [file for maker in workflow.rules for file in maker.output]:
        if is_flagged(file, "report"):
            file.flags["report"] = ShownWhileHere(*file.flags["report"])
            file.flags["report"].path = str(file)
