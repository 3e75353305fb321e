"""Comparing manifests: which rows stayed, came, went, changed and moved, and which columns."""

from collections import Counter
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.compare import manifests, pairing
from registry.compare.manifests import read_manifest
from registry.compare.rows import Columns, SplitRows, compare_columns, compare_rows
from registry.describe.manifest import SCHEMA, write_manifest
from registry.describe.metadata import metadata_of, write_metadata
from registry.errors import RegistryError
from registry.storage.snapshot import Snapshot
from specified import column_of
from support import examples

TYPES = pa.schema([("text", pa.string()), ("label", pa.int64())])
ABOUT = {"title": "Things", "description": "Texts about things.", "license": "CC0"}
_numbers = count()


def named(text, label=0, key=None):
    """A row whose key is its own, whatever its place."""
    return key or f"key of {text}", text, label


def at(split, rows, start=0):
    """Rows (text, label) with the keys that a source file's positions give them."""
    return [(f"{split}.txt:{start + place}", text, label) for place, (text, label) in enumerate(rows)]


def numbered(split, number, start=0):
    """Some rows that are all different, with positions for keys."""
    return at(split, [(f"{split} {place}", place % 3) for place in range(start, start + number)], start)


def table(rows, schema=TYPES):
    """The rows (key, value, ...) as a table; columns that the rows do not reach repeat the first value's length."""
    padded = [[*values, *[len(str(values[0]))] * (len(schema) - len(values))] for _, *values in rows]
    columns = [[row[place] for row in padded] for place in range(len(schema))]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def _dataset(schema):
    columns = {field.name: column_of(field.type) for field in schema}
    return {"name": "things", "source": "samples", "about": ABOUT, "contract": {"columns": columns, "rows": {}}}


def state(folder, splits, *, inputs=("text",), classes=None, about=(), md5=None, **facts):
    """A snapshot of a dataset with these {split: rows or (rows, table)}, written by what writes the real ones."""
    pairs = {split: rows if isinstance(rows, tuple) else (rows, table(rows)) for split, rows in splits.items()}
    schema = next(iter(pairs.values()))[1].schema
    path = Path(folder) / f"{next(_numbers)}.parquet"
    dataset = _dataset(schema)
    dataset["about"] = ABOUT | dict(about)
    with write_manifest(path, dataset, schema) as manifest:
        for split, (rows, content) in pairs.items():
            batch = content.combine_chunks().to_batches()[0]
            manifest.add(split, batch, inputs=list(inputs), keys=[key for key, *_ in rows])
    metadata = metadata_of(
        dataset,
        manifest,
        features={"label": {"classes": list(classes)}} if classes is not None else None,
        **({"metrics": {split: {"rows_mean": len(rows)} for split, (rows, _) in pairs.items()}} | facts),
    )
    write_metadata(path.with_suffix(".json"), metadata)
    provenance = {"data": {"md5": md5 or manifest.content_hash}}
    return Snapshot("things", "what is built", metadata, provenance, {}, lambda _: path)


def rows_of(tmp_path, old, new, **options):
    """How the rows of two {split: rows} differ."""
    files = [read_manifest(state(tmp_path, splits).manifest()) for splits in (old, new)]
    return compare_rows(*files, **options)


def columns_of(tmp_path, old, new):
    """How the columns of two {split: table} differ."""
    pairs = [{split: (numbered(split, len(content)), content) for split, content in of.items()} for of in (old, new)]
    files = [read_manifest(state(tmp_path, splits).manifest()) for splits in pairs]
    return compare_columns(*files)


SPLITS = st.dictionaries(
    st.sampled_from(["train", "val", "test"]),
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 1)), min_size=1, max_size=8),
    min_size=1,
)
"""{split: [(text, label)]}, with many samples that are there several times."""


ALL_DIFFERENT = st.dictionaries(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 1)), st.sampled_from(["train", "val", "test"]), min_size=1
)
"""{(text, label): split}, with samples that are all different."""


