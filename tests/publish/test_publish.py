"""The hook and `registry publish`: what is released, how, and what is left alone."""

import json
import os
import shutil
from pathlib import Path

import pytest

from clone import Clone
from project import ALIASES, DATASETS
from registry.storage.snapshot import ADDED
from tiny import make_tiny

MANGLE = '#!/bin/sh\nfor file in data/*/*.json; do echo "{}" > "$file"; done\ngit add --all\n'
REFUSE = "#!/bin/sh\nexit 1\n"


def traces(clone: Clone) -> dict[str, object]:
    """Return all that a release leaves behind: references, index, DVC's files, what git would list as changed."""
    kept = [path for path in (clone.folder / ".dvc").rglob("*") if path.is_file() and "tmp" not in path.parts]
    kept += sorted((clone.folder / "data").glob("*/*.dvc"))
    return {
        "refs": clone.git("for-each-ref"),
        "head": clone.head(),
        "index": clone.git("ls-files", "--stage"),
        "status": clone.git("status", "--porcelain"),
        "dvc": {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in kept},
    }


def committed(clone: Clone, revision: str = "HEAD") -> set[str]:
    """Return the files that a commit changed."""
    return set(clone.git("show", "--format=", "--name-only", revision).splitlines())


def got(clone: Clone, dataset: str, revision: str, target: Path, path: str = "processed") -> Path:
    """Return what a client's `dvc get` brings, with no cache but its own."""
    clone.run(
        "dvc", "get", "--quiet", str(clone.folder), f"data/{dataset}/{path}", "--rev", revision, "-o", str(target)
    )
    return target


def test_a_first_run_releases_all_datasets_in_one_commit(released_once, tmp_path):
    printed = released_once.folder.with_suffix(".log").read_text(encoding="utf-8")
    assert set(released_once.tags()) == {f"{name}-v1.0.0" for name in (*DATASETS, *ALIASES)}
    assert released_once.git("log", "--format=%s").splitlines() == [
        f"Release {len(DATASETS)} datasets",
        "Start",
    ]
    assert released_once.git("log", "-1", "--format=%an %ae %cn %ce") == " ".join(["Ada Tester ada@example.org"] * 2)
    tags = [f"refs/tags/{name}-v1.0.0" for name in DATASETS]
    refs = released_once.git("for-each-ref", *tags, "--format=%(objecttype) %(*objectname) %(taggername)")
    assert set(refs.splitlines()) == {f"tag {released_once.head()} Ada Tester"}
    assert released_once.git("--no-optional-locks", "status", "--porcelain") == ""
    for name in DATASETS:
        assert f"{name}: released as {name}-v1.0.0\n  first release" in printed
    files = set(released_once.git("ls-tree", "-r", "--name-only", "HEAD", "data").splitlines())
    for name in DATASETS:
        data = "questions.csv" if name == "opencloudhub-readmes-rag-evaluation" else "processed"
        expected = {"metadata.json", "provenance.json", "manifest.parquet.dvc", f"{data}.dvc", "raw.dvc", *ADDED}
        if name == "events":
            expected.remove("raw.dvc")
        assert {path.removeprefix(f"data/{name}/") for path in files if path.startswith(f"data/{name}/")} == expected
    assert "reports/tabular/profile.json" in committed(released_once)
    assert {path.split("/")[0] for path in committed(released_once)} == {"data", "reports"}


@pytest.mark.parametrize("dataset", ["radiology-mini", "opencloudhub-readmes-rag-evaluation"])
def test_what_is_released_can_be_fetched_without_the_cache(released, tmp_path, dataset):
    shutil.rmtree(released.folder / ".dvc" / "cache")
    data = "questions.csv" if dataset == "opencloudhub-readmes-rag-evaluation" else "processed"
    fetched = got(released, dataset, f"{dataset}-v1.0.0", tmp_path / "got", data)
    built = released.folder / "data" / dataset / data
    pairs = [(fetched, built)] if built.is_file() else []
    pairs += [(fetched / path.relative_to(built), path) for path in built.rglob("*") if path.is_file()]
    pairs = [(left, right) for left, right in pairs if right.name != ".snakemake_timestamp"]
    assert len(pairs) == (1 if built.is_file() else 34)
    assert all(left.read_bytes() == right.read_bytes() for left, right in pairs)
    assert not list(fetched.rglob(".snakemake_timestamp"))


