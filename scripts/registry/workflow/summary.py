"""The table at the end of a run: the state of each dataset."""

import re
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from registry.config.load import Datasets
from registry.errors import RegistryError
from registry.release.assess import assess
from registry.shown import one_line, shown
from registry.storage.snapshot import PROVENANCE
from registry.storage.states import State
from registry.workflow.job import NOTE, ended

UNCUT = 1000
"""Columns that the table may take where there is no terminal; it takes as many as it needs."""
NOTED = re.compile(f"^{NOTE}(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """How one dataset stands after a run; rows, bytes and seconds are None where they are not known.

    `notes` are what its scripts had to say in this run.
    """

    name: str
    state: str
    hint: str | None = None
    rows: int | None = None
    size: int | None = None
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)


def outcome(name: str, datasets: Datasets, *, since: float, root: Path = Path()) -> Outcome:
    """Judge a dataset by the files it left and by `datasets`, the configuration of the run.

    It is built (since that time) or up to date, failed, or in one of the states that `assess` knows.
    """
    logs = {
        path: path.read_text(encoding="utf-8", errors="replace")
        for path in sorted((root / "logs" / name).glob("*.log"))
    }
    found = assess(root, name, datasets, quick=True)
    failed = [path for path, text in logs.items() if path.stat().st_mtime >= since and not ended(text)]
    if failed and found.state != State.PINNED:
        return Outcome(name, "failed", hint=f"see {failed[0].relative_to(root)}")
    if found.snapshot is None:
        return Outcome(
            name, found.state, hint=f"{found.reason}; {found.hint}" if found.state != State.NOT_BUILT else None
        )
    result = Outcome(name, found.state, rows=found.snapshot.rows, size=found.snapshot.provenance["data"]["bytes"])
    if found.state != State.BUILT:
        return replace(result, hint=f"{found.reason}; {found.hint}")
    made = (root / found.snapshot.folder / PROVENANCE).stat().st_mtime >= since
    if not made:
        return replace(result, state="up to date")
    return replace(
        result,
        seconds=round(sum(end.seconds for text in logs.values() if (end := ended(text))), 1) or None,
        notes=[noted for path, text in logs.items() if path.stat().st_mtime >= since for noted in NOTED.findall(text)],
    )


def outcomes_of(datasets: Datasets, *, since: float) -> list[Outcome]:
    """Judge every dataset after a run that began at `since`, also those that are left out. Raises RegistryError."""
    return [outcome(name, datasets, since=since) for name in sorted({*datasets, *datasets.broken})]


def print_summary(datasets: Datasets, *, since: float) -> list[Outcome]:
    """Print one row for each dataset on standard error, beside Snakemake's output; `since` is when the run started.

    Returns what it has printed. Raises nothing: what was built is released whether this can be shown or not.
    """
    try:
        outcomes = outcomes_of(datasets, since=since)
        _print(outcomes)
    except RegistryError as error:
        print(f"no summary: {error}", file=sys.stderr)
    except Exception:
        print(shown(traceback.format_exc()), file=sys.stderr, end="")
    else:
        return outcomes
    return []


def _print(outcomes: Sequence[Outcome]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    table.add_column("dataset", no_wrap=True)
    for heading in ("rows", "size", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for result in outcomes:
        table.add_row(
            result.name,
            "" if result.rows is None else f"{result.rows:,}",
            "" if result.size is None else decimal(result.size),
            "" if result.seconds is None else f"{result.seconds:.1f} s",
            result.state,
        )
    console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else UNCUT)
    console.print(table)
    for result in outcomes:
        for line in result.notes:
            console.print(one_line(f"{result.name}: {line}"), soft_wrap=True, markup=False)
        if result.hint:
            console.print(one_line(f"{result.name} {result.state}: {result.hint}"), soft_wrap=True, markup=False)