def by_split(places):
    return {split: [sample for sample in places if places[sample] == split] for split in dict.fromkeys(places.values())}


def with_positions(splits):
    return {split: at(split, rows) for split, rows in splits.items()}


def samples(splits, split):
    return [sample for _, *sample in splits.get(split, [])]


def multiset(splits, split):
    return Counter(map(tuple, samples(splits, split)))


def test_a_manifest_says_its_columns_digests_and_sizes(tmp_path):
    snapshot = state(tmp_path, {"train": numbered("train", 3), "val": numbered("val", 2)})
    manifest = read_manifest(snapshot.manifest())
    assert list(manifest.schema.items()) == [("text", "string"), ("label", "int64")]
    assert {split: list(columns) for split, columns in manifest.digests.items()} == {
        "train": ["text", "label"],
        "val": ["text", "label"],
    }
    assert manifest.content_hash == snapshot.content_hash
    assert list(manifest.split_sizes().items()) == [("train", 3), ("val", 2)]


def _no_parquet(path):
    path.write_bytes(b"PAR1 and then nothing")


def _no_manifest(path):
    pq.write_table(pa.table({"text": ["a"]}), path)


def _no_json(path):
    with pq.ParquetWriter(path, SCHEMA) as writer:
        writer.add_key_value_metadata({"registry.schema": "[", "registry.digests": "{}", "registry.content_hash": ""})


@pytest.mark.parametrize("spoil", [_no_parquet, _no_manifest, _no_json, Path.mkdir, lambda path: None])
def test_what_is_no_manifest_is_an_error_that_names_the_file(tmp_path, spoil):
    path = tmp_path / "manifest.parquet"
    spoil(path)
    with pytest.raises(RegistryError, match=r"manifest.parquet: cannot be read as a manifest: .+\n.*registry pull"):
        read_manifest(path)


def test_equal_manifests_are_compared_without_reading_a_row(tmp_path, monkeypatch):
    splits = {"train": numbered("train", 3), "val": numbered("val", 2)}
    files = [read_manifest(state(tmp_path, splits).manifest()) for _ in range(2)]
    monkeypatch.setattr("registry.compare.manifests.ManifestFile.column", None)
    found = compare_rows(*files)
    assert found.identity is None
    assert found.splits == {"train": SplitRows(3, 3), "val": SplitRows(2, 2)}
    assert found.splits["train"].identical


def test_rows_at_the_end_are_added_in_place(tmp_path):
    found = rows_of(tmp_path, {"train": numbered("train", 5)}, {"train": numbered("train", 9)})
    assert found.identity == "sample_id"
    assert found.splits["train"] == SplitRows(
        5, 9, added=4, identical=False, examples={"added": ("train.txt:5", "train.txt:6", "train.txt:7")}
    )


def test_an_insert_shifts_the_keys_of_all_rows_behind_it_and_changes_none(tmp_path):
    old = [(f"text {number}", 0) for number in range(9)]
    new = [*old[:4], ("new", 0), *old[4:]]
    found = rows_of(tmp_path, {"train": at("train", old)}, {"train": at("train", new)}).splits["train"]
    assert found == SplitRows(9, 10, added=1, in_place=False, identical=False, examples={"added": ("train.txt:4",)})


def test_one_value_that_differs_is_one_row_changed(tmp_path):
    new = numbered("train", 9)
    new[4] = (new[4][0], "other", 0)
    found = rows_of(tmp_path, {"train": numbered("train", 9)}, {"train": new}).splits["train"]
    assert found == SplitRows(9, 9, changed=1, in_place=False, identical=False, examples={"changed": ("train.txt:4",)})


