"""Any two versions side by side: the counts on the page are those of `registry diff`, for every pair."""

import json
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from browsing import Visitor
from registry.catalog.dataset import data_of, gather_two
from registry.compare.diff import DatasetDiff, diff
from registry.describe.manifest import write_manifest
from registry.describe.metadata import metadata_of
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.tags import find_release
from showcase import PEOPLE, Showcase
from specified import column_of
from support import examples, wait_until

COUNTS = (
    "[...document.querySelectorAll('#counts tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
)
PICTURES = "[...document.querySelectorAll('del img, ins img')].every((one) => one.naturalWidth)"
LOADED = (
    "[...document.querySelectorAll('[src]:not([src^=data]), link[href]:not([href^=data])')].map((one) => one.outerHTML)"
)


def expected(found: DatasetDiff) -> dict[str, list[int]]:
    return {
        split: [
            *(rows.before, rows.after, rows.added, rows.removed, rows.changed),
            *(sum(rows.moved_in.values()), sum(rows.moved_out.values())),
        ]
        for split, rows in found.splits.items()
    }


def drawn(page: Page) -> dict[str, list[int]]:
    return {split: [int(one.replace(",", "")) for one in numbers] for split, *numbers in page.evaluate(COUNTS)}


@pytest.fixture(scope="module")
def snapshots(showcase_once: Showcase) -> dict[str, Snapshot]:
    """Every version of the people, read before there is a browser."""
    repository = Repository.open(showcase_once.folder)
    found = {}
    for version in PEOPLE:
        release = find_release(repository.git, "people", version)
        found[version] = Snapshot.at(repository, "people", release.commit, release.tag)
        found[version].manifest()
    return found


def test_every_pair_has_the_counts_of_registry_diff(snapshots, visitor):
    for before, after in permutations(PEOPLE, 2):
        page = visitor.open(f"diff.html#people/{before}..{after}")
        expect(page.locator("h1")).to_have_text(f"People {before} → {after}")
        assert drawn(page) == expected(diff(snapshots[before], snapshots[after])), (before, after)


def test_what_differs_is_shown(visitor):
    page = visitor.open("diff.html#people/1.1.0..2.0.0")
    changed = page.locator("section", has=page.get_by_role("heading", name="Changed"))
    age = changed.locator("tbody tr").filter(has=page.get_by_role("cell", name="age", exact=True))
    expect(age.locator("del")).to_have_text("27")
    expect(age.locator("ins")).to_have_text("99")
    name = changed.locator("tbody tr", has_text="Byron")
    expect(name.locator("del")).to_have_text("Lovelace")
    expect(name.locator("ins")).to_have_text("Byron")
    expect(changed).to_contain_text("<script>window.hit=1</script>")
    moved = page.locator("section", has=page.get_by_role("heading", name="Distributions that moved")).locator("article")
    [both] = [one.locator(".legend li").all_inner_texts() for one in moved.all() if "age train" in one.inner_text()]
    assert [text.partition(":")[0].strip() for text in both] == ["1.1.0", "2.0.0"]
    page = visitor.open("diff.html#people/2.0.0..3.0.0")
    expect(page.get_by_text("train → test").first).to_be_visible()
    page = visitor.open("diff.html#people/3.0.0..3.1.0")
    expect(page.get_by_text("height float64 is new")).to_be_visible()
    page = visitor.open("diff.html#pictures/1.0.0..2.0.0")
    expect(page.locator("del img, ins img")).to_have_count(2)
    wait_until(lambda: page.evaluate(PICTURES))


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("", "Choose them on the page of a dataset"),
        ("people/1.0.0..7.0.0", "This catalog has no version 7.0.0 of people."),
        ("<img src=x onerror=window.hit=1>/1.0.0..2.0.0", "Choose them"),
        ("../../x/1.0.0..2.0.0", "Choose them"),
        ("__proto__/1.0.0..2.0.0", "Choose them"),
    ],
)
def test_a_link_that_leads_nowhere_says_so(visitor, fragment, said):
    page = visitor.open(f"diff.html#{fragment}")
    expect(page.locator("main")).to_contain_text(said)


def test_a_dataset_that_is_not_there_is_said(browser, site):
    visitor = Visitor(browser, site)
    page = visitor.open("diff.html#nothing/1.0.0..2.0.0")
    expect(page.locator("main")).to_contain_text("This catalog has no dataset nothing.")
    # The browser says that the file is not there.
    assert all("nothing.js" in one or "ERR_FILE_NOT_FOUND" in one for one in visitor.problems)
    visitor.problems.clear()
    visitor.leave()


