"""What is odd about rows is counted for every dataset; a contract says what of it is too much, and rows are named."""

import json

import pyarrow as pa
import pytest

from analyzing import rule
from registry.catalog.oddities import gate_figures
from registry.config.checks import check_dataset
from registry.describe.description import describe
from registry.errors import ContractError, RegistryError
from registry.files import output_folder
from registry.storage.snapshot import Snapshot

COLUMNS = {
    "label": {"dtype": "string", "nullable": True},
    "size": {"dtype": "float64", "nullable": True},
    "note": {"dtype": "string", "nullable": True},
    "code": {"dtype": "int64"},
}
SCHEMA = pa.schema([("label", pa.string()), ("size", pa.float64()), ("note", pa.string()), ("code", pa.int64())])
ROWS = [("a" if number % 4 else "b", float(number), "same", number) for number in range(40)]
ODD = [("a", None, "same", 40), ("a", 900.0, "same", 41), ("a", None, "same", 42), ("b", 7.0, "same", 43)]


@pytest.fixture
def described(tmp_path):
    """Return what describes rows under a contract that asks for this quality, and says where it put metadata.json."""
    with output_folder(tmp_path / "processed") as folder:
        (folder / "data.csv").write_text("x\n1\n")

    def described(quality=None, rows=(*ROWS, *ODD), inputs=("size",)):
        contract = {"columns": COLUMNS, "rows": {}} | ({"quality": quality} if quality else {})
        about = {"title": "T", "description": "D", "license": "MIT"}
        dataset = {"name": "d", "source": "samples", "about": about, "params": {}, "contract": contract}
        snakemake = rule(tmp_path, dataset, tmp_path / "processed")
        with describe(snakemake, SCHEMA) as found:
            batch = pa.RecordBatch.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], SCHEMA)
            found.add("train", batch, inputs=inputs, keys=[f"key-{number}" for number in range(len(rows))])
            found.facts["summary"] = {"rows": len(rows)}
        return [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("metadata", "provenance")]

    return described


def test_it_is_counted_without_being_asked_for(described):
    metadata, provenance = described()
    assert metadata["quality"] == {
        "duplicates": {"samples": 0, "inputs": 2},
        "missing": {"size": 2},
        "constant": ["note"],
        "unique": ["code"],
        "outliers": {"size": {"value": {"count": 1, "of": 42}}},
        "balance": {"label": {"train": {"classes": 2, "ratio": 3.0, "entropy": 0.8113}}},
    }
    assert provenance["contract"] == {"passed": True, "columns": [*COLUMNS], "rows": {}}


def test_rows_that_are_the_same_are_counted(described):
    metadata, _ = described(rows=[*ROWS, ROWS[3], ROWS[3], ROWS[5]])
    assert metadata["quality"]["duplicates"] == {"samples": 3, "inputs": 3}


def test_a_column_without_values_is_constant_and_one_that_has_some_is_not(described):
    metadata, _ = described(rows=[("a", None, "x" * 500, 1), (None, None, "x" * 500, 1)])
    assert metadata["quality"]["constant"] == ["size", "note", "code"]


SHARE = "at most 1 % of its values"
# check: (the limits, what is said of them, and the rows that show it)
CHECKS = {
    "missing": (
        {"fail": 0.01},
        f"train: size: {SHARE} missing: found 4.545 % (2 of 44)",
        "row 40 of train ('key-40'), row 42",
    ),
    "outliers": (
        {"fail": 0.01},
        f"all: size: {SHARE} (value) outliers: found 2.381 % (1 of 42)",
        "row 41 of train ('key-41')",
    ),
    "balance": ({"fail": 2}, "train: label: largest class at most 2 times the smallest: found 3 times", ""),
    "constant": ("fail", "all: note: not constant: found one value", ""),
    "unique": ("fail", "all: code: not unique: found another value in each row", ""),
    "duplicates": (
        {"fail": 0},
        "all: rows: at most 0 % the same as others: found 2.222 % (1 of 45)",
        "'key-3 = key-44'",
    ),
}


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_too_much_breaks_the_contract_and_names_rows(check, described, tmp_path):
    limits, said, shown = CHECKS[check]
    rows = [*ROWS, *ODD, ROWS[3]] if check == "duplicates" else [*ROWS, *ODD]
    with pytest.raises(ContractError) as broken:
        described({check: limits}, rows)
    assert f"    {said}" in str(broken.value) and shown in str(broken.value)
    assert len(broken.value.breaches) == 1
    assert not (tmp_path / "metadata.json").exists()
    # Up to its limit nothing is too much, and of what is to be warned of the build goes on.
    _, provenance = described({check: "warn" if limits == "fail" else {"warn": limits["fail"], "fail": 999}}, rows)
    assert provenance["contract"]["warnings"] == [said]
    if limits != "fail":
        _, provenance = described({check: {"fail": 999}}, rows)
        assert "warnings" not in provenance["contract"]