def test_nothing_new_makes_nothing(released):
    before = traces(released)
    assert "Nothing to be done" in released.snakemake("--cores", "2")
    every = f"{len(DATASETS)} of {len(DATASETS)}"
    assert f"Nothing new to release ({every} datasets are released as they are)." in released.registry("publish")
    for path in (released.folder / "data").rglob("*"):
        os.utime(path, (2_000_000_000, 2_000_000_000))
    done = released.registry_json("publish")
    assert {outcome["state"] for outcome in done["outcomes"]} == {"unchanged"}
    assert done["commit"] is None
    assert traces(released) | {"dvc": None} == before | {"dvc": None}
    assert [path for path in before["dvc"] if not path.endswith("metadata.json")]
    assert traces(released)["dvc"].keys() == before["dvc"].keys()
    printed = released.registry("status")
    assert printed.count(" released ") >= 7
    assert {one["state"] for one in released.registry_json("status")} == {"released"}


def test_the_same_data_built_again_makes_nothing(released):
    head = released.head()
    printed = released.snakemake("--cores", "2", "--forcerun", "tabular_generate", "--", "tabular")
    assert "Nothing new to release" in printed
    assert released.head() == head
    assert len(released.tags()) == len(DATASETS) + len(ALIASES)


USERS = {"README.md": "staged", "Makefile": "unstaged", "CHANGELOG.md": "both", "notes.txt": "untracked"}
"""What the user of the next fixture has under way."""


@pytest.fixture(scope="session")
def second_once(once, released_once) -> Clone:
    """A clone with tabular-v1.1.0, released by a run while its user had work under way; look but do not touch."""

    def make(folder: Path) -> str:
        clone = released_once.copied(folder)
        for hook, text in {"pre-commit": MANGLE, "commit-msg": REFUSE, "post-commit": REFUSE}.items():
            clone.write(f".git/hooks/{hook}", text)
            (clone.folder / ".git" / "hooks" / hook).chmod(0o755)
        clone.write("README.md", "staged\n")
        clone.write("CHANGELOG.md", "staged\n")
        clone.git("rm", "--quiet", "--cached", "LICENSE")
        clone.git("add", "README.md", "CHANGELOG.md")
        clone.write("Makefile", "unstaged\n")
        clone.write("CHANGELOG.md", "unstaged\n")
        clone.write("notes.txt", "untracked\n")
        clone.configure("tabular", n_samples=1_100)
        work = clone.git("diff", "--cached") + clone.git("diff", "--", "Makefile", "CHANGELOG.md", "README.md")
        folder.with_suffix(".work").write_text(work, encoding="utf-8")
        return clone.snakemake("--cores", "2")

    return Clone(once("second", make))


def test_one_changed_dataset_makes_one_version_of_it_alone(second_once, released_once):
    clone = second_once
    printed = clone.folder.with_suffix(".log").read_text(encoding="utf-8")
    assert "tabular: released as tabular-v1.1.0 (MINOR)\n  100 rows added to all\n" in printed
    assert set(clone.tags()) - set(released_once.tags()) == {"tabular-v1.1.0"}
    assert clone.git("rev-parse", "HEAD^") == released_once.head()
    assert clone.git("rev-parse", "tabular-v1.1.0^{commit}") == clone.head()
    assert committed(clone) == {
        "config/datasets/tabular.yaml",
        "data/tabular/README.md",
        "data/tabular/croissant.json",
        "data/tabular/manifest.parquet.dvc",
        "data/tabular/metadata.json",
        "data/tabular/processed.dvc",
        "data/tabular/provenance.json",
        "data/tabular/raw.dvc",
        "reports/tabular/profile.json",
    }
    assert "n_samples: 1100" in clone.git("show", "tabular-v1.1.0:config/datasets/tabular.yaml")
    for tag in released_once.tags():
        assert clone.git("rev-parse", tag) == released_once.git("rev-parse", tag)


