"""A dataset that is made of others: what makes a version of it, and how it is released and restored."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from clone import Clone
from project import ALIASES, DATASETS

NAME, CORPUS = "opencloudhub-readmes-embeddings", "opencloudhub-readmes"
RULE = NAME.replace("-", "_")
README = f"data/samples/{CORPUS}/HEAD/gitops/README.md"
TABLE = f"data/{NAME}/processed/embeddings.parquet"
SECTION = "\n## How to restart\n\nDelete every pod: the deployment makes a new one, and nothing else has to be done.\n"


def metadata(clone: Clone, revision: str | None = None) -> dict:
    path = f"data/{NAME}/metadata.json"
    return json.loads(clone.git("show", f"{revision}:{path}") if revision else (clone.folder / path).read_text())


def notes(clone: Clone) -> str:
    log = (clone.folder / "logs" / NAME / "embed.log").read_text()
    return re.search("^note: (.+)$", log, re.MULTILINE)[1]


def write_readme(clone: Clone, text: str) -> None:
    path = clone.folder / README
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(text, encoding="utf-8")
    clone.edit("data/samples/SHA256SUMS", before, hashlib.sha256(path.read_bytes()).hexdigest())


def rows(clone: Clone) -> dict[str, dict]:
    return {row["id"]: row for row in pq.read_table(clone.folder / TABLE).to_pylist()}


def of_repository(table: dict[str, dict], name: str) -> set[str]:
    return {key for key, row in table.items() if row["source_repo"] == name}


@pytest.fixture(scope="module")
def followed(once, released_once) -> Clone:
    """A clone in which one README got a section, and a run released what follows; look but do not touch."""

    def make(folder: Path) -> str:
        clone = released_once.copied(folder)
        write_readme(clone, (clone.folder / README).read_text() + SECTION)
        clone.commit("Tell how to restart")
        return clone.snakemake("--cores", "2")

    return Clone(once("followed", make))


def test_the_first_release_names_the_version_of_the_corpus_that_it_was_made_of(released_once):
    tag = f"{CORPUS}-v1.0.0"
    assert metadata(released_once, f"{NAME}-v1.0.0")["source_data_version"] == tag
    corpus = json.loads(released_once.git("show", f"{tag}:data/{CORPUS}/metadata.json"))
    assert metadata(released_once)["source_content_hash"] == corpus["content_hash"]
    assert released_once.git("--no-optional-locks", "status", "--porcelain") == ""


def test_one_changed_readme_makes_a_version_of_both_and_only_its_new_chunks_are_embedded(followed, released_once):
    assert set(followed.tags()) - set(released_once.tags()) == {f"{CORPUS}-v1.1.0", f"{NAME}-v1.1.0"}
    before, after = rows(released_once), rows(followed)
    new = after.keys() - before.keys()
    assert {after[key]["source_repo"] for key in new} == {"gitops"}
    assert any("Delete every pod" in after[key]["content"] for key in new)
    known = len(after) - len(new)
    assert notes(followed) == f"{len(new)} texts embedded, {known} taken from the last build"
    assert f"{NAME}: {notes(followed)}" in followed.folder.with_suffix(".log").read_text()
    assert "MINOR: 1 row added to all" in followed.git("tag", "--list", "--format=%(contents)", f"{NAME}-v1.1.0")
    assert metadata(followed, f"{NAME}-v1.1.0")["source_data_version"] == f"{CORPUS}-v1.1.0"


def test_readmes_that_did_not_change_keep_their_ids_and_vectors(followed, released_once):
    before, after = rows(released_once), rows(followed)
    for name in {row["source_repo"] for row in before.values()} - {"gitops"}:
        assert of_repository(before, name) == of_repository(after, name)
    same = before.keys() & after.keys()
    assert all(before[key]["embedding"] == after[key]["embedding"] for key in same)


def test_other_float_bits_make_no_version(released):
    """As another processor would compute them."""
    table = pq.read_table(released.folder / TABLE)
    vectors = np.stack(table["embedding"].to_numpy())
    nudged = np.nextafter(vectors, np.float32(2), dtype=np.float32)
    column = table["embedding"].type
    table = table.set_column(2, "embedding", [type_array(nudged, column)])
    pq.write_table(table, released.folder / TABLE)
    reseal(released)
    released.snakemake("--cores", "2", "--config", "publish=false", "--forcerun", f"{RULE}_analyze", "--", RULE)
    printed = released.registry("publish")
    assert f"{NAME}: committed without a new version, it is still 1.0.0" in printed
    assert len(released.tags()) == len(DATASETS) + len(ALIASES)
    assert released.registry_json("diff", NAME, "1.0.0", "latest")["content_differs"] is False
    assert metadata(released)["source_data_version"] == f"{CORPUS}-v1.0.0"
    assert released.git("status", "--porcelain") == ""


def type_array(vectors: np.ndarray, column):
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), column.list_size)


def reseal(clone: Clone) -> None:
    from registry.files import seal

    seal(clone.folder / "data" / NAME / "processed")


def test_another_model_makes_a_version(released):
    clone = released
    # It reads the beginning of each text alone, which takes less time, and finds less.
    clone.edit(f"config/datasets/{NAME}.yaml", "precision: float32", "precision: int8")
    clone.edit(f"config/datasets/{NAME}.yaml", "max_tokens: 256", "max_tokens: 32")
    clone.edit(f"config/datasets/{NAME}.yaml", "retrieval.all.mrr: 0.65", "retrieval.all.mrr: 0.1")
    clone.edit(f"config/datasets/{NAME}.yaml", "coverage_at_5: 0.6", "coverage_at_5: 0.1")
    clone.commit("Compute in 8 bits")
    clone.snakemake("--cores", "2", "--", RULE)
    assert f"{NAME}-v1.1.0" in clone.tags()
    assert notes(clone).endswith(", 0 taken from the last build")
    assert metadata(clone)["model"]["precision"] == "int8"


def test_a_dry_run_names_no_version_that_is_not_there_yet(released):
    write_readme(released, (released.folder / README).read_text() + SECTION)
    released.commit("Tell how to restart")
    released.snakemake("--cores", "2", "--config", "publish=false")
    path = released.folder / "data" / NAME / "metadata.json"
    before = path.read_bytes()
    printed = released.registry("publish", "--dry-run")
    assert f"{CORPUS}: would be released as {CORPUS}-v1.1.0" in printed
    assert path.read_bytes() == before


def test_what_was_made_of_uncommitted_readmes_is_not_released(released):
    write_readme(released, (released.folder / README).read_text() + SECTION)
    printed = released.snakemake("--cores", "2")
    assert len(released.tags()) == len(DATASETS) + len(ALIASES)
    assert (
        f"{NAME}: skipped, not released: made of {CORPUS}: made from files that are not committed: data/samples/"
        in printed
    )


def test_a_clone_that_pulled_has_nothing_to_do_and_takes_over_the_vectors(followed, tmp_path):
    clone = followed.cloned(tmp_path / "clone")
    clone.registry("pull", NAME, f"{NAME.removesuffix('embeddings')}rag-evaluation")
    assert NAME not in clone.planned("--", RULE)
    write_readme(clone, (clone.folder / README).read_text().replace("Delete every pod", "Delete each pod"))
    clone.snakemake("--cores", "2", "--config", "publish=false", "--", RULE)
    assert notes(clone).startswith("1 texts embedded, ")


def test_a_source_of_its_own_there_is_none_to_refresh(released_once):
    printed = released_once.registry("refresh", NAME, code=1)
    assert f"{NAME} is made of {CORPUS}, opencloudhub-readmes-rag-evaluation" in printed
    assert f"registry refresh {CORPUS}" in printed


def test_pulling_tells_apart_what_is_stale_of_the_two(followed, tmp_path):
    clone = followed.cloned(tmp_path / "clone")
    clone.edit(f"config/datasets/{NAME}.yaml", "overlap: 100, min_length: 50", "overlap: 100, min_length: 60")
    clone.commit("Leave out more")
    printed = clone.registry("pull")
    assert f"{NAME}" in printed
    assert clone.planned() == {NAME}
