"""A change rebuilds exactly the datasets that depend on it."""

import gzip
import hashlib

import pytest
import yaml

from project import DATASETS, with_those_made_of
from support import ROOT

PARAMS = {
    "emotion": {"classes": ["sad", "glad", "loving", "angry", "afraid", "surprised"]},
    "fashion-mnist": {"max_images": 999_999},
    "opencloudhub-readmes": {"max_bytes": 999_999},
    "opencloudhub-readmes-embeddings": {"engine": {"name": "local", "threads": 0, "batch_size": 4}},
    "radiology-mini": {"test_ratio": 0.25},
    "tabular": {"n_samples": 1_100},
}
CODE = {
    "scripts/registry/formats/idx.py": {"fashion-mnist"},
    "scripts/registry/formats/images.py": {"radiology-mini"},
    "scripts/registry/sources/github.py": with_those_made_of("opencloudhub-readmes"),
    "scripts/registry/formats/markdown.py": {"opencloudhub-readmes-embeddings"},
    "scripts/registry/formats/tables.py": {
        "emotion",
        "events",
        "opencloudhub-readmes",
        "opencloudhub-readmes-embeddings",
        "opencloudhub-readmes-rag-evaluation",
        "tabular",
        "wine-quality",
    },
    "scripts/registry/describe/manifest.py": set(DATASETS),
    "scripts/emotion/process.py": {"emotion"},
    "scripts/make_samples.py": set(),
    "scripts/registry/workflow/summary.py": set(),
}


@pytest.mark.parametrize("name", PARAMS)
def test_a_param(built, name):
    built.configure(name, **PARAMS[name])
    assert built.planned() == with_those_made_of(name)


@pytest.mark.parametrize("file", CODE)
def test_a_line_of_code(built, file):
    path = built.folder / file
    path.write_text(path.read_text() + "\n# one more line\n")
    assert built.planned() == CODE[file]


@pytest.mark.parametrize(
    ("file", "jobs"),
    [
        ("scripts/emotion/process.py", {"emotion_process", "emotion_analyze"}),
        ("scripts/registry/formats/idx.py", {"fashion_mnist_process", "fashion_mnist_analyze"}),
    ],
)
def test_a_line_of_code_lists_the_jobs_behind_which_it_is(built, file, jobs):
    path = built.folder / file
    path.write_text(path.read_text() + "\n# one more line\n")
    assert built.jobs() == jobs


def test_code_that_was_only_touched_lists_nothing(built):
    for path in (built.folder / "scripts").rglob("*.py"):
        path.touch()
    assert "Nothing to be done" in built.snakemake("-n")


def test_datasets_that_are_named_as_stale_are_made_by_code_that_nobody_has(built, monkeypatch):
    monkeypatch.setenv("REGISTRY_STALE", "emotion,tabular")
    steps = {"emotion": ("download", "process", "analyze"), "tabular": ("generate", "process", "analyze")}
    assert built.jobs() == {f"{name}_{step}" for name, of in steps.items() for step in of}


def test_a_source_and_its_hash(built):
    name = "fashion-mnist/t10k-labels-idx1-ubyte.gz"
    path = built.folder / "data" / "samples" / name
    old = path.read_bytes()
    new = gzip.compress(gzip.decompress(old), compresslevel=1, mtime=0)
    assert new != old
    path.write_bytes(new)
    built.edit("data/samples/SHA256SUMS", hashlib.sha256(old).hexdigest(), hashlib.sha256(new).hexdigest())
    assert built.planned() == {"fashion-mnist"}


def test_a_readme_of_the_corpus(built):
    path = built.folder / "data" / "samples" / "opencloudhub-readmes" / "HEAD" / "docs" / "README.md"
    old = path.read_bytes()
    path.write_bytes(old + b"One more line.\n")
    built.edit(
        "data/samples/SHA256SUMS", hashlib.sha256(old).hexdigest(), hashlib.sha256(path.read_bytes()).hexdigest()
    )
    assert built.planned() == with_those_made_of("opencloudhub-readmes")


def test_a_prompt(built):
    path = built.folder / "config" / "prompts" / "radiology-caption.yaml"
    path.write_text(path.read_text().replace("text: ", "text: Please: ", 1).replace("Please: ", "Kindly "))
    assert built.planned() == {"radiology-mini"}


def test_a_description_rebuilds_the_metadata_but_not_the_data(built):
    built.edit("config/datasets/emotion.yaml", "title: Emotion", "title: Feelings")
    printed = built.snakemake("-n")
    assert "emotion: measuring" in printed
    assert "emotion: cleaning" not in printed


def test_the_source_mode_rebuilds_what_has_sources(built):
    (built.folder / "mirror").symlink_to("data/samples")
    planned = built.planned("--config", "source=mirror", "mirror=mirror")
    configs = {name: yaml.safe_load((ROOT / "config" / "datasets" / f"{name}.yaml").read_text()) for name in DATASETS}
    movable = {name for name, config in configs.items() if "sources" in config and "source" not in config}
    assert planned == movable


def test_more_rows_change_the_content_and_nothing_else(built):
    before = built.products()
    built.configure("tabular", n_samples=1_100)
    built.snakemake("--cores", "2")
    after = built.products()
    changed = {name for name in before if before[name] != after[name]}
    assert {name.split("/")[1] for name in changed} == {"tabular"}
    assert "data/tabular/manifest.parquet" in changed
    assert after["data/tabular/raw/dataset.csv"].startswith(before["data/tabular/raw/dataset.csv"])


def test_a_target_takes_what_it_needs_and_nothing_else(bare):
    assert bare.jobs("data/emotion/processed") == {"emotion_download", "emotion_process"}
    assert bare.jobs("emotion") == {"emotion_download", "emotion_process", "emotion_analyze"}


def test_batches_make_together_what_one_run_makes(built):
    names, only = ("tabular", "wine-quality"), ("--config", "datasets=tabular,wine-quality")
    for name in names:
        (built.folder / "data" / name / "metadata.json").unlink()
    built.snakemake("--cores", "2", "--batch", "all=1/2", *only)
    assert [built.complete(name) for name in names] == [True, False]
    built.snakemake("--cores", "2", "--batch", "all=2/2", *only)
    assert built.complete("wine-quality")
    assert "Nothing to be done" in built.snakemake("-n")


def test_grouped_jobs_make_what_they_make_alone(built):
    before = built.products()
    groups = ("--groups", "tabular_process=table", "tabular_analyze=table", "--group-components", "table=2")
    built.snakemake("--cores", "2", "--forcerun", "tabular_process", *groups, "--", "tabular")
    assert built.products() == before
