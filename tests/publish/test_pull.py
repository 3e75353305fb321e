"""`registry pull`: a clone gets released data back without computing it, and what does not fit is built again."""

import fcntl
import json
import shutil

import pytest

from clone import Clone
from project import ALIASES, DATASETS, with_those_made_of
from registry.files import sha256_of

PARAMS = {
    "emotion": {"classes": ["sad", "glad", "loving", "angry", "afraid", "surprised"]},
    "fashion-mnist": {"max_images": 999_999},
    "opencloudhub-readmes": {"max_bytes": 999_999},
    "radiology-mini": {"test_ratio": 0.25},
    "tabular": {"n_samples": 1_100},
}
DONE = "Nothing to be done"


@pytest.fixture(scope="session")
def restored_once(once, released_once) -> Clone:
    """A clone into which everything was pulled; look but do not touch."""
    return Clone(once("restored", lambda folder: released_once.cloned(folder).registry("pull")))


@pytest.fixture
def restored(restored_once, tmp_path) -> Clone:
    """A copy of its own of a clone into which everything was pulled."""
    return restored_once.copied(tmp_path / "clone")


@pytest.fixture
def cloned(released_once, tmp_path) -> Clone:
    """A clone without data."""
    return released_once.cloned(tmp_path / "clone")


def pulled(clone: Clone, *arguments: str, code: int = 0, **extra: str) -> dict[str, dict]:
    return {one["dataset"]: one for one in clone.registry_json("pull", *arguments, code=code, **extra)}


def data(clone: Clone, *datasets: str) -> dict[str, bytes]:
    """Return {path: bytes} of data and manifests."""
    return {
        name: content
        for name, content in clone.products().items()
        if name.startswith("data/")
        and not name.endswith((".dvc", ".json.partial"))
        and "/raw/" not in name
        and "/.stream/" not in name
        and (not datasets or name.split("/")[1] in datasets)
    }


def mtimes(clone: Clone) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in clone.folder.glob("data/*/processed/**/*.*")}


def first_picture(clone: Clone):
    return min((clone.folder / "data/radiology-mini/processed/train/images").iterdir())


def test_the_report_leaves_out_pictures_that_no_release_holds(restored):
    printed = restored.snakemake("--report", "report.html", "--", "tabular", "emotion")
    for picture in ("reports/tabular/overview.svg", "reports/emotion/overview.svg"):
        assert f"the report leaves out {picture}: only a build makes it, no release holds it" in printed
    assert "data/tabular/metadata.json" in (restored.folder / "report.html").read_text(encoding="utf-8")
    # What shows the data itself needs nothing but the data.
    page = (restored.folder / "reports/tabular/dataset.html").read_text(encoding="utf-8")
    assert '<span class="version">1.0.0</span>' in page


def test_a_clone_gets_everything_and_computes_nothing(cloned, released_once):
    found = pulled(cloned)
    assert found.keys() == set(DATASETS)
    assert {(one["state"], one["version"], one["rebuild"]) for one in found.values()} == {("restored", "1.0.0", None)}
    assert data(cloned) == data(released_once)
    assert not list(cloned.folder.glob("data/*/raw"))
    assert cloned.git("status", "--porcelain") == ""
    before, head = mtimes(cloned), cloned.head()
    assert DONE in cloned.snakemake("-n")
    assert DONE in cloned.run("snakemake", "--cores", "2")
    assert mtimes(cloned) == before
    assert {path.read_text() for path in cloned.folder.glob("logs/**/*.log")} == {""}
    assert cloned.head() == head


def test_pulling_again_changes_nothing(restored):
    before = data(restored)
    assert {one["state"] for one in pulled(restored).values()} == {"unchanged"}
    assert data(restored) == before
    assert DONE in restored.snakemake("-n")


