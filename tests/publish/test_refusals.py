"""What is built but not released, and why."""

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
import yaml

from clone import Clone
from registry.release.waiting import waiting
from registry.storage.repository import Repository
from support import PATIENCE, wait_until
from tiny import FILES, make_tiny

NOT_RELEASED = 3


@pytest.fixture(scope="session")
def changed_once(once, released_once) -> Clone:
    """A clone with all released as 1.0.0, then tabular built with more samples and publishing off; do not touch."""

    def make(folder: Path) -> str:
        clone = released_once.copied(folder)
        clone.configure("tabular", n_samples=1_100)
        return clone.snakemake("--cores", "2", "--config", "publish=false", "--", "tabular")

    return Clone(once("changed", make))


@pytest.fixture
def changed(changed_once, tmp_path) -> Clone:
    """A copy of its own of that clone."""
    return changed_once.copied(tmp_path / "registry")


def settings(clone: Clone, **release: object) -> None:
    """Set keys of `release` in config/config.yaml."""
    path = clone.folder / "config" / "config.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["release"] |= release
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


def outcome(clone: Clone, dataset: str, *arguments: str, code: int = NOT_RELEASED) -> dict:
    """Publish and return what became of a dataset."""
    done = clone.registry_json("publish", *arguments, code=code)
    return next(one for one in done["outcomes"] if one["dataset"] == dataset)


@contextmanager
def nothing_released(clone: Clone) -> Iterator[None]:
    """Check that the block makes no commit and no tag, and leaves the index as it is."""
    before = clone.git("for-each-ref"), clone.head(), clone.git("ls-files", "--stage")
    yield
    assert (clone.git("for-each-ref"), clone.head(), clone.git("ls-files", "--stage")) == before


def test_runs_that_must_not_publish_do_not(changed, changed_once):
    printed = changed_once.folder.with_suffix(".log").read_text(encoding="utf-8")
    assert "tabular" in printed
    assert "released as" not in printed
    with nothing_released(changed):
        for arguments in (
            ("--cores", "2", "--touch", "--forceall"),
            ("-n", "--forceall"),
            ("--lint",),
            ("--report", "report.html"),
            ("--cores", "2", "--forcerun", "tabular_process", "--config", "publish=no", "--", "tabular"),
        ):
            printed = changed.snakemake(*arguments)
            assert "released" not in printed.replace("Released", ""), arguments
    assert "tabular: released as tabular-v1.1.0 (MINOR)" in changed.registry("publish")


def test_data_changed_by_hand_is_neither_described_nor_released(released):
    table = released.folder / "data" / "tabular" / "processed" / "tabular.parquet"
    made = table.read_bytes()
    pl.read_parquet(table).with_columns(feature_0=pl.lit(0.0)).write_parquet(table)
    with nothing_released(released):
        assert outcome(released, "tabular")["state"] == "damaged"
        printed = released.run("snakemake", "--cores", "2", code=1)
        assert "data/tabular/processed: changed by hand since it was made" in printed
        released.run("snakemake", "--cores", "2", "--forcerun", "tabular_process", "--", "tabular")
    assert table.read_bytes() == made


@pytest.mark.parametrize("keep_going", [(), ("--keep-going",)], ids=["fail-fast", "keep-going"])
def test_a_run_that_is_cut_short_publishes_nothing(changed, keep_going):
    changed.edit(
        "scripts/wine_quality/process.py",
        "    with job(snakemake):\n",
        "    with job(snakemake):\n        import time\n"
        "        while not Path('go').exists():\n            time.sleep(0.05)\n",
    )
    changed.commit("Wait")
    log = changed.folder / "logs" / "wine-quality" / "process.log"
    for number in (signal.SIGINT, signal.SIGTERM):
        log.unlink(missing_ok=True)
        with nothing_released(changed):
            process = changed.start("--cores", "2", *keep_going, "wine_quality")
            wait_until(log.exists)
            if number == signal.SIGINT:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            printed = process.communicate(timeout=PATIENCE)[0]
            assert process.returncode != 0, printed
            assert "nothing is released: " in printed
            assert "released as" not in printed, printed
    assert "tabular: released as tabular-v1.1.0 (MINOR)" in changed.registry("publish", "tabular")


