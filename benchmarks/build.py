"""Measure what the README claims of building, into build.md: python benchmarks/build.py [--mirror FOLDER]."""

import argparse
import gzip
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import yaml
from measure import ROOT, Row, Usage, clone, median, run, write_table

FASHION_FILES = [
    f"{part}-idx{d}-ubyte.gz" for s in ("train", "t10k") for part, d in ((f"{s}-images", 3), (f"{s}-labels", 1))
]


def script(name: str, folder: Path, **job: object) -> Usage:
    """Run a rule's script alone, in `folder`."""
    path = folder / f"{name.replace('/', '-')}.json"
    path.write_text(json.dumps({"wildcards": {}, "config": {}, "threads": 2, "log": "/dev/stderr"} | job))
    return run(sys.executable, ROOT / "benchmarks" / "job.py", name, path, folder=folder)


def dataset(name: str, **changes: object) -> dict:
    """Return a dataset's configuration as its rules get it in mirror mode."""
    config = yaml.safe_load((ROOT / "config" / "datasets" / f"{name}.yaml").read_text())
    return {"name": name, "source": "mirror"} | config | changes


def fashion(raw: Path, folder: Path, config: dict) -> Usage:
    """Process and analyze Fashion-MNIST from the files in `raw`, as two processes."""
    (folder / "raw").mkdir(exist_ok=True)
    (folder / "raw" / "sources.json").write_text(json.dumps({"mode": "mirror", "files": []}))
    data = {
        "folder": "processed",
        "checksum": ".processed.md5",
        "train": "processed/train/train.parquet",
        "val": "processed/val/val.parquet",
    }
    outputs = {name: name for name in ("manifest", "metadata", "provenance", "samples")}
    process = script(
        "fashion_mnist/process.py",
        folder,
        input={"files": [str(raw / file) for file in FASHION_FILES], "parts": []},
        output=data,
        params={"options": config["params"]},
    )
    return process + script(
        "fashion_mnist/analyze.py",
        folder,
        input=data | {"sources": "raw/sources.json"},
        output=outputs,
        params={"dataset": config, "code": {}},
    )


def repeat(raw: Path, target: Path, times: int) -> None:
    """Write Fashion-MNIST's files again with every item `times` times."""
    for name in FASHION_FILES:
        header = 16 if "images" in name else 8
        content = gzip.decompress((raw / name).read_bytes())
        count = int.from_bytes(content[4:8], "big") * times
        with gzip.open(target / name, "wb", compresslevel=1) as stream:
            stream.write(content[:4] + count.to_bytes(4, "big") + content[8:header])
            for _ in range(times):
                stream.write(content[header:])


def radiology(folder: Path, mirror: Path) -> Usage:
    """Decode-check, hash, split and write the 500 pictures, as one process, after Snakemake has unpacked them."""
    config = dataset("radiology-mini")
    output = {
        "folder": "bench/processed",
        "train": "bench/processed/train/annotations.json",
        "test": "bench/processed/test/annotations.json",
        "cleaning": "bench/cleaning.json",
    }
    raw = "data/radiology-mini/raw"
    return script(
        "radiology_mini/process.py",
        folder,
        input={
            "images": f"{raw}/images",
            "captions": f"{raw}/captions.json",
            "prompt": f"{raw}/prompt.json",
            "parts": [],
        },
        output=output,
        params={"options": config["params"]},
    )


def main(mirror: Path) -> None:
    """Measure everything and write the table."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        raw = mirror / "fashion-mnist"
        for folder in ("fashion", "plain", "ten"):
            (scratch / folder).mkdir()
        fast = median(lambda: fashion(raw, scratch / "fashion", dataset("fashion-mnist")))
        slow = median(lambda: run(sys.executable, ROOT / "benchmarks" / "nested_lists.py", raw, scratch / "plain"), 1)
        rows.append(("fashion-mnist, 70,000 pictures: process + analyze", fast, "at most 4 s of CPU, 400 MB"))
        rows.append(
            (
                "the same with nested Python lists",
                slow,
                f"{slow.cpu / fast.cpu:.1f}x the CPU, {slow.memory / fast.memory:.1f}x the memory",
            )
        )
        repeat(raw, scratch / "ten", 10)
        config = dataset("fashion-mnist")
        config["contract"] = {"columns": config["contract"]["columns"], "rows": {}}
        ten = fashion(scratch / "ten", scratch / "fashion", config)
        rows.append(("fashion-mnist, 700,000 pictures", ten, f"{ten.memory - fast.memory:+.0f} MB; at most +100 MB"))

        def build(*config: str, folder: Path | None = None) -> Usage:
            fresh = clone(folder or Path(tempfile.mkdtemp(dir=scratch)))
            return run("snakemake", "--cores", "2", "--config", "publish=false", *config, folder=fresh)

        sources = ("source=mirror", f"mirror={mirror}")
        full = scratch / "full"
        everything = build(*sources, folder=full)
        rows.append(("all datasets at full size, 2 cores", everything, ""))
        rows.append(
            ("radiology-mini, 500 pictures: process", median(lambda: radiology(full, mirror)), "at most 6 s of CPU")
        )

        for note, *names in (
            ("", "emotion"),
            ("", "wine-quality"),
            ("", "radiology-mini"),
            ("at most 5 s", "emotion", "wine-quality", "radiology-mini"),
            ("at most 7.3 s", "emotion", "wine-quality", "radiology-mini", "fashion-mnist"),
        ):
            wanted = f"datasets={','.join(names)}"
            rows.append((f"{', '.join(names)} at full size", median(partial(build, *sources, wanted), 3), note))

        samples = clone(scratch / "samples")
        rows.append(("dry run of everything", median(lambda: run("snakemake", "-n", folder=samples)), "at most 3 s"))
        rows.append(("all datasets from samples, 2 cores", median(build, 3), "at most 25 s"))
        run("snakemake", "--cores", "2", "--config", "publish=false", folder=samples)
        idle = median(lambda: run("snakemake", "--cores", "2", folder=samples))
        rows.append(("a run with nothing to do", idle, "at most 3 s"))
    write_table("build", rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mirror", type=Path, default=ROOT.parent / "shared" / "mirror", help="the full sources")
    main(parser.parse_args().mirror.resolve())
