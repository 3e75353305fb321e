"""Near-duplicates between rows of different states, whichever files have them."""

import json

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pictures import picture
from registry.compare.likeness import Inputs, Part, near_rows
from registry.describe.near import CROWD
from registry.errors import RegistryError
from registry.storage.snapshot import Snapshot

TEXTS = [" ".join(f"word{10 * row + place}" for place in range(12)) for row in range(30)]


def state(root, name, splits, dtype="string", columns=("text",), compared="texts"):
    """A state of `splits` {split: number of rows}, whose data is in processed/."""
    features = {column: {"dtype": dtype} for column in columns}
    sizes = {split: {"num_samples": size} for split, size in splits.items()}
    metadata = {
        "schema": {"features": features},
        "splits": sizes,
        "leakage": {"columns": [*columns], "compared": compared, "splits": {}},
    }
    folder = root / "data" / name / "processed"
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Snapshot(name, f"{name}-v1.0.0", metadata, {"data": {"path": "processed", "bytes": size}}, {}).in_tree(root)


def write(root, file, content):
    path = root / "data" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pl.DataFrame):
        content.write_csv(path) if path.suffix == ".csv" else content.write_parquet(path, row_group_size=7)
    else:
        path.write_bytes(content)


def near(one, *others, inputs, wanted=lambda i, j: np.ones(len(i), bool)):
    found = set()
    for i, j, distances in near_rows(one, others, inputs, wanted):
        found |= {*zip(i.tolist(), j.tolist(), strict=True)}
        assert (distances < 1).all()
    return found


def changed(text):
    return text.replace(text.split()[4], "another")


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_texts_of_tables_are_held_against_those_of_several_states(tmp_path, suffix):
    new = pl.DataFrame({"label": range(30), "text": [*TEXTS[:28], changed(TEXTS[29]), "nothing"]})
    write(tmp_path, f"new/processed/train/train.{suffix}", new)
    write(tmp_path, f"old/processed/test/part-0.{suffix}", pl.DataFrame({"text": TEXTS[:20], "label": range(20)}))
    write(tmp_path, f"old/processed/test/part-1.{suffix}", pl.DataFrame({"text": TEXTS[20:], "label": range(10)}))
    write(tmp_path, f"old/processed/train/train.{suffix}", pl.DataFrame({"text": ["word"], "label": [1]}))
    write(
        tmp_path,
        f"older/processed/older.{suffix}",
        pl.DataFrame({"text": [changed(TEXTS[3]), "other"], "label": [0, 0]}),
    )
    one = state(tmp_path, "new", {"train": 30, "test": 0})
    old, older = state(tmp_path, "old", {"test": 30, "train": 1}), state(tmp_path, "older", {"all": 2})
    inputs = Inputs.of(one, 4)
    parts = [Part(old, {"test": np.array([0, 3, 19, 20, 29])}), Part(older, {"all": np.array([0])})]
    assert all(inputs.are_in(part) for part in parts)
    train = Part(one, {"train": np.arange(30)})
    # Those that are the same are near, too, unless they are not wanted.
    assert near(train, *parts, inputs=inputs) == {(0, 0), (3, 1), (3, 5), (19, 2), (20, 3), (28, 4)}
    known = near(train, *parts, inputs=inputs, wanted=lambda i, j: ~((i == 3) | (j == 0)))
    assert known == {(19, 2), (20, 3), (28, 4)}
    some = Part(one, {"train": np.array([5, 28])})
    assert near(some, *parts, inputs=inputs) == {(1, 4)}
    assert near(some, inputs=inputs) == set()


def test_columns_of_another_type_or_none_are_not_compared(tmp_path):
    write(tmp_path, "new/processed/new.parquet", pl.DataFrame({"text": TEXTS}))
    one = state(tmp_path, "new", {"all": 30})
    inputs, rows = Inputs.of(one, 4), {"all": np.arange(3)}
    assert inputs.are_in(Part(one, rows))
    assert not inputs.are_in(Part(state(tmp_path, "new", {"all": 30}, dtype="binary"), rows))
    assert not inputs.are_in(Part(state(tmp_path, "new", {"all": 30}, columns=["title"]), rows))
    assert not Inputs.of(state(tmp_path, "new", {"all": 30}, columns=["title"]), 4).are_in(Part(one, rows))
    write(tmp_path, "files/processed/notes.txt", b"no table")
    assert not inputs.are_in(Part(state(tmp_path, "files", {"all": 1}), rows))
    assert Inputs.of(Snapshot("new", "", {"schema": {}}, {}, {}), 4) is None


def test_tables_with_fewer_rows_than_the_manifest_are_an_error(tmp_path):
    write(tmp_path, "new/processed/new.parquet", pl.DataFrame({"text": TEXTS}))
    one = state(tmp_path, "new", {"all": 31})
    with pytest.raises(RegistryError, match="new-v1.0.0, all: its tables have fewer rows than its manifest"):
        near(Part(one, {"all": np.array([2, 30])}), inputs=Inputs.of(one, 4))


