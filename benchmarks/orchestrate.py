"""Measure what Dagster adds to a build of everything, into orchestrate.md; run it by the Python of .venv-dagster."""

import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measure import Row, Usage, clone, median, run, write_table

MODULE = ("-m", "registry.orchestrate.dagster")
BIN = Path(sys.executable).parent
PLAIN = (BIN / "snakemake", "--cores", "all")
START = (BIN / "dagster", "definitions", "validate", *MODULE)
EVERYTHING = (BIN / "dagster", "asset", "materialize", *MODULE, "--select", "group:datasets")
AIM = 1.3
"""How many times the wall clock of Snakemake a run of Dagster's may take, beside Dagster's own start."""
RUNS = 3


def measured(place: Path, command: Sequence[str | Path]) -> Usage:
    """Return what a command takes in checkouts in which nothing was built, and nothing is released."""
    numbers = itertools.count()

    def once() -> Usage:
        folder = clone(place / f"{command[0].name}-{len(command)}-{next(numbers)}")
        config = folder / "config" / "config.yaml"
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace("publish: true", "publish: false"), encoding="utf-8")
        home = folder.with_name(f"{folder.name}-home")
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
        return run(*command, folder=folder, env={"PYTHONPATH": str(folder / "scripts"), "DAGSTER_HOME": str(home)})

    return median(once, RUNS)


def main() -> None:
    """Measure everything by Snakemake and by Dagster, and Dagster's start."""
    with tempfile.TemporaryDirectory() as place:
        plain, start, everything = (measured(Path(place), command) for command in (PLAIN, START, EVERYTHING))
    ratio = (everything.wall - start.wall) / plain.wall
    rows: list[Row] = [
        ("everything from samples, by snakemake", plain, ""),
        ("Dagster's start, and its definitions", start, ""),
        ("everything, by Dagster", everything, f"{ratio:.2f} without its start; aim: {AIM}"),
    ]
    write_table("orchestrate", rows)


if __name__ == "__main__":
    main()
