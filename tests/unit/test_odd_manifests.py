"""Manifests that are none, or not those of their version: one message each, before a row of them counts."""

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_manifests import named, numbered, state

from registry.compare.ends import without_ends
from registry.compare.manifests import ManifestFile, manifest_batches, manifest_of, read_manifest
from registry.compare.pairing import part_of
from registry.compare.rows import compare_rows
from registry.describe.layout import SCHEMA
from registry.gate import GateError


def rewritten(snapshot, change, **options):
    """The same state, whose manifest holds another table with the same facts."""
    path = snapshot.manifest()
    said = {name: value for name, value in pq.read_metadata(path).metadata.items() if name.startswith(b"registry.")}
    content = change(pq.read_table(path).replace_schema_metadata(said))
    pq.write_table(content, path, **options)
    return snapshot


def said(**facts):
    added = {f"registry.{name}".encode(): value for name, value in facts.items()}
    return lambda table: table.replace_schema_metadata(table.schema.metadata | added)


def with_values(name, values):
    return lambda table: table.set_column(table.schema.get_field_index(name), name, values(table[name]))


COLUMNS = {
    "sample_id": "fixed_size_binary[16]",
    "input_id": "fixed_size_binary[16]",
    "key": "string",
    "split": "string",
}
"""Those of every release: a manifest with others is refused."""


def test_the_columns_are_those_that_a_build_writes():
    assert {field.name: str(field.type) for field in SCHEMA} == COLUMNS


@pytest.mark.parametrize(
    "change",
    [
        said(schema=b'["x"]'),
        said(schema=b"7"),
        said(schema=b'[{"name": "text", "type": ["string"]}]'),
        said(schema=b'[{"name": "text"}]'),
        said(digests=b"7"),
        said(digests=b'["train"]'),
        said(digests=b'{"train": {}}'),
        said(digests=b'{"train": {"text": 7, "label": ""}}'),
        said(digests=b"[" * 100_000),
        said(digests=b"\xff"),
        said(content_hash=b"\xff"),
        lambda table: table.drop_columns(["key"]),
        lambda table: table.append_column("more", table["key"]),
        lambda table: table.select(["input_id", "sample_id", "key", "split"]),
        with_values("sample_id", lambda column: pa.array(range(len(column)), pa.int64())),
        with_values("key", lambda column: column.cast(pa.large_string())),
    ],
)
def test_what_is_no_manifest_is_one_message(tmp_path, change):
    snapshot = rewritten(state(tmp_path, {"train": numbered("train", 3)}), change)
    with pytest.raises(GateError, match=r"parquet: cannot be read as a manifest: .+\n.*registry pull"):
        read_manifest(snapshot.manifest())


@pytest.mark.parametrize("rows", ["sample_id", "input_id", "key", "split"])
def test_no_value_of_a_manifest_is_missing(tmp_path, rows):
    def change(column):
        return pa.array([None, *column.to_pylist()[1:]], column.type)

    snapshot = rewritten(state(tmp_path, {"train": numbered("train", 3)}), with_values(rows, change))
    with pytest.raises(GateError, match="a value is missing"):
        manifest_of(snapshot)


@pytest.mark.parametrize("texts", ["key", "split"])
def test_texts_of_a_manifest_are_unicode(tmp_path, texts):
    def forged(table):
        column = pa.array([b"\xff"] * len(table), pa.binary()).view(pa.string())
        return table.set_column(table.schema.get_field_index(texts), texts, column)

    snapshot = rewritten(state(tmp_path, {"train": numbered("train", 3)}), forged)
    with pytest.raises(GateError, match=r"cannot be read as a manifest: .*UTF"):
        manifest_of(snapshot, lambda batch: pl.DataFrame(batch))


def test_texts_that_no_row_has_are_unicode(tmp_path):
    path = state(tmp_path, {"k": numbered("k", 3)}).manifest()
    table, facts = pq.read_table(path), pq.read_metadata(path).metadata
    dictionary = pa.array([b"k", b"\xff"], pa.binary()).view(pa.string())
    texts = pa.DictionaryArray.from_arrays(pa.array([0, 0, 0], pa.int32()), dictionary)
    table = table.set_column(2, "key", texts).set_column(3, "split", texts)
    with pq.ParquetWriter(path, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({name: fact for name, fact in facts.items() if name.startswith(b"registry.")})
    with pytest.raises(GateError, match=r"cannot be read as a manifest: (?i:.*utf-?8)"):
        read_manifest(path).split_sizes()


def other_ids(column):
    return pa.array([bytes(16), *column.to_pylist()[1:]], column.type)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda table: table.slice(0, 3), "the number of rows differs"),
        (lambda table: table.slice(0, 0), "the number of rows differs"),
        (lambda table: pa.concat_tables([table.slice(1, 2), table.slice(0, 1), table.slice(3)]), "its rows are not"),
        (with_values("sample_id", other_ids), "its rows are not those"),
        (said(schema=b'[{"name": "text", "type": "string"}, {"name": "label", "type": "int8"}]'), "its rows are not"),
        (lambda table: table.take([3, 4, 0, 1, 2]), "its splits are not those"),
        (lambda table: table.take([0, 1, 3, 4, 2]), "the rows of its split train lie apart"),
    ],
)
def test_rows_that_are_not_those_of_the_content_hash(tmp_path, change, reason):
    snapshot = state(tmp_path, {"train": numbered("train", 3), "val": numbered("val", 2)})
    assert list(manifest_of(snapshot).digests) == ["train", "val"]
    with pytest.raises(GateError, match=reason):
        manifest_of(rewritten(snapshot, change))


