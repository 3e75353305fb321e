"""Every snippet of docs/consumers.md, run as it stands there, and what comes of it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from registry_of_two_versions import RELEASES

from project import ALIASES
from support import ROOT

PAGE = (ROOT / "docs" / "consumers.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def snippet(language: str, part: str) -> str:
    """Return the one snippet that contains `part`."""
    found = [text for name, text in SNIPPETS if name == language and part in text]
    assert len(found) == 1, f"{part!r} is in {len(found)} snippets"
    return found[0]


@pytest.fixture
def names(registry, elsewhere) -> dict[str, Any]:
    """What the page says the reader puts in."""
    key, secret = registry.server.reader
    return {"REPO": str(registry.repository), "ENDPOINT": registry.server.url, "KEY": key, "SECRET": secret}


@pytest.fixture
def follow(names) -> Callable[[str], dict[str, Any]]:
    """Run a Python snippet and return its names."""

    def run(part: str) -> dict[str, Any]:
        exec(compile(snippet("python", part), "docs/consumers.md", "exec"), names)
        return names

    return run


@pytest.fixture
def train(names, trainer) -> Callable[[str, str], Any]:
    """Run a Python snippet where datasets and torch are, and return what an expression is afterwards."""

    def evaluated(code, names, expression):
        exec(compile(code, "docs/consumers.md", "exec"), names)
        return eval(expression, names)

    return lambda part, expression: trainer(evaluated, snippet("python", part), names, expression)


def run_in_shell(names: dict[str, Any], part: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euc", snippet("bash", part)],
        env={**os.environ, **names, "PATH": path, "PYTHONPATH": str(ROOT / "scripts")},
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout


def files(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != ".snakemake_timestamp"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def labels(registry) -> list[int]:
    table = pl.read_parquet(registry.built("fashion-mnist", "1.0.0") / "processed/train/train.parquet")
    return table["label"].to_list()


def test_which_versions_there_are(names):
    printed = run_in_shell(names, "ls-remote")
    assert re.findall(r"refs/tags/(\S+)", printed) == ["fashion-mnist-v1.0.0", "fashion-mnist-v2.0.0"]


def test_files_on_the_command_line(registry, names):
    run_in_shell(names, "data/fashion-mnist/processed --rev")
    assert files(Path("processed")) == files(registry.built("fashion-mnist", "1.0.0") / "processed")


def test_other_names(registry, names):
    run_in_shell(names, "data/roco-radiology/processed")
    assert files(Path("radiology")) == files(registry.built("radiology-mini", "1.0.0") / "processed")


def test_metadata(registry, monkeypatch, follow):
    registry.admit(monkeypatch, None)
    mean, std = follow("dvc.api.read(")["normalise"]
    images = pl.read_parquet(registry.built("fashion-mnist", "1.0.0") / "processed/train/train.parquet")["image"]
    pixels = images.to_numpy() / 255
    assert mean == pytest.approx(pixels.mean())
    assert std == pytest.approx(pixels.std(), rel=1e-3)


def test_one_file_with_pandas(registry, follow):
    wines = follow("pd.read_csv")["wines"]
    assert len(wines) == 586
    assert list(wines.columns)[-2:] == ["quality", "wine_type"]


def test_a_table_with_pyarrow(registry, follow):
    table = follow("pq.read_table")["labels"]
    assert table.column_names == ["label"]
    assert table["label"].to_pylist() == labels(registry)


def test_a_table_with_ray_data(registry, ray, follow):
    train = follow("ray.data.read_parquet")["train"]
    assert sorted(row["label"] for row in train.select_columns(["label"]).take_all()) == sorted(labels(registry))


def test_a_table_with_hugging_face_datasets(registry, train):
    assert train("dvc://", "train['label'][:]") == labels(registry)


def test_hugging_face_datasets_mixes_versions_up_as_the_page_warns(names, trainer):
    """Two versions, of 2000 and of 1900 rows. Once it is no longer so, the page can say less."""

    def rows_read(repo):
        from datasets import load_dataset

        def load(version, **options):
            file = "dvc://data/fashion-mnist/processed/train/train.parquet"
            place = {"repo": repo, "rev": f"fashion-mnist-v{version}"}
            return load_dataset("parquet", data_files=file, storage_options=place, split="train", **options)

        def count(rows):
            return sum(1 for _ in rows.select_columns(["label"]))

        versions = ("1.0.0", "2.0.0")
        return {
            "one cache": [count(load(version, cache_dir="one")) for version in versions],
            "a cache each": [count(load(version, cache_dir=version)) for version in versions],
            "streamed": [count(load(version, streaming=True)) for version in versions],
            "opened together": [count(rows) for rows in [load(version, streaming=True) for version in versions]],
        }

    assert trainer(rows_read, names["REPO"]) == {
        "one cache": [2000, 2000],
        "a cache each": [2000, 1900],
        "streamed": [2000, 1900],
        "opened together": [1900, 1900],
    }


def test_hugging_face_datasets_in_a_checkout(registry, train):
    shutil.copytree(registry.built("emotion", "1.0.0"), "data/emotion")
    counts = train('load_dataset("data/', "{name: split.num_rows for name, split in emotion.items()}")
    assert counts == {"train": 1800, "validation": 300, "test": 300}


def test_training_with_torch(train):
    assert train("DataLoader(", "[list(images.shape), str(images.dtype), len(train)]") == [
        [16, 28, 28],
        "torch.uint8",
        2000,
    ]


def test_training_with_hugging_face(train):
    messages = train(".to_hf()", "pictures['test'][0]['messages']")
    assert [message["role"] for message in messages] == ["user", "assistant"]


def test_batches(registry, follow):
    built = pl.read_parquet(registry.built("emotion", "1.0.0") / "processed/train/train.parquet")
    assert follow(".iter_batches(")["lengths"] == built["text"].str.len_chars().to_list()


def test_a_folder(registry, monkeypatch, follow):
    registry.admit(monkeypatch, None)
    follow("fs.get(")
    assert files(Path("train")) == files(registry.built("radiology-mini", "1.0.0") / "processed/train")


def test_all_urls(registry, follow):
    built = registry.built("radiology-mini", "1.0.0")
    urls = follow(").urls")["urls"]
    assert set(urls) == {f"data/radiology-mini/processed/{name}" for name in files(built / "processed")}
    assert all(url.startswith("s3://registry/store/files/md5/") for url in urls.values())


def test_the_client(registry, follow):
    names = follow("tabular.lazy_frame()")
    assert names["tabular"].version == "1.1.0"
    assert names["balance"]["len"].sum() == 1400


def test_list_and_get(registry, names):
    printed = run_in_shell(names, "registry get")
    assert {tuple(line.split()[:2]) for line in printed.splitlines() if "." in line} >= set(RELEASES)
    assert printed.endswith("tabular-v1.1.0/processed\n")
    assert files(Path("tabular-v1.1.0/processed")) == files(registry.built("tabular", "1.1.0") / "processed")


def test_list_in_python(registry, follow):
    names = follow("list_datasets(")
    others = [(alias, version) for alias, of in ALIASES.items() for name, version in RELEASES if name == of]
    assert [(one.dataset, one.version) for one in names["versions"]] == sorted(
        [*RELEASES, *others], key=lambda release: (release[0], -int(release[1].replace(".", "")))
    )
    assert {one.dataset: one.alias_of for one in names["versions"] if one.alias_of} == ALIASES
    assert names["largest"].dataset == "radiology-mini"


def test_fetch(registry, follow):
    pictures = follow(").fetch(")["pictures"]
    assert files(pictures) == files(registry.built("radiology-mini", "2.0.0") / "processed")


def test_the_client_with_ray(registry, ray, follow):
    assert follow(".ray_dataset(")["train"].count() == 2000


def test_some_days_of_a_stream(registry, ray, follow):
    built = pl.read_parquet(registry.built("events", "1.0.0") / "processed" / "*.parquet")
    since = built.filter(pl.col("occurred_at").dt.date().cast(str) >= "2026-11-02")
    assert 0 < len(since) < len(built)
    assert follow("occurred_at")["recent"].equals(since)
    latest = follow("days = [")["latest"].to_pandas()
    assert sorted(latest["event_id"]) == sorted(since["event_id"])


def test_in_an_mlflow_run(registry, mlflow, follow):
    names = follow("log_to_mlflow()")
    recorded = names["mlflow"].get_run(names["run"].info.run_id)
    assert recorded.data.params["fashion-mnist.version"] == "1.0.0"
    mean = names["data"].metadata["metrics"]["train"]["pixel_mean"]
    assert recorded.data.params["fashion-mnist.metrics.train.pixel_mean"] == str(mean)
    assert [given.dataset.name for given in recorded.inputs.dataset_inputs] == ["fashion-mnist"]


def test_no_snippet_is_forgotten():
    tests = Path(__file__).read_text(encoding="utf-8")
    taken = [snippet("bash", part) for part in re.findall(r'run_in_shell\(names, "(.+?)"\)', tests)]
    taken += [snippet("python", part) for part in re.findall(r'follow\("(.+?)"\)', tests)]
    taken += [snippet("python", part) for _, part in re.findall(r"train\((['\"])(.+?)\1, ", tests)]
    assert sorted(taken) == sorted(text for _, text in SNIPPETS)


@pytest.mark.parametrize("link", re.findall(r"\]\(#(.+?)\)", PAGE))
def test_links_lead_to_headings(link):
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    assert link in [heading.lower().replace(" ", "-") for heading in headings]
