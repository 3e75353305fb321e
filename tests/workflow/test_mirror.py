"""Other sources than the samples: a mirror as a folder and as a server, and the full datasets from the real one."""

import functools
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from project import DATASETS, Project, copy_repository

pytestmark = pytest.mark.mirror


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def mirror_url(mirror):
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=mirror))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://user:secret@127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
def full(once, mirror, built_once):
    """A repository with every dataset built at full size; look but do not touch.

    The READMEs are those of the samples, and so are their vectors.
    """

    def make(folder: Path) -> str:
        project = copy_repository(folder)
        project.take_vectors(built_once)
        return project.snakemake("--cores", "2", "--config", "source=mirror", f"mirror={mirror}", "publish=false")

    return Project(once("full", make))


def metadata(project, name):
    return json.loads((project.folder / "data" / name / "metadata.json").read_text(encoding="utf-8"))


def provenance(project, name):
    return json.loads((project.folder / "data" / name / "provenance.json").read_text(encoding="utf-8"))


def test_everything_builds_at_full_size(full):
    assert [name for name in DATASETS if not full.complete(name)] == []
    rows = {name: {s: facts["num_samples"] for s, facts in metadata(full, name)["splits"].items()} for name in DATASETS}
    assert rows == {
        "emotion": {"train": 15_984, "val": 1_997, "test": 2_000},
        "events": {"all": 1_461},
        "fashion-mnist": {"train": 60_000, "val": 10_000},
        "opencloudhub-readmes": {"all": 13},
        "opencloudhub-readmes-embeddings": {"all": 459},
        "opencloudhub-readmes-rag-evaluation": {"all": 30},
        "radiology-mini": {"train": 451, "test": 49},
        "tabular": {"all": 1_000},
        "wine-quality": {"all": 6_497},
    }


def test_no_job_takes_more_memory_than_its_rule_declares(full):
    assert {log: took for log, took in full.memory().items() if took[0] > took[1]} == {}


def test_fashion_mnist_has_the_statistics_that_are_known_of_it(full):
    train = metadata(full, "fashion-mnist")["metrics"]["train"]
    assert train["pixel_mean"] == pytest.approx(0.2860, abs=5e-5)
    assert train["pixel_std"] == pytest.approx(0.3530, abs=5e-5)
    classes = metadata(full, "fashion-mnist")["splits"]["train"]["class_distribution"]
    assert set(classes.values()) == {6_000}


def test_wine_quality_has_the_statistics_that_are_known_of_it(full):
    facts = metadata(full, "wine-quality")
    assert facts["statistics"]["features"]["fixed acidity"]["mean"] == pytest.approx(7.215307064799139, rel=1e-12)
    assert facts["statistics"]["features"]["density"]["std"] == pytest.approx(0.0029986730037190393, rel=1e-12)
    assert facts["statistics"]["target"]["mean"] == pytest.approx(5.818377712790519, rel=1e-12)
    assert facts["summary"]["wine_type_distribution"] == {"red": 1_599, "white": 4_898}
    assert facts["summary"]["quality_distribution"] == {
        "3": 30, "4": 216, "5": 2_138, "6": 2_836, "7": 1_079, "8": 193, "9": 5,
    }  # fmt: skip


def test_texts_of_emotion_that_are_in_two_splits_are_counted_and_gone(full):
    assert metadata(full, "emotion")["summary"]["found"]["in_two_splits"] == 19
    manifest = pl.read_parquet(full.folder / "data" / "emotion" / "manifest.parquet")
    assert manifest.group_by("input_id").agg(pl.col("split").n_unique()).get_column("split").max() == 1


def test_the_mirror_is_no_part_of_what_is_kept(full, mirror):
    for name, content in full.products().items():
        assert str(mirror).encode() not in content, name
    sources = provenance(full, "wine-quality")["source"]
    assert sources["mode"] == "mirror"
    assert sources["files"][0]["url"].startswith("https://archive.ics.uci.edu/")


def test_a_mirror_that_is_a_server_gives_the_same_bytes(full, bare, mirror_url):
    names = ["wine-quality", "opencloudhub-readmes"]
    targets = [name.replace("-", "_") for name in names]
    bare.snakemake("--cores", "2", "--config", "source=mirror", f"mirror={mirror_url}", "--", *targets)
    expected, found = full.products(), bare.products()
    compared = [path for path in expected if path.split("/")[1] in names]
    assert len(compared) > 20
    assert [path for path in compared if found.get(path) != expected[path]] == []
    logs = "".join(path.read_text() for path in (bare.folder / "logs").rglob("*.log"))
    assert "fetching" in logs
    assert "secret" not in logs


def test_a_mirror_without_the_file_names_it_and_what_to_do(bare, tmp_path):
    (tmp_path / "empty").mkdir()
    printed = bare.snakemake(
        "--cores", "2", "--config", "source=mirror", f"mirror={tmp_path / 'empty'}", "--", "emotion", fails=True
    )
    assert "train-00000-of-00001.parquet: no such file" in printed
    assert "what to do:" in printed
    assert "Traceback" not in printed