def test_what_is_warned_of_is_said_where_the_contract_is_broken_too(described, capsys):
    with pytest.raises(ContractError):
        described({"missing": {"warn": 0}, "constant": "warn", "unique": "fail"}, [*ROWS, *ODD])
    assert capsys.readouterr().out.splitlines() == [
        "warning: all: note: not constant: found one value",
        "warning: train: size: at most 0 % of its values missing: found 4.545 % (2 of 44)",
    ]


def test_what_cannot_be_judged_is_warned_of(described, monkeypatch):
    monkeypatch.setattr("registry.describe.profile.NAMES", 1)
    monkeypatch.setattr("registry.describe.profile.NAMED", 1)
    monkeypatch.setattr("registry.describe.profile.COLUMNS", 3)
    _, provenance = described({"balance": {"fail": 99}}, ROWS)
    assert provenance["contract"]["warnings"] == [
        "all: columns: at most 3 are looked at: found 1 more",
        "train: label: all classes named, to tell their balance: found 1 and others",
    ]
    assert "warnings" not in described({"duplicates": {"fail": 0}}, ROWS)[1]["contract"]


def test_a_leak_across_splits_is_looked_for_where_there_are_two(described):
    _, provenance = described({"leakage": {"across": "fail"}}, ROWS)
    assert provenance["contract"]["warnings"] == ["all: leakage: across: there is no other split to look into"]


# gate: what a page says of the same rows beside its limits
FIGURES = {
    "missing": "size: 4.545 %",
    "outliers": "size: 2.381 %",
    "duplicates": "0 of 44 rows",
    "balance": "label: 3 times",
    "constant": "note",
    "unique": "code",
    "leakage": "none",
    "drift": "judged at the release",
    "ignore": "",
}


def test_a_page_says_the_worst_figure_of_each_gate(described):
    metadata, provenance = described()
    snapshot = Snapshot("d", "d", metadata, provenance, {})
    assert gate_figures(FIGURES, snapshot) == FIGURES
    metadata["quality"]["missing"] = "forged"
    assert gate_figures(["missing"], snapshot) == {"missing": ""}


def test_no_rows_are_one_message_whatever_is_asked_for(described):
    quality = {check: limits for check, (limits, *_) in CHECKS.items()}
    with pytest.raises(ContractError, match="    all: rows: expected at least 1: found 0\n"):
        described(quality, rows=[])


def test_columns_to_ignore_are_not_judged(described):
    quality = {"ignore": ["size", "note", "code", "label"], **{check: limits for check, (limits, *_) in CHECKS.items()}}
    assert "warnings" not in described(quality)[1]["contract"]


def test_many_warnings_are_cut(described, monkeypatch):
    monkeypatch.setattr("registry.describe.contract.WARNINGS", 1)
    _, provenance = described({"missing": {"warn": 0}, "outliers": {"warn": 0}, "constant": "warn"})
    assert provenance["contract"]["warnings"][1:] == ["and 2 more"]


@pytest.mark.parametrize(
    ("quality", "said"),
    [
        ({"missing": {"warn": 0.2, "fail": 0.1}}, "quality.missing: warn, 0.2, is not below fail, 0.1"),
        ({"drift": {"psi": {"warn": 1, "fail": 1}}}, "quality.psi: warn, 1, is not below fail, 1"),
        ({"ignore": ["sise"]}, "quality.ignore: there is no column 'sise'"),
        ({"missing": {"fail": 1.5}}, "contract.quality.missing.fail: 1.5 is greater than the maximum of 1"),
        ({"constant": "no"}, "contract.quality.constant: 'no' is not one of"),
        ({"drift": {}}, "contract.quality.drift: {} should be non-empty"),
        ({"leeks": "fail"}, "contract.quality: Additional properties are not allowed ('leeks' was unexpected)"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(quality, said, tmp_path):
    about = {"title": "T", "description": "D", "license": "MIT"}
    dataset = {"about": about, "contract": {"columns": COLUMNS, "rows": {}, "quality": quality}}
    with pytest.raises(RegistryError, match="not valid") as refused:
        check_dataset("d", dataset, tmp_path)
    assert said in str(refused.value)