def test_only_the_release_branch_releases_and_nothing_under_way(changed, tmp_path):
    changed.git("init", "--quiet", "--bare", "--initial-branch", "main", str(tmp_path / "origin.git"))
    changed.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    changed.git("push", "--quiet", "origin", "main")
    changed.git("remote", "set-head", "origin", "--auto")

    def refused(reason: str) -> None:
        with nothing_released(changed):
            printed = changed.registry("publish", code=NOT_RELEASED)
        assert f"nothing is released: {reason}" in printed

    changed.git("switch", "--quiet", "--create", "feature")
    refused("releases are made from main, this is feature; merge it into main, or set release.branch in")
    done = changed.registry_json("publish", code=NOT_RELEASED)
    assert (done["skipped"], done["outcomes"]) == ("releases are made from main, this is feature", [])
    settings(changed, branch="feature")
    assert "tabular: would be released as tabular-v1.1.0" in changed.registry("publish", "--dry-run")
    changed.git("checkout", "--quiet", "config/config.yaml")

    changed.git("switch", "--quiet", "--detach", "main")
    refused("HEAD is detached; git switch to the branch that releases are made from")

    changed.git("switch", "--quiet", "feature")
    changed.write("README.md", "theirs\n")
    changed.git("commit", "--quiet", "--message", "Theirs", "README.md")
    changed.git("switch", "--quiet", "main")
    changed.write("README.md", "ours\n")
    changed.git("commit", "--quiet", "--message", "Ours", "README.md")
    changed.git("stash", "--quiet")
    changed.git("merge", "--quiet", "feature", code=1)
    refused("a merge is under way; finish or abort it")
    changed.git("merge", "--abort")
    changed.git("rebase", "--quiet", "feature", code=1)
    refused("a rebase is under way; finish or abort it")
    changed.git("rebase", "--abort")
    changed.git("cherry-pick", "feature", code=1)
    refused("a cherry-pick is under way")
    changed.git("cherry-pick", "--abort")
    changed.git("stash", "pop", "--quiet")
    assert "tabular: released as tabular-v1.1.0" in changed.registry("publish")


def test_without_git_a_build_succeeds_and_says_why_nothing_is_released(changed):
    shutil.rmtree(changed.folder / ".git")
    printed = changed.snakemake("--cores", "2", "--forcerun", "tabular_analyze", "--", "tabular")
    assert "nothing is released: " in printed
    assert "not under git" in printed
    assert "git init" in printed
    assert "Traceback" not in printed
    done = changed.registry_json("publish", code=NOT_RELEASED)
    assert "not under git" in done["skipped"]
    assert done["outcomes"] == []
    changed.git("init", "--quiet", "--initial-branch", "main")
    assert "nothing is released: there is no commit yet" in changed.registry("publish", code=NOT_RELEASED)
    changed.git("add", "--all")
    assert "nothing is released: there is no commit yet" in changed.registry("publish", code=NOT_RELEASED)


def test_a_clone_without_its_history_or_tags_begins_nothing_anew(changed, tmp_path):
    origin = f"file://{changed.folder}"
    shallow = tmp_path / "shallow"
    changed.git("clone", "--quiet", "--depth", "1", origin, str(shallow))
    shutil.copytree(changed.folder / "data/tabular", shallow / "data/tabular", dirs_exist_ok=True)
    shutil.copy(changed.folder / "config/datasets/tabular.yaml", shallow / "config/datasets")
    clone = Clone(shallow)
    printed = clone.registry("publish", "tabular", code=NOT_RELEASED)
    assert "this clone is shallow: it does not know all releases; git fetch --unshallow --tags" in printed
    clone.git("fetch", "--quiet", "--unshallow", "--tags")
    assert "tabular: would be released as tabular-v1.1.0" in clone.registry("publish", "tabular", "--dry-run")

    clone.git("tag", "--delete", *clone.tags())
    found = outcome(clone, "tabular", "tabular", code=1)
    assert found["state"] == "refused"
    assert "is committed, so that it was released, but no tag of it is known" in found["reasons"][0]
    status = {one["dataset"]: one for one in clone.registry_json("status")}
    assert status["tabular"]["state"] == "refused"
    command = found["hint"].partition("again after: ")[2]
    clone.sign()
    clone.run("bash", "-c", command)
    assert outcome(clone, "tabular", "tabular", code=0)["version"] == "1.0.0"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_what_git_says_is_said(changed):
    for place in (changed.folder, changed.folder / ".git"):
        os.chown(place, 12345, 12345)
    printed = changed.registry("publish", code=1)
    assert "git reads no repository of another user" in printed
    assert "git init" not in printed
    printed = changed.registry("publish", code=1, PATH="/nonexistent")
    assert "git is not installed" in printed


