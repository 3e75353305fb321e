"""What mlcroissant makes of the croissant.json of each dataset, and of types and names that none of them has."""

import json
import os
import shutil
import subprocess
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from PIL import Image

from carded import occasion, version
from pictures import picture
from project import DATASETS
from registry.cards.croissant import croissant
from registry.describe.logical import logical_type
from support import ROOT

CLIENT = Path(__file__).with_name("croissant_client.py")
PICTURES = "radiology-mini"
ODD = {
    "a b": pa.array(["1", None]),
    "a-b": pa.array([1, 2], pa.uint8()),
    "A b": pa.array([1.5, None], pa.float32()),
    "": pa.array([1, 2]),
    '"\\/@<>{}\n': pa.array([True, False]),
    "\u202eabc": pa.array([-1, 2], pa.int64()),
    "../..": pa.array([date(2026, 1, 1), None]),
    "@id": pa.array([datetime(2026, 1, 1, 12, 30, 0, 5, UTC)] * 2, pa.timestamp("us", "UTC")),
    "splits": pa.array([time(1, 2, 3), None], pa.time64("us")),
    "cr:name": pa.array([Decimal("1.50"), None], pa.decimal128(5, 2)),
    "https://x": pa.array([["a", "b"], []], pa.list_(pa.string())),
    "grid": pa.array([[[1, 2], [3, 4]]] * 2, pa.list_(pa.list_(pa.uint8(), 2), 2)),
    "person": pa.array([{"it's": "a", "b.c": 1}] * 2, pa.struct([("it's", pa.string()), ("b.c", pa.int64())])),
    "turns": pa.array([[{"role": "x"}, {"role": "y"}], [{"role": "z"}]], pa.list_(pa.struct([("role", pa.string())]))),
    "lasting": pa.array([1, 2], pa.duration("s")),
    "image": pa.array([picture(1), picture(2, "PNG")]),
    "split": pa.array(["x", "y"]),
}
"""Columns whose names and types are hard to describe."""
LEFT_OUT = ("", "lasting")
"""Those that Croissant cannot name, or has no word for."""
SPLITS = ("all kinds/of", "splits")


def write_odd(folder):
    """A version with two splits of these columns, and what describes it."""
    table = pa.table([*ODD.values()], names=[*ODD])
    folder = folder / "data" / "x"
    files = [f"processed/{split}/it's [1] & 50%.parquet" for split in SPLITS]
    for file in files:
        (folder / file).parent.mkdir(parents=True)
        pq.write_table(table, folder / file)
    return _described(folder, files, ODD, SPLITS, {})


def write_files(folder):
    """A version whose table names pictures that are files beside it."""
    folder = folder / "data" / "x"
    for number in range(3):
        place = folder / f"processed/{'cat' if number else 'dog'}/{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture(number))
    table = pa.table({"file_name": ["dog/0.jpg", "cat/1.jpg", "cat/2.jpg"], "label": ["dog", "cat", "cat"]})
    pq.write_table(table, folder / "processed/x.parquet")
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")]
    types = {"image": pa.array([], pa.binary()), "label": pa.array([], pa.string())}
    return _described(folder, files, types, ["all"], {"files": True})


def write_lines(folder):
    """A version of JSON lines."""
    folder = folder / "data" / "x"
    (folder / "processed").mkdir(parents=True)
    (folder / "processed/x.jsonl").write_text('{"text": "a", "label": 1}\n{"text": "b", "label": 2}\n')
    types = {"text": pa.array([], pa.string()), "label": pa.array([], pa.int64())}
    return _described(folder, ["processed/x.jsonl"], types, ["all"], {})


def _described(folder, files, types, splits, params):
    features = {name: {"dtype": logical_type(column.type)} for name, column in types.items()}
    snapshot = version(
        splits={split: {"num_samples": 2} for split in splits},
        schema={"features": features},
        provenance={"config": {"params": params}},
    ).in_tree(folder.parents[1])
    path = folder / "croissant.json"
    path.write_text(croissant(snapshot, occasion()), encoding="utf-8")
    assert sorted(snapshot.listed()) == sorted(f"data/x/{file}" for file in files)
    return str(path)


MADE = {"odd": write_odd, "files": write_files, "lines": write_lines}


@pytest.fixture(scope="module")
def descriptions(released_once, tmp_path_factory):
    """{what: its croissant.json} of all datasets, of odd ones, and of one whose data is another version's."""
    place = tmp_path_factory.mktemp("croissant")
    found = {name: str(released_once.folder / "data" / name / "croissant.json") for name in DATASETS}
    shutil.copytree(released_once.folder / "data" / "emotion", place / "changed")
    table = place / "changed/processed/val/val.parquet"
    pq.write_table(pq.read_table(table).slice(1), table)
    for name, write in MADE.items():
        found[name] = write(place / name)
    return {**found, "changed": str(place / "changed" / "croissant.json")}


