"""What is built is judged by its content: complete, damaged, and made of what is committed, or not."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from described import describe
from registry.config.fingerprint import _behind, _content, code_files, fingerprint, imports_of
from registry.config.load import Datasets
from registry.config.names import rule_of
from registry.describe.manifest import write_manifest
from registry.errors import RegistryError
from registry.files import hashed, sha256_of, write_json
from registry.release.assess import assess, check_committed, check_contract, check_current, config_files, differences
from registry.sources.raw import remember_raw
from registry.storage.dvc import Store
from registry.storage.git import Git
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady

NAME = "small-table"
CONTRACT = {"columns": {"x": {"dtype": "int64"}}, "rows": {"generated": {"all": 3, "more": 2}}}
DATASET = {"name": NAME, "source": "generated", "params": {"rows": 3}, "contract": CONTRACT}
SIGNER = {f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}


@pytest.fixture
def root(tmp_path) -> Path:
    """A checkout under git in which one small dataset was built by committed code."""
    folder = tmp_path / "data" / NAME
    (folder / "processed").mkdir(parents=True)
    table = pa.table({"x": [1, 2, 3]})
    pq.write_table(table, folder / "processed" / "table.parquet")
    with write_manifest(folder / "manifest.parquet", DATASET, table.schema) as manifest:
        manifest.add("all", table.to_batches()[0], inputs=["x"], keys=["a", "b", "c"])
        manifest.add("more", table.slice(1).to_batches()[0], inputs=["x"], keys=["d", "e"])
    for path, text in {
        "scripts/small_table/process.py": "import shared.tools\n",
        "scripts/shared/tools.py": "ONE = 1\n",
        "workflow/rules/small_table.smk": "rule small_table:\n",
        "workflow/rules/common.smk": "",
        "config/datasets/small-table.yaml": "a: 1\n",
        "data/samples/small-table/a.csv": "x\n1\n",
        "data/samples/SHA256SUMS": "",
        ".gitignore": "/data/small-table/\n/reports/*/*\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    sources = {"mode": "generated", "files": []}
    write_json(folder / "raw" / "sources.json", sources)
    describe(tmp_path, NAME, source=sources, config=DATASET, code=code_of(tmp_path))
    git = Git(tmp_path)
    git.run("init", "--quiet", "--initial-branch", "main")
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message", "Start", env=SIGNER)
    return tmp_path


def forget_code() -> None:
    for cached in (_content, imports_of, _behind, code_files, fingerprint):
        cached.cache_clear()


def code_of(root: Path) -> dict[str, str]:
    found = fingerprint("small_table/process.py", root / "scripts")
    forget_code()
    return {"small_table/process.py": found}


class Checkout(Repository):
    """A repository whose configuration is given."""

    def committed_datasets(self, revision: str) -> Datasets:
        return Datasets({NAME: DATASET})


@pytest.fixture
def checkout(root) -> Checkout:
    code_of(root)
    git = Git(root)
    return Checkout(root, git, Store(root, git))


def test_a_complete_dataset_is_read_with_what_dvc_will_track(root):
    built = Snapshot.on_disk(root, NAME)
    assert built.folder == "data/small-table"
    assert {out: md5.endswith(".dir") for out, md5 in built.outs.items()} == {
        "data/small-table/processed": True,
        "data/small-table/manifest.parquet": False,
        "data/small-table/raw": True,
    }
    assert built.outs["data/small-table/processed"] == built.data_md5
    assert built.manifest() == root / "data" / NAME / "manifest.parquet"
    check_contract(built)


def test_the_hashes_of_its_files_are_those_of_the_bytes_that_were_checked(root):
    built, table = Snapshot.on_disk(root, NAME, hashes=True), root / "data" / NAME / "processed" / "table.parquet"
    before = hashed(table)
    assert Snapshot.on_disk(root, NAME).hashed() == built.hashed()
    table.write_bytes(b"changed")
    assert built.hashed()[f"data/{NAME}/processed/table.parquet"] == before


@pytest.mark.parametrize("stray", ["processed/.snakemake_timestamp", "raw/.snakemake_timestamp"])
def test_what_snakemake_leaves_and_times_do_not_matter(root, stray):
    before = Snapshot.on_disk(root, NAME)
    (root / "data" / NAME / stray).touch()
    os.utime(root / "data" / NAME / "processed" / "table.parquet", (1, 1))
    assert Snapshot.on_disk(root, NAME).outs == before.outs


def state(root: Path) -> NotReady:
    with pytest.raises(NotReady) as caught:
        Snapshot.on_disk(root, NAME)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        ("metadata.json", "incomplete"),
        ("provenance.json", "incomplete"),
        ("manifest.parquet", "incomplete"),
        ("processed", "incomplete"),
        ("processed/table.parquet", "damaged"),
    ],
)
def test_what_is_missing_makes_it_incomplete(root, gone, expected):
    (root / "data" / NAME / gone).rename(root / "gone")
    found = state(root)
    assert found.state == expected
    assert "small_table" in found.hint


def test_what_was_never_begun_is_not_built(root):
    (root / "data" / NAME).rename(root / "gone")
    assert state(root).state == "not built"
    (root / "data" / NAME / "raw").mkdir(parents=True)
    assert state(root).state == "incomplete"
    (root / "data" / NAME / "raw").rmdir()
    (root / "data" / NAME / "processed.csv").touch()
    assert state(root).state == "incomplete"


@pytest.mark.parametrize("change", ["edit", "add", "remove", "rename"])
def test_any_change_of_the_data_is_damage(root, change):
    folder = root / "data" / NAME / "processed"
    table = folder / "table.parquet"
    match change:
        case "edit":
            table.write_bytes(table.read_bytes()[:-1] + b"?")
        case "add":
            (folder / "more").touch()
        case "remove":
            table.unlink()
        case "rename":
            table.rename(folder / "other.parquet")
    found = state(root)
    assert found.state == "damaged"
    assert "data/small-table/processed is not what was built" in found.reason


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"content_hash": "sha256:0"}', "null"])
@pytest.mark.parametrize("file", ["metadata.json", "provenance.json"])
def test_descriptions_that_no_build_writes_are_damage(root, file, text):
    (root / "data" / NAME / file).write_text(text, encoding="utf-8")
    assert state(root).state == "damaged"


def test_another_manifest_is_damage(root):
    path = root / "data" / NAME / "manifest.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    found = state(root)
    assert (found.state, found.reason) == ("damaged", "data/small-table/manifest.parquet is not what was built")
    assert "--forcerun small_table_analyze -- small_table" in found.hint


def test_metadata_may_be_laid_out_otherwise_but_not_say_something_else(root):
    path = root / "data" / NAME / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(metadata, sort_keys=True), encoding="utf-8")
    assert Snapshot.on_disk(root, NAME).metadata == metadata
    metadata["splits"]["all"]["num_samples"] = 4
    write_json(path, metadata)
    found = state(root)
    assert (found.state, found.reason) == ("damaged", "data/small-table/metadata.json is not what was built")


def test_raw_files_of_another_build_are_left_out(root):
    write_json(root / "data" / NAME / "raw" / "sources.json", {"mode": "samples", "files": []})
    assert "data/small-table/raw" not in Snapshot.on_disk(root, NAME).outs
    (root / "data" / NAME / "raw" / "sources.json").unlink()
    assert "data/small-table/raw" not in Snapshot.on_disk(root, NAME).outs


@pytest.mark.parametrize("verdict", [{}, {"passed": False}, {"passed": "yes"}, {"passed": None}])
def test_only_a_contract_that_passed_will_do(root, verdict):
    describe(root, NAME, contract=verdict)
    with pytest.raises(NotReady, match="did not pass its contract") as caught:
        check_contract(Snapshot.on_disk(root, NAME))
    assert caught.value.state == "refused"


def test_a_dataset_has_a_rule_of_its_name():
    assert rule_of(NAME) == "small_table"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(values, values)
def test_differences_are_there_when_values_differ(left, right):
    assert differences(left, left) == []
    if left != right and not (isinstance(left, dict) and isinstance(right, dict)):
        assert len(differences(left, right, "x")) == 1


def test_differences_name_the_key_and_both_values():
    old = {"params": {"n": 1, "gone": 2, "same": [1]}, "source": "samples"}
    new = {"params": {"n": 3, "same": [1]}, "source": "mirror", "new": True}
    assert differences(old, new) == [
        "params.n: 1, not 3",
        "params.gone: 2, not null",
        'source: "samples", not "mirror"',
        "new: null, not true",
    ]


def not_committed(checkout: Checkout) -> str:
    with pytest.raises(NotReady) as caught:
        check_committed(checkout, Snapshot.on_disk(checkout.root, NAME), "HEAD")
    assert caught.value.state == "skipped"
    return caught.value.reason


def test_what_was_made_of_committed_files_may_be_released(checkout):
    check_committed(checkout, Snapshot.on_disk(checkout.root, NAME), "HEAD")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("workflow/rules/small_table.smk", "rule other:\n"),
        ("workflow/rules/common.smk", "x = 1\n"),
    ],
)
def test_rules_must_be_committed(checkout, file, text):
    (checkout.root / file).write_text(text)
    assert not_committed(checkout) == f"made from files that are not committed: {file}"
    checkout.git.run("add", file)
    assert not_committed(checkout) == f"made from files that are not committed: {file}"
    checkout.git.run("commit", "--quiet", "--message", "Rules", env=SIGNER)
    check_committed(checkout, Snapshot.on_disk(checkout.root, NAME), "HEAD")


@pytest.mark.parametrize("file", ["scripts/small_table/process.py", "scripts/shared/tools.py"])
def test_code_must_be_what_made_it_and_committed(checkout, file):
    path = checkout.root / file
    path.write_text(path.read_text() + "# a comment\n")
    assert not_committed(checkout) == "its code changed since it was built (small_table/process.py)"
    describe(checkout.root, NAME, code=code_of(checkout.root))
    assert not_committed(checkout) == f"made from files that are not committed: {file}"
    path.unlink()
    forget_code()
    assert "its code changed" in not_committed(checkout)


def test_samples_must_be_committed_only_where_they_were_used(checkout):
    new = checkout.root / "data" / "samples" / NAME / "b.csv"
    new.touch()
    check_committed(checkout, Snapshot.on_disk(checkout.root, NAME), "HEAD")
    sources = {"mode": "samples", "files": []}
    describe(checkout.root, NAME, source=sources)
    assert not_committed(checkout) == "made from files that are not committed: data/samples/small-table/b.csv"
    new.unlink()
    (checkout.root / "data" / "samples" / "SHA256SUMS").write_text("other")
    assert not_committed(checkout) == "made from files that are not committed: data/samples/SHA256SUMS"


def test_raw_files_must_be_what_a_job_wrote(root, monkeypatch):
    monkeypatch.chdir(root)
    drawn = root / "data" / NAME / "raw" / "dataset.csv"
    drawn.write_text("x\n1\n")
    remember_raw([f"data/{NAME}/raw/dataset.csv"])
    Snapshot.on_disk(root, NAME)
    drawn.write_text("x\n2\n")
    found = state(root)
    assert (found.state, found.reason) == (
        "damaged",
        f"data/{NAME}/raw/dataset.csv changed since it was fetched or made",
    )
    drawn.unlink()
    Snapshot.on_disk(root, NAME)


def test_a_sample_must_be_what_its_checksum_says_even_when_it_is_committed(root):
    files = [{"file": "a.csv", "urls": [], "accept": [], "max_bytes": 10}]
    dataset = DATASET | {"source": "samples", "sources": {"files": files}}
    sample = root / "data" / "samples" / NAME / "a.csv"
    sha256 = sha256_of(sample)
    (root / "data" / "samples" / "SHA256SUMS").write_text(f"{sha256}  {NAME}/a.csv\n")
    source = {"mode": "samples", "files": [{"file": "a.csv", "url": None, "bytes": 4, "sha256": sha256}]}
    describe(root, NAME, source=source, config=dataset)
    built = Snapshot.on_disk(root, NAME)
    check_current(root, built, Datasets({NAME: dataset}))
    sample.write_text("x\n2\n")
    with pytest.raises(NotReady, match=f"data/samples/{NAME}/a.csv is not what data/samples/SHA256SUMS says"):
        check_current(root, built, Datasets({NAME: dataset}))


def test_the_configuration_must_be_what_made_it(checkout):
    describe(checkout.root, NAME, config=DATASET | {"source": "mirror", "params": {"rows": 4}})
    reason = not_committed(checkout)
    assert reason == 'built with source: "mirror", not "generated"; params.rows: 4, not 3'
    with pytest.raises(NotReady, match="config/datasets/small-table.yaml is gone"):
        check_current(checkout.root, Snapshot.on_disk(checkout.root, NAME), Datasets())


def test_a_dataset_whose_configuration_is_broken_is_in_a_state_of_its_own(checkout):
    datasets = Datasets({NAME: DATASET})
    datasets.leave_out(NAME, RegistryError("not valid", where="config/datasets/small-table.yaml", hint="fix it"))
    found = assess(checkout.root, NAME, datasets)
    assert (found.state, found.hint) == ("broken", "fix it")
    assert found.reason == "config/datasets/small-table.yaml: not valid"
    write_json(checkout.root / "data" / NAME / "pin.json", {"version": "1.0.0", "tag": f"{NAME}-v1.0.0"})
    assert assess(checkout.root, NAME, datasets).state == "pinned"


def test_a_dataset_brings_its_own_configuration(checkout, monkeypatch):
    built = Snapshot.on_disk(checkout.root, NAME)
    assert config_files(checkout, built, "HEAD") == ["config/datasets/small-table.yaml"]
    for file in ("config/locks/small-table.yaml", "config/prompts/p.yaml", ".env"):
        (checkout.root / file).parent.mkdir(exist_ok=True)
        (checkout.root / file).touch()
    prompt = {"name": "p", "version": 1, "registry": "file"}
    monkeypatch.setitem(DATASET, "params", DATASET["params"] | {"prompt": prompt})
    assert config_files(checkout, built, "HEAD")[1:] == ["config/locks/small-table.yaml", "config/prompts/p.yaml"]
    built.metadata["prompt"] = {"prompt_uri": "config/../.env"}
    assert config_files(checkout, built, "HEAD")[2:] == ["config/prompts/p.yaml"]
    prompt["name"] = "none"
    assert config_files(checkout, built, "HEAD")[2:] == []
    prompt["name"] = "../../.env"
    with pytest.raises(RegistryError, match="not a path below a folder"):
        config_files(checkout, built, "HEAD")
