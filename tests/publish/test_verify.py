"""`registry verify`: a version is built again from its own tag, in a scratch folder, and compared."""

import io
import json
import shutil
from datetime import datetime
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
import yaml
from semver import Version

from clone import Clone
from forging import stored
from registry.describe.metadata import metadata_digest
from registry.storage.snapshot import Snapshot
from registry.storage.tags import Release
from registry.trace.verify import _compare
from support import reply

PIN = "data/tabular/pin.json"
PROCESS = "scripts/tabular/process.py"
GENERATE = "scripts/tabular/generate.py"


def state_of(clone):
    """What verify must leave alone: HEAD, references, the index's and the working tree's files."""
    files = [path for path in clone.folder.rglob("*") if path.is_file() and "tmp" not in path.parts]
    seen = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files if path.suffix != ".pyc"}
    kept = {path: stamp for path, stamp in seen.items() if ".git" not in path.parts and ".dvc" not in path.parts}
    return clone.git("show-ref", "--head"), clone.git("worktree", "list"), clone.git("status", "--short"), kept


def tagged(clone, tag, message="by hand"):
    """Release what tabular 1.0.0 holds again, from the code and configuration that the working tree has now."""
    clone.commit()
    clone.git("tag", "--annotate", "--message", tag, "--message", message, tag)


def edit_provenance(clone, change):
    path = clone.folder / "data" / "tabular" / "provenance.json"
    provenance = json.loads(path.read_text())
    change(provenance)
    path.write_text(json.dumps(provenance))


def test_a_version_comes_out_byte_for_byte_whatever_lies_here(released: Clone, tmp_path):
    released.write(PIN, json.dumps({"version": "1.0.0", "tag": "x-v1.0.0"}))
    tagged(released, "tabular-v1.0.1")
    released.configure("tabular", n_samples=400)
    released.edit(GENERATE, "DECIMALS = 6", "DECIMALS = 2")
    shutil.rmtree(released.folder / "data" / "tabular" / "processed")
    before = state_of(released)
    kept = tmp_path / "kept"
    verdict = released.registry_json("verify", "tabular-v1.0.1", "--keep", str(kept), SNAKEMAKE_PROFILE="nowhere")
    assert (verdict["tag"], verdict["result"]) == ("tabular-v1.0.1", "identical")
    assert state_of(released) == before
    assert not (kept / PIN).exists()
    assert (kept / "data" / "tabular" / "processed" / "tabular.parquet").is_file()
    assert "already exists" in released.registry("verify", "tabular", "--keep", str(kept), code=1)


def test_pictures_come_out_byte_for_byte(released, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    printed = released.registry("verify", "fashion-mnist", TMPDIR=str(scratch))
    assert "fashion-mnist-v1.0.0: identical, byte for byte." in printed
    assert list(scratch.iterdir()) == []


def test_the_same_samples_in_other_bytes_are_a_warning_that_names_libraries(released):
    def older(provenance):
        provenance["libraries"] |= {"polars": "1.0.0"}

    edit_provenance(released, older)
    released.edit(PROCESS, 'compression="zstd"', 'compression="snappy"')
    tagged(released, "tabular-v1.0.1")
    verdict = released.registry_json("verify", "tabular-v1.0.1")
    assert verdict["result"] == "same content"
    assert verdict["files"] == ["processed/tabular.parquet"]
    assert list(verdict["libraries"]) == ["polars"]
    assert verdict["libraries"]["polars"][0] == "1.0.0"
    printed = released.registry("verify", "tabular-v1.0.1")
    assert "warning: tabular-v1.0.1: the samples are the same, the bytes are not" in printed
    assert f"polars 1.0.0 -> {verdict['libraries']['polars'][1]}" in printed


def claimed(clone, change):
    """Release tabular-v1.0.1, whose metadata.json says what `change` makes of it."""
    path = clone.folder / "data" / "tabular" / "metadata.json"
    metadata = json.loads(path.read_text())
    change(metadata)
    path.write_text(json.dumps(metadata))
    edit_provenance(clone, lambda provenance: provenance["metadata"].update(sha256=metadata_digest(metadata)))
    tagged(clone, "tabular-v1.0.1")


def with_manifest(clone, rows, **options):
    """Let what is released next have so many rows of the manifest, in a file written with these options."""
    folder = clone.folder / "data" / "tabular"
    facts = {key: value for key, value in pq.read_metadata(folder / "manifest.parquet").metadata.items() if b"." in key}
    table = pq.read_table(folder / "manifest.parquet").slice(0, rows)
    stream = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(facts), stream, **options)
    md5 = stored(clone, stream.getvalue())
    (folder / "manifest.parquet.dvc").write_text(f"outs:\n- md5: {md5}\n  path: manifest.parquet\n")
    edit_provenance(clone, lambda provenance: provenance["manifest"].update(md5=md5))


