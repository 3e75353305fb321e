"""Measure what the README claims of releases, into releases.md: python benchmarks/releases.py [--mirror FOLDER]."""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from measure import ROOT, Row, Usage, clone, median, run, write_table

sys.path.insert(0, str(ROOT / "scripts"))

RUNS = 3
REGISTRY = (sys.executable, "-m", "registry")
ENVIRONMENT = {"PYTHONPATH": str(ROOT / "scripts")}
CONFIG = """\
about: {title: Things, description: Made for a benchmark., license: CC0}
params: {}
contract: {columns: {thing: {dtype: binary}}, rows: {}}
"""
PICTURE = 8_000
"""Bytes of a small picture."""


def git(folder: Path, *arguments: str) -> None:
    """Run git quietly."""
    subprocess.run(
        ["git", "-c", "user.name=b", "-c", "user.email=b@b", *arguments],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def under_git(folder: Path) -> Path:
    """Return a copy of the repository in `folder`, with all of it in a first commit."""
    return committed(clone(folder))


def committed(folder: Path) -> Path:
    """Put all that is in `folder` into a first commit."""
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Start")
    return folder


def registry(folder: Path, *arguments: str) -> Usage:
    """Run the `registry` command on the repository in `folder`."""
    return run(*REGISTRY, *arguments, folder=folder, env=ENVIRONMENT)


def copies(folder: Path) -> Iterator[Path]:
    """Yield fresh copies of a folder, each beside it."""
    for number in count():
        copy = folder.with_name(f"{folder.name}-{number}")
        shutil.copytree(folder, copy, symlinks=True)
        yield copy


def outputs(folder: Path) -> list[str]:
    """Return what `registry publish` gives to DVC."""
    patterns = ("processed", "questions.csv", "manifest.parquet", "raw")
    return [str(path.relative_to(folder)) for name in patterns for path in sorted((folder / "data").glob(f"*/{name}"))]


def plain(folder: Path) -> Usage:
    """Do with DVC alone what is the bulk of a release."""
    added = run("dvc", "add", "--no-relink", *outputs(folder), folder=folder)
    return added + run("dvc", "push", folder=folder)


def picture(number: int) -> bytes:
    """Return a small picture, as far as its bytes go."""
    return random.Random(number).randbytes(PICTURE)


def word(number: int) -> bytes:
    """Return a sample that is easy to look for."""
    return f"thing {number}".encode()


def things(folder: Path, make: Callable[[int], bytes], number: int, *, packed: bool, name: str = "things") -> None:
    """Write a complete dataset of binary things as a build would: one file each, or packed into one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from registry.config.load import load_datasets, normalise, read_yaml
    from registry.describe.manifest import write_manifest
    from registry.describe.metadata import metadata_of, write_metadata
    from registry.describe.provenance import write_provenance

    values = [make(index) for index in range(number)]
    (folder / "config" / "datasets" / f"{name}.yaml").write_text(CONFIG)
    dataset = load_datasets(normalise(read_yaml(folder / "config" / "config.yaml")), folder)[name]
    data = folder / "data" / name
    (data / "processed").mkdir(parents=True, exist_ok=True)
    schema = pa.schema([("thing", pa.binary())])
    batch = pa.record_batch([values], schema=schema)
    if packed:
        pq.write_table(pa.Table.from_batches([batch]), data / "processed" / "things.parquet")
    else:
        for index, value in enumerate(values):
            (data / "processed" / f"{index:06}.jpg").write_bytes(value)
    with write_manifest(data / "manifest.parquet", dataset, schema) as manifest:
        manifest.add("all", batch, inputs=["thing"], keys=list(map(str, range(number))))
    metadata = metadata_of(dataset, manifest, summary={"num_samples": number})
    write_metadata(data / "metadata.json", metadata)
    (folder / "sources.json").write_text(json.dumps({"mode": "generated", "files": []}))
    write_provenance(
        data / "provenance.json",
        dataset,
        manifest,
        metadata,
        data=data / "processed",
        sources=folder / "sources.json",
        code={},
        scripts=folder / "scripts",
    )


def apart(*arguments: object, **options: object) -> None:
    """Call `things` in a process of its own: what this one uses would count for those that it starts."""
    process = get_context("spawn").Process(target=things, args=arguments, kwargs=options)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit("no things were made")


def full_size(scratch: Path, mirror: Path) -> Iterator[Row]:
    """Measure releases of all datasets at full size."""
    full = under_git(scratch / "full")
    path = full / "config" / "config.yaml"
    path.write_text(
        path.read_text().replace("source: samples", "source: mirror").replace("mirror: null", f"mirror: {mirror}")
    )
    git(full, "commit", "--quiet", "--all", "--message", "Take the full data")
    run("snakemake", "--cores", "2", "--config", "publish=false", folder=full)
    fresh = copies(full)
    ours = median(lambda: registry(next(fresh), "publish"), RUNS)
    theirs = median(lambda: plain(next(fresh)), RUNS)
    aim = 1.3 * theirs.wall + 2
    yield (
        "publish, all datasets at full size",
        ours,
        f"{ours.wall / theirs.wall:.2f}x; at most 1.3x + 2 s = {aim:.1f} s",
    )
    yield "the same with `dvc add` + `dvc push`", theirs, ""
    registry(full, "publish")
    yield "publish with nothing new", median(lambda: registry(full, "publish")), "at most 2 s"
    yield "status", median(lambda: registry(full, "status")), "at most 1.5 s"
    yield (
        "samples, 70,000 of them",
        median(lambda: registry(full, "samples", "fashion-mnist-v1.0.0", "--json")),
        "at most 2 s",
    )

    def clones() -> Iterator[Path]:
        for number in count():
            folder = scratch / f"clone-{number}"
            subprocess.run(["git", "clone", "--quiet", full, folder], check=True)
            yield folder

    fresh = clones()
    pulled = median(lambda: registry(next(fresh), "pull", "fashion-mnist"), RUNS)
    got = median(
        lambda: run(
            *("dvc", "get", full, "data/fashion-mnist/processed", "--rev", "fashion-mnist-v1.0.0"),
            folder=Path(tempfile.mkdtemp(dir=scratch)),
        ),
        RUNS,
    )
    yield "pull of fashion-mnist into a clone", pulled, f"at most 1.2x + 4 s = {1.2 * got.wall + 4:.1f} s"
    yield "the same with `dvc get`", got, ""


def growth(scratch: Path) -> Iterator[Row]:
    """Measure how a release grows with the number of small files."""
    for size in (1_000, 10_000):
        for packed in (False, True):
            kind = "packed into one Parquet file" if packed else "one file each"
            folder = under_git(scratch / f"things-{size}-{packed}")
            apart(folder, picture, size, packed=packed)
            fresh = copies(folder)
            ours = registry(next(fresh), "publish", "things")
            theirs = plain(next(fresh))
            note = f"{ours.wall / theirs.wall:.2f}x `dvc add` + `dvc push` ({theirs.wall:.1f} s)"
            yield f"publish of {size:,} pictures of 8 kB, {kind}", ours, note


def tracing(scratch: Path) -> Iterator[Row]:
    """Measure `find` over ten versions of 70,000 samples."""
    folder = under_git(scratch / "tracing")
    for more in range(10):
        apart(folder, word, 70_000 + more, packed=True)
        registry(folder, "publish", "things")
    found = median(lambda: registry(folder, "find", "thing 69999"))
    yield "find in 10 versions of 70,000 samples", found, "at most 2 s"
    compared = median(lambda: registry(folder, "diff", "things", "1.0.0", "1.9.0"))
    yield "diff of two of them", compared, "at most 2 s"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mirror", type=Path, default=ROOT.parent / "shared" / "mirror", help="the full sources")
    mirror = parser.parse_args().mirror.resolve()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        write_table("releases", [*full_size(scratch, mirror), *growth(scratch), *tracing(scratch)])
