"""Every version that the code of before released is at hand with the code of today."""

import json
import os
import re

import pytest

from clone import Clone
from commands import republish, unpin
from registry import open_dataset
from registry.files import dvc_digest
from registry_of_before import PINNED, RENAMED, TAGS, VERSIONS, unpack, upgrade
from support import ROOT, stress

REBUILT = {
    f"{name}-v1.0.1": "metadata.json counts more problems than it did"
    for name in ("emotion", "wine-quality", "radiology-mini", "opencloudhub-readmes")
} | {"opencloudhub-readmes-embeddings-v1.0.1": "metadata.json of embeddings says what their context is"}
"""The PATCH versions that a rebuild makes, and why in words that stand in CHANGELOG.md: {tag: reason}."""
LOG = {
    "3.0.0": "content of 1.1.0",
    "2.0.0": "MAJOR: 1,400 rows changed in all (dataset.csv:0, dataset.csv:1, dataset.csv:2, ...)",
    "1.1.0": "MINOR: 400 rows added to all",
    "1.0.0": "first release",
}
"""The first thing that the log says of each version of tabular."""


def parts(tag: str) -> tuple[str, str]:
    name, _, version = tag.rpartition("-v")
    return name, version


def shown(clone: Clone, tag: str, path: str) -> str:
    return clone.git("show", f"{tag}:data/{parts(tag)[0]}/{path}")


def outs(clone: Clone, tag: str) -> dict[str, str]:
    """Return {path: md5} of the data and the manifest of a version."""
    described = json.loads(shown(clone, tag, "provenance.json"))
    return {described["data"]["path"]: described["data"]["md5"], "manifest.parquet": described["manifest"]["md5"]}


def check_here(clone: Clone, tag: str) -> None:
    """Check that the working tree has exactly the data of a version."""
    folder = clone.folder / "data" / parts(tag)[0]
    assert {path: dvc_digest(folder / path) for path in outs(clone, tag)} == outs(clone, tag)
    assert (folder / "metadata.json").read_text(encoding="utf-8") == shown(clone, tag, "metadata.json") + "\n"


def content_hashes(clone: Clone) -> dict[str, str]:
    files = {name: clone.folder / "data" / name / "metadata.json" for name in VERSIONS}
    return {name: json.loads(path.read_text(encoding="utf-8"))["content_hash"] for name, path in files.items()}


def test_configuration_of_before_is_taken_or_its_new_spelling_is_named(tmp_path):
    clone = unpack(tmp_path / "registry")
    upgrade(clone)
    clone.registry("pull", *PINNED)
    for file, old, new, message in RENAMED:
        printed = clone.snakemake("-n")
        assert message in printed
        assert file in printed
        assert "left_out" in printed
        assert "Traceback" not in printed
        clone.edit(file, old, new)
    assert "left_out" not in clone.snakemake("-n")


def test_every_version_is_listed_and_logged(before):
    assert set(before.tags()) == set(TAGS)
    found = {one["dataset"]: one for one in before.registry_json("status")}
    assert {name: one["version"] for name, one in found.items()} == {
        name: those[-1] for name, those in VERSIONS.items()
    }
    assert {name for name, one in found.items() if one["state"] == "pinned"} == PINNED.keys()
    for name, versions in VERSIONS.items():
        assert [entry["version"] for entry in before.registry_json("log", name)] == versions[::-1]
    log = {entry["version"]: entry for entry in before.registry_json("log", "tabular")}
    assert {version: entry["changes"][0] for version, entry in log.items()} == LOG
    assert [version for version, entry in log.items() if entry["superseded_by"]] == ["2.0.0"]


def test_a_new_clone_gets_all_of_it_without_building(before_once, tmp_path):
    clone = before_once.cloned(tmp_path / "clone")
    pulled = {one["dataset"]: one for one in clone.registry_json("pull", "--raw")}
    assert {name: one["state"] for name, one in pulled.items()} == dict.fromkeys(VERSIONS, "restored")
    assert {name for name, one in pulled.items() if one["pinned"]} == PINNED.keys()
    for name, versions in VERSIONS.items():
        check_here(clone, f"{name}-v{versions[-1]}")
    assert clone.git("status", "--porcelain") == ""
    assert {path.read_text() for path in clone.folder.glob("logs/**/*.log")} == {""}


@pytest.mark.parametrize("tag", TAGS)
def test_it_is_opened(tag, before_once):
    name, version = parts(tag)
    found = open_dataset(name, version, before_once.folder)
    assert found.metadata == json.loads(shown(before_once, tag, "metadata.json"))
    assert found.provenance == json.loads(shown(before_once, tag, "provenance.json"))
    rows = sum(split["num_samples"] for split in found.metadata["splits"].values())
    if name == "radiology-mini":
        assert sum(path.endswith(".jpg") for path in found.urls) == rows
    else:
        assert found.lazy_frame().collect().height == rows


