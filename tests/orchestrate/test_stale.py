"""Dagster takes for out of date what `snakemake -n` lists, whatever has changed, and whoever built it."""

import hashlib

from orchestrated import OTHER, SMALL, Orchestrated
from project import DATASETS, with_those_made_of

NOT_MADE = {*DATASETS} - {SMALL, OTHER}
SHARED = "scripts/registry/formats/parquet.py"
"""A module that the scripts of every dataset import."""
SOURCE = f"data/samples/{OTHER}/winequality-red.csv"


def agreed(clone: Orchestrated) -> set[str]:
    """Return what Dagster and Snakemake agree to be out of date of the two datasets that were built."""
    unsynced, planned = clone.unsynced(), clone.planned()
    assert unsynced & {SMALL, OTHER} == planned & {SMALL, OTHER}
    assert unsynced >= planned
    return unsynced - NOT_MADE


def test_both_agree_after_a_change_of_params_of_a_source_of_code_and_after_a_rollback(materialized):
    clone: Orchestrated = materialized
    assert agreed(clone) == set()

    clone.configure(SMALL, n_samples=1200)
    assert agreed(clone) == {SMALL}
    clone.commit("More samples")
    assert clone.execute(SMALL).success
    assert clone.tags() == [f"{SMALL}-v1.0.0", f"{SMALL}-v1.1.0", f"{OTHER}-v1.0.0"]
    assert agreed(clone) == set()

    path = clone.folder / SOURCE
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[2], lines[1], *lines[3:]]))
    clone.edit("data/samples/SHA256SUMS", before, hashlib.sha256(path.read_bytes()).hexdigest())
    assert agreed(clone) == {OTHER}
    clone.commit("Swap two wines")
    assert clone.execute("wine_quality").success
    assert agreed(clone) == set()

    code = clone.folder / SHARED
    written = code.read_text()
    code.write_text(f"{written}\nUNUSED = 1\n")
    assert agreed(clone) == {SMALL, OTHER}
    code.write_text(written)
    assert agreed(clone) == set()

    clone.registry("rollback", SMALL, "1.0.0")
    clone.tell()
    assert clone.newest(SMALL).metadata["version"].value == "1.0.0"
    assert agreed(clone) == set()


def test_what_is_made_of_another_is_out_of_date_with_it(fresh):
    clone, made_of = fresh, "opencloudhub-readmes"
    clone.registry("run", made_of, "opencloudhub-readmes-rag-evaluation", "opencloudhub-readmes-embeddings")
    clone.tell()
    assert clone.unsynced() & with_those_made_of(made_of) == set()
    readme = clone.folder / "data" / "samples" / made_of / "HEAD" / "gitops" / "README.md"
    before = hashlib.sha256(readme.read_bytes()).hexdigest()
    readme.write_text(f"{readme.read_text()}\n## More\n\nThere is more of it now.\n")
    clone.edit("data/samples/SHA256SUMS", before, hashlib.sha256(readme.read_bytes()).hexdigest())
    assert clone.unsynced() & with_those_made_of(made_of) == clone.planned() & with_those_made_of(made_of)
    assert clone.planned() >= with_those_made_of(made_of)


def test_both_agree_in_a_clone_after_a_pull(materialized_once, tmp_path):
    clone = Orchestrated(materialized_once.cloned(tmp_path / "registry").folder)
    clone.registry("pull", SMALL, OTHER)
    clone.tell()
    assert clone.newest(SMALL).metadata["version"].value == "1.0.0"
    assert agreed(clone) == set()
    clone.configure(SMALL, seed=7)
    assert agreed(clone) == {SMALL}
