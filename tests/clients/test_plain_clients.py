"""The clients that training repositories use, from another folder, against a bare git repository and S3."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import dvc.api
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
import s3fs
from dvc.api import DVCFileSystem
from dvc.config import NoRemoteError
from pyarrow.fs import S3FileSystem
from registry_of_two_versions import FIRST, RELEASES, SECOND

TWICE = sorted(SECOND)
TABLES = {
    "fashion-mnist": "processed/train/train.parquet",
    "tabular": "processed/tabular.parquet",
    "emotion": "processed/test/test.parquet",
}
VERSIONS_OF_TABLES = [(dataset, version) for dataset, version in RELEASES if dataset in TABLES]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(command, env={**os.environ, "PATH": path}, text=True, capture_output=True)


def files(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder but Snakemake's."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != ".snakemake_timestamp"]
    assert found, f"nothing in {folder}"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def url_of_table(registry, dataset: str, version: str) -> str:
    return dvc.api.get_url(
        f"data/{dataset}/{TABLES[dataset]}", repo=str(registry.repository), rev=f"{dataset}-v{version}"
    )


def test_the_two_versions_differ(registry):
    for dataset in TWICE:
        old, new = (registry.built(dataset, versions[dataset]) for versions in (FIRST, SECOND))
        assert files(old / "processed") != files(new / "processed")
        assert (old / "metadata.json").read_bytes() != (new / "metadata.json").read_bytes()


@pytest.mark.parametrize(("dataset", "version"), RELEASES)
def test_dvc_get(registry, elsewhere, dataset, version):
    data = "questions.csv" if dataset == "opencloudhub-readmes-rag-evaluation" else "processed"
    done = run("dvc", "get", str(registry.repository), f"data/{dataset}/{data}", "--rev", f"{dataset}-v{version}")
    assert done.returncode == 0, done.stderr
    built = registry.built(dataset, version) / data
    if built.is_file():
        assert Path(data).read_bytes() == built.read_bytes()
    else:
        assert files(Path(data)) == files(built)


@pytest.mark.parametrize(("dataset", "version"), VERSIONS_OF_TABLES)
def test_get_url_with_s3fs_and_pyarrow(registry, elsewhere, dataset, version):
    url = url_of_table(registry, dataset, version)
    assert url.startswith("s3://registry/store/files/md5/")
    table = pq.read_table(url, filesystem=s3fs.S3FileSystem(endpoint_url=registry.server.url))
    assert table.equals(pq.read_table(registry.built(dataset, version) / TABLES[dataset]))


@pytest.mark.parametrize(("dataset", "version"), VERSIONS_OF_TABLES)
def test_get_url_with_ray_data(registry, elsewhere, ray, dataset, version):
    ray.data.DataContext.get_current().use_datasource_v2 = False
    filesystem = S3FileSystem(endpoint_override=registry.server.url)
    table = ray.data.read_parquet(
        url_of_table(registry, dataset, version), filesystem=filesystem, file_extensions=None
    ).to_pandas()
    expected = pl.read_parquet(registry.built(dataset, version) / TABLES[dataset])
    assert list(table.columns) == expected.columns
    assert len(table) == expected.height
    assert table.iloc[:, -1].tolist() == expected.to_series(-1).to_list()
    if dataset == "fashion-mnist":
        assert [[list(row) for row in image] for image in table["image"][:20]] == expected["image"][:20].to_list()


@pytest.mark.parametrize(("dataset", "version"), RELEASES)
def test_metadata_needs_no_access_to_the_remote(registry, elsewhere, monkeypatch, dataset, version):
    registry.admit(monkeypatch, None)
    repository, tag = str(registry.repository), f"{dataset}-v{version}"
    text = dvc.api.read(f"data/{dataset}/metadata.json", repo=repository, rev=tag)
    assert json.loads(text) == json.loads((registry.built(dataset, version) / "metadata.json").read_text("utf-8"))
    with pytest.raises(Exception, match="Unable to locate credentials"):
        dvc.api.read(f"data/{dataset}/manifest.parquet", repo=repository, rev=tag, mode="rb")


@pytest.mark.parametrize(("dataset", "version"), VERSIONS_OF_TABLES)
def test_open_with_pandas(registry, elsewhere, dataset, version):
    path = f"data/{dataset}/{TABLES[dataset]}"
    with dvc.api.open(path, repo=str(registry.repository), rev=f"{dataset}-v{version}", mode="rb") as stream:
        table = pd.read_parquet(stream)
    expected = pd.read_parquet(registry.built(dataset, version) / TABLES[dataset])
    pd.testing.assert_frame_equal(table, expected)


def test_open_a_csv_with_pandas(registry, elsewhere):
    path = "data/wine-quality/processed/wine-quality.csv"
    with dvc.api.open(path, repo=str(registry.repository), rev="wine-quality-v1.0.0") as stream:
        table = pd.read_csv(stream)
    built = (registry.built("wine-quality", "1.0.0") / "processed" / "wine-quality.csv").read_bytes()
    pd.testing.assert_frame_equal(table, pd.read_csv(io.BytesIO(built)))


@pytest.mark.parametrize("version", [FIRST["radiology-mini"], SECOND["radiology-mini"]])
def test_a_folder_of_images_by_the_file_system(registry, elsewhere, monkeypatch, version):
    registry.admit(monkeypatch, None)
    key, secret = registry.server.reader
    filesystem = DVCFileSystem(
        str(registry.repository),
        rev=f"radiology-mini-v{version}",
        remote_config={"access_key_id": key, "secret_access_key": secret, "endpointurl": registry.server.url},
    )
    filesystem.get("data/radiology-mini/processed/train", "train", recursive=True)
    expected = files(registry.built("radiology-mini", version) / "processed" / "train")
    assert files(Path("train")) == expected
    annotations = json.loads(expected["annotations.json"])
    assert {f"images/{annotation['image']}" for annotation in annotations} == set(expected) - {"annotations.json"}


def test_a_folder_below_the_tracked_one_has_no_url(registry, elsewhere):
    with pytest.raises(NoRemoteError, match="no remote specified"):
        dvc.api.get_url(
            "data/radiology-mini/processed/train", repo=str(registry.repository), rev="radiology-mini-v1.0.0"
        )


def test_the_url_of_the_tracked_folder_is_a_list_of_files(registry, elsewhere):
    url = dvc.api.get_url("data/radiology-mini/processed", repo=str(registry.repository), rev="radiology-mini-v1.0.0")
    assert url.endswith(".dir")
    filesystem = s3fs.S3FileSystem(endpoint_url=registry.server.url)
    assert filesystem.isfile(url)
    listed = {entry["relpath"] for entry in json.loads(filesystem.cat_file(url))}
    assert listed == set(files(registry.built("radiology-mini", "1.0.0") / "processed"))


def test_artifacts_do_not_know_our_tags(registry, elsewhere):
    """`dvc artifacts get` looks for tags <name>@v<version>: see docs/consumers.md."""
    origin = elsewhere / "origin.git"
    checkout = elsewhere / "checkout"
    assert run("git", "clone", "--bare", str(registry.repository), str(origin)).returncode == 0
    assert run("git", "clone", str(origin), str(checkout)).returncode == 0
    (checkout / "dvc.yaml").write_text("artifacts:\n  tabular: {path: data/tabular/processed, type: dataset}\n")
    git = ["git", "-C", str(checkout), "-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    get = ["dvc", "artifacts", "get", str(origin), "tabular"]

    def tag(name: str) -> None:
        assert run(*git, "tag", "--annotate", name, "--message", "a release").returncode == 0
        assert run(*git, "push", "--tags", "origin", "main").returncode == 0

    assert run(*git, "add", "dvc.yaml").returncode == 0
    assert run(*git, "commit", "--message", "Name an artifact").returncode == 0
    tag("tabular-v1.2.0")
    for version in ([], ["--rev", "v1.2.0"]):
        done = run(*get, *version)
        assert done.returncode != 0
        assert "Unable to find artifact 'tabular" in done.stderr
    tag("tabular@v1.2.0")
    done = run(*get)
    assert done.returncode == 0, done.stderr
    assert files(elsewhere / "processed") == files(registry.built("tabular", "1.1.0") / "processed")