def test_versions_are_compared_with_each_other_and_with_what_is_built(before):
    found = before.registry_json("diff", "tabular", "1.0.0", "1.1.0")
    assert found["splits"]["all"]["added"] == 400
    assert before.registry_json("diff", "tabular", "1.1.0", "3.0.0")["content_differs"] is False
    for name in VERSIONS:
        found = before.registry_json("diff", name, "latest")
        assert (found["content_differs"], found["bytes_differ"], found["metadata"]) == (False, False, []), name


def test_samples_are_traced_in_every_version(before):
    for tag in TAGS:
        metadata = json.loads(shown(before, tag, "metadata.json"))
        found = before.registry_json("samples", tag)
        assert found["content_hash"] == metadata["content_hash"]
        assert found["splits"] == {name: split["num_samples"] for name, split in metadata["splits"].items()}
        first = found["rows"][0]
        places = before.registry_json("find", first["sample_id"], "--dataset", parts(tag)[0])["places"]
        assert (tag, first["split"], first["key"]) in {(place["tag"], place["split"], place["key"]) for place in places}


def test_there_and_back_to_every_version(before):
    for tag in TAGS:
        name, version = parts(tag)
        before.registry("rollback", name, version)
        check_here(before, tag)
        assert f"data/{name}/pin.json" not in before.git("status", "--porcelain")
    assert before.planned() == set()
    for name in ("radiology-mini", "tabular"):
        before.registry(*unpin(name))
        check_here(before, f"{name}-v{VERSIONS[name][-1]}")
        assert not (before.folder / "data" / name / "pin.json").exists()
    assert set(before.tags()) == set(TAGS)
    assert before.git("status", "--porcelain") == ""


def test_an_old_version_is_released_again(before):
    before.registry(*republish("tabular", "1.0.0", "the rows that were added are wrong"))
    assert set(before.tags()) - set(TAGS) == {"tabular-v4.0.0"}
    check_here(before, "tabular-v1.0.0")
    assert outs(before, "tabular-v4.0.0") == outs(before, "tabular-v1.0.0")
    superseded = {entry["version"]: entry["superseded_by"] for entry in before.registry_json("log", "tabular")}
    assert superseded == {"4.0.0": None, "3.0.0": "4.0.0", "2.0.0": "4.0.0", "1.1.0": "4.0.0", "1.0.0": None}


def test_a_rebuild_with_the_code_of_today_makes_no_version(before):
    contents = content_hashes(before)
    before.configure("tabular", seed=42)
    before.commit("Go on with the old seed")
    for name in PINNED:
        before.registry(*unpin(name))
    assert before.planned() == set(VERSIONS)
    before.snakemake("--cores", "2", "--config", "publish=true")
    assert content_hashes(before) == contents
    assert set(before.tags()) - set(TAGS) == REBUILT.keys()
    levels = [before.registry_json("log", parts(tag)[0])[0]["changes"][0] for tag in REBUILT]
    assert [level for level in levels if not level.startswith("PATCH: ")] == []
    changelog = " ".join((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split())
    assert [reason for reason in REBUILT.values() if reason not in changelog] == []
    assert before.git("status", "--porcelain") == ""
    assert "Nothing to be done" in before.snakemake("-n")


@pytest.mark.parametrize("tag", ["tabular-v3.0.0", *stress(tag for tag in TAGS if tag != "tabular-v3.0.0")])
def test_it_comes_out_again_from_its_own_code(tag, before_once):
    """Where an environment of today lacks a library that its code needs, that is said in one line."""
    printed = before_once.registry("verify", tag, code=None)
    lacking = re.search(rf"^error: {tag}: its code needs (\w+), which is not installed here$", printed, re.MULTILINE)
    same = (f"{tag}: identical, byte for byte", f"{tag}: the samples are the same")
    assert lacking or any(words in printed for words in same), printed
    assert "Traceback" not in printed


def test_a_library_that_its_code_needs_and_that_is_not_there_is_named(before_once, tmp_path):
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    (lacking / "pandera.py").write_text("raise ModuleNotFoundError(\"No module named 'pandera'\", name='pandera')\n")
    path = os.pathsep.join([str(before_once.folder / "scripts"), str(lacking)])
    printed = before_once.registry("verify", "tabular-v3.0.0", code=1, PYTHONPATH=path)
    assert "error: tabular-v3.0.0: its code needs pandera, which is not installed here\n  what to do: " in printed
    assert "Traceback" not in printed