def test_a_row_that_is_gone_shifts_keys_and_changes_none(tmp_path):
    old = [(f"text {number}", 0) for number in range(9)]
    new = [*old[:4], *old[5:]]
    found = rows_of(tmp_path, {"train": at("train", old)}, {"train": at("train", new)}).splits["train"]
    assert found == SplitRows(9, 8, removed=1, in_place=False, identical=False, examples={"removed": ("train.txt:4",)})


def test_the_last_row_gone_is_a_row_removed(tmp_path):
    found = rows_of(tmp_path, {"train": numbered("train", 5)}, {"train": numbered("train", 4)}).splits["train"]
    assert (found.removed, found.added, found.changed, found.in_place) == (1, 0, 0, False)


def test_rows_that_change_places_are_reordered(tmp_path):
    old = numbered("train", 5)
    for new in ([old[1], old[0], *old[2:]], old[::-1], [*old[1:], old[0]]):
        found = rows_of(tmp_path, {"train": old}, {"train": new}).splits["train"]
        assert found == SplitRows(5, 5, in_place=False, identical=False, reordered=True)


def test_rows_changed_where_they_stand_are_not_reordered_and_elsewhere_they_are(tmp_path):
    old = [named(letter) for letter in "abcd"]
    here = [old[0], named("x", key=old[1][0]), *old[2:]]
    found = rows_of(tmp_path, {"train": old}, {"train": here}).splits["train"]
    assert (found.changed, found.reordered) == (1, False)
    found = rows_of(tmp_path, {"train": old}, {"train": [here[0], here[2], here[1], here[3]]}).splits["train"]
    assert (found.changed, found.reordered) == (1, True)


def test_rows_that_change_splits_are_moved_under_the_same_key_or_another(tmp_path):
    old = {"train": numbered("train", 6), "val": numbered("val", 3)}
    moved = [old["train"][2], ("val.txt:3", *old["train"][4][1:])]
    new = {"train": [row for place, row in enumerate(old["train"]) if place not in (2, 4)], "val": old["val"] + moved}
    found = rows_of(tmp_path, old, new).splits
    out = {"moved_out": ("train.txt:2", "train.txt:4")}
    into = {"moved_in": ("train.txt:2", "val.txt:3")}
    assert found == {
        "train": SplitRows(6, 4, moved_out={"val": 2}, in_place=False, identical=False, examples=out),
        "val": SplitRows(3, 5, moved_in={"train": 2}, identical=False, examples=into),
    }


def test_a_sample_that_moved_away_is_not_changed_though_its_key_is_taken(tmp_path):
    old = {"train": at("train", [("a", 0), ("b", 0)]), "val": at("val", [("v", 0)])}
    new = {"train": at("train", [("a", 0), ("x", 0)]), "val": at("val", [("v", 0), ("b", 0)])}
    found = rows_of(tmp_path, old, new).splits
    assert (found["train"].changed, found["train"].added, found["train"].moved_out) == (0, 1, {"val": 1})


def test_a_split_that_comes_or_goes_has_all_its_rows_added_or_removed(tmp_path):
    both = {"train": numbered("train", 5), "test": numbered("test", 4)}
    one = {"train": both["train"]}
    assert rows_of(tmp_path, one, both).splits == {
        "train": SplitRows(5, 5),
        "test": SplitRows(
            0, 4, added=4, identical=False, examples={"added": ("test.txt:0", "test.txt:1", "test.txt:2")}
        ),
    }
    gone = rows_of(tmp_path, both, one).splits["test"]
    assert (gone.before, gone.after, gone.removed, gone.in_place) == (4, 0, 4, False)


def test_a_split_with_another_name_has_its_rows_moved(tmp_path):
    old, new = {"val": numbered("x", 4)}, {"validation": numbered("x", 4)}
    found = rows_of(tmp_path, old, new).splits
    assert found["val"].moved_out == {"validation": 4}
    assert found["validation"].moved_in == {"val": 4}
    assert [rows.added + rows.removed for rows in found.values()] == [0, 0]


