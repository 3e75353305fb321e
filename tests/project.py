"""A copy of the repository, and the means to run snakemake in it for real."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from forks import SNAKEMAKE
from registry.config.schema import breaches
from registry.workflow.job import ended
from registry.workflow.record import SCHEMA
from support import ROOT

DATASETS = [
    "emotion",
    "events",
    "fashion-mnist",
    "opencloudhub-readmes",
    "opencloudhub-readmes-embeddings",
    "opencloudhub-readmes-rag-evaluation",
    "radiology-mini",
    "tabular",
    "wine-quality",
]
"""The project's own datasets. Those that a team adds are left out of what is tested."""
ALIASES = {"roco-radiology": "radiology-mini"}
"""Their other names, under each of which releases have tags, too."""
MADE_OF = {"opencloudhub-readmes-embeddings": {"opencloudhub-readmes", "opencloudhub-readmes-rag-evaluation"}}
"""The datasets that are made of others."""


def with_those_made_of(*names: str) -> set[str]:
    """Return these datasets and all that are made of them."""
    return {*names} | {made for made, sources in MADE_OF.items() if sources & {*names}}


class Project:
    """A copy of the repository, and the means to run snakemake in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        """Start snakemake in a process group of its own, its output in one pipe."""
        return subprocess.Popen(
            ["snakemake", *arguments],
            cwd=self.folder,
            env=_environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )

    def snakemake(self, *arguments: str, fails: bool = False) -> str:
        """Run snakemake, check how it ends, and return all that it printed."""
        ended = SNAKEMAKE.run("forks:snakemake", *arguments, cwd=self.folder, env=_environment())
        return ended.with_code(int(fails))

    def planned(self, *arguments: str) -> set[str]:
        """Return the datasets for which a dry run lists jobs."""
        printed = self.snakemake("-n", *arguments)
        return {name for name in DATASETS if re.search(rf"^\s*(Job \d+: )?{name}: ", printed, re.MULTILINE)}

    def jobs(self, *arguments: str) -> set[str]:
        """Return the rules of which a dry run lists jobs, but those that only ask for a dataset."""
        listed = re.findall(r"^(\w+) +\d+$", self.snakemake("-n", *arguments).partition("Job stats:")[2], re.MULTILINE)
        return {*listed} - {"total", "all", *(name.replace("-", "_") for name in DATASETS)}

    def record(self) -> dict[str, Any]:
        """Return what the last run has written down about itself, and check that its schema holds."""
        record = json.loads((self.folder / "logs" / "run.json").read_text(encoding="utf-8"))
        assert breaches(record, SCHEMA) == []
        return record

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text in a file; it must be there once."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def configure(self, dataset: str, **params: object) -> None:
        """Change params of a dataset."""
        path = self.folder / "config" / "datasets" / f"{dataset}.yaml"
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        config["params"] |= params
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def complete(self, dataset: str) -> bool:
        """Tell whether a dataset has all that makes it complete."""
        data = "questions.csv" if dataset == "opencloudhub-readmes-rag-evaluation" else "processed"
        files = [f"data/{dataset}/{name}" for name in (data, "manifest.parquet", "metadata.json", "provenance.json")]
        return all((self.folder / file).exists() for file in files)

    def memory(self) -> dict[str, tuple[int, int]]:
        """Return {log of a job: megabytes that it took, and that its rule declares for its script}."""
        rules = (self.folder / "workflow" / "rules" / "common.smk").read_text(encoding="utf-8")
        beside = int(re.search(r"^SNAKEMAKE_MB = (\d+)$", rules, re.MULTILINE)[1])
        logs = {path: ended(path.read_text(encoding="utf-8")) for path in self.folder.glob("logs/*/*.log")}
        return {
            str(path.relative_to(self.folder)): (end.memory, end.declared_memory - beside) for path, end in logs.items()
        }

    def take_vectors(self, project: "Project") -> None:
        """Take what was computed for the embeddings elsewhere, as a build that is not the first would have it."""
        folder = Path("data", "opencloudhub-readmes-embeddings")
        for name in ("processed", ".processed.md5"):
            copy_folder(project.folder / folder / name, self.folder / folder / name)

    def products(self) -> dict[str, bytes]:
        """Return {path: bytes} of everything that a run makes, but logs and what it remembers of raw/."""
        files = [path for top in ("data", "reports") for path in (self.folder / top).rglob("*") if path.is_file()]
        wanted = [
            path
            for path in files
            if {"samples", ".raw"}.isdisjoint(path.parts[-4:-1]) and path.name != ".snakemake_timestamp"
        ]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in sorted(wanted)}


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def copy_folder(folder: Path, target: Path) -> None:
    """Copy a folder with times, modes and links, in a third of the time that Python takes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", folder, target], check=True)


def _added() -> list[str]:
    """Return where the files of datasets are that a team added to the project's own."""
    names = {path.stem for path in (ROOT / "config" / "datasets").glob("*.yaml")} - {*DATASETS}
    files = ("config/datasets/{0}.yaml", "data/samples/{0}/", "workflow/rules/{1}.smk", "scripts/{1}/")
    return [file.format(name, name.replace("-", "_")) for name in names for file in files]


def copy_repository(folder: Path, *left_out: str) -> Project:
    """Copy the files that git tracks, or would, as a clone would have them, but tests and what is below `left_out`.

    With them goes what Python compiled of the scripts, so that it need not do so again.
    """
    others = ("tests/", *_added(), *left_out)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        built = name.startswith("data/") and not name.startswith("data/samples/")
        if (ROOT / name).is_file() and not built and not name.startswith(others):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for compiled in (ROOT / "scripts").rglob("__pycache__/*.pyc"):
        target = folder / compiled.relative_to(ROOT)
        if target.parents[1].is_dir():
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(compiled, target)
    return Project(folder)