def test_the_work_of_the_user_is_left_alone(second_once):
    clone = second_once
    kept = clone.git("diff", "--cached") + clone.git("diff", "--", "Makefile", "CHANGELOG.md", "README.md")
    assert kept == clone.folder.with_suffix(".work").read_text(encoding="utf-8")
    assert clone.git("--no-optional-locks", "status", "--porcelain").splitlines() == [
        "MM CHANGELOG.md",
        "D  LICENSE",
        " M Makefile",
        "M  README.md",
        "?? LICENSE",
        "?? notes.txt",
    ]
    assert (clone.folder / "notes.txt").read_text(encoding="utf-8") == "untracked\n"
    assert (clone.folder / "data" / "emotion" / "metadata.json").read_text(encoding="utf-8") != "{}\n"


def test_the_tag_says_what_changed(second_once):
    subject, _, change, _, rows, content = second_once.git(
        "for-each-ref", "refs/tags/tabular-v1.1.0", "--format=%(contents)"
    ).splitlines()[:6]
    assert (subject, change, rows) == ("tabular 1.1.0", "MINOR: 100 rows added to all", "rows: all 1,100")
    assert content.startswith("content: sha256:")
    log = second_once.registry_json("log", "tabular")
    assert [(entry["version"], entry["changes"][0]) for entry in log] == [
        ("1.1.0", "MINOR: 100 rows added to all"),
        ("1.0.0", "first release"),
    ]
    assert log[0]["commit"] == second_once.head()
    printed = second_once.registry("log", "tabular")
    assert printed.index("tabular-v1.1.0") < printed.index("tabular-v1.0.0")
    body = second_once.git("log", "-1", "--format=%B")
    assert body.startswith("Release tabular 1.1.0\n\ntabular 1.1.0:\n- 100 rows added to all")


def test_every_version_is_read_by_dvc_get(second_once, released_once, tmp_path):
    for clone, version in ((released_once, "1.0.0"), (second_once, "1.1.0")):
        built = clone.folder / "data" / "tabular" / "processed" / "tabular.parquet"
        fetched = got(second_once, "tabular", f"tabular-v{version}", tmp_path / version)
        assert [path.name for path in fetched.iterdir()] == ["tabular.parquet"]
        assert (fetched / "tabular.parquet").read_bytes() == built.read_bytes()


def test_refactored_code_is_recorded_without_a_version(released):
    released.edit("scripts/tabular/process.py", "import polars as pl\n", "import polars as pl  # a comment\n")
    released.commit("Refactor")
    tags, tip = released.tags(), released.head()
    printed = released.snakemake("--cores", "2", "tabular")
    assert "tabular: committed without a new version, it is still 1.0.0" in printed
    assert released.tags() == tags
    assert released.git("rev-parse", "HEAD^") == tip
    assert released.git("log", "-1", "--format=%s") == "Record how tabular came to be"
    assert committed(released) == {"data/tabular/provenance.json"}
    assert released.git("status", "--porcelain") == ""
    assert "Nothing new to release" in released.registry("publish")
    assert "Nothing to be done" in released.snakemake("--cores", "2")


