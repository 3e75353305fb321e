"""Measure builds on a Slurm of this machine's own, and write benchmarks/cluster.md.

python benchmarks/cluster.py [--mirror FOLDER], in the environment that `make test-cluster` sets up, as root.
CPU and memory are those of the Snakemake that hands jobs over, or of all where it runs them itself.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from measure import ROOT, Row, Usage, clone, run, write_table

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "cluster")]
from slurm import NODES, Slurm  # noqa: E402

SLURM = (
    *("--workflow-profile", "workflow/profiles/slurm"),
    *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
)
APART = ("--groups", *(f"tabular_{step}={step}" for step in ("generate", "process", "analyze")))
LARGE = ("fashion_mnist", "emotion", "wine_quality", "radiology_mini", "tabular")
"""The datasets that are larger in the mirror than in the samples."""


def main(mirror: Path) -> None:
    """Measure what Slurm adds to a job, and how a build of the full sources gains from nodes."""
    full = ("--config", "publish=false", "source=mirror", f"mirror={mirror}", "--", *LARGE)
    small = ("--config", "publish=false", "--", "tabular")
    rows: list[Row] = [
        ("tabular, on this machine", build("--cores", "2", *small), ""),
        ("tabular, on Slurm: three jobs", build(*SLURM, *APART, *small), ""),
        ("tabular, on Slurm: one job, as the profile has it", build(*SLURM, *small), ""),
        ("full sources, 1 core", build("--cores", "1", *full), ""),
        ("full sources, 2 cores", build("--cores", "2", *full), ""),
        (f"full sources, {len(NODES)} nodes of Slurm on the same 2 cores", build(*SLURM, *full), ""),
    ]
    write_table("cluster", rows)


def build(*arguments: str) -> Usage:
    """Build in a new copy of the repository."""
    with tempfile.TemporaryDirectory() as folder:
        return run("snakemake", *arguments, folder=clone(Path(folder)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mirror", type=Path, default=ROOT.parent / "shared" / "mirror")
    place = tempfile.mkdtemp()
    try:
        with Slurm(Path(place)):
            main(parser.parse_args().mirror.resolve())
    finally:
        shutil.rmtree(place)
