"""Datasets by configuration alone: the files in docs/kinds.md, and what they have in common with all others."""

import polars as pl
import pytest
import yaml

from clone import under_git
from configured import EXAMPLES, add, metadata, only
from project import Project
from support import ROOT


@pytest.fixture
def alone(bare) -> Project:
    """A repository without datasets."""
    return only(bare)


def test_a_table_is_built_released_and_done(alone):
    rows = [f"{'MFI'[number % 3]},0.{100 + number},0.5,1,{number % 7 + 1}" for number in range(300)]
    add(alone, "abalone", EXAMPLES["abalone"], {"abalone.csv": "\n".join([*rows, rows[0], ""]).encode()})
    alone.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(alone)
    assert "abalone-v1.0.0" in clone.run("snakemake", "--cores", "2")
    found = metadata(clone, "abalone")
    assert found["summary"]["rows"] == 301
    assert found["summary"]["found"] == {"duplicates": 1}
    assert found["splits"]["train"]["class_distribution"].keys() == {str(rings) for rings in range(1, 8)}
    assert found["statistics"]["features"].keys() == {"length", "diameter", "rings"}
    tables = [
        pl.read_parquet(clone.folder / f"data/abalone/processed/{split}/{split}.parquet") for split in found["splits"]
    ]
    assert sum(table.height for table in tables) == 300
    assert tables[0].columns == ["sex", "length", "diameter", "rings"]
    assert "Nothing to be done" in clone.run("snakemake", "-n")
    assert clone.jobs() == set()
    # Another bound of the contract describes the data again, and does not make it again.
    clone.edit("config/datasets/abalone.yaml", "max: 40", "max: 50")
    assert {"abalone_analyze"} <= clone.jobs() <= {"abalone_analyze", "abalone_process"}


def test_one_that_is_ejected_makes_the_same(alone):
    rows = [f"{'MFI'[number % 3]},0.{100 + number},0.5,1,{number % 7 + 1}" for number in range(300)]
    add(alone, "sea-shells", EXAMPLES["abalone"], {"abalone.csv": "\n".join([*rows, rows[0], ""]).encode()})
    alone.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(alone)
    clone.run("snakemake", "--cores", "2")
    first = clone.git("show", "HEAD:data/sea-shells/metadata.json", "HEAD:data/sea-shells/processed.dvc")
    clone.registry("eject", "sea-shells")
    assert clone.registry_json("status")[0]["reason"] == 'built with kind: "table", not null'
    assert clone.jobs() == {f"sea_shells_{step}" for step in ("process", "analyze")}
    clone.commit("Write its own rules")
    assert "committed without a new version" in clone.run("snakemake", "--cores", "2")
    assert clone.git("show", "HEAD:data/sea-shells/metadata.json", "HEAD:data/sea-shells/processed.dvc") == first
    assert clone.registry_json("status")[0]["state"] == "released"
    assert clone.tags() == ["sea-shells-v1.0.0"]
    assert "Nothing to be done" in clone.run("snakemake", "-n")


def test_wine_quality_by_configuration_alone_is_wine_quality(alone, built_once):
    config = yaml.safe_load((ROOT / "config" / "datasets" / "wine-quality.yaml").read_text(encoding="utf-8"))
    files = [source["file"] for source in config["sources"]["files"]]
    config |= {
        "kind": "table",
        "params": {
            "format": {"separator": ";"},
            "columns": {"wine_type": {"by_file": dict(zip(files, (0, 1), strict=True))}},
            "target": "quality",
        },
    }
    folder = ROOT / "data" / "samples" / "wine-quality"
    add(
        alone,
        "wines",
        yaml.safe_dump(config, sort_keys=False),
        {file: (folder / file).read_bytes() for file in files},
    )
    alone.snakemake("--cores", "2", "wines")
    assert metadata(alone, "wines")["content_hash"] == metadata(built_once, "wine-quality")["content_hash"]


def test_params_that_do_not_fit_the_contract_are_all_named(alone):
    config = yaml.safe_load(EXAMPLES["abalone"])
    config["params"] |= {"target": "ring", "split": {"ratios": {"train": 0.8, "test": 0.3}}}
    config["contract"]["rows"] = {"samples": {"val": 1}}
    add(alone, "abalone", yaml.safe_dump(config, sort_keys=False), {"abalone.csv": b"F,1,1,1,1\n"})
    printed = alone.snakemake("-n", "abalone", fails=True)
    assert "params.target: the contract has no column ring: perhaps you mean rings" in printed
    assert "params.split.ratios: they add up to 1.1, not to 1" in printed
    assert "contract.rows.samples: there is no split val, there is train, test" in printed
