"""Datasets that are made by configuration alone, in a copy of the repository: their file, and samples for them."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from project import Project
from support import ROOT

PAGE = (ROOT / "docs" / "kinds.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"`config/datasets/([\w-]+)\.yaml`:\n\n```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
"""{dataset: its file} of docs/kinds.md."""


def add(project: Project, name: str, config: str, files: Mapping[str, bytes] = {}) -> None:  # noqa: B006
    """Describe a dataset by this YAML, and commit these files as its samples; with other bytes, again."""
    (project.folder / f"config/datasets/{name}.yaml").write_text(config, encoding="utf-8")
    sums = project.folder / "data/samples/SHA256SUMS"
    listed = dict(line.split("  ", 1)[::-1] for line in sums.read_text(encoding="utf-8").splitlines())
    for file, content in files.items():
        path = project.folder / "data/samples" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        listed[f"{name}/{file}"] = hashlib.sha256(content).hexdigest()
    lines = [f"{digest}  {file}\n" for file, digest in sorted(listed.items())]
    sums.write_text("".join(lines), encoding="utf-8")


def only(project: Project) -> Project:
    """Take the project's own datasets away."""
    for path in project.folder.glob("config/datasets/*.yaml"):
        path.unlink()
    return project


def metadata(project: Project, name: str) -> dict[str, Any]:
    """Return the metadata.json of a dataset that is built."""
    return json.loads((project.folder / "data" / name / "metadata.json").read_text(encoding="utf-8"))


def cleaning(project: Project, name: str) -> dict[str, Any]:
    """Return what was found of problems."""
    return json.loads((project.folder / "reports" / name / "cleaning.json").read_text(encoding="utf-8"))


def table(project: Project, name: str, split: str = "") -> pl.DataFrame:
    """Return the rows of a split, or of a dataset without splits."""
    return pl.read_parquet(Path(project.folder, "data", name, "processed", split, f"{split or name}.parquet"))