def test_a_page_alone_needs_no_other_file(showcase_once, snapshots, browser, tmp_path):
    file = tmp_path / "alone" / "pictures.html"
    showcase_once.registry("diff", "pictures", "1.0.0", "2.0.0", "--html", str(file))
    people = tmp_path / "alone" / "people.html"
    showcase_once.registry("diff", "people", "1.1.0", "2.0.0", "--html", str(people))
    assert sorted(path.name for path in file.parent.iterdir()) == ["people.html", "pictures.html"]
    visitor = Visitor(browser, file.parent)
    page = visitor.open("pictures.html")
    visitor.draw_all()
    expect(page.locator("del img, ins img")).to_have_count(2)
    wait_until(lambda: page.evaluate(PICTURES))
    page = visitor.open("people.html")
    visitor.draw_all()
    visitor.look("alone")
    assert drawn(page) == expected(diff(snapshots["1.1.0"], snapshots["2.0.0"]))
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert "unsafe" not in policy
    assert "'self'" not in policy
    assert page.evaluate(LOADED) == []
    visitor.leave()


@pytest.mark.parametrize("before", ["1.0.0", "2.0.0"])
def test_a_page_alone_says_which_version_has_lost_what(showcase_once, browser, tmp_path, before):
    file = tmp_path / "lost.html"
    printed = showcase_once.registry(
        "diff", "lost", before, "3.0.0", "--html", str(file), code=1 if before == "1.0.0" else 0
    )
    reason = "remote local lacks files of this data: 1."
    visitor = Visitor(browser, tmp_path)
    page = visitor.open("lost.html")
    visitor.draw_all()
    if before == "1.0.0":
        assert printed.startswith("error: lost-v1.0.0: remote local (")
        expect(page.locator(".notice")).to_have_text(f"lost-v1.0.0: its rows cannot be shown: {reason}")
        assert page.locator("#counts").count() == 0
        expect(page.get_by_role("heading", name="Statistics")).to_be_visible()
    else:
        expect(page.locator(".notice")).to_have_text(
            f"lost-v2.0.0: values that only its rows have are not shown: {reason}"
        )
        expect(page.locator("section", has_text="Removed").locator(".held").last).to_contain_text("0 of 1 are shown")
    visitor.leave()


ROWS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 3), st.sampled_from(["k1", "k2", "k3", "k4"])), max_size=6
)
STATES = st.dictionaries(st.sampled_from(["one", "10", "2"]), ROWS, min_size=1)
COLUMNS = [
    {"text": pa.string(), "number": pa.int64()},
    {"number": pa.int64(), "text": pa.string()},
    {"text": pa.string(), "number": pa.int64(), "more": pa.int64()},
    {"number": pa.int64(), "more": pa.int64()},
    {"more": pa.int64(), "number": pa.int32()},
    {"words": pa.string()},
]
"""Columns that a state may have; of these, the first is the input."""
Splits = dict[str, list[tuple[str, int, str]]]


@st.composite
def two_states(draw: st.DrawFn) -> tuple[Splits, Splits]:
    """Return the splits of two states, some of which may be the same."""
    old, other = draw(STATES), draw(STATES)
    same = {name: rows for name, rows in old.items() if draw(st.booleans())}
    return old, dict(draw(st.permutations([*(other | same).items()])))


def state(folder: Path, name: str, splits: Splits, dtypes: dict[str, pa.DataType], **facts: Any) -> Snapshot:
    """Return a state of a dataset whose rows are texts and numbers with these keys."""
    schema = pa.schema(dtypes)
    columns = {field.name: column_of(field.type) for field in schema}
    about = {"title": "Things", "description": "Some.", "license": "CC0"}
    dataset = {"name": "things", "source": "samples", "about": about, "contract": {"columns": columns}}
    dataset["contract"]["rows"] = {"samples": dict.fromkeys(splits, {"min": 0})}
    path = folder / f"{name}.parquet"
    with write_manifest(path, dataset, schema) as manifest:
        for split, rows in splits.items():
            texts, numbers, keys = ([row[place] for row in rows] for place in range(3))
            values = [texts if pa.types.is_string(dtype) else numbers for dtype in dtypes.values()]
            batch = pa.record_batch([*map(pa.array, values, dtypes.values())], schema=schema)
            manifest.add(split, batch, inputs=schema.names[:1], keys=keys)
    metadata = metadata_of(dataset, manifest, **({"summary": {"num_samples": 1}, "profile": {}} | facts))
    provenance, outs = {"data": {"md5": manifest.content_hash}}, {"data/things/manifest.parquet": manifest.md5}
    return Snapshot("things", name, metadata, provenance, outs, lambda place, fetch=True: path, lambda fetch=True: [])


@pytest.fixture(scope="module")
def blank(browser, site) -> Page:
    """The page of differences, before it has any."""
    visitor = Visitor(browser, site)
    yield visitor.open("diff.html")
    visitor.leave()


def draw_difference(blank: Page, before: Snapshot, after: Snapshot) -> None:
    """Have the page show the difference between two states."""
    data: dict[str, Any] = data_of(gather_two(("1.0.0", before), ("2.0.0", after)))
    data |= {"title": "Things", "alone": ["1.0.0", "2.0.0"]}
    blank.evaluate("(data) => registryCatalog(JSON.parse(data))", json.dumps(data))


