"""Cards: whatever names, classes and texts a version has, they mark nothing up, and the front matter stays valid."""

import re
from datetime import UTC, datetime

import pyarrow as pa
import pytest
import yaml
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from carded import occasion, version
from registry.cards.card import MOST, OLDER, card
from registry.cards.hub import _feature
from registry.compare.drift import Drift
from registry.describe.logical import arrow_type, logical_type
from registry.gate import GateError
from registry.storage.tags import Entry

HOSTILE = [
    "<script>alert(1)</script>",
    "a|b\n| c",
    "`x` **y**",
    "[a](javascript:b)",
    "---\nlicense: mit",
    "@all",
    "\u202eabc",
]


def odd(name="x", **changes):
    """What is odd about the rows of a version, most of it about a column."""
    found = {
        "duplicates": {"samples": 1200, "inputs": 1201},
        "missing": {name: 3, "a": 4, "b": 1, "c": 2},
        "constant": [name],
        "unique": [name],
        "outliers": {name: {"value": {"count": 5, "of": 50}, "characters": {"count": 1, "of": 50}}},
        "balance": {name: {"train": {"classes": 2, "ratio": 2.5, "entropy": 0.9}}},
    }
    return found | changes


def html(text):
    """What a host of git shows of a card, without its front matter."""
    return MarkdownIt("commonmark").enable("table").render(text.split("\n---\n", 1)[1])


def test_what_is_odd_about_rows_is_told_in_a_few_lines():
    text = card(version(quality=odd()), occasion())
    assert text.partition("What is odd about the rows that are left:\n\n")[2].partition("\n\n")[0].splitlines() == [
        "- Rows that are the same as one before them: 1,200.",
        "- Rows whose input is that of one before them: 1,201.",
        "- Rows without a value, in `a` (4), `x` (3), `c` (2) and 1 more.",
        "- The same in all rows: `x`.",
        "- Values far from most others, in `x` (5 of 50).",
        "- How many times the rows of the smallest class the largest has, in `x` (2.5).",
    ]
    even = {"x": {"train": {"classes": 2, "ratio": 1.5, "entropy": 0.9}}}
    none = odd(duplicates={"samples": 0, "inputs": 0}, missing={}, constant=[], outliers={}, balance=even)
    assert "Known problems" not in card(version(quality=none), occasion())


def test_rows_that_are_like_others_are_counted():
    numbers = {"exact": 1_200, "near": 3}
    splits = {"train": {"train": numbers, "te|st": {"exact": 0, "near": 1}}}
    leakage = {"compared": "texts", "columns": ["x"], "splits": splits, "against": {"train": {"other": numbers}}}
    text = card(version(quality=odd(), leakage=leakage), occasion())
    assert text.partition("smallest class the largest has")[2].partition("\n\n")[0].splitlines()[1:] == [
        "- Rows of `train` like others of `train`: 1,200 the same, 3 nearly.",
        "- Rows of `train` like some of <code>te&#124;st</code>: 0 the same, 1 nearly.",
        "- Rows of `train` like some of `other`: 1,200 the same, 3 nearly.",
    ]
    many = {f"split {number}": {"train": numbers} for number in range(300)}
    assert card(version(leakage=leakage | {"splits": many}), occasion()).count("like some of") == MOST


def test_what_has_moved_since_the_version_before_is_told():
    before = Entry("x-v1.0.0", "1.0.0", datetime(2026, 1, 1, tzinfo=UTC), "0" * 40, ["first release"], None)
    moved = [Drift("va|lue", "missing", "all", 0.54821, 0.1, 0.01)]
    text = card(version(), occasion(version="1.1.0", before=[before], drift=moved))
    assert "What has moved most since 1.0.0:\n\n| column |" in text
    assert [*re.findall(r"<td>(.*?)</td>", html(text).partition("What has moved")[2])] == [
        *("<code>va|lue</code>", "missing", "<code>all</code>", "0.548", "0.1"),
    ]
    assert "What has moved" not in card(version(), occasion(before=[before]))


def test_what_is_odd_in_an_odd_way_is_refused():
    with pytest.raises(GateError, match="its quality is not what a release writes"):
        card(version(quality={"missing": ["x"]}), occasion())


