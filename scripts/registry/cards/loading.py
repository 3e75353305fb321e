"""How to load one version: the lines that its card and its page in the catalog show."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.storage.snapshot import Snapshot

PLACEHOLDER = "ADDRESS-OF-THIS-REGISTRY"
"""Stands for the address of a registry that has none."""


@dataclass(frozen=True)
class Way:
    """Lines of code, and what they use."""

    title: str
    language: str
    code: str


def ways_to_load(
    snapshot: Snapshot, version: str, tag: str, address: str | None, tables: Mapping[str, Sequence[str]], builder: str
) -> list[Way]:
    """Return the ways to load a version, whose `tables` are {split: paths from its folder}, which `builder` reads.

    Whatever files are called, nothing but the lines that are meant runs.
    """
    table = f"{snapshot.folder}/{next(iter(tables.values()))[0]}" if tables else None
    repository = address or PLACEHOLDER
    repo = _text(repository)
    opened = (
        "from registry import open_dataset\n\n"
        f'dataset = open_dataset("{snapshot.dataset}", "{version}", repo={repo})\ndataset.path, dataset.metadata'
    )
    rows = "\ndataset.to_pandas(), dataset.to_hf(), dataset.ray_dataset()" if table else ""
    get = f'REPO={shlex.quote(repository)}\ndvc get "$REPO" {shlex.quote(snapshot.data)} --rev {tag}'
    ways = [
        Way("dvc get", "bash", get),
        Way("open_dataset", "python", opened + rows),
    ]
    if table:
        lines = ", lines=True" if builder == "json" else ""
        ways += [
            Way(
                "dvc.api and pandas",
                "python",
                "import dvc.api\nimport pandas as pd\n\n"
                f'with dvc.api.open({_text(table)}, repo={repo}, rev="{tag}", mode="rb") as file:\n'
                f"    frame = pd.read_{builder}(file{lines})",
            ),
            Way(
                "Hugging Face",
                "python",
                "from datasets import load_dataset\n\n"
                f'rows = load_dataset(\n    "{builder}",\n    data_files={_text(f"dvc://{table}")},\n'
                f'    storage_options={{"repo": {repo}, "rev": "{tag}"}},\n    cache_dir="hf-cache/{tag}",\n)',
            ),
        ]
    return ways


def _text(value: str) -> str:
    """Return a text as Python has it in quotes."""
    return json.dumps(value)