def test_raw_comes_on_request(cloned, released_once):
    pulled(cloned, "tabular", "opencloudhub-readmes", "--raw")
    # Of radiology-mini's source only what was unpacked of it is kept.
    assert pulled(cloned, "radiology-mini", "--raw")["radiology-mini"]["state"] == "restored"
    assert pulled(cloned, "radiology-mini")["radiology-mini"]["state"] == "unchanged"
    assert (cloned.folder / "data/radiology-mini/raw/captions.json").is_file()
    for file in ("tabular/raw/dataset.csv", "opencloudhub-readmes/raw/docs.md"):
        assert (cloned.folder / "data" / file).read_bytes() == (released_once.folder / "data" / file).read_bytes()
    assert cloned.planned("tabular", "opencloudhub_readmes") == set()
    assert not (cloned.folder / "data/emotion/processed").exists()
    cloned.configure("tabular", n_samples=1_100)
    assert cloned.planned("tabular", "opencloudhub_readmes") == {"tabular"}


def test_what_snakemake_forgot_it_is_told_again(restored):
    pulled(restored, "tabular", "--raw")
    shutil.rmtree(restored.folder / ".snakemake")
    pulled(restored, "tabular")
    assert restored.planned("tabular") == set()
    restored.configure("tabular", n_samples=1_100)
    assert "tabular: drawing 1100 samples" in restored.snakemake("-n", "tabular")


def test_after_a_restore_a_param_rebuilds_exactly_its_dataset(restored):
    assert restored.planned() == set()
    for name in DATASETS:
        path = restored.folder / "config" / "datasets" / f"{name}.yaml"
        before = path.read_bytes()
        if name in PARAMS:
            restored.configure(name, **PARAMS[name])
        else:
            restored.edit(f"config/datasets/{name}.yaml", "title: ", "title: New ")
        assert restored.planned() == with_those_made_of(name)
        path.write_bytes(before)
    assert restored.planned() == set()


def test_code_changed_after_a_restore_rebuilds_exactly_its_dataset(restored):
    restored.write("scripts/emotion/process.py", (restored.folder / "scripts/emotion/process.py").read_text() + "\n#\n")
    assert restored.planned() == {"emotion"}


def test_code_changed_before_a_restore_rebuilds_exactly_its_dataset(cloned, released_once):
    cloned.write("scripts/emotion/analyze.py", (cloned.folder / "scripts/emotion/analyze.py").read_text() + "\n#\n")
    found = pulled(cloned)
    assert {name for name, one in found.items() if one["rebuild"]} == {"emotion"}
    assert "emotion/analyze.py" in found["emotion"]["rebuild"]
    assert data(cloned, "emotion") == data(released_once, "emotion")
    before = mtimes(cloned)
    assert cloned.planned() == {"emotion"}
    cloned.snakemake("--cores", "2", "--config", "publish=false")
    after = mtimes(cloned)
    assert {path for path in before if before[path] != after[path]} == {path for path in before if "/emotion/" in path}
    assert DONE in cloned.snakemake("-n")


def test_with_the_sources_there_too_what_does_not_fit_is_built_again(restored):
    pulled(restored, "emotion", "--raw")
    restored.write("scripts/emotion/analyze.py", (restored.folder / "scripts/emotion/analyze.py").read_text() + "\n#\n")
    pulled(restored)
    printed = restored.snakemake("-n")
    assert restored.planned() == {"emotion"}
    for rule in ("download", "process", "analyze"):
        assert f"emotion_{rule} " in printed


def test_configuration_changed_before_a_restore(cloned):
    cloned.configure("fashion-mnist", max_images=999_999)
    found = pulled(cloned)
    assert "params.max_images" in found["fashion-mnist"]["rebuild"]
    assert cloned.planned() == {"fashion-mnist"}