def test_uncommitted_code_holds_back_its_dataset_alone(changed):
    changed.edit("scripts/wine_quality/process.py", "import polars as pl\n", "import polars as pl  # a comment\n")
    printed = changed.snakemake("--cores", "2", "wine_quality")
    assert "tabular: released as tabular-v1.1.0 (MINOR)" in printed
    assert (
        "wine-quality: skipped, not released: made from files that are not committed: scripts/wine_quality/proc"
        in printed
    )
    head = changed.head()
    assert "git commit" in outcome(changed, "wine-quality")["hint"]
    changed.git("commit", "--quiet", "--message", "Comment", "scripts/wine_quality/process.py")
    found = outcome(changed, "wine-quality", code=0)
    assert (found["state"], found["files"]) == ("recorded", ["data/wine-quality/provenance.json"])
    assert found["reasons"] == ["made by other code or libraries, the data is the same"]
    assert changed.git("rev-parse", "HEAD~2") == head


@pytest.mark.parametrize("module", ["workflow/rules/tabular.smk", "workflow/rules/common.smk"])
def test_an_uncommitted_rule_module_holds_back_its_dataset(changed, module):
    path = changed.folder / module
    path.write_text(path.read_text(encoding="utf-8") + "\n# a comment\n", encoding="utf-8")
    with nothing_released(changed):
        assert outcome(changed, "tabular")["reasons"] == [f"made from files that are not committed: {module}"]
    changed.git("commit", "--quiet", "--message", "Comment", module)
    assert outcome(changed, "tabular", code=0)["tag"] == "tabular-v1.1.0"


def test_what_was_edited_but_not_built_is_not_released(changed):
    changed.configure("tabular", n_samples=1_100, seed=7)
    problems = {"nulls": "drop", "empty_texts": "fail", "labels_out_of_range": "fail", "in_two_splits": "drop"}
    changed.configure("emotion", problems=problems)
    with nothing_released(changed):
        found = outcome(changed, "tabular")
        assert found["state"] == "skipped"
        assert found["reasons"] == ["built with params.seed: 42, not 7"]
        assert "snakemake --cores all tabular" in found["hint"]
    states = {one["dataset"]: (one["state"], one["reason"]) for one in changed.registry_json("status")}
    assert states["emotion"][0] == "outdated"
    assert "params.problems.nulls" in states["emotion"][1]
    assert states["tabular"][0] == "changed"


def test_another_version_in_the_index_is_not_run_over(changed):
    built = (changed.folder / "config" / "datasets" / "tabular.yaml").read_text(encoding="utf-8")
    changed.configure("tabular", n_samples=5_000)
    changed.git("add", "config/datasets/tabular.yaml")
    changed.write("config/datasets/tabular.yaml", built)
    with nothing_released(changed):
        assert "config/datasets/tabular.yaml is staged in another version" in outcome(changed, "tabular")["reasons"][0]
    changed.git("add", "config/datasets/tabular.yaml")
    assert outcome(changed, "tabular", code=0)["state"] == "released"


def test_data_that_was_damaged_after_the_build_is_not_released(changed):
    table = changed.folder / "data" / "tabular" / "processed" / "tabular.parquet"
    content = table.read_bytes()
    table.write_bytes(content[:-1] + b"?")
    with nothing_released(changed):
        found = outcome(changed, "tabular")
        assert found["state"] == "damaged"
        assert "data/tabular/processed is not what was built" in found["reasons"][0]
    table.write_bytes(content)
    manifest = changed.folder / "data" / "tabular" / "manifest.parquet"
    content = manifest.read_bytes()
    manifest.write_bytes(content[:-1] + b"?")
    with nothing_released(changed):
        assert outcome(changed, "tabular")["state"] == "damaged"
    shutil.copyfile(changed.folder / "data" / "emotion" / "manifest.parquet", manifest)
    with nothing_released(changed):
        assert outcome(changed, "tabular")["state"] == "damaged"
    manifest.write_bytes(content)
    metadata = changed.folder / "data" / "emotion" / "metadata.json"
    metadata.write_text(metadata.read_text(encoding="utf-8").replace("Emotion", "Feelings"), encoding="utf-8")
    done = {one["dataset"]: one["state"] for one in changed.registry_json("publish", code=NOT_RELEASED)["outcomes"]}
    assert (done["emotion"], done["tabular"]) == ("damaged", "released")


