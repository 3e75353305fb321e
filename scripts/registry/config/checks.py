"""Find what is wrong with the file of one dataset, or with its name: by schemas, and by what no schema can tell."""

import re
from collections.abc import Collection, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from registry.config import leakage
from registry.config.columns import problems
from registry.config.kinds import check_kind
from registry.config.names import LONGEST, TAKEN, is_name, rule_of, tagged_alike
from registry.config.reading import IN_PLACE, read_yaml, source_name
from registry.config.schema import validate
from registry.errors import RegistryError

MARKUP = re.compile("<(?:/?script|!--)", re.IGNORECASE)


def _check_valid(name: str, what: str, where: str) -> None:
    """Raise RegistryError for a name that no dataset may have; `what` says in the message which it is."""
    if not is_name(name):
        raise RegistryError(
            f"{what} is not a valid dataset name",
            where=where,
            hint=f"use lower-case words joined by hyphens, {LONGEST} characters at most, none of {', '.join(TAKEN)}",
        )


def check_name(name: str, names: Set[str]) -> None:
    """Raise RegistryError for a name that no dataset may have, or that would be mistaken beside these others."""
    where = f"config/datasets/{name}.yaml"
    _check_valid(name, "the file's name", where)
    for other in tagged_alike(name):
        if other in names:
            raise RegistryError(
                f"the name would be mistaken for a version tag of {other}",
                where=where,
                hint=f"choose a name that does not start with {other}-v",
            )


def check_alias(alias: str, name: str, taken: Mapping[str, str], alike: Mapping[str, str]) -> None:
    """Raise RegistryError for an alias of a dataset that cannot be told from `taken` {name: what has it}.

    `alike` is {what tags of theirs begin as: theirs}.
    """
    where = f"config/datasets/{name}.yaml"
    _check_valid(alias, f"aliases: {alias}", where)
    if alias in taken:
        raise RegistryError(f"aliases: {alias} is {taken[alias]}", where=where, hint="choose another name")
    mistaken = [(alias, shorter) for shorter in tagged_alike(alias) if shorter in taken]
    mistaken += [(alike[alias], alias)] if alias in alike else []
    for longer, shorter in mistaken:
        raise RegistryError(
            f"aliases: {longer} would be mistaken for a version tag of {shorter}",
            where=where,
            hint="choose another name",
        )


def _check_spelling(dataset: Any, where: str) -> None:
    """Raise RegistryError for a key that has another name by now."""
    contract = dataset.get("contract") if isinstance(dataset, dict) else None
    if isinstance(contract, dict) and isinstance(old := contract.get("retrieval"), dict):
        floors = ", ".join(f"retrieval.all.{name}: {floor}" for name, floor in old.items())
        raise RegistryError("contract.retrieval is called floors now", where=where, hint=f"write floors: {{{floors}}}")
    params = dataset.get("params") if isinstance(dataset, dict) and "kind" not in dataset else None
    if isinstance(params, dict) and params.keys() == {"chunks", "model", "engine"}:
        hint = "write kind: embeddings, and params.of, columns and questions (docs/kinds.md#embeddings)"
        raise RegistryError("embeddings are a kind now", where=where, hint=hint)


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


def _check_contract(contract: dict[str, Any], name: str, where: str) -> None:
    """Raise RegistryError for what a schema cannot find: bounds of which none can be, ranges that nothing is in."""
    wrong = [f"columns.{problem}" for problem in problems(contract["columns"])] + [
        f"rows.{mode}.{split}: min {rows['min']} is more than max {rows['max']}"
        for mode, splits in contract["rows"].items()
        for split, rows in splits.items()
        if isinstance(rows, dict) and rows["min"] > rows.get("max", rows["min"])
    ]
    wrong += [f"quality.{problem}" for problem in _odd_limits(contract.get("quality", {}), contract["columns"])]
    wrong += [f"quality.leakage.{problem}" for problem in leakage.problems(contract, name)]
    if wrong:
        lines = [f"  contract.{line}" for line in wrong]
        raise RegistryError("not valid:\n" + "\n".join(lines), where=where, hint="fix these keys")


def _odd_limits(quality: dict[str, Any], columns: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with limits that the schema takes."""
    for name in quality.get("ignore", ()):
        if name not in columns:
            yield f"ignore: there is no column {name!r}"
    for check, limits in (*quality.items(), *quality.get("drift", {}).items()):
        if isinstance(limits, dict) and {"warn", "fail"} <= limits.keys() and limits["warn"] >= limits["fail"]:
            yield f"{check}: warn, {limits['warn']:g}, is not below fail, {limits['fail']:g}"


def _check_sources(files: list[dict[str, Any]], where: str) -> None:
    """Raise RegistryError for source files and folders that would be in each other's place below raw/."""
    names = ["sources.json", *map(source_name, files)]
    names += [f"{source_name(source)}{IN_PLACE}" for source in files if not source.get("copy", True)]
    for name in names:
        if names.count(name) > 1 or any(other.startswith(f"{name}/") for other in names):
            raise RegistryError(f"sources.files: {name} is there twice", where=where, hint="give each its own name")


def validate_params(params: dict[str, Any], dataset: str, root: Path, kind: str | None = None) -> None:
    """Validate a dataset's params by the schema of its kind.

    Where it has none, by its scripts/<dataset>/params.schema.yaml below `root`, if it has one.
    """
    path = root / "scripts" / rule_of(dataset) / "params.schema.yaml"
    if kind:
        path = root / "scripts" / "registry" / "kinds" / f"{kind}.schema.yaml"
    if not path.is_file():
        return
    if not kind:
        read_yaml(path)
    try:
        validate(params, path, where=f"config/datasets/{dataset}.yaml: params")
    except RegistryError:
        raise
    except Exception as error:  # A schema that is none makes jsonschema stumble over whatever is wrong in it.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RegistryError(f"not a JSON schema: {reason}", where=path, hint="put it right") from None


def check_dataset(name: str, dataset: Any, root: Path) -> None:
    """Raise RegistryError if this cannot be the content of a dataset's file; it gets `params` where it has none."""
    where = f"config/datasets/{name}.yaml"
    _check_spelling(dataset, where)
    validate(dataset, "dataset", where=where)
    _check_markup(dataset, where)
    _check_contract(dataset["contract"], name, where)
    _check_sources(dataset.get("sources", {}).get("files", []), where)
    dataset.setdefault("params", {})
    validate_params(dataset["params"], name, root, dataset.get("kind"))
    if "kind" in dataset:
        check_kind(dataset, where)
