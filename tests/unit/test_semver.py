"""Which number a version gets, and why: every rule, and what holds for all of them."""

from dataclasses import replace
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semver import Version
from test_diff import never, with_metadata
from test_manifests import SPLITS, at, multiset, named, numbered, samples, state, table, with_positions

from registry.compare.semver import VERSIONING, Change, Level, compare, next_version
from registry.errors import RegistryError
from support import examples

MAJOR, MINOR, PATCH = Level.MAJOR, Level.MINOR, Level.PATCH
LOSSLESS = [name for name in VERSIONING if name != "living"]
OLD = {"train": numbered("train", 9), "val": numbered("val", 4), "test": numbered("test", 3)}


def without(*splits):
    return {split: rows for split, rows in OLD.items() if split not in splits}


def replaced(rows, place, text="other"):
    return [*rows[:place], (rows[place][0], text, 0), *rows[place + 1 :]]


def reasons(changes):
    return [(change.level, change.reason) for change in changes]


TRAIN, VAL = OLD["train"], OLD["val"]
CHANGED = "1 row changed in train (train.txt:4)"
INSERTED = at("train", [row[1:] for row in [*TRAIN[:4], named("new"), *TRAIN[4:]]])
THREE_GONE = {"val": VAL[:1]}
MOVED = {"train": [*TRAIN[:3], *TRAIN[5:]], "val": VAL + TRAIN[3:5]}
ROWS = {
    "rows added": (
        {"train": numbered("train", 1009)},
        {name: [(MINOR, "1,000 rows added to train")] for name in VERSIONING},
    ),
    "a row inserted": (
        {"train": INSERTED},
        {
            "fixed": [(MAJOR, "1 row inserted before the end of train")],
            "positional": [(MAJOR, "1 row inserted before the end of train")],
            "folder": [(MINOR, "1 row added to train")],
            "append-only": [(MINOR, "1 row added to train")],
            "living": [(MINOR, "1 row added to train")],
        },
    ),
    "a row changed": (
        {"train": replaced(TRAIN, 4)},
        {name: [(MAJOR, "1 row changed in train (train.txt:4)")] for name in LOSSLESS}
        | {"living": [(MINOR, "1 row changed in train (train.txt:4)")]},
    ),
    "many rows changed": (
        {"train": [(key, "other " + text, label) for key, text, label in TRAIN]},
        {"fixed": [(MAJOR, "9 rows changed in train (train.txt:0, train.txt:1, train.txt:2, ...)")]},
    ),
    "rows removed": (
        THREE_GONE,
        {name: [(MAJOR, "3 rows removed from val")] for name in LOSSLESS}
        | {"living": [(MINOR, "3 rows removed from val")]},
    ),
    "rows reordered": (
        {"train": TRAIN[::-1]},
        {
            "fixed": [(MAJOR, "rows reordered in train")],
            "positional": [(MAJOR, "rows reordered in train")],
            "folder": [(PATCH, "rows reordered in train")],
            "append-only": [(PATCH, "rows reordered in train")],
            "living": [(MINOR, "rows reordered in train")],
        },
    ),
    "rows moved": (
        MOVED,
        {name: [(MAJOR, "2 rows moved from train to val")] for name in LOSSLESS}
        | {"living": [(MINOR, "2 rows moved from train to val")]},
    ),
    "rows changed, removed, reordered and added": (
        {"train": [*replaced(TRAIN, 4)[:6][::-1], named("x"), named("y")], "val": [*VAL, named("z")]},
        {
            "fixed": [
                (MAJOR, "1 row changed in train (train.txt:4)"),
                (MAJOR, "3 rows removed from train"),
                (MAJOR, "rows reordered in train"),
                (MINOR, "2 rows added to train"),
                (MINOR, "1 row added to val"),
            ]
        },
    ),
    "a split added": ({"extra": [named("x")]}, {name: [(MINOR, "split `extra` added")] for name in VERSIONING}),
    "a split added of rows that were there": (
        {"train": TRAIN[:7], "extra": TRAIN[7:]},
        {"fixed": [(MAJOR, "2 rows moved from train to extra"), (MINOR, "split `extra` added")]},
    ),
}
CASES = [
    pytest.param(new, versioning, expected, id=f"{name}, {versioning}")
    for name, (new, by_versioning) in ROWS.items()
    for versioning, expected in by_versioning.items()
]


