"""Give a dataset that is made by configuration alone rules and scripts of its own, which make the same.

They are what every dataset of its kind has, with its name filled in, so that there is one place where that is written.
"""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import yaml

from registry.config.embeddings import KIND
from registry.config.kinds import PICTURES
from registry.config.load import load_datasets, read_yaml
from registry.config.names import rule_of
from registry.errors import RegistryError
from registry.files import atomic_file
from registry.gate import GateError
from registry.gate import read_yaml as parsed
from registry.storage.repository import read_config

_WORDS = re.compile(r'(?P<filled>\bf"(?P<text>[^"\n]*)")|"[^"\n]*"|\bdataset\b(?!=)')
"""What of the rules may name a dataset: strings to fill in, other strings, and the loop's variable."""


_IF_PROMPTED = re.compile(r"^if prompt_of\(.*\):\n\n((?:    .*\n|\n)+)", re.MULTILINE)
"""The rule that only a dataset with a prompt has."""


@dataclass(frozen=True)
class Ejected:
    """What takes the place of a dataset's `kind`: its files {path: text}, none where it has no kind."""

    dataset: str
    files: dict[str, str]


def eject(root: Path, name: str, *, dry_run: bool = False) -> Ejected:
    """Write the rules and scripts of a dataset with a kind, and take that out of its file.

    Raises RegistryError, before anything is written, for a file that is there and another one, and for a dataset
    that is built from a part of its sources: only kinds are.
    """
    dataset = load_datasets(read_config(root), root)[name]
    if "kind" not in dataset:
        return Ejected(name, {})
    config = f"config/datasets/{name}.yaml"
    if "sample" in dataset["sources"]:
        hint = "take sources.sample out of it first, or take the part in the scripts that you write"
        raise RegistryError(
            "only a dataset that has a kind is built from a part of its sources", where=config, hint=hint
        )
    files = _files(root, dataset)
    taken = [path for path, text in files.items() if (root / path).exists() and _differs(root / path, text)]
    if taken:
        raise RegistryError(f"{', '.join(taken)} would be overwritten", hint="move what is there away first")
    files[config] = _without_kind(root / config)
    if not dry_run:
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(root / path) as partial:
                partial.write_text(text, encoding="utf-8")
    return Ejected(name, files)


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_bytes() != text.encode()


def _files(root: Path, dataset: Mapping[str, Any]) -> dict[str, str]:
    """Return the scripts of a dataset, the schema of its params and, last, its rules."""
    name, kind = dataset["name"], dataset["kind"]
    rule, scripts = rule_of(name), root / "scripts"
    kinds = scripts / "registry" / "kinds"
    analysis = "analyze_pictures" if kind in PICTURES else "analyze"
    read = {"process": scripts / "kinds" / f"{kind}.py", "analyze": scripts / "kinds" / f"{analysis}.py"}
    module, made_of = "kinds", "its source files"
    if kind == KIND:
        read = {path.stem: path for path in sorted((scripts / "kinds" / kind).glob("*.py"))}
        module, made_of = "kinds_embeddings", "another dataset's documents"
    own = {
        f"scripts/{rule}/{step}.py": _named(path.read_text(encoding="utf-8"), name, kind) for step, path in read.items()
    }
    schema = _Schema(kinds, f"{kind}.schema.yaml").whole(f"config/datasets/{name}.yaml, params")
    own[f"scripts/{rule}/params.schema.yaml"] = yaml.safe_dump(schema, sort_keys=False, width=120)
    facts = kinds / f"{kind}.metadata.schema.yaml"
    if facts.is_file():
        own[f"scripts/{rule}/metadata.schema.yaml"] = facts.read_text(encoding="utf-8")
    rules = (root / "workflow" / "rules" / f"{module}.smk").read_text(encoding="utf-8")
    filled = _rules(rules, name, made_of, prompted="prompt" in dataset["params"])
    return {**own, f"workflow/rules/{rule}.smk": filled}


def _named(script: str, name: str, kind: str) -> str:
    """Return a script of a kind whose first line says which dataset it is for, and which knows that kind."""
    script = script.replace('dataset["kind"]', f'"{kind}"')
    return re.sub(r"\ba dataset of (any kind|the kind `\w+`)", name, script, count=1)


