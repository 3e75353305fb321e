"""Measure how runs and releases grow with the number of datasets, into many.md: python benchmarks/many.py.

Each dataset is a copy of wine-quality under a name of its own, with a file, a module of rules, scripts and samples.
"""

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measure import ROOT, Row, Usage, clone, median, run, write_table

sys.path.insert(0, str(ROOT / "scripts"))

from registry.config.fingerprint import fingerprint
from registry.describe.metadata import metadata_digest

ONE, RULE = "wine-quality", "wine_quality"
OWN_FILES = re.compile(rf"{ONE}(?!\.(?:csv|parquet))")
"""The name of the dataset, where it is not that of a file in processed/."""
SIZES = (10, 100, 300)
RUNS = 3
KEPT = ("workflow/rules/common.smk", "workflow/rules/steps.smk", "workflow/rules/refusals.smk")


def name_of(number: int) -> str:
    """Return the name of a copy."""
    return f"{ONE}-{number:03}"


def renamed(text: str, name: str) -> str:
    """Return a text of wine-quality as one of its copy."""
    return OWN_FILES.sub(name, text).replace(RULE, name.replace("-", "_"))


def copied_text(folder: Path, file: str, name: str) -> None:
    """Write a file of wine-quality again, for a copy."""
    target = folder / renamed(file, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(renamed((folder / file).read_text(encoding="utf-8"), name), encoding="utf-8")


def many(folder: Path, size: int, *, built: bool = False) -> Path:
    """Return a registry in `folder` with so many datasets; `built` as by a run, but all from one."""
    clone(folder)
    if built:
        run("snakemake", "--cores", "2", "--config", "publish=false", "--", RULE, folder=folder)
    listed = (folder / "data" / "samples" / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = [line for line in listed if f" {ONE}/" in line]
    for number in range(size):
        name = name_of(number)
        copied_text(folder, f"config/datasets/{ONE}.yaml", name)
        copied_text(folder, f"workflow/rules/{RULE}.smk", name)
        shutil.copytree(folder / "scripts" / RULE, folder / "scripts" / name.replace("-", "_"))
        shutil.copytree(folder / "data" / "samples" / ONE, folder / "data" / "samples" / name)
        if built:
            copy_build(folder, name)
    lines = [line.replace(f" {ONE}/", f" {name_of(number)}/") for number in range(size) for line in sums]
    (folder / "data" / "samples" / "SHA256SUMS").write_text("\n".join([*lines, ""]), encoding="utf-8")
    for path in (*folder.glob("config/datasets/*.yaml"), *folder.glob("workflow/rules/*.smk")):
        if not path.stem.replace("_", "-").startswith(f"{ONE}-") and path.relative_to(folder).as_posix() not in KEPT:
            path.unlink()
    shutil.rmtree(folder / "data" / ONE, ignore_errors=True)
    if built:
        run("snakemake", "--touch", "--forceall", "--no-hooks", "--cores", "1", folder=folder)
    return folder


def copy_build(folder: Path, name: str) -> None:
    """Copy what is built of wine-quality, and describe it as the copy's own."""
    data, rule = folder / "data" / name, name.replace("-", "_")
    for top in ("data", "reports"):
        shutil.copytree(folder / top / ONE, folder / top / name)
    for file in ("metadata.json", "provenance.json"):
        copied_text(folder, f"data/{ONE}/{file}", name)
    metadata, provenance = (json.loads((data / file).read_text()) for file in ("metadata.json", "provenance.json"))
    provenance["metadata"]["sha256"] = metadata_digest(metadata)
    scripts = ["shared/download.py", f"{rule}/process.py", f"{rule}/analyze.py"]
    provenance["code"] = {script: fingerprint(script, folder / "scripts") for script in scripts}
    (data / "provenance.json").write_text(json.dumps(provenance))


def measured(*command: str, folder: Path) -> Usage:
    """Return what a command uses, at the median."""
    return median(lambda: run(*command, folder=folder), RUNS)


def runs(scratch: Path) -> Iterator[Row]:
    """Measure runs that build nothing."""
    for size in SIZES:
        folder = many(scratch / f"planned-{size}", size)
        yield f"{size} datasets: dry run of all", measured("snakemake", "-n", folder=folder), ""
        folder = many(scratch / f"built-{size}", size, built=True)
        idle = measured("snakemake", "--cores", "2", folder=folder)
        yield f"{size} datasets: a run with nothing to do", idle, ""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        write_table("many", [*runs(Path(name))])
