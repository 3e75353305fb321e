"""What an orchestrator computes by itself: the scripts of each dataset, the checks of its contract, its versions."""

import json
import shutil
import subprocess
import sys

import pytest

from parsed_rules import parsed_rules
from project import DATASETS, MADE_OF
from registry.files import write_json
from registry.orchestrate.checkout import Checkout
from registry.orchestrate.contract import breaches_by_check, checks_of
from registry.orchestrate.scripts_of import scripts_of
from registry.orchestrate.versions import code_version
from registry.sources.stream import batch_names, record_of
from support import ROOT


@pytest.mark.parametrize("name", DATASETS)
def test_the_scripts_of_a_dataset_are_those_of_its_rules(name):
    code = next(
        rule["code"] for rule in parsed_rules().values() if f"data/{name}/provenance.json" in rule["output"].values()
    )
    assert scripts_of(Checkout.at(ROOT).datasets[name], ROOT) == sorted(code)


def test_a_breach_belongs_to_the_check_of_its_column():
    contract = {"columns": {"a b": {}, "a_b": {}}, "rows": {}, "disjoint": True, "floors": {"x.y": 1}}
    assert [*checks_of(contract)] == ["columns", "column_a_b", "column_a_b_1", "rows", "disjoint", "floor_x_y"]
    breaches = [
        {"split": "all", "column": column, "rule": rule, "message": rule}
        for column, rule in {"a_b": "no nulls", "inputs": "none in two splits", "floors": "x.y at least 1"}.items()
    ]
    assert breaches_by_check(contract, breaches) == {
        "column_a_b_1": "all: a_b: no nulls",
        "disjoint": "all: inputs: none in two splits",
        "floor_x_y": "all: floors: x.y at least 1",
    }


def test_a_changed_configuration_is_another_code_version_of_what_needs_it():
    checkout = Checkout.at(ROOT)
    before = {name: code_version(checkout, name) for name in checkout.names}
    checkout.datasets["opencloudhub-readmes"]["about"]["title"] = "Other"
    changed = {name for name in checkout.names if code_version(checkout, name) != before[name]}
    assert changed == {"opencloudhub-readmes", "opencloudhub-readmes-embeddings"}


def test_what_was_read_of_a_stream_has_a_code_version_while_it_is_not_listed_or_its_list_is_broken(bare):
    bare.edit("config/datasets/events.yaml", "\nsource: samples\n", "\nsource: stream\n")
    samples, raw = bare.folder / "data" / "samples" / "events", bare.folder / "data" / "events" / "raw"
    first, second, *_ = batch_names(samples)

    def version() -> str:
        return code_version(Checkout.at(bare.folder), "events")

    versions = [version()]
    for name in (first, second):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(samples / name, raw / name)
        # `registry ingest` lists a batch after that has taken its name.
        versions += [version()] if name == second else []
        write_json(raw / "sources.json", record_of("stream", raw, batch_names(raw)))
        versions.append(version())
    for broken in ("", "[1]", '{"files": [{"file": "a"}]}'):
        (raw / "sources.json").write_text(broken, encoding="utf-8")
        versions.append(version())
    nothing, one, unlisted, two, *of_broken = versions
    assert len({nothing, one, unlisted, two, *of_broken}) == 5
    assert len({*of_broken}) == 1


def test_the_graph_names_what_each_dataset_needs():
    command = [sys.executable, "-m", "registry", "graph", "--json"]
    graph = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    needs = {one["dataset"]: {*one["needs"]} for one in graph["datasets"]}
    assert needs == {name: MADE_OF.get(name, set()) for name in DATASETS}
    assert graph["left_out"] == {}
