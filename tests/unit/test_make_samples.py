"""The committed samples: small, whole, and made by the script from the full sources."""

import gzip
import hashlib
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import make_samples
from project import DATASETS
from registry.authoring.sample import balanced, pack
from registry.files import sha256_of
from support import ROOT

SAMPLES = ROOT / "data" / "samples"


def own(path):
    """Tell whether a sample belongs to a dataset of the project; a team may add some."""
    return path.partition("/")[0] in DATASETS


def listed(samples=SAMPLES):
    lines = (samples / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name: sha256 for sha256, name in (line.split("  ", 1) for line in lines)}


def test_the_checksums_are_those_of_the_files():
    found = {
        path.relative_to(SAMPLES).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for dataset in DATASETS
        for path in (SAMPLES / dataset).glob("**/*")
        if path.is_file()
    }
    assert found == listed()


def test_the_samples_are_small():
    assert sum((SAMPLES / name).stat().st_size for name in filter(own, listed())) <= 8 * 2**20


def same_content(path, other):
    """Tell whether two files are equal, Parquet by its table: its bytes depend on the version of pyarrow."""
    if path.suffix == ".parquet" and pq.read_metadata(path).created_by != f"parquet-cpp-arrow version {pa.__version__}":
        return pq.read_table(path).equals(pq.read_table(other), check_metadata=True)
    return path.read_bytes() == other.read_bytes()


def test_the_script_makes_the_committed_samples_again(mirror, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_samples.main(mirror)
    made = tmp_path / make_samples.SAMPLES
    names = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    committed = sorted(filter(own, listed()))
    assert names == {*committed, "SHA256SUMS"}
    assert [name for name in committed if not same_content(SAMPLES / name, made / name)] == []
    assert listed(made) == {name: sha256_of(made / name) for name in committed}


def test_the_script_replaces_what_was_there(mirror, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old = Path(make_samples.SAMPLES) / "opencloudhub-readmes"
    (old / "HEAD").mkdir(parents=True)
    (old / "HEAD" / "old").touch()
    for name in ("emotion", "events", "fashion_mnist", "radiology_mini", "wine_quality"):
        fake = lambda mirror, target: None  # noqa: E731
        fake.__name__ = name
        monkeypatch.setattr(make_samples, name, fake)
    make_samples.main(mirror)
    assert not (old / "HEAD" / "old").exists()


@pytest.mark.parametrize(
    ("classes", "per_class", "positions"),
    [("aabba", 1, [0, 2]), ("aabba", 2, [0, 1, 2, 3]), ("ab", 5, [0, 1]), ("", 3, []), ("cab", 0, [])],
)
def test_balanced_takes_the_first_of_each_class_in_order(classes, per_class, positions):
    assert balanced(pl.Series([*classes], dtype=pl.String), per_class) == positions


def test_gzip_holds_neither_name_nor_time(tmp_path):
    pack(b"data", tmp_path / "one.gz")
    content = (tmp_path / "one.gz").read_bytes()
    assert gzip.decompress(content) == b"data"
    assert content[3:8] == bytes(5)
