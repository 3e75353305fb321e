"""What Snakemake hands to the analyze.py of a dataset, without Snakemake."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any


def rule(folder: Path, dataset: dict[str, Any], data: Path, mode: str = "samples") -> SimpleNamespace:
    """Return the `snakemake` of a rule that describes `data` in `folder`; see registry.describe.description."""
    sources = folder / "sources.json"
    sources.write_text(f'{{"mode": "{mode}", "files": []}}', encoding="utf-8")
    names = ("manifest.parquet", "metadata.json", "provenance.json")
    return SimpleNamespace(
        input=SimpleNamespace(sources=sources, checksum=data.with_name(f".{data.name}.md5")),
        output=SimpleNamespace(**{name.partition(".")[0]: folder / name for name in names}),
        params=SimpleNamespace(dataset=dataset, code={}),
        threads=1,
    )
