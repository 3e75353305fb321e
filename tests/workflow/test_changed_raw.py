"""A file in raw/ that somebody edits makes no data: it says where its bytes came from, and they did not."""

import shutil

import pytest

EDITED = {
    "wine-quality": "winequality-red.csv",
    "tabular": "dataset.csv",
    "radiology-mini": "captions.json",
    "opencloudhub-readmes": "index.json",
    "emotion": "split/validation-00000-of-00001.parquet",
}


@pytest.mark.parametrize("dataset", EDITED)
def test_it_is_refused_and_fetched_again(built, dataset):
    before = built.products()
    path = built.folder / "data" / dataset / "raw" / EDITED[dataset]
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1) + b"\n")
    rule = dataset.replace("-", "_")
    printed = built.snakemake("--cores", "2", "--", rule, fails=True)
    assert "changed since it was fetched or made" in printed
    assert "what to do: remove it and run the same command again" in printed
    assert "Traceback" not in printed
    path.unlink()
    built.snakemake("--cores", "2", "--", rule)
    assert built.products() == before


def test_one_that_was_restored_is_held_to_its_sources(built):
    shutil.rmtree(built.folder / "data" / "wine-quality" / ".raw")
    path = built.folder / "data" / "wine-quality" / "raw" / "winequality-red.csv"
    path.write_bytes(path.read_bytes().replace(b"7.4", b"9.9", 1))
    printed = built.snakemake("--cores", "2", "--", "wine_quality", fails=True)
    assert "data/wine-quality/raw/winequality-red.csv: changed since it was fetched or made" in printed