def test_a_source_changed_before_a_restore(cloned):
    path = cloned.folder / "data/samples/opencloudhub-readmes/HEAD/docs/README.md"
    sums = (cloned.folder / "data/samples/SHA256SUMS").read_text()
    path.write_bytes(path.read_bytes() + b"One more line.\n")
    new = f"{sha256_of(path)}  opencloudhub-readmes/HEAD/docs/README.md"
    lines = [line for line in sums.splitlines() if "HEAD/docs/README.md" not in line] + [new]
    red = next(line for line in lines if line.endswith("wine-quality/winequality-red.csv"))
    lines[lines.index(red)] = "0" * 64 + red[64:]
    cloned.write("data/samples/SHA256SUMS", "\n".join(lines) + "\n")
    found = pulled(cloned)
    expected = with_those_made_of("opencloudhub-readmes") | {"wine-quality"}
    assert {name for name, one in found.items() if one["rebuild"]} == expected
    assert "made of opencloudhub-readmes" in found["opencloudhub-readmes-embeddings"]["rebuild"]
    assert "winequality-red.csv" in found["wine-quality"]["rebuild"]
    assert cloned.planned() == expected


def test_a_prompt_changed_before_a_restore(cloned):
    path = cloned.folder / "config/prompts/radiology-caption.yaml"
    path.write_text(path.read_text().replace("text: ", "text: Kindly ", 1))
    assert "prompt" in pulled(cloned)["radiology-mini"]["rebuild"]
    assert cloned.planned() == {"radiology-mini"}


def test_a_file_changed_by_hand_is_kept_found_and_rebuilt(restored, released_once):
    path = restored.folder / "data/wine-quality/processed/wine-quality.csv"
    path.write_bytes(path.read_bytes().replace(b"7", b"8", 1))
    edited = path.read_bytes()
    found = pulled(restored, code=1)
    assert found["wine-quality"]["state"] == "kept"
    assert found["wine-quality"]["unpublished"] == ["data/wine-quality/processed/wine-quality.csv"]
    assert path.read_bytes() == edited
    assert "data/wine-quality/processed/wine-quality.csv" in restored.registry("pull", code=1)
    assert restored.planned() == {"wine-quality"}
    restored.run("snakemake", "--cores", "2")
    assert data(restored) == data(released_once)
    assert len(restored.tags()) == len(DATASETS) + len(ALIASES)


def test_a_file_changed_by_hand_is_overwritten_on_request(restored, released_once):
    path = restored.folder / "data/wine-quality/processed/wine-quality.csv"
    path.write_bytes(b"nothing")
    assert pulled(restored, "--force")["wine-quality"]["state"] == "restored"
    assert data(restored) == data(released_once)
    assert DONE in restored.snakemake("-n")


def test_a_manifest_changed_by_hand_is_found(restored):
    (restored.folder / "data/emotion/manifest.parquet").write_bytes(b"PAR1")
    found = pulled(restored, code=1)
    assert {name for name, one in found.items() if one["state"] == "kept"} == {"emotion"}
    assert "data/emotion/manifest.parquet is not what was built" in found["emotion"]["rebuild"]
    assert restored.planned() == {"emotion"}


def test_missing_files_come_back_be_it_one_picture(restored, released_once):
    first_picture(restored).unlink()
    (restored.folder / "data/emotion/manifest.parquet").unlink()
    (restored.folder / "data/tabular/metadata.json").unlink()
    found = pulled(restored)
    assert {name for name, one in found.items() if one["state"] == "restored"} == {
        "radiology-mini",
        "emotion",
        "tabular",
    }
    assert data(restored) == data(released_once)
    assert DONE in restored.snakemake("-n")


def test_a_picture_missing_beside_one_changed_by_hand_is_found_and_rebuilt(restored, released_once):
    first_picture(restored).unlink()
    first_picture(restored).write_bytes(b"scribble")
    assert pulled(restored, code=1)["radiology-mini"]["state"] == "kept"
    assert restored.planned() == {"radiology-mini"}
    restored.snakemake("--cores", "2", "--config", "publish=false")
    assert data(restored) == data(released_once)