@pytest.mark.parametrize(("new", "versioning", "expected"), CASES)
def test_rows(tmp_path, new, versioning, expected):
    assert reasons(compare(state(tmp_path, OLD), state(tmp_path, OLD | new), versioning)) == expected


@pytest.mark.parametrize("versioning", VERSIONING)
def test_a_split_removed(tmp_path, versioning):
    changes = compare(state(tmp_path, OLD), state(tmp_path, without("test")), versioning)
    assert reasons(changes) == [(MAJOR, "split `test` removed")]


def test_splits_in_another_order(tmp_path):
    new = dict(reversed(OLD.items()))
    assert reasons(compare(state(tmp_path, OLD), state(tmp_path, new))) == [(PATCH, "splits reordered")]


def columns(tmp_path, change, new_rows=OLD, versioning="fixed", **options):
    old = state(tmp_path, OLD)
    new = state(tmp_path, {split: (rows, change(table(rows))) for split, rows in new_rows.items()}, **options)
    return reasons(compare(old, new, versioning))


def more(content):
    return content.append_column("x", pa.array([1.5] * len(content)))


@pytest.mark.parametrize("versioning", VERSIONING)
def test_a_column_added(tmp_path, versioning):
    level = MINOR if versioning in ("fixed", "folder", "append-only") else MAJOR
    assert columns(tmp_path, more, versioning=versioning) == [(level, "column `x` added")]


@pytest.mark.parametrize("versioning", VERSIONING)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content.drop(["label"]), "column `label` removed"),
        (lambda content: content.rename_columns(["text", "class"]), "column `label` renamed to `class`"),
        (
            lambda content: content.set_column(1, "label", content["label"].cast(pa.uint8())),
            "column `label` changed from int64 to uint8",
        ),
        (
            lambda content: content.set_column(1, "label", content["label"].cast(pa.string())),
            "column `label` changed from int64 to string",
        ),
        (lambda content: content.select(["label", "text"]), "columns reordered"),
    ],
)
def test_a_column_that_was_there_differs(tmp_path, versioning, change, reason):
    assert columns(tmp_path, change, versioning=versioning) == [(MAJOR, reason)]


@pytest.mark.parametrize("versioning", ["fixed", "positional", "folder"])
def test_columns_and_rows_at_once(tmp_path, versioning):
    added = (MAJOR if versioning == "positional" else MINOR, "column `x` added")
    both = (MAJOR, "columns and rows changed at once")
    rows = (MINOR, "2 rows added to train")
    expected = sorted([added, both, rows], key=lambda reason: -reason[0])
    assert columns(tmp_path, more, OLD | {"train": numbered("train", 11)}, versioning) == expected


NEW_ROWS = [(key, text, 0) for key, text, _ in numbered("train", 15)]


@pytest.mark.parametrize(
    ("rows", "others"),
    [
        (NEW_ROWS, [(MINOR, "6 rows added to train")]),
        ([*NEW_ROWS[:4], *NEW_ROWS[5:]], [(MAJOR, "1 row removed from train"), (MINOR, "6 rows added to train")]),
        (
            [*NEW_ROWS[:4], (NEW_ROWS[4][0], "x", 0), *NEW_ROWS[5:]],
            [(MAJOR, CHANGED), (MINOR, "6 rows added to train")],
        ),
    ],
)
def test_only_what_is_append_only_gets_columns_and_rows_at_once(tmp_path, rows, others):
    both = (MAJOR, "columns and rows changed at once")
    changes = columns(tmp_path, more, OLD | {"train": rows}, "append-only")
    assert set(changes) == {*others, (MINOR, "column `x` added")}
    assert both in columns(tmp_path, more, OLD | {"train": rows}, "folder")


def test_columns_and_rows_at_once_whose_inputs_are_not_known_are_major_to_what_is_append_only(tmp_path):
    rows = [*at("train", [("other", 0)] * 9), *numbered("train", 3, start=9)]
    new = {split: [(key, f"{text}!", label) for key, text, label in those] for split, those in OLD.items()}
    changes = columns(tmp_path, more, new | {"train": rows}, "append-only")
    assert (MAJOR, "columns and rows changed at once") in changes


def test_a_value_that_no_input_holds_and_a_column_at_once(tmp_path):
    relabelled = [*TRAIN[:8], (*TRAIN[8][:2], 9)]
    expected = [(MAJOR, "columns and rows changed at once"), (MINOR, "column `x` added")]
    assert columns(tmp_path, more, OLD | {"train": relabelled}) == expected


