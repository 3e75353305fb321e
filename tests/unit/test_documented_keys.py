"""Every configuration key is documented, and no other one is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages import PAGES, code

from project import DATASETS
from registry.config.schema import SCHEMAS
from support import ROOT

CONFIGURATION = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
FILES = ("csv", "dvc", "json", "lock", "md", "parquet", "py", "smk", "toml", "yaml")
"""Ends of names that have a dot and are files, not keys."""


def schema_of(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def keys(schema: dict[str, Any], root: dict[str, Any], *above: str, within: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the path of every key that a schema lets somebody write, such as `release.push`.

    What a schema allows within itself has its keys once.
    """
    while "$ref" in schema:
        reference = schema["$ref"].rpartition("/")[2]
        if reference in within:
            return
        within += (reference,)
        schema = {**root["$defs"][reference], **{key: value for key, value in schema.items() if key != "$ref"}}
    for name, inner in schema.get("properties", {}).items():
        if isinstance(inner, dict):
            yield ".".join([*above, name])
            yield from keys(inner, root, *above, name, within=within)
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            yield from keys(schema[part], root, *above, within=within)
    for part in ("anyOf", "oneOf", "allOf"):
        for choice in schema.get(part, ()):
            yield from keys(choice, root, *above, within=within)


CONFIG, DATASET = (
    {*keys(schema := schema_of(SCHEMAS / f"{name}.schema.yaml"), schema)} for name in ("config", "dataset")
)
PARAMS = {
    name: {*keys(schema := schema_of(path), schema)}
    for name in DATASETS
    if (path := ROOT / "scripts" / name.replace("-", "_") / "params.schema.yaml").is_file()
}
EMBEDDINGS = {*keys(schema := schema_of(ROOT / "scripts/registry/kinds/embeddings.schema.yaml"), schema)}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of all rows of the tables in config/README.md whose first column has this heading."""
    tables = re.findall(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", CONFIGURATION, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for table in tables for row in table.splitlines()]


def spelt(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


@pytest.mark.parametrize("key", sorted(CONFIG | DATASET))
def test_a_key_of_the_configuration_is_documented(key):
    assert key.rpartition(".")[2] in spelt(CONFIGURATION)


def test_the_tables_name_no_key_that_does_not_exist():
    named = set().union(*(spelt(cells[0]) for cells in rows("key")))
    assert named - {key.rpartition(".")[2] for key in CONFIG | DATASET} == set()
    headings = set(re.findall(r"^### `(\w+)`$", CONFIGURATION, re.MULTILINE))
    assert headings - CONFIG - DATASET == set()


def test_params_are_documented_and_no_others():
    told: dict[str, set[str]] = {}
    dataset = ""
    for name, names, meaning in rows("dataset"):
        dataset = name or dataset
        told.setdefault(dataset, set()).update(spelt(names))
        told.setdefault(f"{dataset}, all", set()).update(spelt(names) | spelt(meaning))
    for name, params in PARAMS.items():
        assert told.get(name, set()) == {key for key in params if "." not in key}, name
        assert {key.rpartition(".")[2] for key in params} - told.get(f"{name}, all", set()) == set(), name
    assert {name for name in told if not name.endswith(", all")} == {name for name, params in PARAMS.items() if params}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_key_that_does_not_exist(page):
    known = CONFIG | DATASET | {f"params.{key}" for params in (*PARAMS.values(), EMBEDDINGS) for key in params}
    top = {key for key in known if "." not in key}
    pieces = list(code(page))
    dotted = {piece for piece in pieces if re.fullmatch(r"\w+(\.\w+)+", piece) and not piece.endswith(FILES)}
    assert {piece for piece in dotted if piece.partition(".")[0] in top} - known == set()
    given = {key for piece in pieces for some in re.findall(r"--config((?: \w+=\S+)+)", piece) for key in some.split()}
    assert {item.partition("=")[0] for item in given} - CONFIG == set()
