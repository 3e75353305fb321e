"""Compare what rules declare with what their jobs take, into benchmarks/declared.md: python benchmarks/declared.py.

What a job takes is what it says itself at the end of its log.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

from measure import ROOT, clone, run, write_lines

sys.path.insert(0, str(ROOT / "scripts"))
from registry.workflow.job import ended

ROWS = (10_000, 1_000_000, 10_000_000)
"""Rows of tabular: ten times those that it has, and up to those that its contract allows."""
HEADER = ["| job | MB declared | MB taken | minutes declared | seconds taken |", "|---|---|---|---|---|"]


def build(folder: Path, *arguments: str, note: str = "") -> list[str]:
    """Build in a copy of the repository, and return a line of the table for each job."""
    run("snakemake", "--cores", "2", "--config", "publish=false", *arguments, folder=folder)
    lines = []
    for log in sorted(folder.glob("logs/*/*.log")):
        end = ended(log.read_text(encoding="utf-8"))
        what = f"{log.parent.name}{note}: {log.stem}"
        numbers = f"{end.declared_memory:,} | {end.memory:,} | {end.declared_minutes} | {end.seconds:.1f}"
        lines.append(f"| {what} | {numbers} |")
    return lines


def main(mirror: Path) -> None:
    """Build everything at full size, and tabular with more rows than it has."""
    with tempfile.TemporaryDirectory() as place:
        full = clone(Path(place) / "full")
        lines = build(full, "source=mirror", f"mirror={mirror}")
        for rows in ROWS:
            large = clone(Path(place) / str(rows))
            config = large / "config" / "datasets" / "tabular.yaml"
            text = re.sub(r"(?m)^  n_samples: .*$", f"  n_samples: {rows}", config.read_text(encoding="utf-8"))
            config.write_text(text, encoding="utf-8")
            lines += build(large, "--", "tabular", note=f", {rows:,} rows")
    write_lines("declared", [*HEADER, *lines])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mirror", type=Path, default=ROOT.parent / "shared" / "mirror", help="the full sources")
    main(parser.parse_args().mirror.resolve())
