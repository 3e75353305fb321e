"""The manifest: ids, hashes and digests that follow the values and nothing else."""

import hashlib
import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.describe.canonical import canonical, data_of
from registry.describe.manifest import SCHEMA, row_keys, write_manifest
from registry.errors import RegistryError
from registry.files import dvc_digest

DATASET = {
    "name": "dataset",
    "source": "samples",
    "contract": {"columns": {"text": {"dtype": "string"}, "label": {"dtype": "int64", "min": 0}}, "rows": {}},
}
COUNT = 50
TEXTS = [f"text {number} ä" for number in range(COUNT)]
LABELS = [number % 3 for number in range(COUNT)]
PICTURE = pa.list_(pa.list_(pa.uint8(), 2), 2)


def table(texts=TEXTS, labels=LABELS):
    return pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.int64())})


def with_contract(schema):
    """A dataset whose contract takes any of the schemas used here."""
    dtypes = {"int64": "int64", "uint8": "uint8", "double": "float64"}
    columns = {field.name: {"dtype": dtypes.get(str(field.type), "string")} for field in schema}
    for field in schema:
        if field.type == PICTURE:
            columns[field.name] = {"dtype": "uint8", "shape": [2, 2]}
    return {**DATASET, "contract": {"columns": columns, "rows": {}}}


def make(path, splits, *, rows=COUNT, inputs=("text",), dataset=None):
    """Write a manifest of {split: table} in batches of `rows` and return the Manifest."""
    schema = next(iter(splits.values())).schema
    with write_manifest(path, dataset or with_contract(schema), schema) as manifest:
        for split, content in splits.items():
            for batch in content.to_batches(max_chunksize=rows):
                start = manifest.num_samples.get(split, 0)
                keys = row_keys("file", start, batch.num_rows)
                manifest.add(split, batch, inputs=list(inputs), keys=keys)
    return manifest


def reread(content, path, rows=COUNT, **options):
    pq.write_table(content, path, **options)
    with pq.ParquetFile(path) as file:
        return pa.Table.from_batches(list(file.iter_batches(batch_size=rows)))


@pytest.fixture
def plain(tmp_path):
    return make(tmp_path / "plain.parquet", {"train": table()})


def test_one_row_a_sample_in_order(tmp_path):
    make(tmp_path / "m.parquet", {"train": table(), "val": table(["a"], [1])}, rows=7)
    written = pq.read_table(tmp_path / "m.parquet")
    assert written.schema.remove_metadata() == SCHEMA
    assert written["key"].to_pylist() == [f"file:{number}" for number in range(COUNT)] + ["file:0"]
    assert written["split"].to_pylist() == ["train"] * COUNT + ["val"]
    assert {len(identity) for name in ("sample_id", "input_id") for identity in written[name].to_pylist()} == {16}


def test_ids_are_the_hash_of_the_canonical_values(tmp_path):
    make(tmp_path / "m.parquet", {"train": table(["a", "b"], [1, 2])})
    written = pq.read_table(tmp_path / "m.parquet")
    text, label = (canonical(pa.array(values)).to_pylist() for values in (["a", "b"], [1, 2]))
    for row in range(2):
        assert written["sample_id"][row].as_py() == hashlib.sha256(text[row] + label[row]).digest()[:16]
        assert written["input_id"][row].as_py() == hashlib.sha256(text[row]).digest()[:16]


def test_input_ids_do_not_depend_on_other_columns(tmp_path):
    make(tmp_path / "one.parquet", {"train": table()})
    make(tmp_path / "other.parquet", {"train": table(labels=[0] * COUNT)})
    make(
        tmp_path / "more.parquet", {"train": table().append_column("more", [LABELS]).select(["more", "label", "text"])}
    )
    one, other, more = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("one", "other", "more"))
    assert one["input_id"] == other["input_id"] == more["input_id"]
    assert one["sample_id"] != other["sample_id"]
    assert one["sample_id"] != more["sample_id"]


@pytest.mark.parametrize("rows", [1, 7, COUNT])
@pytest.mark.parametrize(
    "options",
    [
        {"compression": "none"},
        {"compression": "zstd", "row_group_size": 3},
        {"compression": "gzip", "use_dictionary": False, "data_page_version": "2.0"},
        {"store_schema": False},
    ],
    ids=str,
)
def test_the_content_hash_ignores_how_parquet_stores_it(tmp_path, plain, options, rows):
    again = make(tmp_path / "m.parquet", {"train": reread(table(), tmp_path / "t.parquet", rows, **options)}, rows=rows)
    assert again.content_hash == plain.content_hash
    assert again.digests == plain.digests


