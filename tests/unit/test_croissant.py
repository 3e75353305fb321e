"""croissant.json: whatever names and texts a version has, it is JSON, and each node is found by an @id of its own."""

import json
import re
from fnmatch import fnmatch

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carded import occasion, version
from registry.cards.croissant import CONTEXT, LARGEST, croissant
from registry.cards.distribution import MOST, TABLES
from registry.cards.fields import Ids, field
from registry.gate import MAX_DESCRIPTION
from registry.shown import printable

HOSTILE = [
    "",
    " ",
    "a b",
    "A B",
    "a-b",
    "../..",
    "@id",
    '"}',
    "\u202eabc",
    "_:b",
    "https://x/#y",
    "%20",
    "\0",
    "cr:data",
]
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=20)
NAMES = st.sampled_from(["a b", "A", "a", "[x]", "*", "?", "..."]) | st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: name not in (".", ".."))
WORDS = {*CONTEXT, "@context", "@type", "@id", "alternateName", "comment", "contentSize", "contentUrl", "datePublished"}
WORDS |= {"distribution", "encodingFormat", "identifier", "inLanguage", "keywords", "license", "sha256", "url", "value"}
WORDS |= {"version"}
ID = re.compile(r"[\w.-]*\w[\w.-]*(/[\w.-]*\w[\w.-]*)*")


def described(snapshot, **others):
    return json.loads(croissant(snapshot, occasion(**others)))


def nodes(value):
    """All objects of a document, but its @context and records that stand in it."""
    if isinstance(value, dict):
        yield value
        for key, one in value.items():
            if key not in ("@context", "data"):
                yield from nodes(one)
    elif isinstance(value, list):
        for one in value:
            yield from nodes(one)


def check(document):
    found = [*nodes(document)]
    defined = [node["@id"] for node in found if "@type" in node and "@id" in node]
    assert len({*defined}) == len(defined)
    assert all(ID.fullmatch(name) for name in defined)
    assert {node["@id"] for node in found if [*node] == ["@id"]} <= {*defined}
    assert {key for node in found for key in node} <= WORDS


@given(
    st.lists(TEXTS, unique=True, min_size=1, max_size=6), st.lists(NAMES, unique=True, min_size=1, max_size=3), TEXTS
)
def test_names_and_texts_of_others_break_nothing(columns, splits, text):
    files = [f"data/x/processed/{split}/{split}.parquet" for split in splits]
    snapshot = version(
        files,
        dataset={"name": "x", "title": text, "description": text, "license": text, "citation": text, "homepage": text},
        schema={"features": {name: {"dtype": "string", "description": text, "unit": text} for name in columns}},
        splits={split: {"num_samples": 3} for split in splits},
    )
    written = croissant(snapshot, occasion())
    assert printable(written) == written
    document = json.loads(written)
    check(document)
    sets = {node["name"]: node for node in document.get("recordSet", []) if node.get("dataType") != "cr:Split"}
    assert [*sets] == (splits if any(columns) else [])
    for node in sets.values():
        assert {each["name"] for each in node["field"]} - {"split"} == {*columns} - {"", "split"}
    assert {node["contentUrl"] for node in document["distribution"]} == {name.removeprefix("data/x/") for name in files}


@given(st.lists(NAMES, unique=True, min_size=2, max_size=8), st.sampled_from([".jpg", "", ".a b", ".[x]"]))
def test_patterns_fit_the_files_that_they_are_for(names, suffix):
    files = sorted({f"processed/{'deep/' * (number % 2)}{name}{suffix}" for number, name in enumerate(names)})
    document = described(version([f"data/x/{name}" for name in files]))
    check(document)
    sets = [node for node in document["distribution"] if node["@type"] == "cr:FileSet"]
    alone = [node["contentUrl"] for node in document["distribution"] if node["@type"] == "cr:FileObject"]
    assert len({node["sha256"] for node in sets}) == len(sets)
    fitting = {name for name in files for node in sets for each in node["includes"] if fnmatch(name, each)}
    assert fitting | {*alone} == {*files}


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (pa.string(), {"dataType": "sc:Text"}),
        (pa.bool_(), {"dataType": "sc:Boolean"}),
        (pa.uint16(), {"dataType": "cr:UInt16"}),
        (pa.float16(), {"dataType": "cr:Float16"}),
        (pa.decimal128(5, 2), {"dataType": "sc:Float"}),
        (pa.timestamp("ns"), {"dataType": "sc:DateTime"}),
        (pa.list_(pa.list_(pa.uint8(), 28), 28), {"isArray": True, "arrayShape": "28,28", "dataType": "cr:UInt8"}),
        (pa.list_(pa.list_(pa.date32()), 2), {"isArray": True, "arrayShape": "2,-1", "dataType": "sc:Date"}),
        (pa.duration("s"), None),
        (pa.binary(), None),
        (pa.map_(pa.string(), pa.int8()), None),
        (pa.struct([]), None),
        (pa.struct([("a", pa.struct([("b", pa.int8())]))]), None),
        (pa.list_(pa.list_(pa.struct([("a", pa.int8())]))), None),
    ],
)
def test_types(dtype, expected):
    found = field(Ids(), "all", "x", dtype, {})
    keys = ("isArray", "arrayShape", "dataType")
    assert (found and {key: found[key] for key in keys if key in found}) == expected