def test_what_did_not_pass_its_contract_is_refused(changed):
    path = changed.folder / "data" / "tabular" / "provenance.json"
    provenance = json.loads(path.read_text(encoding="utf-8"))
    provenance["contract"]["passed"] = False
    path.write_text(json.dumps(provenance), encoding="utf-8")
    with nothing_released(changed):
        found = outcome(changed, "tabular", code=1)
    assert (found["state"], found["reasons"]) == ("refused", ["it did not pass its contract"])


def test_a_checkout_that_is_behind_refuses(changed, released_once, tmp_path):
    changed.registry("publish")
    released = released_once.copied(tmp_path / "behind")
    released.git("fetch", "--quiet", "--tags", str(changed.folder), "main")
    with nothing_released(released):
        found = outcome(released, "tabular", "tabular", code=1)
        assert found["state"] == "behind"
        assert {one["state"] for one in released.registry_json("publish")["outcomes"]} == {"behind", "unchanged"}
        assert "behind: tabular-v1.1.0 is released, and not part of it" in found["reasons"][0]
        assert "registry follow" in found["hint"]
    status = {one["dataset"]: one for one in released.registry_json("status")}
    assert (status["tabular"]["state"], status["tabular"]["version"], status["tabular"]["newest"]) == (
        "behind",
        "1.0.0",
        "1.1.0",
    )
    assert status["emotion"]["state"] == "released"


@pytest.fixture
def mirrored(released, tmp_path) -> tuple[Clone, str]:
    """A clone that accepts a mirror of wine-quality with one wine more, and `mirror=` for --config."""
    samples, mirror = released.folder / "data" / "samples" / "wine-quality", tmp_path / "mirror" / "wine-quality"
    mirror.mkdir(parents=True)
    path = released.folder / "config" / "datasets" / "wine-quality.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    for source in config["sources"]["files"]:
        content = (samples / source["file"]).read_bytes()
        if source["file"] == "winequality-white.csv":
            content += content.splitlines(keepends=True)[-1]
        (mirror / source["file"]).write_bytes(content)
        source["accept"] += [{"sha256": hashlib.sha256(content).hexdigest(), "note": "a test's", "modes": ["mirror"]}]
    config["contract"]["rows"]["mirror"] = {"all": 587}
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    released.commit("Accept a mirror")
    return released, f"mirror={mirror.parent}"


def test_an_override_is_built_but_not_released_and_samples_do_not_follow_full_data(mirrored):
    clone, mirror = mirrored
    with nothing_released(clone):
        printed = clone.snakemake("--cores", "2", "wine_quality", "--config", "source=mirror", mirror)
        assert 'wine-quality: skipped, not released: built with source: "mirror", not "samples"' in printed
        assert "overridden on the command line" in outcome(clone, "wine-quality")["hint"]

    path = clone.folder / "config" / "datasets" / "wine-quality.yaml"
    samples = path.read_text(encoding="utf-8")
    path.write_text(f"source: mirror\n{samples}", encoding="utf-8")
    assert "Nothing to be done" in clone.snakemake("--cores", "2", "wine_quality", "--config", mirror)
    printed = clone.registry("publish")
    assert "wine-quality: released as wine-quality-v1.1.0 (MINOR)\n  1 row added to all" in printed
    assert str(clone.folder.parent) not in clone.git("show", "HEAD")

    path.write_text(samples, encoding="utf-8")
    clone.snakemake("--cores", "2", "wine_quality", "--config", "publish=false")
    with nothing_released(clone):
        printed = clone.registry("publish", code=1)
        assert "wine-quality: refused, not released: the newest release was built from mirror, this from" in printed
    path.write_text(f"source: samples\n{samples}", encoding="utf-8")
    printed = clone.registry("publish")
    assert "wine-quality: released as wine-quality-v2.0.0 (MAJOR)\n  1 row removed from all" in printed


