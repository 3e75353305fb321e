"""Read the registry's configuration. Light on purpose: the Snakefile runs this at every start."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from registry import gate
from registry.config.names import NAME, TAKEN, rule_of
from registry.config.schema import validate
from registry.errors import RegistryError

SAMPLES = "data/samples"
BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
MARKUP = re.compile("<(?:/?script|!--)", re.IGNORECASE)


def normalise(config: dict[str, Any]) -> dict[str, Any]:
    """Return the top-level configuration with what `--config` hands over as a string in its own type.

    `publish=false` becomes a bool, `datasets=emotion,tabular` a list.
    """
    publish, datasets = config.get("publish"), config.get("datasets")
    if isinstance(datasets, str) and datasets != "all":
        datasets = datasets.split(",")
    return {**config, "publish": BOOLEANS.get(str(publish).lower(), publish), "datasets": datasets}


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file. Raises RegistryError, which says where, for a missing or malformed one."""
    try:
        with path.open("rb") as stream:
            return gate.read_yaml(stream.read(gate.MAX_POINTER + 1), where=path)
    except FileNotFoundError:
        raise RegistryError("no such file", where=path) from None


def read_checksums(path: Path) -> dict[str, str]:
    """Return {file: sha256} of a SHA256SUMS file, as `sha256sum` writes it."""
    if not path.is_file():
        raise RegistryError("no such file", where=path, hint="write it with: sha256sum FILE... > SHA256SUMS")
    return parse_checksums(path.read_text(encoding="utf-8"), where=path)


def parse_checksums(text: str, *, where: object) -> dict[str, str]:
    """Return {file: sha256} of the text of a SHA256SUMS file. Raises RegistryError, also for two lines for one file."""
    hashes: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if match is None:
            raise RegistryError(f"line {number} is not `<sha256>  <file>`", where=where)
        if match[2] in hashes:
            hint = "keep the one that `sha256sum` prints, and remove the other"
            raise RegistryError(f"line {number} is a second one for {match[2]}", where=where, hint=hint)
        hashes[match[2]] = match[1]
    return hashes


def _check_name(name: str, names: list[str]) -> None:
    where = f"config/datasets/{name}.yaml"
    if not re.fullmatch(NAME, name) or name in TAKEN:
        raise RegistryError(
            "the file's name is not a valid dataset name",
            where=where,
            hint=f"use lower-case words joined by hyphens, and none of {', '.join(TAKEN)}",
        )
    for other in names:
        if name.startswith(f"{other}-v"):
            raise RegistryError(
                f"the name would be mistaken for a version tag of {other}",
                where=where,
                hint=f"choose a name that does not start with {other}-v",
            )


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


def _follow(datasets: dict[str, dict[str, Any]], name: str) -> None:
    """Give a dataset that is made of others the source mode of the first; RegistryError if it can't be made of them."""
    for other in (made_of := parents(datasets[name])):
        if other not in datasets or parents(datasets[other]):
            raise RegistryError(
                f"sources.datasets: {other} is {'made of others itself' if other in datasets else 'no dataset'}",
                where=f"config/datasets/{name}.yaml",
                hint="name datasets that have sources of their own, or are generated",
            )
    if made_of:
        datasets[name]["source"] = datasets[made_of[0]]["source"]


def _check_spelling(dataset: Any, where: str) -> None:
    """Raise RegistryError for a key that has another name by now."""
    contract = dataset.get("contract") if isinstance(dataset, dict) else None
    if isinstance(contract, dict) and isinstance(old := contract.get("retrieval"), dict):
        floors = ", ".join(f"retrieval.all.{name}: {floor}" for name, floor in old.items())
        raise RegistryError("contract.retrieval is called floors now", where=where, hint=f"write floors: {{{floors}}}")


