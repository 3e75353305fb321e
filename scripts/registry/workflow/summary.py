"""The table that ends a run: what each dataset came to."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from registry.config.pins import pin_of
from registry.files import data_files
from registry.workflow.job import NOTE

DONE = re.compile(r"^done in ([0-9.]+) s$", re.MULTILINE)
NOTED = re.compile(f"^{NOTE}(.+)$", re.MULTILINE)


@dataclass
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


def outcome(name: str, *, since: float, root: Path = Path()) -> Outcome:
    """Judge a dataset by the files it left.

    It is built (since that time), up to date, incomplete, damaged, failed, or pinned, which no run changes.
    """
    logs = {
        path: path.read_text(encoding="utf-8", errors="replace")
        for path in sorted((root / "logs" / name).glob("*.log"))
    }
    pin = pin_of(root, name)
    failed = [path for path, text in logs.items() if path.stat().st_mtime >= since and not DONE.search(text)]
    if failed and not pin:
        return Outcome(name, "failed", hint=f"see {failed[0].relative_to(root)}")
    folder, rule = root / "data" / name, name.replace("-", "_")
    try:
        metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        (folder / "manifest.parquet").stat()
        rows = sum(split["num_samples"] for split in metadata["splits"].values())
        recorded = provenance["data"]
        sizes = [file.stat().st_size for file in data_files(folder / recorded["path"])]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        begun = any(path.stat().st_mtime >= since for path in logs)
        build = f"run snakemake --cores all {rule}" if begun else None
        return Outcome(name, "incomplete", hint=f"run registry pull {name}" if pin else build)
    if (len(sizes), sum(sizes)) != (recorded["files"], recorded["bytes"]):
        build = f"snakemake --cores all --forcerun data/{name}/{recorded['path']} -- {rule}"
        fix = f"registry pull --force {name}" if pin else build
        return Outcome(name, "damaged", hint=f"its files are not those that were built; run {fix}")
    if pin:
        hint = f"at {pin['version']}, registry release {name} takes the pin away"
        return Outcome(name, "pinned", hint, rows=rows, size=sum(sizes))
    return Outcome(
        name,
        "built" if (folder / "provenance.json").stat().st_mtime >= since else "up to date",
        rows=rows,
        size=sum(sizes),
        seconds=sum(float(match[1]) for text in logs.values() if (match := DONE.search(text))) or None,
        notes=[noted for path, text in logs.items() if path.stat().st_mtime >= since for noted in NOTED.findall(text)],
    )


def print_summary(names: Iterable[str], *, since: float) -> None:
    """Print one row a dataset on standard error, beside Snakemake's own messages; `since` is when the run started."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    table.add_column("dataset", no_wrap=True)
    for heading in ("rows", "size", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    outcomes = [outcome(name, since=since) for name in names]
    for result in outcomes:
        table.add_row(
            result.name,
            "" if result.rows is None else f"{result.rows:,}",
            "" if result.size is None else decimal(result.size),
            "" if result.seconds is None else f"{result.seconds:.1f} s",
            result.state,
        )
    console = Console(stderr=True, highlight=False)
    console.print(table)
    for result in outcomes:
        for line in result.notes:
            console.print(f"{result.name}: {line}", soft_wrap=True, markup=False)
        if result.hint:
            console.print(f"{result.name} {result.state}: {result.hint}", soft_wrap=True)