class _Schema:
    """A schema in a folder, made whole: what it refers to in others there is among its own `$defs`."""

    def __init__(self, folder: Path, file: str) -> None:
        self._folder, self._file = folder, file
        self._own = read_yaml(folder / file)
        self._defs: dict[str, Any] = {**self._own.get("$defs", {})}
        self._names: dict[tuple[str, str], str] = {}

    def whole(self, title: str) -> dict[str, Any]:
        """Return its content, under a title."""
        content = self._moved({**self._own, "title": title}, self._file)
        return content | {"$defs": self._defs | content.get("$defs", {})}

    def _moved(self, part: Any, file: str) -> Any:
        """Return a part of one of the schemas as it is to be in this one."""
        if isinstance(part, list):
            return [self._moved(one, file) for one in part]
        if not isinstance(part, dict):
            return part
        moved = {key: self._moved(value, file) for key, value in part.items()}
        if "$ref" in part:
            its, _, pointer = part["$ref"].partition("#")
            moved["$ref"] = self._reference(its or file, pointer)
        return moved

    def _reference(self, file: str, pointer: str) -> str:
        """Return how this one refers to what is at a JSON pointer in one of the schemas."""
        if file == self._file:
            return f"#{pointer}"
        if (file, pointer) not in self._names:
            name = pointer.rpartition("/")[2]
            name = f"{file.partition('.')[0]}_{name}" if name in self._defs else name
            self._names[file, pointer], self._defs[name] = name, {}
            part = reduce(getitem, pointer.strip("/").split("/"), read_yaml(self._folder / file))
            self._defs[name] = self._moved(part, file)
        return f"#/$defs/{self._names[file, pointer]}"


def _rules(rules: str, name: str, made_of: str, *, prompted: bool) -> str:
    """Return the rules of all datasets with a kind as those of one: the body of their loop, with its name filled in.

    `prompted` tells whether it has a prompt, for which there is one rule more.
    """
    rule = rule_of(name)

    def filled(match: re.Match[str]) -> str:
        if match["filled"]:
            text = match["text"].replace("{rule_of(dataset)}", rule).replace("{dataset}", name)
            return f'"{text.replace("{{", "{").replace("}}", "}")}"'
        return f'"{name}"' if match[0] == "dataset" else match[0]

    head, body = re.split(r"^for dataset in .*:\n", rules, flags=re.MULTILINE)
    head = re.sub(r'\A"""\n.*\n', f'"""\n{name}: made of {made_of}.\n', head).replace("<dataset>", name)
    body = _WORDS.sub(filled, textwrap.dedent(body))
    body = _IF_PROMPTED.sub(lambda match: textwrap.dedent(match[1]) if prompted else "", body)
    body = re.sub(r'^rule:\n    name:\n        "(\w+)"', r"\nrule \1:", body, flags=re.MULTILINE)
    body = re.sub(r'getattr\(rules, "(\w+)"\)', r"rules.\1", body)
    body = re.sub(r"^ +(kind|analysis)=.*\n", "", body, flags=re.MULTILINE)
    body = body.replace("scripts/kinds/{params.kind}.py", f"scripts/{rule}/process.py")
    body = body.replace("scripts/kinds/{params.analysis}.py", f"scripts/{rule}/analyze.py")
    body = re.sub(rf"scripts/kinds/(?:{KIND}/)?", f"scripts/{rule}/", body)
    return f"{head.strip()}\n\n\n{body.strip()}\n"


def _without_kind(path: Path) -> str:
    """Return the text of a dataset's file without its kind. Raises RegistryError where that is not on one line."""
    text = path.read_text(encoding="utf-8")
    left = re.sub(r"^kind:.*\n(\s*\n)?", "", text, count=1, flags=re.MULTILINE)
    content = read_yaml(path)
    del content["kind"]
    try:
        same = parsed(left.encode(), where=path) == content
    except GateError:
        same = False
    if not same:
        raise RegistryError("its kind is not on a line of its own", where=path, hint="write it as `kind: table`")
    return left