def test_copies_of_a_sample_count_one_by_one(tmp_path):
    old = at("train", [("a", 0), ("b", 0), ("a", 0), ("a", 0)])
    new = at("train", [("a", 0), ("b", 0), ("a", 0)])
    assert rows_of(tmp_path, {"train": old}, {"train": new}).splits["train"].removed == 1
    assert rows_of(tmp_path, {"train": new}, {"train": old}).splits["train"] == SplitRows(
        3, 4, added=1, identical=False, examples={"added": ("train.txt:3",)}
    )
    twice = {"train": at("train", [("a", 0), ("a", 0), ("b", 0)]), "val": at("val", [("c", 0)])}
    once = {"train": at("train", [("a", 0), ("b", 0)]), "val": at("val", [("c", 0), ("a", 0)])}
    found = rows_of(tmp_path, twice, once).splits["train"]
    assert (found.moved_out, found.removed, found.reordered) == ({"val": 1}, 0, False)


def test_of_copies_with_names_the_one_that_went_is_named(tmp_path):
    old = [named("x"), named("a", key="first"), named("y"), named("a", key="second"), named("z")]
    for gone in (1, 3):
        new = [row for place, row in enumerate(old) if place != gone][::-1]
        found = rows_of(tmp_path, {"train": old}, {"train": new}).splits["train"]
        assert (found.removed, found.examples["removed"]) == (1, (old[gone][0],))


def test_of_copies_side_by_side_the_one_that_went_is_named(tmp_path):
    old = [named("a", key="first"), named("a", key="second"), named("b")]
    for stayed, gone in ((old[0], "second"), (old[1], "first")):
        found = rows_of(tmp_path, {"train": old}, {"train": [stayed, named("x")]}).splits["train"]
        assert found.examples["removed"] == (gone, "key of b")


def test_of_copies_at_positions_the_one_that_went_is_named_though_keys_shift(tmp_path):
    letters = "xaybza"
    for gone in (1, 5):
        less = letters[:gone] + letters[gone + 1 :]
        old, new = ({"train": at("train", [(letter, 0) for letter in some])} for some in (letters, less))
        assert rows_of(tmp_path, old, new).splits["train"].examples == {"removed": (f"train.txt:{gone}",)}


def test_a_key_that_comes_back_in_another_split_with_another_sample_is_not_changed(tmp_path):
    old = {"train": [named("a"), named("b", key="k")], "val": [named("v")]}
    new = {"train": [named("a")], "val": [named("v"), named("x", key="k")]}
    found = rows_of(tmp_path, old, new).splits
    assert found["train"].examples == {"removed": ("k",)}
    assert found["val"].examples == {"added": ("k",)}


def test_copies_that_moved_go_by_their_names(tmp_path):
    old = {"train": [named("a", key="first"), named("a", key="second"), named("b")], "val": [named("c")]}
    new = {"train": [named("b")], "val": [named("c"), named("a", key="second")]}
    found = rows_of(tmp_path, old, new).splits["train"]
    assert (found.moved_out, found.removed) == ({"val": 1}, 1)
    assert found.examples == {"moved_out": ("second",), "removed": ("first",)}


def test_a_key_that_is_there_twice_pairs_the_first_with_the_first(tmp_path):
    old = [named("a", key="k"), named("b", key="k"), named("c")]
    new = [named("x", key="k"), named("y", key="k"), named("c")]
    found = rows_of(tmp_path, {"train": old}, {"train": new}).splits["train"]
    assert found == SplitRows(3, 3, changed=2, in_place=False, identical=False, examples={"changed": ("k", "k")})
    found = rows_of(tmp_path, {"train": old}, {"train": new[1:]}).splits["train"]
    assert (found.changed, found.removed) == (1, 1)