def test_fields_of_objects_are_found_by_their_paths():
    found = field(Ids(), "all", "x", pa.list_(pa.struct([("it's \\", pa.int8())])), {"extract": {"column": "x"}})
    (part,) = found["subField"]
    assert (found["@id"], found["arrayShape"], part["@id"]) == ("all/x", "-1", "all/x/it-s")
    assert part["source"] == {"extract": {"column": "x"}, "transform": {"jsonPath": r"$['it\'s \\']"}}


def test_what_is_said_of_a_column_and_which_ones_are_left_out():
    odd = {f"lasting {number}": {"dtype": "duration[s]"} for number in range(30)}
    features = {"weight": {"dtype": "float64", "description": "How heavy it is", "unit": "g"}, **odd}
    (rows,) = described(version(schema={"features": features}))["recordSet"]
    assert [(node["name"], node["description"]) for node in rows["field"]] == [("weight", "How heavy it is, in g")]
    assert rows["description"].endswith("lasting 18, lasting 19 and 10 more.")


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"license": "CC BY 4.0"}, {"license": "https://spdx.org/licenses/CC-BY-4.0", "citeAs": "X, version 1.0.0"}),
        ({"license": "unknown"}, {"citeAs": "X, version 1.0.0"}),
        ({"license": "ours", "citation": "Us: X"}, {"license": "ours", "citeAs": "Us: X"}),
        (
            {"license": "MIT", "homepage": "https://x.org"},
            {
                "license": "https://spdx.org/licenses/MIT",
                "citeAs": "X, version 1.0.0, https://x.org",
                "url": "https://x.org",
            },
        ),
    ],
)
def test_what_is_said_of_the_whole(about, expected):
    found = described(version(dataset={"name": "x", "title": "X", "description": "x", "languages": ["en"], **about}))
    assert {key: found[key] for key in ("license", "citeAs", "url") if key in found} == expected
    assert (found["version"], found["datePublished"], found["inLanguage"]) == ("1.0.0", "2026-01-01", ["en"])


def test_without_a_home_page_the_registry_is_where_it_is_found():
    assert (
        described(version(), address="https://example.org/acme/data.git")["url"] == "https://example.org/acme/data.git"
    )


def test_a_version_that_says_little_or_odd_things_is_described():
    """Versions of long ago are released again, and of them no more is known than that readers can read them."""
    odd = version(
        ["data/x/processed"],
        dataset={"name": "x", "homepage": 7},
        schema={"features": {"value": {"dtype": "no type at all"}}},
        provenance={"config": {"params": 5}},
    )
    document = described(odd)
    check(document)
    assert document["name"] == "x" and "recordSet" not in document and "license" not in document
    assert [node["encodingFormat"] for node in document["distribution"]] == ["application/octet-stream"]


def test_a_table_of_which_no_column_can_be_named_is_no_record_set():
    features = {"": {"dtype": "string"}, "lasting": {"dtype": "duration[s]"}, "odd": {"dtype": "no type at all"}}
    assert "recordSet" not in described(version(schema={"features": features}))


def test_data_that_is_a_single_file_is_read_where_it_stands():
    document = described(version(["data/x/questions.csv"], provenance={"data": {"path": "questions.csv"}}))
    assert [node["contentUrl"] for node in document["distribution"]] == ["questions.csv"]
    assert document["recordSet"][0]["field"][0]["source"]["fileObject"] == {"@id": "questions.csv"}


@pytest.mark.parametrize("name", ["croissant.json", "Croissant.JSON"])
def test_data_that_is_called_so_is_not_described(name):
    assert version(provenance={"data": {"path": name}}).added == ["data/x/README.md"]


def test_many_tables_are_one_set_and_named_one_by_one_while_they_are_not_too_many():
    for count in (MOST, MOST + 1):
        files = [f"data/x/processed/{number:05}.parquet" for number in range(count)]
        document = described(version(files))
        kinds = [node["@type"] for node in document["distribution"]]
        assert kinds.count("cr:FileObject") == (MOST if count == MOST else 0) and kinds.count("cr:FileSet") == 1
        assert document["recordSet"][0]["field"][0]["source"]["fileSet"] == {"@id": "processed/parquet-files"}


def test_it_stays_small_enough_to_be_read_by_all_commands():
    wide = version(schema={"features": {f"{number:05}" + "x" * 300: {"dtype": "int8"} for number in range(5000)}})
    deep = "\u202e" * 60 + "/"
    long = version([f"data/x/processed/{deep * 5}{number}.{kind}" for kind in TABLES for number in range(MOST)])
    for snapshot, without in ((wide, ["recordSet"]), (long, ["recordSet", "distribution"])):
        text = croissant(snapshot, occasion())
        document = json.loads(text)
        assert len(text.encode()) <= LARGEST < MAX_DESCRIPTION
        assert [part for part in ("recordSet", "distribution") if part not in document] == without
        assert all(f"without its {part}" in document["comment"] for part in without)