def _check_markup(value: Any, where: str) -> None:
    """Raise RegistryError for a text that ends or begins a script in HTML: Snakemake's report escapes no params."""
    match value:
        case str() if MARKUP.search(value):
            hint = "write it without <script, </script and <!--"
            raise RegistryError(f"it would run as a script in the report: {value[:80]}", where=where, hint=hint)
        case dict():
            _check_markup([*value, *value.values()], where)
        case list():
            for one in value:
                _check_markup(one, where)


def validate_params(params: dict[str, Any], dataset: str, root: Path) -> None:
    """Validate a dataset's params by its scripts/<dataset>/params.schema.yaml below `root`, if it has one."""
    path = root / "scripts" / rule_of(dataset) / "params.schema.yaml"
    if path.is_file():
        validate(params, path, where=f"config/datasets/{dataset}.yaml: params")


class Datasets(dict[str, dict[str, Any]]):
    """Datasets by name; asking for one that has no file is a RegistryError."""

    def __missing__(self, name: str) -> dict[str, Any]:
        raise RegistryError(
            "no such file",
            where=f"config/datasets/{name}.yaml",
            hint="write it, or take the name out of workflow/rules/",
        )


def load_datasets(config: dict[str, Any], root: Path = Path()) -> Datasets:
    """Validate `config` and return {name: dataset} for every file in config/datasets/, in the order of their names.

    A dataset is its file's content with its `name` and its `source`: its own, else the configuration's default, that of
    the first dataset that it is made of, or `generated` where it has no sources at all.
    """
    validate(config, "config", where="config/config.yaml and --config")
    datasets = Datasets()
    for path in sorted((root / "config" / "datasets").glob("*.yaml"), key=lambda path: path.stem):
        dataset, where = read_yaml(path), f"config/datasets/{path.name}"
        _check_spelling(dataset, where)
        validate(dataset, "dataset", where=where)
        _check_markup(dataset, where)
        validate_params(dataset["params"], path.stem, root)
        source = config["source"] if "sources" in dataset else "generated"
        datasets[path.stem] = {"name": path.stem, "source": source} | dataset
    for name in datasets:
        _check_name(name, list(datasets))
        _follow(datasets, name)
    unknown = [name for name in selected(config, datasets) if name not in datasets]
    if unknown:
        raise RegistryError(
            f"datasets: there is no {', '.join(unknown)}",
            where="config/config.yaml and --config",
            hint=f"choose from: {', '.join(datasets)}",
        )
    if any(datasets[name]["source"] == "mirror" for name in selected(config, datasets)):
        _check_mirror(config["mirror"])
    return datasets


def selected(config: dict[str, Any], datasets: dict[str, Any]) -> list[str]:
    """Return the names of the datasets that `snakemake` without a target builds."""
    return list(datasets) if config["datasets"] == "all" else list(config["datasets"])


def parents(dataset: dict[str, Any]) -> list[str]:
    """Return the names of the datasets that a dataset is made of."""
    return dataset.get("sources", {}).get("datasets", [])


def source_files(dataset: dict[str, Any], root: Path = Path()) -> list[dict[str, Any]]:
    """Return what to fetch for a dataset in its source mode.

    Each entry has `file` (its name below raw/), `urls`, `sha256` (the hashes accepted in this mode; empty if none is
    known yet) and `max_bytes`.
    """
    mode = dataset["source"]
    checksums = read_checksums(root / SAMPLES / "SHA256SUMS") if mode == "samples" else {}
    files = []
    for source in dataset["sources"]["files"]:
        if mode == "samples":
            sha256 = checksums.get(f"{dataset['name']}/{source['file']}")
            if sha256 is None:
                raise RegistryError(
                    f"no sample of {source['file']}",
                    where=f"{SAMPLES}/SHA256SUMS",
                    hint="make one, or choose another source for this dataset (config/README.md)",
                )
            accepted = [sha256]
        else:
            accepted = [entry["sha256"] for entry in source["accept"] if mode in entry.get("modes", [mode])]
        files.append({key: source[key] for key in ("file", "urls", "max_bytes")} | {"sha256": accepted})
    return files
