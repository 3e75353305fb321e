"""Measure what the README claims and write benchmarks/results.md: python benchmarks/run.py [--mirror FOLDER].

Every figure is of whole processes, from the operating system's own accounting: CPU seconds (user and system, with
children) and the peak memory of the largest process; the median of a few runs. Compare ratios, not seconds: machines
are noisy.
"""

import argparse
import gzip
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
RUNS = 5
FASHION_FILES = [
    f"{part}-idx{d}-ubyte.gz" for s in ("train", "t10k") for part, d in ((f"{s}-images", 3), (f"{s}-labels", 1))
]


@dataclass
class Usage:
    """What one or more processes used: seconds of wall clock and CPU, and MB of memory at most."""

    wall: float
    cpu: float
    memory: float

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.wall + other.wall, self.cpu + other.cpu, max(self.memory, other.memory))


def run(*command: str | Path, folder: Path = ROOT) -> Usage:
    """Run a command to its end; it must succeed."""
    started = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed:\n{printed.decode()}")
    return Usage(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(measure: Callable[[], Usage], runs: int = RUNS) -> Usage:
    """Return the median of each figure over some runs, after one that does not count."""
    measure()
    found = [measure() for _ in range(runs)]
    return Usage(*(statistics.median(getattr(usage, key) for usage in found) for key in ("wall", "cpu", "memory")))


def script(name: str, folder: Path, **job: object) -> Usage:
    """Run a rule's script alone, in `folder`."""
    path = folder / f"{name.replace('/', '-')}.json"
    path.write_text(json.dumps({"config": {}, "threads": 2, "log": str(folder / "job.log")} | job))
    return run(sys.executable, ROOT / "benchmarks" / "job.py", name, path, folder=folder)


def dataset(name: str, **changes: object) -> dict:
    """Return a dataset's configuration as its rules get it in mirror mode."""
    config = yaml.safe_load((ROOT / "config" / "datasets" / f"{name}.yaml").read_text())
    return {"name": name, "source": "mirror"} | config | changes


def fashion(raw: Path, folder: Path, config: dict) -> Usage:
    """Process and analyze Fashion-MNIST from the files in `raw`, as two processes."""
    (folder / "sources.json").write_text("{}")
    data = {"folder": "processed", "train": "processed/train/train.parquet", "val": "processed/val/val.parquet"}
    outputs = {name: name for name in ("manifest", "metadata", "provenance", "samples")}
    process = script(
        "fashion_mnist/process.py",
        folder,
        input=[str(raw / file) for file in FASHION_FILES],
        output=data,
        params={"options": config["params"]},
    )
    return process + script(
        "fashion_mnist/analyze.py",
        folder,
        input=data | {"sources": "sources.json"},
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
        input={"images": f"{raw}/images", "captions": f"{raw}/captions.json", "prompt": f"{raw}/prompt.json"},
        output=output,
        params={"options": config["params"]},
    )


def clone(folder: Path) -> Path:
    """Copy the repository as git knows it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def machine() -> str:
    """Describe this machine in a line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {system}"


def main(mirror: Path) -> None:
    """Measure everything and write the table."""
    rows: list[tuple[str, Usage, str]] = []
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

        full = clone(scratch / "full")
        everything = run("snakemake", "--cores", "2", "--config", "source=mirror", f"mirror={mirror}", folder=full)
        rows.append(("all datasets at full size, 2 cores", everything, ""))
        rows.append(
            ("radiology-mini, 500 pictures: process", median(lambda: radiology(full, mirror)), "at most 6 s of CPU")
        )

        samples = clone(scratch / "samples")
        rows.append(("dry run of everything", median(lambda: run("snakemake", "-n", folder=samples)), "at most 3 s"))

        def build() -> Usage:
            fresh = clone(Path(tempfile.mkdtemp(dir=scratch)))
            return run("snakemake", "--cores", "2", folder=fresh)

        rows.append(("all datasets from samples, 2 cores", median(build, 3), "at most 25 s"))
        run("snakemake", "--cores", "2", folder=samples)
        idle = median(lambda: run("snakemake", "--cores", "2", folder=samples))
        rows.append(("a run with nothing to do", idle, "at most 3 s"))
    lines = [f"| {what} | {u.wall:.1f} | {u.cpu:.1f} | {u.memory:.0f} | {note} |" for what, u, note in rows]
    table = "\n".join(["| what | wall s | CPU s | peak MB | aim, or ratio |", "|---|---|---|---|---|", *lines])
    text = f"Measured by `make bench` on {machine()}.\n\n{table}\n"
    (ROOT / "benchmarks" / "results.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mirror", type=Path, default=ROOT.parent / "shared" / "mirror", help="the full sources")
    main(parser.parse_args().mirror.resolve())
