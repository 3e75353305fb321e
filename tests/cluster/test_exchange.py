"""What jobs exchange, against a real S3 server: folders, notes, and names that lead elsewhere."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import snakemake.api
from snakemake.path_modifier import PathModifier
from snakemake_storage_plugin_s3 import StorageProvider, StorageProviderSettings

from registry.errors import RegistryError
from registry.gate import GateError
from registry.workflow.exchange import exchange
from s3 import S3Server

BUCKET = "exchange"


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with S3Server(tmp_path_factory.mktemp("s3"), buckets=(BUCKET,)) as server:
        yield server


@pytest.fixture
def stored(s3, tmp_path, monkeypatch):
    """Return a function from the place of a file to its object, as a job would have it."""
    monkeypatch.chdir(tmp_path)
    dag = snakemake.workflow.DAG
    monkeypatch.setattr(dag, "get_sources", dag.get_sources)
    monkeypatch.setattr(PathModifier, "modify", PathModifier.modify)
    settings = StorageProviderSettings(endpoint_url=s3.url, access_key=s3.admin.key, secret_key=s3.admin.secret)
    provider = StorageProvider(local_prefix=Path(".snakemake/storage/s3"), logger=None, settings=settings)
    prefix = f"s3://{BUCKET}/{tmp_path.name}"
    exchange(workflow(provider, prefix))
    return lambda place: provider.object(f"{prefix}/{place}")


def workflow(provider, prefix, name="s3"):
    return SimpleNamespace(
        storage_registry=SimpleNamespace(default_storage_provider=provider),
        storage_settings=SimpleNamespace(default_storage_provider=name, default_storage_prefix=prefix),
        is_main_process=False,
    )


def write(path, text=""):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def test_a_folder_is_stored_without_what_it_had_before(stored):
    write("data/tea/processed/old.csv")
    write("data/tea/processed/kept/a.csv", "a")
    folder = stored("data/tea/processed")
    folder.store_object()
    Path("data/tea/processed/old.csv").unlink()
    folder.store_object()

    elsewhere = stored("data/tea/processed")
    elsewhere.set_local_path(Path("elsewhere"))
    elsewhere.retrieve_object()
    assert [path.name for path in Path("elsewhere").rglob("*.csv")] == ["a.csv"]


def test_what_is_written_about_a_source_and_a_log_goes_with_them_and_only_while_it_is_there(stored):
    about_sources = [f"data/tea/.raw/{name}" for name in ("sources.json.md5", "served.json", "looks.json")]
    notes = [*about_sources, "logs/tea/analyze.breaches.json"]
    for path in ("data/tea/raw/sources.json", "logs/tea/analyze.log", *notes):
        write(path, path)
    for there in (True, False):
        for place in ("data/tea/raw/sources.json", "logs/tea/analyze.log"):
            stored(place).store_object()
        for path in notes:
            Path(path).unlink(missing_ok=True)
        for place in ("data/tea/raw/sources.json", "logs/tea/analyze.log"):
            stored(place).retrieve_object()
        assert [Path(path).exists() for path in notes] == [there] * 4
        for path in filter(Path.exists, map(Path, notes)):
            path.unlink()


def test_a_name_that_leads_out_of_its_folder_is_refused(stored, s3, tmp_path):
    folder = stored("data/tea/processed")
    folder.get_subkeys = lambda: [SimpleNamespace(key=f"{folder.key}/../../../.bashrc")]
    with pytest.raises(GateError, match="is not a path below a folder"):
        folder.retrieve_object()


def test_the_last_object_does_not_take_its_bucket_along(stored, s3):
    write("data/tea/a.csv")
    one = stored("data/tea/a.csv")
    one.store_object()
    for item in one.s3bucket().objects.all():
        item.delete()
    one.remove()
    assert one.bucket_exists()


def test_no_other_storage_is_taken():
    with pytest.raises(RegistryError, match="default-storage-provider: http is not known here"):
        exchange(workflow(object(), "http://", "http"))