@given(st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=30))
def test_texts_of_others_mark_nothing_up(text):
    snapshot = version(
        dataset={"name": "x", "title": text, "description": text, "license": text, "citation": text},
        schema={"features": {text: {"dtype": "string", "unit": text, "description": text}}},
        splits={text: {"num_samples": 3, "class_distribution": {text: 3}}},
        quality=odd(text),
        provenance={"config": {"params": {"classes": [text]}}},
    )
    found = card(snapshot, occasion(changes=[text], problems={text: 1, "rows": [text]}))
    assert DatasetCard(found).data.pretty_name == text
    shown = html(found)
    assert "<script" not in shown and "<a " not in shown and "<strong>y" not in shown and "<em>" not in shown
    plain = html(
        card(version(splits={"a": {"num_samples": 3, "class_distribution": {"a": 3}}}), occasion(problems={"a": 1}))
    )
    assert shown.count("<h2") - shown.count("Citation</h2") == plain.count("<h2")
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("CC BY-NC 2.0", {"license": "cc-by-nc-2.0"}),
        (
            "other (education only)",
            {"license": "other", "license_name": "other-education-only", "license_link": "https://x"},
        ),
    ],
)
def test_licences_by_the_names_of_the_hub(licence, expected):
    about = {"name": "x", "title": "X", "description": "x", "license": licence, "homepage": "https://x"}
    data = DatasetCard(card(version(dataset=about), occasion())).data.to_dict()
    assert {key: value for key, value in data.items() if key.startswith("license")} == expected


@pytest.mark.parametrize(("rows", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (10**10, "n>10B")])
def test_sizes(rows, size):
    assert f"\n- {size}\n" in card(version(splits={"all": {"num_samples": rows}}), occasion())


@pytest.mark.parametrize(
    ("dtype", "written"),
    [
        (pa.list_(pa.list_(pa.uint8(), 28), 28), {"list": {"list": "uint8", "length": 28}, "length": 28}),
        (pa.list_(pa.string()), {"list": "string"}),
        (pa.float32(), {"dtype": "float32"}),
        (pa.timestamp("ms", tz="UTC"), {"dtype": "timestamp[ms, tz=UTC]"}),
        (pa.struct([("a", pa.int8())]), None),
    ],
)
def test_types_as_datasets_writes_them(dtype, written):
    assert _feature(arrow_type(logical_type(dtype))) == written


def test_a_version_that_says_little_or_odd_things_has_a_card():
    """Versions of long ago are released again, and of them no more is known than that readers can read them."""
    odd = version(
        dataset={"name": "x", "homepage": 7},
        schema={"features": {"value": {"dtype": "no type at all"}}},
        splits={"all": {"num_samples": 3, "class_distribution": 4}},
        summary={"kind_distribution": {"a": "many"}},
        provenance={"source": {"mode": "tape", "files": [{"file": "x.bin", "sha256": "00", "url": None}]}},
        files=["data/x/processed/x.parquet"],
    )
    found = card(odd, occasion())
    assert DatasetCard(found).data.to_dict()["license_name"] == "unknown"
    assert (
        "| `a` | `many` |" in found and "| home page | `7` |" in found and "It was built from these sources." in found
    )


def test_many_tables_are_named_by_their_folders():
    days = [f"data/x/processed/2026-01-{day:02}.parquet" for day in range(1, 30)]
    data = DatasetCard(card(version(files=days), occasion())).data.to_dict()
    assert data["configs"][0]["data_files"] == [{"split": "train", "path": ["processed/*.parquet"]}]


def test_long_lists_are_cut_short():
    many = {str(number): 1 for number in range(MOST + 7)}
    before = [
        Entry(f"x-v0.{number}.0", f"0.{number}.0", datetime(2026, 1, 1, tzinfo=UTC), "0", ["more"], None)
        for number in range(OLDER + 5)
    ]
    found = card(version(summary={"class_distribution": many}), occasion(before=before, problems=many))
    assert found.count("And 7 more") == 2
    assert f"- 0.{OLDER - 1}.0, 2026-01-01: more\n" in found and f"- 0.{OLDER}.0" not in found


def test_the_front_matter_begins_with_who_wrote_it():
    head = card(version(), occasion()).split("---\n")[1]
    assert head.startswith("# Written by registry publish: ") and yaml.safe_load(head)["license"] == "mit"
