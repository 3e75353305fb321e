"""`open_dataset`, against a bare git repository and S3, a local store, a Ray cluster and an MLflow server."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from registry_of_two_versions import FIRST, RELEASES, SECOND

from registry import open_dataset
from registry.catalog.runs import LoggedRuns
from registry.errors import RegistryError
from registry.shown import redacted
from support import free_ports

SPLITS = {
    "fashion-mnist": ["train", "val"],
    "emotion": ["train", "val", "test"],
}
ONE_FILE = {
    "wine-quality": "processed/wine-quality.parquet",
    "tabular": "processed/tabular.parquet",
    "opencloudhub-readmes": "processed/documents.parquet",
    "opencloudhub-readmes-embeddings": "processed/embeddings.parquet",
    "opencloudhub-readmes-rag-evaluation": "questions.csv",
}
GIT = ["git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
TABLES = [(dataset, version) for dataset, version in RELEASES if dataset != "radiology-mini"]


def built_table(registry, dataset: str, version: str, split: str | None = None) -> pl.DataFrame:
    folder = registry.built(dataset, version)
    if dataset in ONE_FILE:
        path = folder / ONE_FILE[dataset]
        return pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
    if dataset == "events":
        return pl.read_parquet(sorted((folder / "processed").glob("*.parquet")))
    return pl.concat(
        pl.read_parquet(folder / "processed" / name / f"{name}.parquet")
        for name in ([split] if split else SPLITS[dataset])
    )


@pytest.mark.parametrize(("dataset", "version"), RELEASES)
def test_what_is_known_of_a_version(registry, elsewhere, monkeypatch, dataset, version):
    registry.admit(monkeypatch, None)
    found = open_dataset(dataset, version, registry.repository)
    built = registry.built(dataset, version)
    assert (found.name, found.version, found.tag) == (dataset, version, f"{dataset}-v{version}")
    assert found.repo == str(registry.repository)
    assert found.metadata == json.loads((built / "metadata.json").read_text("utf-8"))
    assert found.provenance == json.loads((built / "provenance.json").read_text("utf-8"))
    tracked = (built / f"{found.path.rpartition('/')[2]}.dvc").read_text("utf-8")
    assert f"md5: {found.digest}\n" in tracked
    assert f"version='{version}', repo='{found.repo}'" in repr(found)


@pytest.mark.parametrize("dataset", FIRST)
def test_the_latest_version(registry, elsewhere, dataset):
    assert open_dataset(dataset, repo=registry.repository).version == (FIRST | SECOND)[dataset]


def test_the_latest_is_the_highest_by_number(registry, elsewhere):
    origin = elsewhere / "origin.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(registry.repository), str(origin)], check=True)
    for tag in ("tabular-v1.10.0", "tabular-v1.9.0", "tabular-v2.0.0-rc.1", "tabular-v3", "tabular-vv4.0.0"):
        subprocess.run([*GIT, "-C", str(origin), "tag", "-m", tag, tag, "tabular-v1.0.0^{}"], check=True)
    assert open_dataset("tabular", repo=origin).version == "1.10.0"
    with pytest.raises(RegistryError, match="choose from: latest, 1.0.0, 1.1.0, 1.9.0, 1.10.0$"):
        open_dataset("tabular", "2.0.0-rc.1", origin)


@pytest.mark.parametrize(("dataset", "version"), RELEASES)
def test_urls(registry, elsewhere, dataset, version):
    client = registry.server.client(registry.server.reader)
    urls = open_dataset(dataset, version, registry.repository).urls
    root = registry.built(dataset, version)
    data = root / "questions.csv" if dataset.endswith("evaluation") else root / "processed"
    files = [data] if data.is_file() else [path for path in data.rglob("*") if path.is_file() and path.name[0] != "."]
    assert set(urls) == {f"data/{dataset}/{path.relative_to(root).as_posix()}" for path in files}
    for path in files:
        url = urls[f"data/{dataset}/{path.relative_to(root).as_posix()}"]
        stored = client.get_object(Bucket="registry", Key=url.removeprefix("s3://registry/"))["Body"].read()
        assert stored == path.read_bytes()


@pytest.mark.parametrize(("dataset", "version"), TABLES)
def test_a_lazy_frame(registry, elsewhere, dataset, version):
    found = open_dataset(dataset, version, registry.repository)
    frame = found.lazy_frame()
    assert isinstance(frame, pl.LazyFrame)
    assert_frame_equal(frame.collect(), built_table(registry, dataset, version))
    for split in found.metadata["splits"]:
        assert_frame_equal(found.lazy_frame(split).collect(), built_table(registry, dataset, version, split))


def test_a_lazy_frame_reads_what_a_query_needs(registry, elsewhere):
    frame = open_dataset("tabular", repo=registry.repository).lazy_frame()
    query = frame.filter(pl.col("label") == 1).select("feature_0")
    assert "PROJECT 2/6" in query.explain().upper() or "PROJECT 1/6" in query.explain().upper(), query.explain()
    expected = built_table(registry, "tabular", SECOND["tabular"]).filter(pl.col("label") == 1).select("feature_0")
    assert_frame_equal(query.collect(), expected)


@pytest.mark.parametrize(
    ("dataset", "version", "split"),
    [
        ("fashion-mnist", "1.0.0", "train"),
        ("fashion-mnist", "2.0.0", "train"),
        ("fashion-mnist", "2.0.0", None),
        ("tabular", "1.0.0", None),
        ("tabular", "1.1.0", "all"),
        ("opencloudhub-readmes-rag-evaluation", "1.0.0", None),
    ],
)
def test_a_ray_dataset(registry, elsewhere, ray, dataset, version, split):
    context = ray.data.DataContext.get_current()
    context.use_datasource_v2 = True
    table = open_dataset(dataset, version, registry.repository).ray_dataset(split).to_pandas()
    assert context.use_datasource_v2
    expected = built_table(registry, dataset, version, split)
    assert list(table.columns) == expected.columns
    last = expected.columns[-1]
    assert sorted(table[last]) == sorted(expected[last])


@pytest.mark.parametrize(("dataset", "version"), TABLES)
def test_rows_as_frames(registry, elsewhere, dataset, version):
    found = open_dataset(dataset, version, registry.repository)
    expected = built_table(registry, dataset, version)
    assert_frame_equal(found.to_polars(), expected)
    assert found.to_pandas().shape == expected.shape
    batches = list(found.iter_batches(batch_size=97))
    assert_frame_equal(pl.from_arrow(batches), expected)
    assert {batch.num_rows for batch in batches[:-1]} <= {97}
    last, split = expected.columns[-1], list(found.metadata["splits"])[-1]
    expected = built_table(registry, dataset, version, split).select(last)
    assert_frame_equal(found.to_polars(split, columns=[last]), expected)


def built_rows(registry, version: str, split: str) -> list[dict]:
    folder = registry.built("radiology-mini", version) / "processed" / split
    roles = {"human": "user", "gpt": "assistant"}
    return [
        {
            "file_name": entry["image"],
            "image": (folder / "images" / entry["image"]).read_bytes(),
            "messages": [{"role": roles[turn["from"]], "content": turn["value"]} for turn in entry["conversations"]],
        }
        for entry in json.loads((folder / "annotations.json").read_text("utf-8"))
    ]


@pytest.mark.parametrize("version", [FIRST["radiology-mini"], SECOND["radiology-mini"]])
def test_pictures_with_conversations_as_rows(registry, elsewhere, version):
    found = open_dataset("radiology-mini", version, registry.repository)
    rows = {split: built_rows(registry, version, split) for split in ("train", "test")}
    assert found.to_polars("test").to_dicts() == rows["test"]
    batches = list(found.iter_batches(batch_size=5))
    assert [row for batch in batches for row in batch.to_pylist()] == [*rows["train"], *rows["test"]]
    assert [batch.num_rows for batch in batches][:-1] == [5] * (len(batches) - 1)
    assert found.to_pandas(columns=["messages"]).columns.tolist() == ["messages"]


def test_rows_come_from_a_cache_that_is_checked(registry, elsewhere):
    found = open_dataset("emotion", repo=registry.repository)
    expected = built_table(registry, "emotion", "1.0.0", "val")
    assert_frame_equal(found.to_polars("val"), expected)
    (stored,) = (path for path in (elsewhere / ".cache" / "md5").rglob("*") if path.is_file())
    stored.write_bytes(stored.read_bytes()[:-8] + b"damaged!")
    assert_frame_equal(open_dataset("emotion", repo=registry.repository).to_polars("val"), expected)
    stored.unlink()
    assert_frame_equal(found.to_polars("val"), expected)
    assert stored.exists()


@pytest.mark.parametrize("version", [FIRST["radiology-mini"], SECOND["radiology-mini"]])
def test_fetch_a_folder(registry, elsewhere, version):
    path = open_dataset("radiology-mini", version, registry.repository).fetch("here/radiology")
    assert path.as_posix() == "here/radiology/processed"
    built = registry.built("radiology-mini", version) / "processed"
    wanted = {file.relative_to(built): file.read_bytes() for file in built.rglob("*") if file.is_file()}
    wanted = {name: content for name, content in wanted.items() if name.name != ".snakemake_timestamp"}
    assert {file.relative_to(path): file.read_bytes() for file in path.rglob("*") if file.is_file()} == wanted


def test_fetch_a_file(registry, elsewhere):
    dataset = "opencloudhub-readmes-rag-evaluation"
    path = open_dataset(dataset, repo=registry.repository).fetch(elsewhere / "evaluation")
    assert path == elsewhere / "evaluation" / "questions.csv"
    assert path.read_bytes() == (registry.built(dataset, "1.0.0") / "questions.csv").read_bytes()


def test_fetch_leaves_a_folder_that_is_there_alone(registry, elsewhere):
    (elsewhere / "here").mkdir()
    (elsewhere / "here" / "mine").touch()
    with pytest.raises(RegistryError, match="^here: already exists"):
        open_dataset("tabular", repo=registry.repository).fetch("here")
    assert (elsewhere / "here" / "mine").exists()


def test_a_checkout_with_a_local_store(registry, elsewhere, monkeypatch):
    """The default remote of a fresh registry is a folder inside it."""
    registry.admit(monkeypatch, None)
    folder = elsewhere / "own"

    def run(*command: str) -> None:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    subprocess.run(["git", "clone", "--quiet", "--no-tags", str(registry.repository), str(folder)], check=True)
    dvc = [sys.executable, "-m", "dvc"]
    built = registry.built("tabular", "1.0.0")
    (folder / "data/tabular/processed").mkdir()
    for file in ("metadata.json", "provenance.json", "manifest.parquet.dvc", "processed/tabular.parquet"):
        (folder / "data/tabular" / file).write_bytes((built / file).read_bytes())
    run(*dvc, "remote", "default", "local")
    run(*dvc, "add", "--no-relink", "data/tabular/processed")
    run(*dvc, "push", "data/tabular/processed.dvc")
    run("git", "add", "--all")
    run(*GIT, "commit", "--message", "Release")
    run(*GIT, "tag", "-m", "7.0.0", "tabular-v7.0.0")
    (folder / "data/tabular/metadata.json").unlink()
    for path in (folder / ".dvc" / "cache", folder / "data/tabular/processed"):
        path.rename(elsewhere / path.name)

    monkeypatch.chdir(folder)
    found = open_dataset("tabular")
    assert (found.version, found.repo) == ("7.0.0", ".")
    assert {path: Path(url).read_bytes() for path, url in found.urls.items()} == {
        "data/tabular/processed/tabular.parquet": (built / "processed/tabular.parquet").read_bytes()
    }
    assert_frame_equal(found.lazy_frame().collect(), built_table(registry, "tabular", "1.0.0"))
    assert found.fetch(elsewhere / "fetched").is_dir()


def refused(action) -> str:
    with pytest.raises(RegistryError) as caught:
        action()
    return str(caught.value)


def test_an_unknown_dataset(registry, elsewhere):
    message = refused(lambda: open_dataset("tabula", repo=registry.repository))
    assert message.startswith(f"{registry.repository}: no dataset tabula\n")
    assert f"choose from: {', '.join(sorted([*FIRST, 'roco-radiology']))}" in message


@pytest.mark.parametrize("version", ["9.0.0", "v1.0.0", "1.0", "", "main"])
def test_an_unknown_version(registry, elsewhere, version):
    message = refused(lambda: open_dataset("tabular", version, registry.repository))
    assert f"no version {version} of tabular" in message
    assert message.endswith("choose from: latest, 1.0.0, 1.1.0")


def test_an_unknown_split(registry, elsewhere):
    found = open_dataset("emotion", repo=registry.repository)
    for action in (found.lazy_frame, found.iter_batches, found.to_polars, found.to_pandas):
        message = refused(lambda action=action: action("trian"))
        assert "no split trian" in message
        assert "choose from: train, val, test" in message


def test_an_unknown_column(registry, elsewhere):
    found = open_dataset("emotion", repo=registry.repository)
    message = refused(lambda: found.iter_batches("val", columns=["txt"]))
    assert message.startswith("emotion-v1.0.0: data/emotion/processed/val/val.parquet: no column txt\n")
    assert message.endswith("choose from: text, label")


def test_batches_of_no_rows(registry, elsewhere):
    assert "no batch has 0 rows" in refused(
        lambda: open_dataset("emotion", repo=registry.repository).iter_batches("val", 0)
    )


def test_no_table(registry, elsewhere):
    assert "the data is not a table" in refused(
        lambda: open_dataset("radiology-mini", repo=registry.repository).lazy_frame()
    )


def test_no_repository(elsewhere):
    assert "git cannot read it" in refused(lambda: open_dataset("tabular"))
    message = refused(lambda: open_dataset("tabular", repo="http://me:my-password@127.0.0.1:9/registry.git"))
    assert message.startswith("http://127.0.0.1:9/registry.git: git cannot read it")
    assert "my-password" not in message


def test_a_repository_without_releases(elsewhere):
    subprocess.run(["git", "init", "--quiet", "--bare", "empty.git"], check=True)
    assert "none, it has no release" in refused(lambda: open_dataset("tabular", repo="empty.git"))


def test_a_tag_that_is_no_release(registry, elsewhere):
    subprocess.run(["git", "clone", "--quiet", "--bare", str(registry.repository), "origin.git"], check=True)
    subprocess.run([*GIT, "-C", "origin.git", "tag", "-m", "none", "mushrooms-v1.0.0", "main"], check=True)
    message = refused(lambda: open_dataset("mushrooms", repo="origin.git"))
    assert message.startswith("origin.git at mushrooms-v1.0.0: mushrooms-v1.0.0 holds no release of mushrooms")
    assert "it lacks data/mushrooms/metadata.json" in message


@pytest.mark.parametrize("dataset", ["tabular", "opencloudhub-readmes-rag-evaluation"])
def test_nobody_gets_data(registry, elsewhere, monkeypatch, dataset):
    registry.admit(monkeypatch, None)
    found = open_dataset(dataset, repo=registry.repository)
    for action in [found.lazy_frame, found.to_polars, lambda: found.fetch(elsewhere / "new")]:
        message = refused(action)
        assert "cannot read the data from its DVC remote: " in message
        assert "your credentials" in message
    assert not (elsewhere / "new").exists()


def test_a_wrong_secret_gets_no_data(registry, elsewhere, monkeypatch):
    registry.admit(monkeypatch, registry.server.reader._replace(secret="another"))
    found = open_dataset("tabular", repo=registry.repository)
    assert "cannot read the data from its DVC remote: Forbidden" in refused(found.lazy_frame)


def test_credentials_as_an_argument(registry, elsewhere, monkeypatch):
    registry.admit(monkeypatch, None)
    key, secret = registry.server.reader
    config = {"access_key_id": key, "secret_access_key": secret}
    found = open_dataset("tabular", repo=registry.repository, remote="s3", remote_config=config)
    assert_frame_equal(found.lazy_frame().collect(), built_table(registry, "tabular", "1.1.0"))


def test_a_remote_that_is_not_there(registry, elsewhere):
    found = open_dataset("tabular", repo=registry.repository, remote="unheard-of")
    assert "unheard-of" in refused(found.lazy_frame)


@pytest.mark.parametrize(
    ("module", "extra", "method"),
    [
        ("polars", "polars", "lazy_frame"),
        ("polars", "polars", "to_polars"),
        ("pandas", "pandas", "to_pandas"),
        ("datasets", "hf", "to_hf"),
        ("torch", "torch", "to_torch"),
        ("ray.data", "ray", "ray_dataset"),
        ("mlflow", "mlflow", "log_to_mlflow"),
    ],
)
def test_a_missing_extra(registry, elsewhere, monkeypatch, module, extra, method):
    found = open_dataset("tabular", repo=registry.repository)
    monkeypatch.setitem(sys.modules, module, None)
    assert f"pip install 'data-registry[{extra}]'" in refused(getattr(found, method))


def test_mlflow_records_the_dataset(registry, elsewhere, mlflow):
    import mlflow as client

    found = open_dataset("fashion-mnist", "1.0.0", registry.repository)
    with client.start_run() as run:
        found.log_to_mlflow()
        found.log_to_mlflow()
        open_dataset("tabular", repo=registry.repository).log_to_mlflow()
    recorded = client.MlflowClient(mlflow).get_run(run.info.run_id)

    inputs = {given.dataset.name: given for given in recorded.inputs.dataset_inputs}
    assert set(inputs) == {"fashion-mnist", "tabular"}
    given = inputs["fashion-mnist"]
    built = registry.built("fashion-mnist", "1.0.0")
    assert given.dataset.digest == json.loads((built / "provenance.json").read_text("utf-8"))["data"]["md5"]
    assert given.dataset.source_type == "dvc"
    source = json.loads(given.dataset.source)
    assert source["url"].startswith("s3://registry/store/files/md5/")
    assert source["url"].removeprefix("s3://registry/store/files/md5/").replace("/", "") == given.dataset.digest
    assert (source["repo"], source["rev"]) == (str(registry.repository), "fashion-mnist-v1.0.0")
    assert source["path"] == "data/fashion-mnist/processed"
    assert {tag.key: tag.value for tag in given.tags} == {"version": "1.0.0"}

    metrics = json.loads((built / "metadata.json").read_text("utf-8"))["metrics"]
    wanted = {
        f"fashion-mnist.metrics.{split}.{key}": str(metrics[split][key]) for split in metrics for key in metrics[split]
    }
    assert "fashion-mnist.metrics.train.pixel_std" in wanted
    wanted |= {"fashion-mnist.version": "1.0.0", "tabular.version": "1.1.0"}
    assert recorded.data.params == wanted


def test_the_catalog_finds_the_runs_that_logged_a_dataset(registry, elsewhere, mlflow, monkeypatch):
    import mlflow as client

    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow)
    found, said = open_dataset("wine-quality", repo=registry.repository), []
    with client.start_run(run_name="<b>one</b>") as run:
        found.log_to_mlflow()
    with client.start_run():
        open_dataset("tabular", repo=registry.repository).log_to_mlflow()
    logged = LoggedRuns(said.append)
    (ours,) = [one for one in logged.of("wine-quality")[found.digest] if one["name"] == "<b>one</b>"]
    assert ours["address"] == f"{mlflow}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    assert ours["status"] == "FINISHED"
    assert logged.of("emotion") == {}
    assert said == []


def test_the_catalog_goes_on_without_an_mlflow_that_answers(monkeypatch):
    (port,) = free_ports(1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ada:secret@127.0.0.1:{port}")
    said = []
    logged = LoggedRuns(said.append)
    assert [logged.of(name) for name in ("emotion", "tabular")] == [{}, {}]
    assert len(said) == 1
    assert "secret" not in said[0]


def test_mlflow_takes_many_statistics(registry, elsewhere, mlflow):
    import mlflow as client

    statistics = {f"column {number}": {"mean": number / 7} for number in range(250)}
    found = open_dataset("wine-quality", repo=registry.repository)
    with client.start_run() as run:
        more = replace(found.snapshot, metadata=found.metadata | {"statistics": statistics})
        replace(found, snapshot=more).log_to_mlflow()
    params = client.get_run(run.info.run_id).data.params
    assert len(params) == 251
    assert params["wine-quality.statistics.column 249.mean"] == str(249 / 7)


def test_mlflow_without_a_run(registry, elsewhere, mlflow):
    message = refused(open_dataset("tabular", repo=registry.repository).log_to_mlflow)
    assert message.startswith("tabular-v1.1.0: no MLflow run is active")


def test_mlflow_keeps_one_version_of_a_dataset_in_a_run(registry, elsewhere, mlflow):
    import mlflow as client

    with client.start_run():
        open_dataset("tabular", "1.0.0", registry.repository).log_to_mlflow()
        message = refused(open_dataset("tabular", "1.1.0", registry.repository).log_to_mlflow)
    assert message.startswith("tabular-v1.1.0: MLflow rejected it: ")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:secret@host/a.git", "https://host/a.git"),
        ("at https://token@host/a.git and more", "at https://host/a.git and more"),
        ("git@host:team/a.git", "git@host:team/a.git"),
        ("ssh://git@host/a.git", "ssh://git@host/a.git"),
        ("ssh://git:secret@host/a.git", "ssh://git@host/a.git"),
        ("https://me:sec@ret@host/a.git", "https://host/a.git"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
    ],
)
def test_a_password_in_the_address_is_not_shown(address, shown):
    assert redacted(address) == shown