@pytest.mark.parametrize("layout", ["column", "named", "annotated"])
def test_pictures_are_compared_whether_they_are_in_a_table_or_files(tmp_path, layout):
    def write_state(name, split, pictures):
        folder = f"{name}/processed/{split}"
        names = [f"{place:02}.jpg" for place in range(len(pictures))]
        if layout == "column":
            table = pa.table({"label": range(len(pictures)), "image": pictures})
            write(tmp_path, f"{folder}/table.parquet", b"")
            pq.write_table(table, tmp_path / "data" / folder / "table.parquet")
        elif layout == "named":
            write(tmp_path, f"{folder}/table.parquet", pl.DataFrame({"file_name": names, "label": range(len(names))}))
        else:
            turns = [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "A square"}]
            rows = [{"image": file, "conversations": turns} for file in names]
            write(tmp_path, f"{folder}/annotations.json", json.dumps(rows).encode())
        if layout != "column":
            for file, content in zip(names, pictures, strict=True):
                if content:
                    place = "images/" if layout == "annotated" else ""
                    write(tmp_path, f"{folder}/{place}{file}", content)
        column = "image" if layout == "column" else "source"
        return state(tmp_path, name, {split: len(pictures)}, "binary", [column], "pictures")

    one = write_state("new", "train", [picture(seed, "PNG", size=(120, 80)) for seed in range(60)])
    # So many that are none come first that they fill what is read at once.
    gone = 30 * [None if layout != "annotated" else b"no picture"]
    before = write_state("old", "test", [picture(7), *gone, *map(picture, [70, 59, 71, 3]), b"none", picture(30)])
    inputs = Inputs.of(one, 4)
    part, rows = Part(before, {"test": np.arange(1, 37)}), Part(one, {"train": np.arange(60)})
    assert inputs.are_in(part)
    assert near(rows, part, inputs=inputs) == {(59, 31), (3, 33), (30, 35)}
    if layout == "column":
        late = Part(before, {"test": np.array([32])})
        assert near(rows, late, inputs=inputs) == {(59, 0)}


def test_a_name_that_leads_out_of_the_data_is_no_picture(tmp_path):
    write(tmp_path, "secret.jpg", picture(1))
    for name in ("new", "old"):
        names = pl.DataFrame({"file_name": ["../../secret.jpg", None, "0.jpg"]})
        write(tmp_path, f"{name}/processed/{name}.parquet", names)
        write(tmp_path, f"{name}/processed/0.jpg", picture(2, "PNG" if name == "new" else "JPEG"))
    one, before = (state(tmp_path, name, {"all": 3}, "binary", ["source"], "pictures") for name in ("new", "old"))
    parts = [Part(each, {"all": np.arange(3)}) for each in (one, before)]
    assert near(*parts, inputs=Inputs.of(one, 4)) == {(2, 2)}


def test_pictures_beside_a_table_of_csv_are_not_compared(tmp_path):
    write(tmp_path, "new/processed/new.csv", pl.DataFrame({"file_name": ["0.jpg"]}))
    one = state(tmp_path, "new", {"all": 1}, "binary", ["source"], "pictures")
    assert not Inputs.of(one, 4).are_in(Part(one, {"all": np.arange(1)}))


@pytest.mark.parametrize("values", [[["a list"]], [b"\xff"], [[[1]]]])
def test_tables_of_other_types_than_are_said_are_an_error(tmp_path, values):
    write(tmp_path, "new/processed/new.parquet", pl.DataFrame({"text": TEXTS}))
    write(tmp_path, "old/processed/old.parquet", pl.DataFrame({"text": values}))
    one, before = state(tmp_path, "new", {"all": 30}), state(tmp_path, "old", {"all": 1})
    parts = [Part(one, {"all": np.arange(30)}), Part(before, {"all": np.arange(1)})]
    with pytest.raises(RegistryError, match="old-v1.0.0: its column text is .*, not string as its metadata.json says"):
        near(*parts, inputs=Inputs.of(one, 4))


@pytest.mark.parametrize("column", ["text", "number"])
def test_however_many_rows_are_like_one_test_all_are_found(tmp_path, column):
    many = 2 * CROWD + 100
    texts = [f"{TEXTS[0]} {'!' * row}" for row in range(many)]
    new = pl.DataFrame({"text": texts, "number": [1 + row * 1e-9 for row in range(many)]})
    write(tmp_path, "new/processed/new.parquet", new)
    write(tmp_path, "old/processed/old.parquet", new.head(1))
    dtype, sort = ("string", "texts") if column == "text" else ("float64", "rows")
    one, before = (
        state(tmp_path, name, {"all": rows}, dtype, [column], sort) for name, rows in (("new", many), ("old", 1))
    )
    known = np.zeros(many, bool)
    parts = [Part(one, {"all": np.arange(many)}), Part(before, {"all": np.arange(1)})]
    for i, _, _ in near_rows(parts[0], parts[1:], Inputs.of(one, 4), lambda i, _: ~known[i]):
        known[i] = True
    assert known.all()
