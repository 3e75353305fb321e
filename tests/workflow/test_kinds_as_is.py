"""The kind `as_is`: files that are kept, from their first version over another one and back, and to a clone."""

from pathlib import Path

import polars as pl

from clone import Clone, under_git
from configured import EXAMPLES, add, metadata, only, table
from registry.client import open_dataset

FILES = {
    "manuals/pump/a.pdf": b"%PDF-1.4 one",
    "manuals/pump/a copy.pdf": b"%PDF-1.4 one",
    "manuals/README.md": b"# Manuals\n",
    "listener.safetensors": bytes(range(256)),
}
ODD = {
    "x.dvc": b"no pointer",
    "dvc.yaml": b"no stages: [",
    "t.csv": b"n\n1\n",
    "things.parquet": b"PAR1",
    "p.png": b"\x89PNG",
    "Ü 1.tar": b"not opened",
}
"""Files that are something to the programs that handle them here."""


def kept(folder: Path) -> dict[str, bytes]:
    """Return {path: content} of all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def files_of(clone: Clone, name: str) -> dict[str, bytes]:
    return kept(clone.folder / "data" / name / "processed" / "files")


def test_the_example_is_built_released_and_grows(bare):
    add(only(bare), "manuals", EXAMPLES["manuals"], FILES)
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(bare)
    assert "the contract of their 4 rows" in clone.registry("check", "manuals")
    assert "manuals: released as manuals-v1.0.0" in clone.snakemake("--cores", "2")
    assert files_of(clone, "manuals") == FILES
    found = table(clone, "manuals")
    assert found.columns == ["path", "suffix", "bytes", "sha256"]
    assert dict(found.select("path", "bytes").rows()) == {path: len(content) for path, content in FILES.items()}
    summary = metadata(clone, "manuals")["summary"]
    assert (summary["num_samples"], summary["bytes"]) == (4, sum(map(len, FILES.values())))
    assert summary["suffix_distribution"] == {".md": 1, ".pdf": 2, ".safetensors": 1}
    assert summary.keys().isdisjoint({"path_distribution", "bytes_distribution", "sha256_distribution"})
    assert "Nothing to be done" in clone.snakemake("-n")
    assert clone.jobs() == set()

    # What is ejected makes the same.
    clone.registry("eject", "manuals")
    clone.commit("Write its own rules")
    assert "committed without a new version" in clone.snakemake("--cores", "2")
    assert clone.tags() == ["manuals-v1.0.0"]


def test_a_folder_is_adopted_kept_and_restored(bare, tmp_path, monkeypatch):
    monkeypatch.setenv("REGISTRY_CACHE", str(tmp_path / "cache"))
    things = tmp_path / "things"
    things.mkdir()
    for name, content in ODD.items():
        (things / name).write_bytes(content)
    only(bare).edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(bare)
    clone.registry("new", "things", str(things), "--as-is", "--license", "CC0 1.0")
    # Its source is not copied into raw/.
    clone.edit(
        "config/datasets/things.yaml", f"      urls: [{things}]\n", f"      urls: [{things}]\n      copy: false\n"
    )
    clone.commit("Keep things")
    assert "things: released as things-v1.0.0" in clone.snakemake("--cores", "2")
    first = {f"things/{name}": content for name, content in ODD.items()}
    assert files_of(clone, "things") == first
    assert kept(clone.folder / "data/things/raw").keys() == {"sources.json", "things.in-place.json"}

    (things / "more.csv").write_bytes(b"m\n2\n")
    assert "things: released as things-v1.1.0 (MINOR)" in clone.registry("refresh", "things", "--accept")
    (things / "t.csv").write_bytes(b"n\n3\n")
    printed = clone.registry("refresh", "things", "--accept")
    assert "things: released as things-v2.0.0 (MAJOR)" in printed
    assert "1 row changed in all (things/t.csv)" in printed
    assert "Nothing to be done" in clone.snakemake("-n")
    assert "things/more.csv" in clone.registry("diff", "things", "1.0.0", "1.1.0")
    assert "things/t.csv" in clone.registry("samples", "things")
    [place] = clone.registry_json("find", str(things / "t.csv"))["places"]
    assert (place["version"], place["key"], place["taken_as"]) == ("2.0.0", "things/t.csv", "sha256")
    assert "identical" in clone.registry("verify", "things-v2.0.0")

    clone.registry("rollback", "things", "1.0.0")
    assert files_of(clone, "things") == first
    assert "Nothing to be done" in clone.snakemake("-n")
    clone.registry("unpin", "things")
    last = {**first, "things/more.csv": b"m\n2\n", "things/t.csv": b"n\n3\n"}
    assert files_of(clone, "things") == last

    clone.git("clone", "--quiet", str(clone.folder), str(tmp_path / "other"))
    other = Clone(tmp_path / "other")
    (other.folder / ".dvc/config.local").write_text(f"['remote \"local\"']\n    url = {clone.folder}/storage\n")
    other.registry("pull", "things")
    assert files_of(other, "things") == last

    dataset = open_dataset("things", repo=clone.folder)
    rows = dataset.to_polars()
    assert rows["path"].to_list() == sorted(last)
    assert dataset.lazy_frame().collect().equals(rows)
    cached = [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert cached
    assert ODD["p.png"] not in cached
    assert kept(dataset.fetch(tmp_path / "fetched") / "files") == last
    assert pl.read_parquet(tmp_path / "fetched/processed/things.parquet").equals(rows)
