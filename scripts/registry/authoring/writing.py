"""Write the file of a dataset as people write it: one column of the contract on a line."""

from collections.abc import Mapping
from typing import Any

import yaml

GROUPED = 10_000
"""Integers from here on are written in groups of three digits."""
SOURCE = "# Where it comes from, whatever config/config.yaml says; without this line, from where that says.\n"


class _Dumper(yaml.SafeDumper):
    """Writes large integers in groups of three digits, and everything else as YAML has it."""


def _number(dumper: yaml.SafeDumper, number: int) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:int", f"{number:_}" if abs(number) >= GROUPED else str(number))


_Dumper.add_representer(int, _number)


def flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1 << 20)
    return text.removesuffix("\n").removesuffix("\n...")


def block(value: Any, indent: int = 0) -> str:
    """Return a mapping as YAML in lines, indented by so many spaces: its values and all below on one line each."""
    return "".join(f"{' ' * indent}{flow(key)}: {flow(one)}\n" for key, one in value.items())


def file_of(dataset: Mapping[str, Any]) -> str:
    """Return the text of a dataset's file, given its content with the kind, `about`, `sources.files` and `contract`."""
    parts = [
        f"kind: {dataset['kind']}\n",
        f"about:\n{block(dataset['about'], 2)}",
        f"{SOURCE}source: {dataset['source']}\n",
        "sources:\n  files:\n" + "".join(map(_entry, dataset["sources"]["files"])),
    ]
    if "versioning" in dataset:
        parts.append(block({"versioning": dataset["versioning"]}))
    if dataset["params"]:
        parts.append(f"params:\n{block(dataset['params'], 2)}")
    contract = dict(dataset["contract"])
    columns = block(contract.pop("columns"), 4)
    parts.append(f"contract:\n  columns:\n{columns}{block(contract, 2)}")
    return "\n".join(parts)


def _entry(source: Mapping[str, Any]) -> str:
    lines = block(source, 6).splitlines(keepends=True)
    return f"    - {lines[0].lstrip()}" + "".join(lines[1:])