@pytest.fixture(scope="module")
def found(descriptions):
    """What mlcroissant says of them."""
    python = os.environ.get("CROISSANT_PYTHON")
    if not python:
        pytest.skip("needs mlcroissant: set CROISSANT_PYTHON to a Python of another environment that has it")
    done = subprocess.run([python, CLIENT, *descriptions.values()], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    return {name: read[file] for name, file in descriptions.items()}


@pytest.mark.parametrize("name", [*DATASETS, *MADE, "changed"])
def test_it_is_valid_without_warnings(found, name):
    assert found[name]["issues"] == []


@pytest.mark.parametrize("name", [name for name in DATASETS if name != PICTURES])
def test_its_records_are_the_rows_of_its_tables(released_once, found, name):
    folder = released_once.folder / "data" / name
    splits = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))["splits"]
    records = dict(found[name]["records"])
    if len(splits) > 1:
        assert records.pop("splits") == [{"name": split} for split in splits]
    assert {split: len(rows) for split, rows in records.items()} == {
        split: about["num_samples"] for split, about in splits.items()
    }
    for split, rows in records.items():
        files = sorted((folder / "processed" / (split if len(splits) > 1 else "")).glob("*.parquet"))
        tables = [pq.read_table(file) for file in files] or [pa.csv.read_csv(folder / "questions.csv")]
        within = {"split": split} if len(splits) > 1 else {}
        assert rows == [as_json(row) | within for row in pa.concat_tables(tables).to_pylist()]


def as_json(value):
    """A value as the client prints it."""
    if isinstance(value, dict):
        return {key: as_json(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_json(one) for one in value]
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def test_conversations_are_read_by_themselves_and_beside_their_pictures(released_once, found):
    records = found[PICTURES]["records"]
    assert [*records] == ["splits", "train", "train-pictures", "test", "test-pictures"]
    for split in ("train", "test"):
        folder = released_once.folder / "data" / PICTURES / "processed" / split
        annotated = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
        assert records[split] == [{**row, "split": split} for row in annotated]
        rows = []
        for row in sorted(annotated, key=lambda row: row["image"]):
            with Image.open(folder / "images" / row["image"]) as image:
                rows.append({"file_name": row["image"], "image": ["RGB", *image.size]})
            rows[-1] |= {"conversations": row["conversations"], "split": split}
        assert sorted(records[f"{split}-pictures"], key=lambda row: row["file_name"]) == rows


def test_the_hash_of_a_set_is_what_its_page_says(released_once):
    folder = released_once.folder / "data" / PICTURES
    command = "sha256sum processed/train/images/*.jpg | sha256sum"
    found = subprocess.run(["bash", "-c", command], cwd=folder, env=os.environ | {"LC_ALL": "C"}, capture_output=True)
    described = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))["distribution"]
    assert found.stdout.decode().split()[0] in {node["sha256"] for node in described if node["@type"] == "cr:FileSet"}
    assert command in (ROOT / "docs/cards.md").read_text(encoding="utf-8")


def test_every_type_that_croissant_has_is_read_whatever_its_column_is_called(found):
    records = found["odd"]["records"]
    assert records.pop("splits") == [{"name": split} for split in SPLITS]
    images = {"image": [["RGB", 60, 40]] * 2}
    columns = {name: column.to_pylist() for name, column in ODD.items() if name not in LEFT_OUT} | images
    rows = [as_json(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    ids = {"all-kinds-of": SPLITS[0], "splits-2": SPLITS[1]}
    assert records == {key: [row | {f"{key}/split-2": split} for row in rows] for key, split in ids.items()}


def test_pictures_that_a_table_names_are_read(found):
    records = found["files"]["records"]
    named = ["dog/0.jpg", "cat/1.jpg", "cat/2.jpg"]
    assert records["all"] == [{"file_name": name, "label": name[:3]} for name in named]
    assert records["all-pictures"] == [{"file_name": name, "image": ["RGB", 60, 40]} for name in sorted(named)]


def test_json_lines_are_read(found):
    assert found["lines"]["records"] == {"all": [{"text": "a", "label": 1}, {"text": "b", "label": 2}]}


def test_data_of_another_version_is_refused(found):
    records = found["changed"]["records"]
    assert len(records["train"]) == 1800
    assert "val.parquet is not identical with the reference" in records["val"]