def test_settings_that_cannot_work_are_one_message(changed, tmp_path):
    path = changed.folder / "config" / "config.yaml"
    good = path.read_text(encoding="utf-8")

    def fails(*arguments: str, code: int = 1, **extra: str) -> str:
        with nothing_released(changed):
            printed = changed.registry("publish", *arguments, code=code, **extra)
        assert "Traceback" not in printed, printed
        assert "tabular-v1.1.0" not in printed
        return printed

    for text, words in (
        (good.replace("push: false", "push: perhaps"), "release.push"),
        (good.replace("publish:", "publsh:"), "publsh"),
        ("", "config/config.yaml"),
        ("- a\n", "config/config.yaml"),
        ("a: [", "config/config.yaml"),
    ):
        path.write_text(text, encoding="utf-8")
        assert words in fails()
    path.write_text(good, encoding="utf-8")

    assert "there is no dataset nonsense" in fails("nonsense", "tabular")
    assert "choose from: emotion, events, fashion-mnist" in fails("nonsense")
    assert "major, minor or patch" in fails("--bump", "huge", code=2)
    fails("--nonsense", code=2)

    settings(changed, remote="nonsense")
    assert "releases go to remote nonsense, but clients of this commit look in local" in fails()
    settings(changed, remote="docker")
    assert "releases go to remote docker, but clients of this commit look in local" in fails()
    settings(changed, remote="local", push=True)
    assert "there is no git remote `origin`" in fails()
    changed.git("init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    changed.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    assert "release.push is true, but remote local is a local folder" in fails()
    assert changed.run("git", "ls-remote", str(tmp_path / "origin.git")) == ""
    path.write_text(good, encoding="utf-8")
    committed = (changed.folder / ".dvc" / "config").read_text(encoding="utf-8")
    changed.write(".dvc/config", committed.replace("remote = local\n", ""))
    changed.git("commit", "--quiet", "--message", "No remote", ".dvc/config")
    assert "remote" in fails()
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    elsewhere = changed.registry("--repo", str(nowhere), "publish", code=NOT_RELEASED)
    assert "no registry here" in elsewhere


def test_numbers_are_raised_not_lowered_and_a_dry_run_changes_nothing(changed):
    def seen() -> tuple:
        kept = [path for path in (changed.folder / ".dvc").rglob("*") if path.is_file() and "tmp" not in path.parts]
        kept += (changed.folder / "data").rglob("*.dvc")
        return sorted((str(path), path.stat().st_mtime_ns) for path in kept), changed.git("status", "--porcelain")

    with nothing_released(changed):
        before = seen()
        printed = changed.registry("publish", "--dry-run")
        assert "tabular: would be released as tabular-v1.1.0 (MINOR)\n  100 rows added to all\n" in printed
        assert (
            "  + config/datasets/tabular.yaml\n  + data/tabular/README.md\n  + data/tabular/croissant.json\n"
            "  + data/tabular/manifest.parquet.dvc\n" in printed
        )
        assert "emotion" not in printed
        raised = outcome(changed, "tabular", "--dry-run", "--bump", "major", code=0)
        assert (raised["tag"], raised["level"], raised["previous"]) == ("tabular-v2.0.0", "MAJOR", "1.0.0")
        assert raised["reasons"] == ["100 rows added to all"]
        assert seen() == before
    assert "tabular: released as tabular-v2.0.0 (MAJOR)" in changed.registry("publish", "--bump", "Major")
    assert sorted(changed.git("show", "--format=", "--name-only").splitlines()) == raised["files"]
    head = changed.head()
    assert "Nothing new to release" in changed.registry("publish", "--bump", "major")
    assert changed.head() == head


@pytest.mark.parametrize(
    ("chosen", "signed"),
    [
        (None, "Data registry <data-registry@localhost>"),
        ("Release Robot <robot@example.org>", "Release Robot <robot@example.org>"),
    ],
)
def test_somebody_always_signs(changed, chosen, signed):
    changed.git("config", "--unset", "user.name")
    changed.git("config", "--unset", "user.email")
    changed.git("config", "user.useConfigOnly", "true")
    settings(changed, identity=chosen)
    changed.registry("publish")
    assert changed.git("log", "-1", "--format=%an <%ae>|%cn <%ce>") == f"{signed}|{signed}"
    tagger = changed.git("for-each-ref", "refs/tags/tabular-v1.1.0", "--format=%(taggername) %(taggeremail)")
    assert tagger == signed


def test_data_goes_where_clients_of_the_commit_will_look(changed, tmp_path):
    committed = (changed.folder / ".dvc" / "config").read_text(encoding="utf-8")
    local = changed.folder / ".dvc" / "config.local"
    for file, text in (
        (".dvc/config", committed.replace("url = storage", "url = elsewhere")),
        (".dvc/config", committed.replace("remote = local", "remote = docker")),
        (".dvc/config.local", f"['remote \"local\"']\n    url = {tmp_path}/elsewhere\n"),
        (".dvc/config", committed.replace("url = storage", "url = storage\n    endpointurl = http://elsewhere")),
        (".dvc/config.local", "['remote \"local\"']\n    url = https://me:hunter2@example.org/elsewhere\n"),
        (".dvc/config", "[core\n"),
    ):
        changed.write(file, text)
        with nothing_released(changed):
            printed = changed.registry("publish", code=1)
        assert file in printed
        assert "Traceback" not in printed
        assert "hunter2" not in printed
        assert not list(changed.folder.parent.rglob("elsewhere"))
        changed.write(".dvc/config", committed)
        local.unlink(missing_ok=True)
    changed.write(".dvc/config.local", "['remote \"local\"']\n    jobs = 2\n")
    assert outcome(changed, "tabular", code=0)["state"] == "released"


def test_a_foreign_tag_does_not_stop_other_datasets(changed):
    changed.git("tag", "--annotate", "--message", "mine", "emotion-v7.0.0", "HEAD~1")
    changed.git("tag", "wine-quality-v7.0.0", "HEAD:README.md")
    done = {one["dataset"]: one for one in changed.registry_json("publish", code=1)["outcomes"]}
    assert done["tabular"]["tag"] == "tabular-v1.1.0"
    assert done["emotion"]["state"] == "refused"
    assert "the tag emotion-v7.0.0 holds no release of emotion" in done["emotion"]["reasons"]
    assert done["wine-quality"]["state"] == "unchanged"
    status = {one["dataset"]: one["state"] for one in changed.registry_json("status")}
    assert (status["emotion"], status["tabular"], status["wine-quality"]) == ("unreleased", "released", "released")


def test_a_run_with_nothing_to_do_says_what_waits_and_releases_nothing(changed):
    tags, line = changed.tags(), "built and not released: tabular; to release: registry publish"
    printed = changed.snakemake("--cores", "1")
    assert "Nothing to be done" in printed
    assert printed.splitlines()[-1] == line
    assert changed.record()["unreleased"] == ["tabular"]
    publishing_off = ["--cores", "1", "--config", "publish=false"]
    for silent in (["-n"], ["--lint"], ["--summary"], ["--list-rules"], ["--touch", "--cores", "1"], publishing_off):
        assert line not in changed.snakemake(*silent), silent
    assert changed.tags() == tags


def test_what_waits_is_what_a_release_would_be_made_of(tmp_path):
    clone = make_tiny(tmp_path / "registry")

    def found():
        return waiting(Repository.open(clone.folder), [*FILES])

    assert found() == []
    for name in FILES:
        clone.build(name, 10)
    assert found() == [*FILES]
    clone.registry("publish")
    assert found() == []
    clone.build("letters", 12)
    assert found() == ["letters"]
    clone.commit("Commit what a release would have")
    assert found() == ["letters"]
    clone.git("switch", "--quiet", "--detach")
    assert found() == []
    clone.git("switch", "--quiet", "main")
    clone.registry("publish")
    assert found() == []
    clone.write("data/letters/pin.json", json.dumps({"version": "1.0.0", "tag": "letters-v1.0.0"}))
    clone.write("data/letters/provenance.json", "{}")
    clone.write("data/numbers/provenance.json", "{}")
    assert found() == ["numbers"]


def test_a_publication_is_saved_as_it_is_printed(tmp_path):
    clone = make_tiny(tmp_path / "registry")
    clone.build("letters", 10)
    printed = clone.registry_json("publish", "--save", "found.json")
    assert json.loads((clone.folder / "found.json").read_text()) == printed
    assert printed["outcomes"][0]["tag"] == "letters-v1.0.0"
