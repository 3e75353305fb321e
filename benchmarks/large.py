"""Measure the jobs of `tabular` with many rows, and write benchmarks/large.md: python benchmarks/large.py [ROWS]."""

import sys
import tempfile
from pathlib import Path

from build import dataset, script
from measure import Row, median, write_table

ROWS = 5_000_000
RUNS = 3


def main(rows: int) -> None:
    """Draw, process and describe a table of so many rows, each in a process of its own."""
    config = dataset("tabular")
    config["params"]["n_samples"] = rows
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("raw", "processed", "described"):
            (folder / name).mkdir()
        raw, table = folder / "raw" / "dataset.csv", folder / "processed" / "tabular.parquet"
        sources, checksum = folder / "raw" / "sources.json", folder / ".processed.md5"
        described = {name: f"described/{name}" for name in ("overview.svg", "profile.json", "manifest.parquet")}
        jobs = {
            "generate": {
                "input": {},
                "output": {"table": str(raw), "sources": str(sources)},
                "params": {"options": config["params"]},
            },
            "process": {
                "input": {"table": str(raw), "parts": []},
                "output": {"folder": str(table.parent), "checksum": str(checksum), "table": str(table)},
                "params": {"n_features": config["params"]["n_features"]},
            },
            "analyze": {
                "input": {"table": str(table), "checksum": str(checksum), "sources": str(sources)},
                "output": {
                    **{Path(file).stem: file for file in described.values()},
                    "metadata": "described/metadata.json",
                    "provenance": "described/provenance.json",
                },
                "params": {"dataset": config, "code": {}},
            },
        }
        for name, job in jobs.items():
            usage = median(lambda name=name, job=job: script(f"tabular/{name}.py", folder, **job), RUNS)
            aim = "at most 16 s of CPU, 700 MB" if name == "analyze" else ""
            found.append((f"tabular, {rows:,} rows: {name}", usage, aim))
    write_table("large", found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROWS)
