"""Read the registry's configuration. Light on purpose: the Snakefile runs this at every start."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from registry.config import embeddings, leakage
from registry.config.checks import check_alias, check_dataset, check_name
from registry.config.columns import is_of_type, places
from registry.config.kinds import STEPS
from registry.config.names import closest, rule_of, tagged_alike
from registry.config.reading import IN_PLACE, SAMPLES, read_yaml, sample_checksums, source_name
from registry.config.schema import validate
from registry.errors import RegistryError
from registry.files import listing_sha256

MAX_FILES = 100_000
"""Files that a source folder may have unless its configuration says otherwise."""
ONE_RUN = {"bump": "minor", "engine": "ray"}
"""Keys that --config alone can set, and a value of each."""
SWITCHES = ("publish", "catalog")
"""Keys that are true or false, which --config hands over as texts."""
BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def check_committed(config: Any) -> None:
    """Raise RegistryError where config/config.yaml, whose content this is, sets what is for one run alone."""
    for key in ONE_RUN.keys() & {*config} if isinstance(config, dict) else ():
        hint = f"take it out; for one run: --config {key}={ONE_RUN[key]}"
        raise RegistryError(f"{key} is for one run alone", where="config/config.yaml", hint=hint)


def normalise(config: dict[str, Any]) -> dict[str, Any]:
    """Return the top-level configuration with what `--config` hands over as a string in its own type.

    `publish=false` becomes a bool, `datasets=emotion,tabular` a list.
    """
    datasets = config.get("datasets")
    if isinstance(datasets, str) and datasets != "all":
        datasets = datasets.split(",")
    switches = {key: BOOLEANS.get(str(config[key]).lower(), config[key]) for key in SWITCHES if key in config}
    return {**config, **switches, "datasets": datasets}


def _check_mirror(mirror: str | None) -> None:
    try:
        usable = bool(mirror) and not urlsplit(mirror).query
    except ValueError:
        usable = False
    if not usable:
        raise RegistryError(
            "source is mirror, but mirror names no folder or URL (without a query)",
            where="config/config.yaml and --config",
            hint="add it, for example: --config source=mirror mirror=PATH",
        )


def _follow(datasets: "Datasets", name: str) -> None:
    """Give a dataset that is made of others the source mode of the first; RegistryError if it can't be made of them."""
    for other in (made_of := parents(datasets[name])):
        if other in datasets.broken:
            raise _made_of_broken(name, other)
        if other not in datasets or parents(datasets[other]):
            raise RegistryError(
                f"sources.datasets: {other} is {'made of others itself' if other in datasets else 'no dataset'}",
                where=f"config/datasets/{name}.yaml",
                hint="name datasets that have sources of their own, or are generated",
            )
    if made_of:
        datasets[name]["source"] = datasets[made_of[0]]["source"]


def _made_of_broken(name: str, other: str) -> RegistryError:
    where = f"config/datasets/{name}.yaml"
    return RegistryError(f"it is made of {other}, which is left out itself", where=where, hint=f"put {other} right")


def _refers_to_broken(name: str, other: str) -> RegistryError:
    where = f"config/datasets/{name}.yaml"
    return RegistryError(f"it refers to {other}, which is left out itself", where=where, hint=f"put {other} right")


def _check_references(datasets: "Datasets", name: str) -> None:
    """Raise RegistryError where the contract of a dataset refers to what is not there, or to another type."""
    for place, spec in places(datasets[name]["contract"]["columns"]):
        if not (to := spec.get("references")):
            continue
        other, column = to["dataset"], to["column"]
        if other in datasets.broken:
            raise _refers_to_broken(name, other)
        columns = datasets[other]["contract"]["columns"] if other in datasets else {}
        if column not in columns:
            missing = f"{other} has no column {column}" if other in datasets else f"{other} is no dataset"
        elif not is_of_type(spec, columns[column]):
            missing = f"{column} of {other} is of another type"
        else:
            continue
        raise RegistryError(
            f"contract.columns.{place}: references: {missing}",
            where=f"config/datasets/{name}.yaml",
            hint="name a dataset of this registry, and a column of its contract that has the same type",
        )
    for other, said in leakage.others(datasets[name]["contract"]).items():
        if other in datasets.broken:
            raise _refers_to_broken(name, other)
        columns = datasets[other]["contract"]["columns"] if other in datasets else None
        if columns is None or said.get("column", next(iter(columns))) not in columns:
            what = f"{other} is no dataset" if columns is None else f"{other} has no column {said['column']}"
            raise RegistryError(
                f"contract.quality.leakage.against: {what}",
                where=f"config/datasets/{name}.yaml",
                hint="name datasets of this registry, and columns of their contracts",
            )


def _check_rule(datasets: "Datasets", name: str) -> None:
    """Raise RegistryError for a dataset that is called as a rule of another one, which has a kind."""
    other, _, step = name.rpartition("-")
    if step in STEPS and "kind" in datasets.get(other, {}):
        what = f"{rule_of(name)} is a rule of {other} already"
        raise RegistryError(what, where=f"config/datasets/{name}.yaml", hint="choose another name")


