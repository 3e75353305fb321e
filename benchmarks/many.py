"""Measure how runs and releases grow with the number of datasets, into many.md: python benchmarks/many.py."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from measure import ROOT, Row, Usage, clone, median, run, write_table
from releases import apart, committed, copies, registry, word

sys.path.insert(0, str(ROOT / "scripts"))

from registry.config.fingerprint import fingerprint
from registry.config.names import rule_of
from registry.describe.metadata import metadata_digest

RUNS = 3
SIZES = (10, 100, 300)
PLANNED, RELEASED = "wine-quality", "made-things"
"""The datasets of which there are copies under names of their own."""
DATASETS, VERSIONS = 250, 20
CONFIGURED = 1_000


def renamed(text: str, one: str, name: str) -> str:
    """Return a text about a dataset as one about its copy. The files of its data keep their names."""
    return re.sub(rf"{one}(?!\.(?:csv|parquet))", name, text).replace(rule_of(one), rule_of(name))


def copied_text(folder: Path, file: str, one: str, name: str) -> None:
    """Write a file about a dataset again, about its copy."""
    target = folder / renamed(file, one, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(renamed((folder / file).read_text(encoding="utf-8"), one, name), encoding="utf-8")


def copied_build(folder: Path, one: str, name: str, scripts: list[str]) -> None:
    """Copy what is built of a dataset, and describe it as the copy's own, which these scripts made."""
    for top in ("data", "reports"):
        if (folder / top / one).exists():
            shutil.copytree(folder / top / one, folder / top / name)
    for file in ("metadata.json", "provenance.json"):
        copied_text(folder, f"data/{one}/{file}", one, name)
    path = folder / "data" / name / "provenance.json"
    metadata, provenance = (json.loads(file.read_text()) for file in (path.with_name("metadata.json"), path))
    provenance["metadata"]["sha256"] = metadata_digest(metadata)
    provenance["code"] = {script: fingerprint(script, folder / "scripts") for script in scripts}
    path.write_text(json.dumps(provenance, indent=2))


def planned(folder: Path, size: int, *, built: bool = False) -> Path:
    """Return a registry of so many datasets with rules, scripts and samples of their own, all `built` or none."""
    clone(folder)
    one, rule = PLANNED, rule_of(PLANNED)
    if built:
        run("snakemake", "--cores", "2", "--config", "publish=false", "--", rule, folder=folder)
    samples = folder / "data" / "samples"
    sums = [line for line in (samples / "SHA256SUMS").read_text().splitlines() if f" {one}/" in line]
    names = [f"{one}-{number:03}" for number in range(size)]
    for name in names:
        for file in (f"config/datasets/{one}.yaml", f"workflow/rules/{rule}.smk"):
            copied_text(folder, file, one, name)
        shutil.copytree(folder / "scripts" / rule, folder / "scripts" / rule_of(name))
        shutil.copytree(samples / one, samples / name)
        if built:
            scripts = ["shared/download.py", *(f"{rule_of(name)}/{step}.py" for step in ("process", "analyze"))]
            copied_build(folder, one, name, scripts)
    lines = [line.replace(f" {one}/", f" {name}/") for name in names for line in sums]
    (samples / "SHA256SUMS").write_text("".join(f"{line}\n" for line in lines))
    keep_only(folder, names)
    if built:
        run("snakemake", "--touch", "--forceall", "--no-hooks", "--cores", "1", folder=folder)
    return folder


def keep_only(folder: Path, names: list[str]) -> None:
    """Take away the descriptions, rules and data of all datasets but these."""
    for path in folder.glob("config/datasets/*.yaml"):
        if path.stem not in names:
            path.unlink()
            (folder / "workflow" / "rules" / f"{rule_of(path.stem)}.smk").unlink(missing_ok=True)
    for path in folder.glob("data/*/metadata.json"):
        if path.parent.name not in names:
            shutil.rmtree(path.parent)