def test_a_conflict_in_a_dvc_file_is_no_traceback(restored, released_once):
    path = restored.folder / "data/tabular/processed.dvc"
    path.write_text(f"<<<<<<< HEAD\n{path.read_text()}=======\n>>>>>>> theirs\n")
    assert pulled(restored, "tabular")["tabular"]["state"] == "restored"
    assert data(restored, "tabular") == data(released_once, "tabular")
    restored.write("config/config.yaml", "")
    printed = restored.registry("pull", "tabular", code=1)
    assert "config/config.yaml: not a mapping" in printed
    assert "Traceback" not in printed


def test_a_description_changed_by_hand_is_kept(restored):
    path = restored.folder / "data/emotion/metadata.json"
    before = path.read_text()
    path.write_text(before.replace('"Emotion"', '"Mine"'))
    found = pulled(restored, code=1)
    assert found["emotion"]["unpublished"] == ["data/emotion/metadata.json"]
    assert found["emotion"]["rebuild"] == "data/emotion/metadata.json is not what was built"
    assert "Mine" in path.read_text()
    pulled(restored, "--force", "emotion")
    assert path.read_text() == before


def test_an_unpublished_build_is_kept_and_stays_done(restored, released_once):
    restored.configure("tabular", n_samples=1_100)
    restored.snakemake("--cores", "2", "--config", "publish=false")
    built = data(restored, "tabular")
    found = pulled(restored, code=1)
    assert found["tabular"]["state"] == "kept"
    assert found["tabular"]["rebuild"] is None
    assert data(restored, "tabular") == built
    assert DONE in restored.snakemake("-n")
    pulled(restored, "--force")
    assert data(restored) == data(released_once)
    assert restored.planned() == {"tabular"}


def test_sources_that_lie_there_are_made_to_agree(restored):
    pulled(restored, "emotion", "--raw")
    path = restored.folder / "data/emotion/raw/sources.json"
    right = path.read_bytes()
    path.unlink()
    pulled(restored)
    assert path.read_bytes() == right
    path.write_text(json.dumps({"mode": "samples", "files": []}))
    assert pulled(restored, code=1)["emotion"]["unpublished"] == ["data/emotion/raw/sources.json"]
    assert restored.planned() == {"emotion"}


def test_an_older_tag_checked_out(released, tmp_path):
    released.configure("tabular", n_samples=1_100)
    released.run("snakemake", "--cores", "2")
    assert "tabular-v1.1.0" in released.tags()
    clone = released.cloned(tmp_path / "clone")
    clone.registry("pull", "tabular")
    newest = data(clone, "tabular")
    clone.git("checkout", "--quiet", "tabular-v1.0.0")
    found = pulled(clone)
    assert found["tabular"]["version"] == "1.0.0"
    assert data(clone, "tabular") != newest
    assert clone.git("status", "--porcelain") == ""
    assert DONE in clone.snakemake("-n")
    clone.git("checkout", "--quiet", "main")
    assert pulled(clone)["tabular"]["version"] == "1.1.0"
    assert data(clone, "tabular") == newest
    assert DONE in clone.snakemake("-n")


def test_files_of_an_older_version_checked_out_on_purpose_are_followed(released):
    released.configure("tabular", n_samples=1_100)
    released.run("snakemake", "--cores", "2")
    released.git("checkout", "--quiet", "tabular-v1.0.0", "--", "data/tabular")
    found = pulled(released, "tabular")
    assert found["tabular"]["state"] == "restored"
    assert "n_samples" in found["tabular"]["rebuild"]
    assert released.planned() == {"tabular"}


def test_a_clone_that_is_behind_refuses_to_publish(released, tmp_path):
    clone = released.cloned(tmp_path / "clone")
    clone.registry("pull")
    released.configure("tabular", n_samples=1_100)
    released.run("snakemake", "--cores", "2")
    clone.git("fetch", "--quiet", "--tags")
    clone.configure("tabular", n_samples=1_200)
    clone.run("snakemake", "--cores", "2", code=1)
    outcomes = {one["dataset"]: one for one in clone.registry_json("publish", code=1)["outcomes"]}
    assert outcomes["tabular"]["state"] == "refused"
    assert "behind" in outcomes["tabular"]["reasons"][0]
    assert [tag for tag in clone.tags() if tag.startswith("tabular")] == ["tabular-v1.0.0", "tabular-v1.1.0"]