def _check_tables(datasets: "Datasets", name: str) -> None:
    """Raise RegistryError where embeddings cannot be made of the tables of others that their params name."""
    if datasets[name].get("kind") != embeddings.KIND:
        return
    if wrong := [*embeddings.wrong_parents(datasets[name], datasets)]:
        lines = "\n".join(f"  {line}" for line in wrong)
        hint = "fix these keys; docs/kinds.md describes them all"
        raise RegistryError(f"not valid:\n{lines}", where=f"config/datasets/{name}.yaml", hint=hint)


class Datasets(dict[str, dict[str, Any]]):
    """Datasets by name. Those that cannot be built as they are written are `broken`, each with its error.

    `aliases` maps datasets to their other names, `shards` those whose files say so to the number of jobs that share
    their work, `streams` those that grow from one to what is said of it, and `fresh` to how old they may become. None
    is among the configuration of a dataset: they say nothing of its data, which must not be built again for them.

    A broken one stops nobody else: asking for it raises its error, and asking for one that has no file another.
    """

    def __init__(self, datasets: Mapping[str, dict[str, Any]] | None = None) -> None:
        super().__init__(datasets or {})
        self.broken: dict[str, RegistryError] = {}
        self.aliases: dict[str, list[str]] = {}
        self.shards: dict[str, int] = {}
        self.streams: dict[str, dict[str, Any]] = {}
        self.fresh: dict[str, str] = {}

    def leave_out(self, name: str, error: RegistryError) -> None:
        """Count a dataset among the broken, and with it those that are made of it, or refer to it."""
        self.pop(name, None)
        self.broken[name] = error
        for other, dataset in [*self.items()]:
            if other not in self:
                continue
            if name in parents(dataset):
                self.leave_out(other, _made_of_broken(other, name))
            elif name in referenced(dataset):
                self.leave_out(other, _refers_to_broken(other, name))

    def __missing__(self, name: str) -> dict[str, Any]:
        raise self.broken.get(name) or RegistryError(
            "no such file",
            where=f"config/datasets/{name}.yaml",
            hint="write it, or take the name out of workflow/rules/",
        )


def load_datasets(config: dict[str, Any], root: Path = Path()) -> Datasets:
    """Validate `config` and return {name: dataset} for every file in config/datasets/, in the order of their names.

    A dataset is its file's content with its `name`, its `params`, and its `source`: its own, else the configuration's
    default, that of the first dataset that it is made of, or `generated` where it has no sources at all. Of a stream
    there are samples, and by any other default what was read from it. A file that is wrong makes its own dataset
    `broken`; what is wrong in `config` is raised.
    """
    validate(config, "config", where="config/config.yaml and --config")
    datasets = Datasets()
    paths = {path.stem: path for path in (root / "config" / "datasets").glob("*.yaml")}
    for name, path in sorted(paths.items()):
        try:
            check_name(name, paths.keys())
            dataset = _load(path, config["source"], root)
            if shards := dataset.pop("shards", None):
                datasets.shards[name] = shards
            if stream := dataset.pop("stream", None):
                datasets.streams[name] = stream
            if fresh := dataset.pop("fresh", None):
                datasets.fresh[name] = fresh
            datasets[name] = dataset
        except RegistryError as error:
            datasets.broken[name] = error
    taken = dict.fromkeys(paths, "a dataset")
    alike = {shorter: name for name in paths for shorter in tagged_alike(name)}
    for name in [*datasets]:
        try:
            for alias in (aliases := datasets[name].pop("aliases", [])):
                check_alias(alias, name, taken, alike)
                taken[alias] = f"an alias of {name}"
                alike |= dict.fromkeys(tagged_alike(alias), alias)
            datasets.aliases[name] = aliases
        except RegistryError as error:
            datasets.broken[name] = error
    for name in [*datasets]:
        try:
            _follow(datasets, name)
        except RegistryError as error:
            datasets.broken[name] = error
    for name in datasets.broken:
        datasets.pop(name, None)
    for name in [*datasets]:
        if name in datasets:
            try:
                _check_references(datasets, name)
                _check_tables(datasets, name)
                _check_rule(datasets, name)
            except RegistryError as error:
                datasets.leave_out(name, error)
    unknown = [name for name in selected(config, datasets) if name not in datasets.keys() | datasets.broken.keys()]
    if unknown:
        meant = closest(unknown[0], datasets)
        raise RegistryError(
            f"datasets: there is no {', '.join(unknown)}",
            where="config/config.yaml and --config",
            hint=f"{f'did you mean {meant}? ' if meant else ''}choose from: {', '.join(datasets)}",
        )
    modes = {datasets[name]["source"] for name in selected(config, datasets) if name in datasets}
    if "mirror" in modes:
        _check_mirror(config["mirror"])
    return datasets


def _load(path: Path, default: str, root: Path) -> dict[str, Any]:
    """Return the dataset in a file; `default` is the source mode of those that name none. Raises RegistryError."""
    dataset = read_yaml(path)
    check_dataset(path.stem, dataset, root)
    source = default if "sources" in dataset else "generated"
    if "stream" in dataset:
        source = "samples" if default == "samples" else "stream"
    return {"name": path.stem, "source": source} | dataset