@pytest.mark.parametrize("options", [{"row_group_size": 2}, {"use_dictionary": False}, {"data_page_size": 1}])
def test_rows_are_checked_however_parquet_stores_them(tmp_path, options):
    snapshot = state(tmp_path, {"train": numbered("train", 5), "val": numbered("val", 4)})
    assert manifest_of(rewritten(snapshot, lambda content: content, **options)).split_sizes() == {"train": 5, "val": 4}


def test_a_manifest_that_unpacks_to_too_much(tmp_path, monkeypatch):
    snapshot = state(tmp_path, {"train": [named("a", key="x" * 9000), *numbered("train", 3)]})
    manifest_of(snapshot)
    monkeypatch.setattr("registry.compare.manifests.MAX_BYTES", 9000)
    with pytest.raises(GateError, match="4 rows, .* bytes: more than"):
        read_manifest(snapshot.manifest())
    repeated = state(tmp_path, {"train": [named(str(number), key="x" * 900) for number in range(100)]})
    with pytest.raises(GateError, match="its texts have more than 9,000 bytes"):
        manifest_of(repeated)
    monkeypatch.setattr("registry.compare.manifests.MAX_ROWS", 3)
    with pytest.raises(GateError, match="4 rows"):
        read_manifest(snapshot.manifest())


HOW = pytest.mark.parametrize("options", [{}, {"use_dictionary": False}], ids=["repeated", "plain"])


def long_keys(folder, number, **options):
    """A manifest with a short key and then long ones: two in turn, or, without a dictionary, all different."""
    keys = ["short", *(f"{place if options else place % 2:0900}" for place in range(1, number))]
    snapshot = state(folder, {"train": [named(f"train {place}", key=key) for place, key in enumerate(keys)]})
    return read_manifest(rewritten(snapshot, lambda table: table, **options).manifest())


@HOW
def test_rows_whose_texts_are_long_are_read_a_few_at_once(tmp_path, monkeypatch, options):
    manifest = long_keys(tmp_path, 100, **options)
    monkeypatch.setattr("registry.compare.manifests.MAX_PIECE", 9500)
    assert {batch.num_rows for batch in manifest_batches(manifest.path)} == {10}
    pieces = [(first, len(found)) for first, found in manifest.column("key", range(5, 25))]
    assert pieces == [(5, 5), (10, 10), (20, 5)]
    assert [len(found) for _, found in manifest.column("sample_id", range(100))] == [100]


@HOW
def test_ends_of_rows_are_found_with_few_texts_in_memory(tmp_path, monkeypatch, options):
    manifest = long_keys(tmp_path, 20_000, **options)
    monkeypatch.setattr("registry.compare.manifests.MAX_PIECE", 1 << 18)
    pool, usual = pa.proxy_memory_pool(pa.default_memory_pool()), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        before, after = range(1, 20_000), range(20_000)
        assert without_ends(manifest, manifest, "key", before, before) == (True, (range(0), range(0)))
        assert without_ends(manifest, manifest, "key", before, after) == (False, (range(1, 1), range(1)))
    finally:
        pa.set_memory_pool(usual)
    assert pool.max_memory() < 8 << 20


def test_a_manifest_of_more_splits_than_two_bytes_can_number(tmp_path):
    splits = [f"split {number}" for number in range(70_000)]
    digests = {split: {"text": ""} for split in splits}

    def manifest(name, changed):
        ids = pa.array([(number + changed.get(number, 0)).to_bytes(16) for number in range(len(splits))], pa.binary(16))
        path = tmp_path / name
        pq.write_table(pa.table([ids, ids, pa.array(splits), pa.array(splits)], SCHEMA), path)
        different = {splits[number]: {"text": name} for number in changed}
        return ManifestFile(path, {"text": "string"}, digests | different, name)

    found = compare_rows(manifest("old", {69_998: 0, 69_999: 0}), manifest("new", {69_998: 1, 69_999: 1}))
    changes = {split: rows for split, rows in found.splits.items() if not rows.identical}
    assert list(changes) == splits[-2:]
    assert (changes[splits[-2]].moved_in, changes[splits[-2]].removed) == ({splits[-1]: 1}, 1)
    assert (changes[splits[-1]].moved_out, changes[splits[-1]].added) == ({splits[-2]: 1}, 1)
    places = {70_000: range(2)}
    assert part_of(manifest("more", {}), "sample_id", places, 0, 1)["split"].to_list() == [70_000] * 2