def test_examples_are_as_many_as_asked_for(tmp_path):
    splits = {"train": numbered("train", 2)}, {"train": numbered("train", 9)}
    assert rows_of(tmp_path, *splits, examples=0).splits["train"].examples == {"added": ()}
    assert len(rows_of(tmp_path, *splits, examples=5).splits["train"].examples["added"]) == 5


def test_rows_added_before_others_are_told_from_rows_in_another_order(tmp_path):
    def found(old, new):
        splits = ({"train": at("train", [(letter, 0) for letter in letters])} for letters in (old, new))
        return rows_of(tmp_path, *splits).splits["train"]

    assert found("ab", "bab") == SplitRows(
        2, 3, added=1, in_place=False, identical=False, examples=found("ab", "bab").examples
    )
    assert found("ab", "baa").reordered
    assert found("baa", "ab").reordered
    assert not found("bab", "ab").reordered
    assert not found("abac", "bax").reordered


@settings(max_examples=examples(30))
@given(SPLITS, SPLITS)
def test_counts_add_up_and_follow_the_multisets(old, new):
    old, new = with_positions(old), with_positions(new)
    with TemporaryDirectory() as folder:
        found = rows_of(folder, old, new)
    assert list(found.splits) == list(dict.fromkeys([*old, *new]))
    for split, rows in found.splits.items():
        assert (rows.before, rows.after) == (len(old.get(split, [])), len(new.get(split, [])))
        moved_in, moved_out = sum(rows.moved_in.values()), sum(rows.moved_out.values())
        assert rows.before - rows.removed - moved_out + rows.added + moved_in == rows.after
        before, after = multiset(old, split), multiset(new, split)
        assert rows.removed + rows.changed + moved_out == (before - after).total()
        assert rows.added + rows.changed + moved_in == (after - before).total()
        assert split not in rows.moved_in.keys() | rows.moved_out.keys()
        for other, number in rows.moved_out.items():
            assert found.splits[other].moved_in[split] == number
        assert rows.in_place == (samples(new, split)[: rows.before] == samples(old, split))
        assert rows.identical == (samples(new, split) == samples(old, split))
    lost = sum((multiset(old, split) - multiset(new, split) for split in found.splits), Counter())
    gained = sum((multiset(new, split) - multiset(old, split) for split in found.splits), Counter())
    assert sum(sum(rows.moved_out.values()) for rows in found.splits.values()) == (lost & gained).total()


@settings(max_examples=examples(30))
@given(SPLITS, SPLITS, st.integers(1, 4))
def test_rows_that_are_compared_part_by_part_differ_as_those_that_are_compared_at_once(old, new, rows):
    old, new = with_positions(old), with_positions(new)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        at_once = rows_of(folder, old, new)
        patch.setattr(pairing, "AT_ONCE", rows)
        patch.setattr(manifests, "ROWS", 3)
        assert rows_of(folder, old, new) == at_once


@settings(max_examples=examples(30))
@given(ALL_DIFFERENT, ALL_DIFFERENT)
def test_of_samples_that_are_all_different_every_count_follows_from_sets(old, new):
    states = [with_positions(by_split(places)) for places in (old, new)]
    with TemporaryDirectory() as folder:
        found = rows_of(folder, *states, examples=99)
    for split, rows in found.splits.items():
        before, after = ({(text, label): key for key, text, label in of.get(split, [])} for of in states)
        moved_out = {key for sample, key in before.items() if new.get(sample, split) != split}
        moved_in = {key for sample, key in after.items() if old.get(sample, split) != split}
        gone = {key for sample, key in before.items() if sample not in new}
        come = {key for sample, key in after.items() if sample not in old}
        expected = {
            "added": come - gone,
            "removed": gone - come,
            "changed": gone & come,
            "moved_in": moved_in,
            "moved_out": moved_out,
        }
        assert {kind: set(keys) for kind, keys in rows.examples.items()} == {k: v for k, v in expected.items() if v}
        stayed = [sample for sample, key in before.items() if sample in after or key in gone & come]
        replaced = {key: sample for sample, key in before.items() if key in gone & come}
        here = [sample if sample in before else replaced.get(key) for sample, key in after.items()]
        assert rows.reordered == (stayed != [sample for sample in here if sample])


