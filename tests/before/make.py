"""Make the registry of before with the code of its time: `python tests/before/make.py`.

Writes registry.bundle (its git repository, all branches and tags) and storage.tar.xz (its .dvc/storage) beside this
file; README.md tells what they hold. Needs an environment in which c2fc23f runs, that of its envs/requirements.txt.
"""

import gzip
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import yaml

COMMIT = "c2fc23f"
"""The last commit before scripts/registry was given its rooms."""
HERE = Path(__file__).resolve().parent
LEFT_OUT = (
    "tests",
    "docs",
    "benchmarks",
    ".github",
    ".ci",
    "envs/*-server.*",
    "envs/langchain.*",
    "envs/requirements*",
)
"""Parts of the repository that no dataset is made of."""
README_BYTES = 8_000
PICTURES = 6
ROWS = {
    "emotion": {"train": 180, "val": 30, "test": 30},
    "fashion-mnist": {"train": 100, "val": 50},
    "opencloudhub-readmes": {"all": 3},
    "opencloudhub-readmes-embeddings": {"all": {"min": 10, "max": 60}},
    "radiology-mini": {"train": {"min": 1}, "test": {"min": 1}},
    "wine-quality": {"all": {"min": 100, "max": 150}},
}
"""What the contracts expect of the smaller samples."""


class Maker:
    """A registry that is being made, one day at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.day = 0

    def run(self, *command: str) -> None:
        """Run a command in the registry, on the next day, as a user without git configuration of their own."""
        self.day += 1
        date = f"2025-01-{self.day:02}T12:00:00+00:00"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        signed = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _SIGNED.items()}
        dated = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        env = {"GIT_CONFIG_GLOBAL": os.devnull, "PYTHONPATH": str(self.folder / "scripts")}
        subprocess.run(command, cwd=self.folder, env=inherited | signed | dated | env, check=True)

    def python(self, module: str, *arguments: str) -> None:
        """Run a Python module as a command."""
        self.run(sys.executable, "-m", module, *arguments)

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text that is in a file once."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")


_SIGNED = {"NAME": "Ada Tester", "EMAIL": "ada@example.org"}


def check_out(folder: Path) -> None:
    """Write the files of the commit to a folder."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", COMMIT], cwd=HERE.parents[1], stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    for path in (path for pattern in LEFT_OUT for path in folder.glob(pattern)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def cut_samples(samples: Path) -> None:
    """Make the samples, which are cuts of the full sources, smaller in the same way."""
    from make_samples import balanced, write_gzip

    for part, per_class in (("train", 10), ("t10k", 5)):
        images, labels = (samples / f"fashion-mnist/{part}-{what}-ubyte.gz" for what in ("images-idx3", "labels-idx1"))
        pixels, classes = gzip.decompress(images.read_bytes())[16:], gzip.decompress(labels.read_bytes())[8:]
        chosen = balanced(classes, per_class)
        chosen_pixels = b"".join(pixels[784 * position : 784 * (position + 1)] for position in chosen)
        write_gzip(images, struct.pack(">4B3I", 0, 0, 8, 3, len(chosen), 28, 28) + chosen_pixels)
        header = struct.pack(">4BI", 0, 0, 8, 1, len(chosen))
        write_gzip(labels, header + bytes(classes[position] for position in chosen))
    for split, per_class in (("train", 30), ("validation", 5), ("test", 5)):
        path = samples / f"emotion/split/{split}-00000-of-00001.parquet"
        table = pq.read_table(path)
        pq.write_table(table.take(balanced(table["label"].to_pylist(), per_class)), path)
    for path in (samples / "wine-quality").glob("*.csv"):
        header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
        chosen = balanced((row.rsplit(";", 1)[1] for row in rows), 10)
        path.write_text(header + "".join(rows[position] for position in chosen), encoding="utf-8")
    path = samples / "radiology-mini/data/train-00000-of-00001.parquet"
    table = pq.read_table(path)
    sizes = [len(image["bytes"]) for image in table["image"].to_pylist()]
    pq.write_table(table.take(sorted(sorted(range(len(sizes)), key=sizes.__getitem__)[:PICTURES])), path)
    for path in (samples / "opencloudhub-readmes").glob("HEAD/*/README.md"):
        if path.stat().st_size > README_BYTES:
            shutil.rmtree(path.parent)
    files = sorted(path for path in samples.glob("*/**/*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(samples)}\n" for path in files]
    (samples / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def adapt(datasets: Path) -> None:
    """Let the configuration expect so few rows, and no good answers from so few READMEs."""
    for name, rows in ROWS.items():
        path = datasets / f"{name}.yaml"
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        config["contract"]["rows"]["samples"] = rows
        if "retrieval" in config["contract"]:
            config["contract"]["retrieval"] = {"coverage_at_5": 0.05, "mrr": 0.05}
        if name == "radiology-mini":
            config["params"]["test_ratio"] = 0.25
        path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")


def release(maker: Maker) -> None:
    """Commit the registry and make its history."""
    maker.run("git", "init", "--quiet", "--initial-branch", "main")
    maker.run("git", "add", ".")
    maker.run("git", "commit", "--quiet", "--message", "Start")
    maker.python("snakemake", "--cores", "2")
    maker.edit("config/datasets/tabular.yaml", "n_samples: 1_000", "n_samples: 1_400")
    maker.python("snakemake", "--cores", "2", "tabular")
    maker.edit("config/datasets/tabular.yaml", "seed: 42", "seed: 43")
    maker.python("snakemake", "--cores", "2", "tabular")
    maker.python("registry", "rollback", "tabular", "1.0.0", "--reason", "the old seed")
    maker.python("registry", "release", "tabular")
    reason = "the new seed was a mistake"
    maker.python("registry", "publish", "tabular", "--from", "1.1.0", "--reason", reason)
    maker.python("registry", "rollback", "emotion", "1.0.0", "--reason", "held for the demo")


def pack(folder: Path) -> None:
    """Write repository and store beside this file."""
    bundle = HERE / "registry.bundle"
    subprocess.run(["git", "-c", "pack.threads=1", "gc", "--quiet", "--prune=now"], cwd=folder, check=True)
    subprocess.run(["git", "bundle", "create", "--quiet", bundle, "--all", "HEAD"], cwd=folder, check=True)
    store = folder / ".dvc" / "storage"
    with tarfile.open(HERE / "storage.tar.xz", "w:xz", preset=9) as tar:
        for path in sorted(path for path in store.rglob("*") if path.is_file()):
            about = tarfile.TarInfo(path.relative_to(store).as_posix())
            about.size = path.stat().st_size
            about.mode = 0o644
            with path.open("rb") as stream:
                tar.addfile(about, stream)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        checkout = Path(scratch) / "registry"
        check_out(checkout)
        sys.path.insert(0, str(checkout / "scripts"))
        cut_samples(checkout / "data" / "samples")
        adapt(checkout / "config" / "datasets")
        release(Maker(checkout))
        pack(checkout)
