"""provenance.json: how a dataset was made."""

import json
import platform
import sys
from importlib.metadata import version
from types import SimpleNamespace

import pyarrow  # noqa: F401
import pytest

from registry.describe.provenance import write_provenance
from registry.errors import RegistryError
from registry.files import dvc_digest, json_digest, seal, sha256_of

DATASET = {"name": "data", "source": "samples", "about": {"title": "T"}, "params": {"n": 1}, "contract": {}}
MANIFEST = SimpleNamespace(content_hash="sha256:" + "a" * 64, verdict={"passed": True}, md5="c" * 32)
METADATA = {"splits": {"train": {"num_samples": 3}}}
CODE = {"data/process.py": "b" * 64}
SCRIPT = (
    "import pyarrow.parquet\nimport json\nfrom PIL import Image\nimport nowhere.known\n\ndef late():\n    import dvc\n"
)
RECORD = {
    "mode": "samples",
    "files": [{"file": "a.csv", "url": "https://example.org/a.csv", "bytes": 3, "sha256": "c"}],
}


@pytest.fixture
def write(tmp_path):
    """Write the provenance of processed/ with three files and return it."""
    folder = tmp_path / "processed"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "a").write_bytes(b"abc")
    (folder / "b").write_bytes(b"de")
    (folder / ".snakemake_timestamp").write_text("ignored")
    (tmp_path / "sources.json").write_text(json.dumps(RECORD))
    (tmp_path / "scripts" / "data").mkdir(parents=True)
    (tmp_path / "scripts" / "data" / "process.py").write_text(SCRIPT)

    def write(data=folder):
        path = tmp_path / "provenance.json"
        made = {"data": data, "sources": tmp_path / "sources.json", "code": CODE, "scripts": tmp_path / "scripts"}
        write_provenance(path, DATASET, MANIFEST, METADATA, **made)
        return json.loads(path.read_text())

    return write


def test_it_tells_sources_config_code_content_data_and_verdict(write, tmp_path):
    found = write()
    assert found["source"] == RECORD
    assert {key: found["config"][key] for key in ("about", "params", "contract")} == {
        key: DATASET[key] for key in ("about", "params", "contract")
    }
    assert found["code"] == CODE
    assert found["content_hash"] == MANIFEST.content_hash
    assert found["contract"] == {"passed": True}
    digest = dvc_digest(tmp_path / "processed")
    assert found["data"] == {"path": "processed", "files": 2, "bytes": 5, "md5": digest}


def test_data_may_be_one_file(write, tmp_path):
    (tmp_path / "questions.csv").write_bytes(b"abcd")
    found = write(tmp_path / "questions.csv")["data"]
    assert (found["path"], found["files"], found["bytes"]) == ("questions.csv", 1, 4)
    assert found["md5"] == dvc_digest(tmp_path / "questions.csv")


def test_it_tells_which_manifest_and_metadata_belong_to_it(write):
    found = write()
    assert found["manifest"] == {"md5": MANIFEST.md5}
    assert found["metadata"] == {"sha256": json_digest(METADATA)}


def test_libraries_are_those_that_the_code_imports(write, monkeypatch):
    monkeypatch.delitem(sys.modules, "dvc", raising=False)
    assert write()["libraries"] == {
        "python": platform.python_version(),
        "pillow": version("pillow"),
        "pyarrow": version("pyarrow"),
    }


def test_it_holds_no_path_of_this_machine_and_no_time(write, tmp_path):
    write()
    once = sha256_of(tmp_path / "provenance.json")
    assert str(tmp_path) not in (tmp_path / "provenance.json").read_text()
    write()
    assert sha256_of(tmp_path / "provenance.json") == once


def test_its_digest_moves_with_the_data(write, tmp_path):
    once = write()["data"]["md5"]
    (tmp_path / "processed" / "b").write_bytes(b"dx")
    assert write()["data"]["md5"] != once


def test_data_that_was_changed_since_it_was_sealed_is_refused(write, tmp_path):
    seal(tmp_path / "processed")
    write()
    (tmp_path / "processed" / "b").write_bytes(b"dx")
    with pytest.raises(
        RegistryError, match=r"processed: changed by hand since it was made\n.*--forcerun data/data/processed"
    ):
        write()