@settings(max_examples=examples(25))
@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=7), st.lists(st.sampled_from("abc"), max_size=5), st.data()
)
def test_rows_only_added_are_reordered_when_the_old_do_not_follow_each_other_in_the_new(old, more, data):
    new = data.draw(st.permutations([*old, *more]))
    remaining = iter(new)
    follow = all(letter in remaining for letter in old)
    for before, after in ((old, new), (new, old)):
        with TemporaryDirectory() as folder:
            splits = [{"train": at("train", [(letter, 0) for letter in some])} for some in (before, after)]
            assert rows_of(folder, *splits).splits["train"].reordered == (not follow)


@pytest.mark.parametrize(
    "options", [{"compression": "none"}, {"row_group_size": 2}, {"use_dictionary": False}], ids=str
)
def test_rows_do_not_depend_on_how_parquet_stores_the_manifest(tmp_path, options):
    old = {"train": numbered("train", 5), "val": numbered("val", 3)}
    new = {"train": [*numbered("train", 4), named("x")], "val": old["val"][1:]}
    files = [read_manifest(state(tmp_path, splits).manifest()) for splits in (old, new)]
    found = compare_rows(*files)
    pq.write_table(pq.read_table(files[1].path), tmp_path / "other.parquet", **options)
    pl.read_parquet(files[1].path).write_parquet(tmp_path / "polars.parquet")
    for name in ("other", "polars"):
        assert compare_rows(files[0], replace(files[1], path=tmp_path / f"{name}.parquet")) == found