def test_statistics_that_its_code_does_not_make_are_an_error_that_names_them(released):
    claimed(released, lambda metadata: metadata["splits"]["all"].update(num_samples=7))
    printed = released.registry("verify", "tabular-v1.0.1", code=1)
    assert "tabular-v1.0.1: different in metadata.json." in printed
    assert "splits.all.num_samples" in printed
    assert "identical" not in printed


def test_a_manifest_that_its_code_does_not_make_is_an_error(released):
    with_manifest(released, 3)
    tagged(released, "tabular-v1.0.1")
    printed = released.registry("verify", "tabular-v1.0.1", code=1)
    assert "tabular-v1.0.1: different in manifest.parquet." in printed
    assert "samples are the same" not in printed


def nearly(value):
    """Return statistics whose numbers differ in their last bits."""
    if isinstance(value, dict):
        return {name: nearly(inner) for name, inner in value.items()}
    return value * (1 + 1e-15) if isinstance(value, int) else value


def test_the_same_manifest_in_other_bytes_and_the_last_bits_of_statistics_are_identical(released):
    with_manifest(released, None, compression="gzip")

    before = (released.folder / "data/tabular/metadata.json").read_text()
    claimed(released, lambda metadata: metadata.update(summary=nearly(metadata["summary"])))
    assert json.loads((released.folder / "data/tabular/metadata.json").read_text()) != json.loads(before)
    assert "tabular-v1.0.1: identical, byte for byte." in released.registry("verify", "tabular-v1.0.1")


@pytest.mark.parametrize(
    ("computed", "data", "recall", "result"),
    [
        (True, "a", 0.7, "same content"),
        (True, "a", 0.8, "same content"),
        (True, "a", "0.8", "different"),
        (True, "b", 0.8, "different"),
        (False, "a", 0.8, "different"),
        (False, "b", 0.7 + 1e-15, "identical"),
    ],
)
def test_statistics_of_what_a_model_computed_may_differ_where_that_does(computed, data, recall, result, tmp_path):
    def state(data: str, recall: object) -> Snapshot:
        feature = {"dtype": "list<float>"} | ({"computed": True} if computed else {})
        metadata = {
            "schema": {"features": {"vector": feature}},
            "splits": {"all": {"num_samples": 1}},
            "retrieval": {"recall": recall},
            "content_hash": "x",
        }
        provenance = {
            "data": {"path": "processed", "md5": data},
            "manifest": {"md5": "m"},
            "libraries": {},
            "source": {"files": []},
            "config": {},
        }
        return Snapshot("vectors", "vectors-v1.0.0", metadata, provenance, {}, Path)

    release = Release("vectors", Version(1, 0, 0), "", datetime.now(), "")
    verdict = _compare(None, release, release, state("b", recall), state(data, 0.7), tmp_path)
    assert verdict.result == result
    named = [one.path for one in verdict.diff.statistics + verdict.diff.metadata] if verdict.diff else []
    assert named == (["retrieval.recall"] if recall in (0.8, "0.8") else [])


def test_other_samples_are_an_error_that_names_them(released):
    released.edit(GENERATE, "seed).spawn", "seed + 1).spawn")
    released.configure("tabular", seed=41, n_samples=999)
    tagged(released, "tabular-v1.0.1")
    printed = released.registry("verify", "tabular-v1.0.1", code=1)
    assert "tabular-v1.0.1: different in processed/tabular.parquet" in printed
    assert "all recorded libraries have the same versions" in printed
    assert "params.n_samples: 1000, not 999" in printed
    assert "all, removed: dataset.csv:999" in printed
    assert "Traceback" not in printed