def test_the_content_hash_ignores_arrow_types_of_one_meaning(tmp_path, plain):
    for dtype in (pa.large_string(), pa.string_view()):
        schema = pa.schema([("text", dtype), ("label", pa.int64())])
        assert make(tmp_path / "m.parquet", {"train": table().cast(schema)}).content_hash == plain.content_hash


def test_the_content_hash_ignores_that_polars_wrote_it(tmp_path, plain):
    pl.from_arrow(table()).write_parquet(tmp_path / "t.parquet")
    assert (
        make(tmp_path / "m.parquet", {"train": pq.read_table(tmp_path / "t.parquet")}).content_hash
        == plain.content_hash
    )


def test_pictures_keep_their_hash_in_polars_and_in_slices(tmp_path):
    pictures = [[[number, 1], [2, 3]] for number in range(COUNT)]
    content = pa.table({"text": TEXTS, "image": pa.array(pictures, PICTURE)})
    one = make(tmp_path / "m.parquet", {"train": content}, inputs=["image"])
    pl.from_arrow(content).write_parquet(tmp_path / "t.parquet")
    by_polars = make(tmp_path / "m.parquet", {"train": pq.read_table(tmp_path / "t.parquet")}, inputs=["image"])
    sliced = make(
        tmp_path / "m.parquet", {"train": pa.concat_tables([content, content])[COUNT // 2 :][COUNT // 2 :]}, rows=7
    )
    assert one.content_hash == by_polars.content_hash == sliced.content_hash


CHANGES = {
    "one value": {"train": table(labels=[*LABELS[:-1], LABELS[-1] + 1])},
    "one null": {"train": table(texts=[*TEXTS[:-1], None])},
    "two rows swapped": {"train": table().take([1, 0, *range(2, COUNT)])},
    "one row less": {"train": table()[:-1]},
    "one row twice": {"train": pa.concat_tables([table(), table()[-1:]])},
    "another split": {"val": table()},
    "a row in another split": {"train": table()[:-1], "val": table()[-1:]},
    "another column name": {"train": table().rename_columns(["text", "class"])},
    "another dtype": {"train": table().cast(pa.schema([("text", pa.string()), ("label", pa.uint8())]))},
    "columns in another order": {"train": table().select(["label", "text"])},
    "one column more": {"train": table().append_column("more", [LABELS])},
    "one column less": {"train": table().select(["text"])},
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_content_hash_sees_every_change_of_content(tmp_path, plain, change):
    dataset = with_contract(next(iter(CHANGES[change].values())).schema)
    dataset["contract"]["columns"]["text"]["nullable"] = True
    assert make(tmp_path / "m.parquet", CHANGES[change], dataset=dataset).content_hash != plain.content_hash


def test_the_content_hash_ignores_inputs_and_keys(tmp_path, plain):
    assert make(tmp_path / "m.parquet", {"train": table()}, inputs=["label"]).content_hash == plain.content_hash


def test_digests_tell_which_column_of_which_split_changed(tmp_path):
    one = make(tmp_path / "m.parquet", {"train": table(), "val": table()}).digests
    changed = [*LABELS[:-1], LABELS[-1] + 1]
    other = make(tmp_path / "m.parquet", {"train": table(), "val": table(labels=changed)}).digests
    differ = {(split, name) for split in one for name in one[split] if one[split][name] != other[split][name]}
    assert differ == {("val", "label")}
    assert one["train"]["label"] == hashlib.sha256(data_of(canonical(pa.array(LABELS)))).hexdigest()


def test_the_file_itself_tells_schema_digests_and_content_hash(tmp_path):
    manifest = make(tmp_path / "m.parquet", {"train": table(), "val": table()[:5]})
    stored = pq.read_metadata(tmp_path / "m.parquet").metadata
    assert json.loads(stored[b"registry.schema"]) == [
        {"name": "text", "type": "string"},
        {"name": "label", "type": "int64"},
    ]
    assert json.loads(stored[b"registry.digests"]) == manifest.digests
    assert stored[b"registry.content_hash"].decode() == manifest.content_hash
    assert manifest.content_hash.startswith("sha256:")
    assert manifest.num_samples == {"train": COUNT, "val": 5}
    assert pl.read_parquet_metadata(tmp_path / "m.parquet")["registry.content_hash"] == manifest.content_hash


def test_equal_data_makes_equal_bytes(tmp_path, plain):
    make(tmp_path / "again.parquet", {"train": table()})
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "plain.parquet").read_bytes()


def test_the_digest_of_the_file_is_there_once_it_is_written(tmp_path, plain):
    assert plain.md5 == dvc_digest(tmp_path / "plain.parquet")


def test_the_verdict_is_there_once_the_contract_holds(tmp_path, plain):
    assert plain.verdict == {"passed": True, "columns": ["text", "label"], "rows": {}}


@pytest.mark.parametrize("error", [RegistryError, KeyboardInterrupt])
def test_a_broken_contract_or_block_writes_nothing_and_keeps_the_old(tmp_path, error):
    (tmp_path / "m.parquet").write_text("old")
    with pytest.raises(error), write_manifest(tmp_path / "m.parquet", DATASET, table().schema) as manifest:
        batch = table(labels=[-1] * COUNT).to_batches()[0]
        manifest.add("train", batch, inputs=["text"], keys=row_keys("file", 0, COUNT))
        if error is KeyboardInterrupt:
            raise error
    assert [path.name for path in tmp_path.iterdir()] == ["m.parquet"]
    assert (tmp_path / "m.parquet").read_text() == "old"


def test_two_columns_of_one_name_are_refused(tmp_path):
    schema = pa.schema([("x", pa.int64()), ("y", pa.int64()), ("x", pa.int64())])
    with (
        pytest.raises(RegistryError, match="more than one column is called x"),
        write_manifest(tmp_path / "m", DATASET, schema),
    ):
        pass
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("keys", [["a"], ["a"] * 51])
def test_keys_must_match_the_rows(tmp_path, keys):
    batch = table().to_batches()[0]
    with (
        pytest.raises((ValueError, pa.ArrowInvalid)),
        write_manifest(tmp_path / "m", DATASET, table().schema) as manifest,
    ):
        manifest.add("train", batch, inputs=["text"], keys=keys)
    assert not any(tmp_path.iterdir())


def test_positions_name_the_file_and_count_from_where_it_starts():
    assert row_keys("a.gz", 5, 2) == ["a.gz:5", "a.gz:6"]


VECTORS = pa.list_(pa.float32(), 2)


def computed(path, rows, *, by="model", texts=("a", "b")):
    """Write a manifest of texts and their vectors, which a model computes."""
    content = pa.table({"text": list(texts), "vector": pa.array(rows, VECTORS)})
    columns = {"text": {"dtype": "string"}, "vector": {"dtype": "float32", "shape": [2], "unit_norm": True}}
    dataset = {**DATASET, "contract": {"columns": columns, "rows": {}}}
    with write_manifest(path, dataset, content.schema, computed={"vector": by}) as manifest:
        for batch in content.to_batches():
            manifest.add("all", batch, inputs=["text"], keys=["0", "1"])
    return manifest


def test_the_bits_of_a_computed_column_move_nothing_and_its_model_does(tmp_path):
    path = tmp_path / "m.parquet"
    one = computed(path, [[1, 0], [0.6, 0.8]])
    again = computed(path, [[1, 1e-6], [0.6000001, 0.8]])
    assert (one.content_hash, one.digests) == (again.content_hash, again.digests)
    other = computed(path, [[1, 0], [0.6, 0.8]], by="another model")
    texts = computed(path, [[1, 0], [0.6, 0.8]], texts=("a", "c"))
    assert len({manifest.content_hash for manifest in (one, other, texts)}) == 3
    assert one.digests["all"]["vector"] != other.digests["all"]["vector"]
    assert one.digests["all"]["text"] == other.digests["all"]["text"]


def test_the_values_of_a_computed_column_are_still_held_to_the_contract(tmp_path):
    with pytest.raises(RegistryError, match="vector: unit norm"):
        computed(tmp_path / "m.parquet", [[1, 0], [1, 1]])


def test_a_number_below_its_floor_leaves_no_manifest(tmp_path):
    dataset = {**DATASET, "contract": {**DATASET["contract"], "floors": {"summary.rows": 5}}}
    written = write_manifest(tmp_path / "m.parquet", dataset, table().schema)
    with pytest.raises(RegistryError, match="summary.rows at least 5"), written as manifest:
        manifest.check_figures({"summary": {"rows": 4}}, {})
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_values_are_spelt_out_in_parts_of_a_batch(tmp_path, monkeypatch, plain, rows):
    monkeypatch.setattr("registry.describe.manifest.ROWS", rows)
    assert make(tmp_path / "parts.parquet", {"train": table()}).md5 == plain.md5


@pytest.mark.parametrize("few", [1, 2, 1000])
def test_samples_that_were_there_before_are_duplicates(tmp_path, monkeypatch, few):
    monkeypatch.setattr("registry.describe.manifest.IDS", few)
    monkeypatch.setattr("registry.describe.repeated.AT_ONCE", few)
    one = table(["a", "b", "a", "c"], [1, 2, 1, 3]), table(["b", "b", "d"], [2, 3, 4])
    with write_manifest(tmp_path / "m", DATASET, one[0].schema) as written:
        assert written.duplicates() == 0
        for number, (split, rows) in enumerate(zip(("train", "val"), one, strict=True)):
            keys = row_keys(str(number), 0, rows.num_rows)
            written.add(split, rows.to_batches()[0], inputs=["text"], keys=keys)
        assert written.duplicates() == 2