COLUMNS = table(numbered("train", 5))
OTHER = pa.array(range(5), pa.int64())
CHANGES = {
    "same": (COLUMNS, Columns()),
    "added": (COLUMNS.append_column("x", OTHER), Columns(added={"x": "int64"})),
    "added in the middle": (COLUMNS.add_column(1, "x", OTHER), Columns(added={"x": "int64"})),
    "removed": (COLUMNS.drop(["label"]), Columns(removed={"label": "int64"})),
    "renamed": (COLUMNS.rename_columns(["text", "class"]), Columns(renamed={"label": "class"})),
    "renamed and filled anew": (
        COLUMNS.drop(["label"]).append_column("class", OTHER),
        Columns(added={"class": "int64"}, removed={"label": "int64"}),
    ),
    "renamed and narrowed": (
        COLUMNS.drop(["label"]).append_column("class", COLUMNS["label"].cast(pa.uint8())),
        Columns(added={"class": "uint8"}, removed={"label": "int64"}),
    ),
    "narrowed": (
        COLUMNS.cast(pa.schema([("text", pa.string()), ("label", pa.uint8())])),
        Columns(retyped={"label": ("int64", "uint8")}),
    ),
    "in another order": (COLUMNS.select(["label", "text"]), Columns(reordered=True)),
    "renamed and in another order": (
        COLUMNS.rename_columns(["text", "class"]).select(["class", "text"]),
        Columns(renamed={"label": "class"}, reordered=True),
    ),
    "doubled under two names": (
        COLUMNS.drop(["label"]).append_column("one", COLUMNS["label"]).append_column("two", COLUMNS["label"]),
        Columns(added={"two": "int64"}, renamed={"label": "one"}),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_columns(tmp_path, change):
    new, expected = CHANGES[change]
    found = columns_of(tmp_path, {"train": COLUMNS}, {"train": new})
    assert found == expected
    assert bool(found) == (change != "same")


def test_a_column_is_renamed_only_if_all_splits_say_so(tmp_path):
    renamed = COLUMNS.rename_columns(["text", "class"])
    other = renamed.set_column(1, "class", OTHER)
    found = columns_of(tmp_path, {"train": COLUMNS, "val": COLUMNS}, {"train": renamed, "val": other})
    assert found == Columns(added={"class": "int64"}, removed={"label": "int64"})
    found = columns_of(tmp_path, {"train": COLUMNS}, {"val": renamed})
    assert found == Columns(added={"class": "int64"}, removed={"label": "int64"})


def with_column(rows):
    """The rows, with a column `size` that they did not have."""
    return rows, table(rows, TYPES.append(pa.field("size", pa.int64())))


def test_with_a_new_column_equal_digests_say_that_rows_stayed(tmp_path, monkeypatch):
    old = {"train": numbered("train", 5), "val": numbered("val", 2)}
    monkeypatch.setattr("registry.compare.manifests.ManifestFile.column", None)
    found = rows_of(tmp_path, old, {split: with_column(rows) for split, rows in old.items()})
    assert found.identity is None
    assert found.splits == {"train": SplitRows(5, 5), "val": SplitRows(2, 2)}


def test_with_a_new_column_the_input_tells_rows_apart(tmp_path):
    old = numbered("train", 5)
    found = rows_of(tmp_path, {"train": old}, {"train": with_column([*old[1:], named("x")])})
    assert found.identity == "input_id"
    rows = found.splits["train"]
    assert (rows.removed, rows.added, rows.changed, rows.identical) == (1, 1, 0, False)


def test_with_columns_in_another_order_no_sample_id_is_what_it_was(tmp_path):
    old = numbered("train", 5)
    new = (numbered("train", 6), table(numbered("train", 6)).select(["label", "text"]))
    found = rows_of(tmp_path, {"train": old}, {"train": new})
    assert (found.identity, found.splits["train"].added, found.splits["train"].in_place) == ("input_id", 1, True)


def test_values_of_no_input_that_change_beside_a_new_column_leave_rows_not_identical(tmp_path):
    old = numbered("train", 5)
    new = [*old[:4], (*old[4][:2], 9)]
    rows = rows_of(tmp_path, {"train": old}, {"train": with_column(new)}).splits["train"]
    assert rows == SplitRows(5, 5, identical=False)


def test_where_inputs_cannot_be_compared_the_key_tells_rows_apart(tmp_path):
    old = numbered("train", 6)
    new = with_column([*old[1:], named("x")])
    files = [
        read_manifest(state(tmp_path, {"train": rows}, inputs=inputs).manifest())
        for rows, inputs in ((old, ["text"]), (new, ["text", "size"]))
    ]
    found = compare_rows(*files)
    assert found.identity == "key"
    rows = found.splits["train"]
    assert (rows.removed, rows.added, rows.changed, rows.examples["added"]) == (1, 1, 0, ("key of x",))


@pytest.mark.parametrize(("kept", "identity"), [(3, "input_id"), (2, "key")])
def test_the_input_must_be_known_for_half_of_the_rows(tmp_path, kept, identity):
    old = numbered("train", 6)
    new = [*old[:kept], *((key, f"other {text}", label) for key, text, label in old[kept:])]
    assert rows_of(tmp_path, {"train": old}, {"train": with_column(new)}).identity == identity


def test_with_no_column_left_to_compare_the_identity_says_what_is_identical(tmp_path):
    old = numbered("train", 5)
    wide, narrow = (pa.schema([("label", dtype)]) for dtype in (pa.int64(), pa.uint8()))

    def file(rows, schema):
        content = pa.table([pa.array([row[2] for row in rows], schema.field(0).type)], schema)
        return read_manifest(state(tmp_path, {"train": (rows, content)}, inputs=["label"]).manifest())

    assert compare_rows(file(old, wide), file(old, narrow)).splits["train"].identical
    assert not compare_rows(file(old, wide), file(old[:4], narrow)).splits["train"].identical
    assert not compare_rows(file(old, wide), file(old[::-1], narrow)).splits["train"].identical