def test_content_that_was_released_again_is_built_from_where_it_came_from(released):
    released.edit(GENERATE, "DECIMALS = 6", "DECIMALS = 2")
    tagged(released, "tabular-v1.0.1", message="content of 1.0.0")
    released.git("tag", "--annotate", "--message", "x", "--message", "content of 1.0.1", "tabular-v1.0.2")
    verdict = released.registry_json("verify", "tabular-v1.0.2")
    assert (verdict["result"], verdict["built_from"]) == ("identical", "tabular-v1.0.0")


def test_a_version_that_cannot_be_built_shows_why(released, tmp_path):
    released.configure("tabular", n_samples=50)
    tagged(released, "tabular-v1.0.1")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    printed = released.registry("verify", "tabular-v1.0.1", code=1, TMPDIR=str(scratch))
    assert "tabular-v1.0.1: cannot be built again; the build said:" in printed
    assert "the contract is broken" in printed
    assert "expected 100 to 10,000,000" in printed
    assert "Traceback" not in printed.partition("cannot be built again")[0]
    assert list(scratch.iterdir()) == []


def test_what_was_never_released_cannot_be_verified(released_once):
    assert "tabular has no version 2.0.0" in released_once.registry("verify", "tabular-v2.0.0", code=1)
    assert "nothing is not a release" in released_once.registry("verify", "nothing", code=1)


@pytest.fixture
def mirrored(fresh, tmp_path) -> tuple[Clone, Path]:
    """Wines that are released from a mirror, and the mirror."""
    path = fresh.folder / "config" / "datasets" / "wine-quality.yaml"
    dataset = yaml.safe_load(path.read_text(encoding="utf-8"))
    for source in dataset["sources"]["files"]:
        source["accept"] = []
    dataset["contract"]["rows"] = {}
    path.write_text(yaml.safe_dump({"source": "mirror"} | dataset, sort_keys=False), encoding="utf-8")
    fresh.commit()
    mirror = tmp_path / "mirror"
    shutil.copytree(fresh.folder / "data" / "samples" / "wine-quality", mirror / "wine-quality")
    fresh.snakemake("--cores", "2", "--config", f"mirror={mirror}", "--", "wine_quality")
    assert fresh.tags() == ["wine-quality-v1.0.0"]
    return fresh, mirror


def test_a_version_from_a_mirror_needs_one_whose_password_nobody_sees(mirrored, http_server):
    clone, mirror = mirrored
    printed = clone.registry("verify", "wine-quality", code=1)
    assert "was built from a mirror, and none is configured" in printed
    assert "name it with --mirror PATH" in printed
    assert "identical" in clone.registry("verify", "wine-quality", "--mirror", "../mirror")

    clone.edit("config/config.yaml", "mirror: null", "mirror: ../mirror")
    assert "identical" in clone.registry("verify", "wine-quality")

    seen = []

    def served(path):
        def answer(handler):
            arguments = (one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"]))
            seen.extend(" ".join(one) for one in arguments)
            reply(handler, path.read_bytes())

        return answer

    for path in (mirror / "wine-quality").iterdir():
        http_server.routes[f"/wine-quality/{path.name}"] = served(path)
    address = http_server.url.replace("//", "//ada:hunter2@")
    clone.edit("config/config.yaml", "mirror: ../mirror", f"mirror: {address}")
    assert "identical" in clone.registry("verify", "wine-quality")
    assert any("snakemake" in line for line in seen)
    assert not [line for line in seen if "hunter2" in line]

    wine = mirror / "wine-quality" / "winequality-red.csv"
    wine.write_bytes(wine.read_bytes().replace(b"7.4", b"7.5", 1))
    printed = clone.registry("verify", "wine-quality", "--mirror", str(mirror), code=1)
    assert "locked in config/locks/wine-quality.yaml" in printed