def test_a_column_and_a_split_added_leave_all_that_was_there_in_place(tmp_path):
    expected = [(MINOR, "column `x` added"), (MINOR, "split `extra` added")]
    assert columns(tmp_path, more, OLD | {"extra": [named("x")]}) == expected


def test_a_column_and_a_split_removed(tmp_path):
    expected = [(MAJOR, "column `label` removed"), (MAJOR, "split `test` removed")]
    assert columns(tmp_path, lambda content: content.drop(["label"]), without("test")) == expected


def test_living_rows_and_columns_at_once(tmp_path):
    new = OLD | {"train": numbered("train", 11)}
    expected = [(MAJOR, "column `x` added"), (MINOR, "2 rows added to train")]
    assert columns(tmp_path, more, new, "living") == expected


@pytest.mark.parametrize("versioning", VERSIONING)
@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (["joy", "fear", "love"], [(MINOR, "class `love` added to `label`")]),
        (["joy"], [(MAJOR, "class `fear` removed from `label`")]),
        (["fear"], [(MAJOR, "class `joy` removed from `label`")]),
        (["fear", "joy"], [(MAJOR, "classes of `label` reordered")]),
        (["joy", "love", "fear"], [(MAJOR, "class `love` inserted before the end of `label`")]),
        (["joy", "love"], [(MAJOR, "class `fear` removed from `label`"), (MINOR, "class `love` added to `label`")]),
    ],
)
def test_classes(tmp_path, versioning, new, expected):
    old, new = (with_metadata(state(tmp_path, OLD, classes=classes)) for classes in (["joy", "fear"], new))
    assert reasons(compare(old, new, versioning)) == expected


@pytest.mark.parametrize("versioning", VERSIONING)
def test_bytes_and_metadata_that_differ_under_the_same_content(tmp_path, versioning):
    old = with_metadata(state(tmp_path, OLD))
    new = replace(
        with_metadata(state(tmp_path, OLD, about={"license": "MIT"}, metrics={"train": {"rows_mean": 1}})),
        provenance={"data": {"md5": "other"}, "code": {"process.py": "other"}},
    )
    assert reasons(compare(old, new, versioning)) == [
        (PATCH, "bytes differ, content does not"),
        (PATCH, "metadata differs: dataset.license, metrics.train.rows_mean, metrics.val.rows_mean and 1 more"),
    ]


def test_of_metadata_only_what_does_not_follow_from_the_data_is_told_beside_other_content(tmp_path):
    new = state(tmp_path, OLD | {"train": numbered("train", 10)}, about={"license": "MIT"})
    expected = [(MINOR, "1 row added to train"), (PATCH, "metadata differs: dataset.license")]
    assert reasons(compare(state(tmp_path, OLD), new)) == expected


def test_how_it_was_made_is_no_version(tmp_path):
    old = with_metadata(state(tmp_path, OLD))
    new = replace(old, provenance=old.provenance | {"code": {"process.py": "other"}, "libraries": {"polars": "9"}})
    assert compare(old, new) == []


def test_a_word_that_is_no_versioning_is_an_error(tmp_path):
    old = state(tmp_path, OLD)
    with pytest.raises(RegistryError, match="config/datasets/things.yaml: versioning: there is no 'semver'\n.*fixed, "):
        compare(old, old, "semver")


@settings(max_examples=examples(20))
@given(SPLITS, st.sampled_from(VERSIONING))
def test_nothing_is_no_version(splits, versioning):
    with TemporaryDirectory() as folder:
        old, new = (state(folder, with_positions(splits)) for _ in range(2))
        assert compare(old, new, versioning) == []
        assert compare(replace(old, local=never), replace(new, local=never), versioning) == []


@settings(max_examples=examples(20))
@given(SPLITS, SPLITS, st.sampled_from(VERSIONING))
def test_what_is_only_appended_is_minor(old, more, versioning):
    appended = {split: old.get(split, []) + more.get(split, []) for split in [*old, *(more.keys() - old.keys())]}
    with TemporaryDirectory() as folder:
        changes = compare(*(state(folder, with_positions(of)) for of in (old, appended)), versioning)
    assert {change.level for change in changes} == {MINOR}
    expected = {
        f"split `{split}` added" if split not in old else f"{len(rows)} row{'s'[: len(rows) - 1]} added to {split}"
        for split, rows in more.items()
    }
    assert {change.reason for change in changes} == expected