def test_a_linked_working_tree(released, released_once, tmp_path):
    released.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    tree = Clone(tmp_path / "tree")
    assert {one["state"] for one in pulled(tree).values()} == {"restored"}
    assert data(tree) == data(released_once)
    assert DONE in tree.snakemake("-n")


def test_a_damaged_object_in_the_cache_is_fetched_anew(restored, released_once):
    path = first_picture(restored)
    path.unlink()
    dvc = (restored.folder / "data/radiology-mini/processed.dvc").read_text()
    md5 = dvc.split("md5: ")[1].split()[0]
    cache = restored.folder / ".dvc/cache/files/md5"
    listed = json.loads((cache / md5[:2] / md5[2:]).read_text())
    oid = next(entry["md5"] for entry in listed if entry["relpath"].endswith(path.name))
    damaged = cache / oid[:2] / oid[2:]
    damaged.chmod(0o644)
    damaged.write_bytes(b"damaged")
    assert pulled(restored)["radiology-mini"]["state"] == "restored"
    assert data(restored) == data(released_once)
    damaged = cache / md5[:2] / md5[2:]
    damaged.chmod(0o644)
    damaged.write_bytes(b"not even JSON")
    path.unlink()
    assert pulled(restored)["radiology-mini"]["state"] == "restored"
    assert data(restored) == data(released_once)


def test_data_that_is_nowhere(cloned, tmp_path):
    cloned.git("remote", "set-url", "origin", str(tmp_path / "gone"))
    printed = cloned.registry("pull", code=1)
    assert "lacks files of this data: " in printed
    assert "Traceback" not in printed
    assert "there is no remote elsewhere" in cloned.registry("pull", "--remote", "elsewhere", code=1)


KILLED = [
    "before:registry.storage.dvc.Store.fetch:1",
    "after:registry.storage.dvc.Store.fetch:1",
    "after:registry.restore.pull.put:1",
    "before:registry.storage.dvc.Store._lay_out:1",
    "after:registry.storage.dvc.Store._lay_out:5",
    "after:registry.restore.pull.put:8",
    "before:registry.restore.mark._touch:1",
]
"""Places in a pull, in the order in which it comes to them."""


def test_killed_anywhere_it_completes_when_run_again(released_once, tmp_path):
    clone = released_once.cloned(tmp_path / "clone")
    for place in KILLED:
        clone.interfered(place, command="pull --force")
    for number in range(3):
        clone.killed(1 + 400 * number, "pull", "--force")
    (clone.folder / "data/emotion/.processed.partial").mkdir(exist_ok=True)
    (clone.folder / "data/emotion/.processed.partial/junk").write_text("junk")
    pulled(clone)
    assert data(clone) == data(released_once)
    assert clone.git("status", "--porcelain") == ""
    assert not list(clone.folder.glob("data/*/.*.partial"))
    assert DONE in clone.snakemake("-n")


def test_not_while_snakemake_is_at_work(restored):
    with (restored.folder / ".snakemake" / "running.lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        printed = restored.registry("pull", code=1, REGISTRY_PATIENCE="0.1")
    assert "Snakemake runs here: waiting for it to finish" in printed
    assert "did not finish in 0.1 s" in printed


def test_the_locks_of_a_run_that_was_killed_stop_nobody(restored):
    restored.write(".snakemake/locks/0.input.lock", "data/emotion/raw\n")
    restored.registry("pull", "emotion")


def test_what_was_never_released(fresh):
    assert "Nothing was released" in fresh.registry("pull")
    assert "this checkout contains no release of tabular" in fresh.registry("pull", "tabular", code=1)
    assert "there is no dataset tabullar" in fresh.registry("pull", "tabullar", code=1)