def test_a_failed_run_releases_what_it_completed_only_with_keep_going(fresh):
    sample = fresh.folder / "data" / "samples" / "wine-quality" / "winequality-red.csv"
    good = sample.read_bytes()
    sample.write_bytes(good.replace(b"7.4", b"7.5", 1))
    fresh.snakemake("--cores", "2", "--config", "publish=off", "--", "tabular")
    fresh.snakemake("--cores", "2", "wine_quality", fails=True)
    assert fresh.tags() == []
    printed = fresh.snakemake("--cores", "2", "--keep-going", "wine_quality", fails=True)
    assert fresh.tags() == ["tabular-v1.0.0"]
    assert "wine-quality: incomplete, not released" not in printed or "snakemake --cores all wine_quality" in printed
    sample.write_bytes(good)
    fresh.snakemake("--cores", "2", "wine_quality")
    assert fresh.tags() == ["tabular-v1.0.0", "wine-quality-v1.0.0"]
    assert fresh.git("log", "--format=%s").splitlines() == [
        "Release wine-quality 1.0.0",
        "Release tabular 1.0.0",
        "Start",
    ]


def test_a_run_of_one_target_leaves_its_dataset_incomplete(fresh):
    printed = fresh.snakemake("--cores", "1", "data/tabular/processed")
    assert "tabular: incomplete, not released" in printed
    assert "snakemake --cores all tabular" in printed
    assert fresh.git("log", "--format=%s") == "Start"
    assert fresh.registry_json("publish", "tabular")["outcomes"][0]["state"] == "incomplete"
    states = {one["dataset"]: one["state"] for one in fresh.registry_json("status")}
    assert states == dict.fromkeys(DATASETS, "not built") | {"tabular": "incomplete"}
    assert "tabular: not built" not in fresh.registry("publish")
    assert "emotion: not built" in fresh.registry("publish", "emotion")


def test_raw_files_of_other_sources_do_not_go_with_a_release(tmp_path):
    clone = make_tiny(tmp_path / "registry")
    clone.build("letters", 10)
    clone.registry("publish")
    clone.build("letters", 20)
    path = clone.folder / "data" / "letters" / "provenance.json"
    provenance = json.loads(path.read_text(encoding="utf-8"))
    provenance["source"]["generator"] = "another"
    path.write_text(json.dumps(provenance), encoding="utf-8")
    assert clone.git("ls-tree", "--name-only", "HEAD", "data/letters/raw.dvc")
    clone.registry("publish")
    assert "letters-v1.1.0" in clone.tags()
    assert not clone.git("ls-tree", "--name-only", "letters-v1.1.0", "data/letters/raw.dvc")
    assert clone.git("status", "--porcelain") == ""


def test_a_linked_working_tree_releases_for_both(released, tmp_path):
    released.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "tree"))
    tree = Clone(tmp_path / "tree")
    tree.configure("tabular", n_samples=1_200)
    assert "tabular: released as tabular-v1.1.0 (MINOR)" in tree.snakemake("--cores", "2", "tabular")
    assert tree.git("status", "--porcelain") == ""
    assert tree.git("rev-parse", "tabular-v1.1.0^{commit}") == tree.head() != released.head()
    assert released.git("status", "--porcelain") == ""
    built = (tree.folder / "data" / "tabular" / "processed" / "tabular.parquet").read_bytes()
    for reader in (released, tree):
        for version in ("1.0.0", "1.1.0"):
            target = tmp_path / f"{reader.folder.name}-{version}"
            fetched = got(reader, "tabular", f"tabular-v{version}", target)
            assert ((fetched / "tabular.parquet").read_bytes() == built) == (version == "1.1.0")


def test_publish_works_from_below_the_top(released):
    printed = Clone(released.folder / "scripts" / "tabular").registry(
        "publish", PYTHONPATH=str(released.folder / "scripts")
    )
    assert f"Nothing new to release ({len(DATASETS)} of {len(DATASETS)}" in printed


def test_a_licence_that_nobody_knows_is_told(tmp_path):
    clone = make_tiny(tmp_path / "registry")
    clone.edit("config/datasets/numbers.yaml", "license: Apache-2.0", "license: unknown")
    for name in ("letters", "numbers"):
        clone.build(name, rows=10)
    printed = clone.registry("publish")
    told = "numbers: its licence is unknown; write it into config/datasets/numbers.yaml, about.license"
    assert told in printed
    assert "letters: its licence" not in printed
