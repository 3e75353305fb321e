"""Which run made the data is a note in provenance.json: of every release, and no reason for a commit or a version."""

import json

import pytest

from registry.files import dvc_digest
from tiny import Tiny, make_tiny

NAME = "opencloudhub-readmes-rag-evaluation"
RULE = NAME.replace("-", "_")
FIRST = {
    "id": "0f4c9a1e",
    "url": "https://ci.example.org/runs/17?attempt=2",
    "image": "ghcr.io/team/registry:1.0@sha256:" + "a" * 64,
    "commit": "b" * 40,
    "actor": "Ada Løvelace",
}
SECOND = {"id": "another run"}


def variables(run: dict[str, str]) -> dict[str, str]:
    return {f"REGISTRY_RUN_{fact.upper()}": value for fact, value in run.items()}


@pytest.fixture(scope="module")
def noted_once(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """1.0.0 of both datasets is released; a run made only the letters."""
    clone = make_tiny(tmp_path_factory.mktemp("tiny") / "registry")
    clone.build("letters", 10, run=FIRST)
    clone.build("numbers", 10)
    clone.registry("publish")
    return clone


@pytest.fixture
def clone(noted_once: Tiny, tmp_path) -> Tiny:
    return noted_once.copied(tmp_path / "registry")


def recorded(clone: Tiny, revision: str, dataset: str = "letters") -> dict[str, str] | None:
    return json.loads(clone.git("show", f"{revision}:data/{dataset}/provenance.json")).get("run")


def files_of(clone: Tiny, dataset: str) -> dict[str, str]:
    folder = clone.folder / "data" / dataset
    return {name: dvc_digest(folder / name) for name in ("processed", "manifest.parquet", "metadata.json")}


def test_a_job_writes_it_down_and_for_those_after_it_the_data_is_the_same(fresh):
    snakemake = ("snakemake", "--cores", "2", "--config", "publish=false")
    for value in ("x\n", "x" * 501):
        printed = fresh.run(*snakemake, "--", RULE, code=1, REGISTRY_RUN_ACTOR=value)
        assert "REGISTRY_RUN_ACTOR in the environment: not a line of at most 500 printable characters" in printed
    printed = fresh.run(*snakemake, "--", RULE, code=1, REGISTRY_RUN_URL="https://me:hunter2@ci.example.org/1")
    assert "REGISTRY_RUN_URL in the environment: it holds a password or a token" in printed
    assert "hunter2" not in printed
    assert not (fresh.folder / "data" / NAME / "raw").exists()

    fresh.run(*snakemake, "--", RULE, **variables(FIRST), REGISTRY_RUN_OTHER="is not asked for")
    fresh.registry("publish", NAME)
    assert recorded(fresh, f"{NAME}-v1.0.0", NAME) == FIRST
    assert fresh.registry_json("log", NAME)[0]["run"] == FIRST

    head = fresh.head()
    assert "Nothing to be done" in fresh.run(*snakemake, "-n", "--", RULE, **variables(SECOND))
    fresh.run(*snakemake, "--forcerun", f"{RULE}_analyze", "--", RULE, **variables(SECOND))
    written = fresh.folder / "data" / NAME / "provenance.json"
    assert json.loads(written.read_text())["run"] == SECOND
    noted = written.read_text()
    written.write_text(noted.replace('"passed": true', '"passed": false'))
    assert f"not published: data/{NAME}/provenance.json" in fresh.registry("pull", NAME, code=1)
    written.write_text(noted)
    fresh.registry("pull", NAME)
    assert json.loads(written.read_text())["run"] == FIRST
    written.write_text(noted)
    (state,) = [one for one in fresh.registry_json("status") if one["dataset"] == NAME]
    assert (state["state"], state["version"]) == ("released", "1.0.0")
    assert "Nothing new to release" in fresh.registry("publish")
    assert (fresh.head(), fresh.tags(), fresh.git("status", "--short")) == (head, [f"{NAME}-v1.0.0"], "")


@pytest.mark.parametrize("run", [SECOND, None])
@pytest.mark.parametrize("dataset", ["letters", "numbers"])
def test_another_run_or_none_makes_no_commit_and_the_same_bytes(clone, dataset, run):
    before, head = files_of(clone, dataset), clone.head()
    clone.build(dataset, 10, run=run)
    assert files_of(clone, dataset) == before
    assert "Nothing new to release" in clone.registry("publish")
    assert (clone.head(), clone.git("status", "--short")) == (head, "")


def test_a_version_has_the_run_that_made_it_and_so_has_the_commit_that_records_other_code(clone):
    clone.build("letters", 12, run=SECOND)
    clone.registry("publish")
    assert [recorded(clone, f"letters-v{version}") for version in ("1.0.0", "1.1.0")] == [FIRST, SECOND]
    assert [entry["run"] for entry in clone.registry_json("log", "letters")] == [SECOND, FIRST]
    assert [entry["run"] for entry in clone.registry_json("log", "numbers")] == [None]

    clone.edit("scripts/tiny/build.py", "Stands for", "Stands in for")
    (clone.folder / "scripts/tiny/build.py").open("a").write("OTHER = 1\n")
    clone.commit("Change the code")
    clone.build("letters", 12, run=FIRST)
    assert "letters: committed without a new version" in clone.registry("publish", "letters")
    assert [recorded(clone, revision) for revision in ("letters-v1.1.0", "HEAD")] == [SECOND, FIRST]