@settings(max_examples=examples(100))
@given(splits=two_states(), columns=st.tuples(st.sampled_from(COLUMNS), st.sampled_from(COLUMNS)))
def test_any_two_states_have_the_counts_of_registry_diff(blank, splits, columns):
    with TemporaryDirectory() as folder:
        before, after = (
            state(Path(folder), name, *one) for name, one in zip("ab", zip(splits, columns, strict=True), strict=True)
        )
        draw_difference(blank, before, after)
        found = diff(before, after)
        assert drawn(blank) == expected(found)
        assert [*drawn(blank)] == [*expected(found)]


def test_the_statistics_are_those_of_registry_diff(blank, tmp_path):
    odd = {"quality": {"constant": ["text"]}, "leakage": {"splits": {}}}
    old = {
        "summary": {"num_samples": 1, "gone": {}, "files": 2**53, "same": 1},
        "metrics": {"one": {"a.b": 1.5}, "one.a": {"b": 1}},
        "source_data_version": "1.0.0",
    }
    new = {
        "summary": {"num_samples": 2, "files": 2**53 + 1, "same": 1.0},
        "metrics": {"one": {"a.b": 1.5}, "one.a": {"b": 2}},
        "source_data_version": "1.1.0",
        **odd,
    }
    features = {"text": {"unit": "words"}}, {"text": {"unit": "letters"}, "more": {"unit": "things"}}
    before, after = (
        state(tmp_path, name, {"one": [("a", 1, "k1")]}, columns, features=said, **facts)
        for name, columns, said, facts in zip("ab", (COLUMNS[0], COLUMNS[2]), features, (old, new), strict=True)
    )
    found = diff(before, after)
    told = {one.path for one in (*found.statistics, *found.metadata)}
    assert {"summary.files", "summary.gone", "schema.features.text.unit"} < told
    draw_difference(blank, before, after)
    rows = blank.locator("section", has=blank.get_by_role("heading", name="Statistics")).locator("tbody tr")
    assert {*rows.locator("th").all_text_contents()} == told | {"source_data_version"}
    expect(rows.filter(has_text="summary.files").locator("td").first).to_have_text(str(2**53))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ((98, 2), (80, 20), ["2.0 % missing", "20.0 % missing"]),
        ((50, 50), (100, 100), []),
        ((0, 0), (0, 3), ["0.0 % missing", "100.0 % missing"]),
    ],
)
def test_how_many_values_are_missing_is_told_where_it_moved(blank, before, after, said):
    versions = [
        {
            "version": version,
            "schema": [["text", "string"]],
            "splits": [],
            "facts": [],
            "profile": {"text": {"rows": {"train": {"count": count, "missing": missing}}}},
        }
        for version, (count, missing) in (("1.0.0", before), ("2.0.0", after))
    ]
    data = {"name": "things", "title": "Things", "total": 0, "versions": versions, "alone": ["1.0.0", "2.0.0"]}
    data |= {"columns": [], "values": {}, "names": {}}
    blank.evaluate("(data) => registryCatalog(JSON.parse(data))", json.dumps(data))
    assert blank.locator("article.column p").locator("del, ins").all_text_contents() == said


@pytest.mark.parametrize(
    ("measure", "power", "first", "counts", "said"),
    [
        ("time", 10, 2**31, [1], "beyond all calendars to 1970-01-02"),
        ("value", -1074, 0, [1, 2], "0 to 1"),
        ("value", 1024, 1, [1], "0 to 1"),
        ("value", 0, 2**60, [1, 2], "0 to 1"),
        ("value", 0, 0, [0, 0], "0 to 1"),
    ],
)
def test_what_no_calendar_and_no_scale_has_is_told_in_words(blank, measure, power, first, counts, said):
    quantiles = dict.fromkeys(("5", "25", "50", "75", "95"), 0) | {"min": 2**31 if measure == "time" else 0, "max": 1}
    histogram = {"power": power, "first": first, "counts": counts, "below": 0, "above": 0}
    figures = {"count": 1, "quantiles": quantiles, "histogram": histogram}
    figures |= {"unit": "day"} if measure == "time" else {}
    about = {"schema": [["text", "string"]], "splits": [], "facts": []}
    versions = [
        {**about, "version": version, "profile": {"text": {measure: {"train": figures | {"count": count}}}}}
        for version, count in (("1.0.0", 1), ("2.0.0", 2))
    ]
    data = {"name": "things", "title": "Things", "total": 0, "versions": versions, "alone": ["1.0.0", "2.0.0"]}
    data |= {"columns": [], "values": {}, "names": {}}
    blank.evaluate("(data) => registryCatalog(JSON.parse(data))", json.dumps(data))
    blank.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(blank.locator("article.column .legend li").first).to_contain_text(f": {said}")
    expect(blank.locator("article.column .chart")).to_have_count(0)
    expect(blank.get_by_role("heading", name="Statistics")).to_be_visible()