def configured(folder: Path) -> Path:
    """Return a registry of datasets that are made by configuration alone, of one row each; none is built."""
    clone(folder)
    keep_only(folder, [])
    samples, content = folder / "data" / "samples", b"a,b\n1,x\n"
    dataset = {
        "kind": "table",
        "about": {"title": "Made", "description": "Made for a benchmark.", "license": "CC0"},
        "sources": {"files": [{"file": "a.csv", "urls": [], "accept": [], "max_bytes": 1000}]},
        "contract": {"columns": {"a": {"dtype": "int64"}, "b": {"dtype": "string"}}, "rows": {}},
    }
    names = [f"configured-{number:03}" for number in range(CONFIGURED)]
    for name in names:
        (samples / name).mkdir()
        (samples / name / "a.csv").write_bytes(content)
        (folder / "config" / "datasets" / f"{name}.yaml").write_text(yaml.safe_dump(dataset, sort_keys=False))
    digest = hashlib.sha256(content).hexdigest()
    (samples / "SHA256SUMS").write_text("".join(f"{digest}  {name}/a.csv\n" for name in names))
    return committed(folder)


def released(folder: Path) -> Path:
    """Return a registry of datasets of 100 words each, which have many versions: the newest is what is here."""
    clone(folder)
    apart(folder, word, 100, packed=True, name=RELEASED)
    names = [f"{RELEASED}-{number:03}" for number in range(DATASETS)]
    for name in names:
        copied_text(folder, f"config/datasets/{RELEASED}.yaml", RELEASED, name)
        copied_build(folder, RELEASED, name, [])
    keep_only(folder, names)
    committed(folder)
    registry(folder, "publish")
    history(folder, names)
    return folder


def history(folder: Path, names: list[str]) -> None:
    """Give each dataset more versions, each with a commit and a tag as its first has them."""
    shown = {name: _git(folder, "cat-file", "tag", f"{name}-v1.0.0").split("\n\n", 1)[1] for name in names}
    made = [_version(name, number, shown[name]) for number in range(1, VERSIONS) for name in names]
    _git(folder, "fast-import", "--quiet", stdin="reset refs/heads/main\nfrom refs/heads/main^0\n\n" + "".join(made))


def _version(name: str, number: int, first: str) -> str:
    """Return for fast-import a commit on main and its tag, whose message is that of the first with another number."""
    message, who = first.replace(f"{name} 1.0.0", f"{name} 1.0.{number}"), f"B <b@b> {1_800_000_000 + number} +0000"
    text = f"data {len(message)}\n{message}\n"
    commit = f"commit refs/heads/main\ncommitter {who}\n{text}"
    return f"{commit}\ntag {name}-v1.0.{number}\nfrom refs/heads/main\ntagger {who}\n{text}"


def _git(folder: Path, *arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True, input=stdin)
    return done.stdout


def measured(*command: str, folder: Path) -> Usage:
    """Return what a command uses, at the median."""
    return median(lambda: run(*command, folder=folder), RUNS)


def runs(scratch: Path) -> Iterator[Row]:
    """Measure runs that build nothing."""
    for size in SIZES:
        folder = planned(scratch / f"planned-{size}", size)
        yield f"{size} datasets, nothing built: dry run", measured("snakemake", "-n", folder=folder), ""
        folder = planned(scratch / f"built-{size}", size, built=True)
        idle = measured("snakemake", "--cores", "2", folder=folder)
        yield f"{size} datasets, all built: a run with nothing to do", idle, ""


def releases(scratch: Path) -> Iterator[Row]:
    """Measure commands on a registry with many tags."""
    folder = released(scratch / "released")
    tags = f"{DATASETS} datasets, {DATASETS * VERSIONS:,} tags"
    yield f"{tags}: status", median(lambda: registry(folder, "status"), RUNS), "at most 3 s"
    apart(folder, word, 101, packed=True, name=f"{RELEASED}-000")
    fresh = copies(folder)
    one = median(lambda: registry(next(fresh), "publish", f"{RELEASED}-000"), RUNS)
    yield f"{tags}: publish of one", one, "at most 5 s"


def configurations(scratch: Path) -> Iterator[Row]:
    """Measure commands on a registry of many datasets without rules and scripts of their own."""
    folder, what = configured(scratch / "configured"), f"{CONFIGURED:,} datasets by configuration alone"
    yield f"{what}: dry run", measured("snakemake", "-n", folder=folder), "at most 15 s of CPU, 400 MB"
    yield f"{what}: status", median(lambda: registry(folder, "status"), RUNS), "at most 5 s"
    yield f"{what}: check", median(lambda: registry(folder, "check"), RUNS), ""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        write_table("many", [*runs(Path(name)), *releases(Path(name)), *configurations(Path(name))])
