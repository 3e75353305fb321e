"""describe(): what a script finds out about its dataset is written when its block ends well, or not at all."""

import json
import math

import pyarrow as pa
import pytest

from analyzing import rule
from registry.describe.description import describe
from registry.describe.manifest import row_keys
from registry.describe.statistics import summarise
from registry.errors import RegistryError
from registry.files import dvc_digest, output_folder, sealed

SCHEMA = pa.schema([("text", pa.string()), ("size", pa.float64())])
DATASET = {
    "name": "small",
    "source": "samples",
    "about": {"title": "Small", "description": "For tests", "license": "MIT"},
    "params": {},
    "contract": {
        "columns": {"text": {"dtype": "string"}, "size": {"dtype": "float64"}},
        "rows": {"samples": {"train": 2, "val": 1}},
        "floors": {"metrics.train.size_mean": 1},
    },
}
WRITTEN = {"manifest.parquet", "metadata.json", "provenance.json"}


@pytest.fixture
def snakemake(tmp_path):
    with output_folder(tmp_path / "processed") as folder:
        (folder / "data.csv").write_text("x\n1\n")
    return rule(tmp_path, DATASET, tmp_path / "processed")


def batch(*sizes):
    return pa.record_batch([[f"text {size}" for size in sizes], list(sizes)], schema=SCHEMA)


def fill(about, train=(1.0, 2.0), val=(3.0,), statistics=summarise):
    for split, sizes in (("train", train), ("val", val)):
        about.add(split, batch(*sizes), inputs=["text"], keys=row_keys(f"{split}.csv", 0, len(sizes)))
    about.features["size"] = {"description": "how large it is"}
    about.splits["train"] = {"class_distribution": {"a": 2}}
    about.facts["metrics"] = {"train": statistics(train, "size_")}
    about.facts["summary"] = {"files": 1}


def written(snakemake):
    folder = snakemake.output.manifest.parent
    return {path.name for path in folder.iterdir()} & WRITTEN


def test_what_was_found_out_stands_in_three_files_that_belong_together(snakemake, tmp_path):
    with describe(snakemake, SCHEMA) as about:
        fill(about)
        assert about.num_samples("train") == 2
        assert about.num_samples("test") == 0
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    assert metadata == about.metadata
    assert list(metadata) == ["dataset", "schema", "splits", "metrics", "summary", "profile", "quality", "content_hash"]
    assert metadata["schema"]["features"]["size"] == {"dtype": "float64", "description": "how large it is"}
    assert metadata["splits"] == {
        "train": {"num_samples": 2, "class_distribution": {"a": 2}},
        "val": {"num_samples": 1},
    }
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["data"]["path"] == "processed"
    assert provenance["data"]["md5"] == dvc_digest(tmp_path / "processed") == sealed(tmp_path / "processed")
    assert provenance["manifest"]["md5"] == dvc_digest(tmp_path / "manifest.parquet")
    assert provenance["content_hash"] == metadata["content_hash"]
    assert provenance["contract"]["floors"] == {"metrics.train.size_mean": 1}


def test_what_the_contract_says_of_a_column_for_people_is_in_its_metadata(snakemake, tmp_path):
    columns = {
        "text": {"dtype": "string", "description": "what was said"},
        "size": {"dtype": "float64", "description": "of the contract", "unit": "cm"},
    }
    contract = {**DATASET["contract"], "columns": columns}
    snakemake.params.dataset = {**DATASET, "contract": contract}
    with describe(snakemake, SCHEMA) as about:
        fill(about)
    assert json.loads((tmp_path / "metadata.json").read_text())["schema"]["features"] == {
        "text": {"dtype": "string", "description": "what was said"},
        # The script knows more of it.
        "size": {"dtype": "float64", "description": "how large it is", "unit": "cm"},
    }


def test_breaches_of_values_rows_and_floors_come_in_one_message_and_nothing_is_written(snakemake):
    with pytest.raises(RegistryError) as caught, describe(snakemake, SCHEMA) as about:
        fill(about, (0.0, 0.5, math.inf), (3.0, 4.0), lambda values, prefix: {f"{prefix}mean": 0.25})
    for words in (
        "train: size: finite: found inf in row 2 ('train.csv:2')",
        "train: rows: expected 2: found 3",
        "val: rows: expected 1: found 2",
        "all: floors: metrics.train.size_mean at least 1: found 0.25",
    ):
        assert f"    {words}\n" in str(caught.value)
    assert written(snakemake) == set()
    # What would have been written, for the page that shows the rows.
    state = caught.value.state
    assert state["metadata"]["splits"]["train"]["num_samples"] == 3
    assert json.dumps(state, allow_nan=False)
    assert (state["provenance"]["data"]["path"], state["provenance"]["contract"]) == ("processed", {"passed": False})


def test_statistics_that_fail_on_what_the_contract_forbids_are_not_the_news(snakemake):
    with (
        pytest.raises(RegistryError, match="    train: size: finite: found nan ") as caught,
        describe(snakemake, SCHEMA) as about,
    ):
        fill(about, train=(1.0, math.nan))
    assert written(snakemake) == set()
    assert caught.value.state["metadata"]["splits"]["train"] == {"num_samples": 2}


def test_statistics_that_fail_on_no_samples_are_not_the_news(snakemake):
    none = pa.RecordBatch.from_pylist([], SCHEMA)
    expected = pytest.raises(RegistryError, match="    all: rows: expected at least 1: found 0")
    with expected, describe(snakemake, SCHEMA) as about:
        about.add("all", none, inputs=SCHEMA.names, keys=[])
        [].pop()
    # A fault of the script is not taken for that.
    with pytest.raises(IndexError), describe(snakemake, SCHEMA):
        [].pop()


def test_statistics_that_fail_on_good_samples_are(snakemake):
    with pytest.raises(ZeroDivisionError), describe(snakemake, SCHEMA) as about:
        fill(about)
        about.facts["summary"] = 1 / 0
    assert written(snakemake) == set()


def test_facts_that_no_schema_knows_are_not_written(snakemake):
    with pytest.raises(RegistryError, match="'host' was unexpected"), describe(snakemake, SCHEMA) as about:
        fill(about)
        about.facts["host"] = "here"
    assert not {"metadata.json", "provenance.json"} & written(snakemake)


def test_data_that_was_changed_since_it_was_made_is_not_described(snakemake, tmp_path):
    (tmp_path / "processed" / "data.csv").write_text("x\n2\n")
    changed = pytest.raises(RegistryError, match="processed: changed by hand since it was made")
    with changed, describe(snakemake, SCHEMA) as about:
        fill(about)
    assert "provenance.json" not in written(snakemake)


def test_a_rule_that_hands_no_checksum_over_is_told_how(snakemake):
    del snakemake.input.checksum
    told = pytest.raises(RegistryError, match=r"small: its rule has no input `checksum`\n.*outputs_of\(rules")
    with told, describe(snakemake, SCHEMA):
        pass