def check_free(name: str, datasets: Datasets) -> None:
    """Raise RegistryError if a new dataset cannot have this name, given all that there are."""
    names = datasets.keys() | datasets.broken.keys()
    check_name(name, names)
    _check_rule(datasets, name)
    if rule := next((other for step in STEPS if (other := f"{name}-{step}") in names), None):
        raise RegistryError(f"one of its rules would be called as that of {rule}", hint="choose another name")
    taken = dict.fromkeys(names, "a dataset") | {
        alias: f"an alias of {dataset}" for dataset, aliases in datasets.aliases.items() for alias in aliases
    }
    if name in taken:
        raise RegistryError(f"{name} is {taken[name]} already", hint="choose another name")


def check_samples(datasets: Datasets, root: Path = Path()) -> None:
    """Count the datasets among the broken whose samples are wanted, and are not listed in data/samples/SHA256SUMS."""
    for name, dataset in [*datasets.items()]:
        if "files" in dataset.get("sources", {}):
            try:
                source_files(dataset, root)
            except RegistryError as error:
                datasets.leave_out(name, error)


def selected(config: dict[str, Any], datasets: dict[str, Any]) -> list[str]:
    """Return the names of the datasets that `snakemake` without a target builds; a broken one only if it is named."""
    return list(datasets) if config["datasets"] == "all" else list(config["datasets"])


def parents(dataset: dict[str, Any]) -> list[str]:
    """Return the names of the datasets that a dataset is made of."""
    return dataset.get("sources", {}).get("datasets", [])


def referenced(dataset: dict[str, Any]) -> list[str]:
    """Return the names of the datasets that a dataset's contract refers to: itself may be one of them."""
    return leakage.referred(dataset.get("contract", {}))


def needed(dataset: dict[str, Any]) -> list[str]:
    """Return the names of the other datasets without which a dataset cannot be built: its parents, and referenced."""
    others = dict.fromkeys([*parents(dataset), *referenced(dataset)])
    return [other for other in others if other != dataset.get("name")]


def _how_to_add(name: str, file: str, root: Path) -> str:
    """Return how to add a file to the samples of a dataset."""
    if (root / SAMPLES / name / file).is_dir():
        files = f"find {shlex.quote(f'{name}/{file}')} -type f -not -path '*/.*'"
        return f"(cd {SAMPLES} && {files} -exec sha256sum {{}} + >> SHA256SUMS)"
    if (root / SAMPLES / name / file).is_file():
        return f"(cd {SAMPLES} && sha256sum {shlex.quote(f'{name}/{file}')} >> SHA256SUMS)"
    return f"put one into {SAMPLES}/{name}/{file}, or choose another source for this dataset (config/README.md)"


def source_files(dataset: dict[str, Any], root: Path = Path()) -> list[dict[str, Any]]:
    """Return what to fetch for a dataset in its source mode.

    Each entry has `file` (its name below raw/), `urls`, `sha256` (the hashes accepted in this mode; empty if none is
    known yet) and `max_bytes`; one that is a folder has `max_files`, too, and one that is not copied `copy`: false.
    """
    mode = dataset["source"]
    checksums = sample_checksums(dataset["name"], root) if mode == "samples" else {}
    files = []
    for source in dataset["sources"]["files"]:
        name = source_name(source)
        if mode == "samples":
            sha256 = _sample_sha256(checksums, f"{dataset['name']}/{name}", is_folder="folder" in source)
            if sha256 is None:
                hint = _how_to_add(dataset["name"], name, root)
                raise RegistryError(f"no sample of {name}", where=f"{SAMPLES}/SHA256SUMS", hint=hint)
            accepted = [sha256]
        else:
            accepted = [entry["sha256"] for entry in source["accept"] if mode in entry.get("modes", [mode])]
        entry = {"file": name, "urls": source["urls"], "max_bytes": source["max_bytes"], "sha256": accepted}
        entry |= {"max_files": source.get("max_files", MAX_FILES)} if "folder" in source else {}
        files.append(entry | ({} if _is_copied(source, mode) else {"copy": False}))
    return files


def raw_names(dataset: Mapping[str, Any]) -> list[str]:
    """Return the names below raw/ of a dataset's source files and folders, or of the pointers to them."""
    files, mode = dataset["sources"]["files"], dataset["source"]
    return [source_name(source) + ("" if _is_copied(source, mode) else IN_PLACE) for source in files]


def _is_copied(source: Mapping[str, Any], mode: str) -> bool:
    """Tell whether a source is copied to raw/: samples and what is in a mirror always are."""
    return mode != "upstream" or source.get("copy", True)


def _sample_sha256(checksums: Mapping[str, str], path: str, *, is_folder: bool) -> str | None:
    """Return the sha256 of a file in SHA256SUMS, or of the listing of the files there that are below a folder."""
    if not is_folder:
        return checksums.get(path)
    below = {name.removeprefix(f"{path}/"): sha256 for name, sha256 in checksums.items() if name.startswith(f"{path}/")}
    return listing_sha256(below) if below else None