def highest(changes):
    return max((change.level for change in changes), default=None)


def prefix(old, new, split):
    return split in new and samples(new, split)[: len(old[split])] == samples(old, split)


def subset(old, new, split):
    return split in new and multiset(old, split) <= multiset(new, split)


@pytest.mark.parametrize("kept", [prefix, subset])
@settings(max_examples=examples(30))
@given(SPLITS, SPLITS, st.booleans())
def test_the_level_says_whether_what_was_there_is_in_place(kept, old, new, positions):
    def keyed(splits):
        return with_positions(splits) if positions else {s: [named(*row) for row in rows] for s, rows in splits.items()}

    old, new = keyed(old), keyed(new)
    with TemporaryDirectory() as folder:
        states = state(folder, old), state(folder, new)
        changes = compare(*states, "fixed" if kept is prefix else "folder")
        others = ("positional", "append-only", "living")
        positional, append_only, living = (compare(*states, versioning) for versioning in others)
    grown = new.keys() > old.keys() or any(len(new[split]) > len(old[split]) for split in old.keys() & new.keys())
    same = {s: samples(old, s) for s in old} == {s: samples(new, s) for s in new} and list(old) == list(new)
    if not all(kept(old, new, split) for split in old):
        assert highest(changes) is MAJOR
    elif grown:
        assert highest(changes) is MINOR
    else:
        assert highest(changes) is (None if same else PATCH)
    assert (positional if kept is prefix else append_only) == changes
    gone = old.keys() - new.keys()
    assert (highest(living) is MAJOR) == bool(gone)
    assert [change.reason for change in living if change.level is MAJOR] == [
        f"split `{s}` removed" for s in old if s in gone
    ]
    assert changes == sorted(changes, key=lambda change: -change.level)


@settings(max_examples=examples(20))
@given(SPLITS, st.data())
def test_any_row_that_goes_and_any_other_order_is_major(old, data):
    split = data.draw(st.sampled_from(sorted(old)))
    rows = old[split]
    gone = data.draw(st.integers(0, len(rows) - 1))
    shuffled = data.draw(st.permutations(rows))
    with TemporaryDirectory() as folder:
        before = state(folder, with_positions(old))
        less = [row for place, row in enumerate(rows) if place != gone]
        if less:
            assert highest(compare(before, state(folder, with_positions(old | {split: less})))) is MAJOR
        changes = compare(before, state(folder, with_positions(old | {split: shuffled})))
        assert reasons(changes) == ([(MAJOR, f"rows reordered in {split}")] if shuffled != rows else [])


@settings(max_examples=examples(20))
@given(SPLITS, SPLITS, st.sampled_from(VERSIONING), st.sampled_from(["none", "gzip"]), st.integers(1, 5))
def test_how_parquet_stores_a_manifest_is_no_matter(old, new, versioning, compression, rows):
    with TemporaryDirectory() as folder:
        states = [state(folder, with_positions(splits)) for splits in (old, new)]
        expected = compare(*states, versioning)
        path = states[1].manifest()
        facts = {key: value for key, value in pq.read_metadata(path).metadata.items() if key.startswith(b"registry.")}
        content = pq.read_table(path).replace_schema_metadata(facts)
        pq.write_table(content, path, compression=compression, row_group_size=rows)
        assert compare(*states, versioning) == expected


@pytest.mark.parametrize(
    ("latest", "level", "bump", "expected"),
    [
        (None, MAJOR, None, "1.0.0"),
        (None, PATCH, MAJOR, "1.0.0"),
        ("1.2.3", PATCH, None, "1.2.4"),
        ("1.2.3", MINOR, None, "1.3.0"),
        ("1.2.3", MAJOR, None, "2.0.0"),
        ("1.2.3", PATCH, MINOR, "1.3.0"),
        ("1.9.3", MINOR, MINOR, "1.10.0"),
        ("1.2.3", PATCH, MAJOR, "2.0.0"),
        ("1.2.3", MAJOR, MINOR, "2.0.0"),
        ("1.2.3", MINOR, PATCH, "1.3.0"),
    ],
)
def test_next_version(latest, level, bump, expected):
    assert str(next_version(latest and Version.parse(latest), level, bump)) == expected


def test_a_change_is_a_level_and_a_reason():
    assert Change(MAJOR, "why") == Change(Level(3), "why")
    assert PATCH < MINOR < MAJOR
