"""Pages that need no other file: of one state of a dataset, and of how it broke its contract."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from browsing import Visitor
from hostile_values import COLUMNS, TEXTS, picture
from registry.catalog import breaches, values
from registry.catalog.breaches import breaches_page
from registry.catalog.difference import write_difference
from registry.catalog.state import state_page
from registry.errors import RegistryError
from registry.files import data_files
from registry.gate import GateError
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from showcase import Showcase
from support import wait_until

ODD = {
    "summary": {"num_samples": 80, "dropped": {"empty_texts": 1_234_567, "duplicate_texts": 12}},
    "quality": {
        "duplicates": {"samples": 1, "inputs": 12},
        "missing": {"name": 1_234},
        "constant": ["city"],
        "unique": ["id"],
        "outliers": {"name": {"characters": {"count": 47, "of": 2_400}}},
        "balance": {"city": {"train": {"classes": 12, "ratio": 123.4, "entropy": 0.9}}},
    },
    "leakage": {
        "compared": "texts",
        "columns": ["name"],
        "splits": {"train": {"test": {"exact": 1, "near": 2}}},
        "against": {},
        "examples": [
            {"key": f"train/{'f0' * 32}.png", "split": "train", "distance": 0.125, "exact": False}
            | {"like": {"key": "person-100", "split": "test"}}
        ],
    },
}
"""What a version says of itself in which everything odd is found."""
BROKEN = """() => [...document.querySelectorAll("#found tbody :is(th, td)")].flatMap((cell) => {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), found = [];
    for (let text; (text = texts.nextNode());)
        for (const word of text.data.matchAll(/[^ -]+/g)) {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            if (range.getClientRects().length > 1) found.push(word[0]);
        }
    return found;
})"""
WIDER = """() => [...document.querySelectorAll("#found .scroll")]
    .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.ariaLabel)"""


def record(showcase: Showcase, dataset: str, **breach: Any) -> dict[str, Any]:
    """Return what a job would have left that found a contract broken, of the rows that are there."""
    snapshot = Snapshot.on_disk(showcase.folder, dataset)
    said = {"rule": "rule", "split": "all", "column": "id", "row": None, "message": "broken", "cases": []} | breach
    return {
        "metadata": snapshot.metadata,
        "provenance": snapshot.provenance,
        "references": {"people": "data/people/processed"},
        "breaches": [said],
    }


def case(*rows: tuple[str, int | None, str], note: str = "", dataset: str | None = None) -> dict[str, Any]:
    found = [{"split": split, "row": row, "key": key, "dataset": None} for split, row, key in rows]
    if dataset:
        found[-1] |= {"dataset": dataset, "split": "", "row": None}
    return {"rows": found, "note": note}


@pytest.fixture
def opened(browser: Browser, tmp_path: Path):
    """Open pages that are the only files of their folder, and leave them without complaints."""
    visitors = []

    def open_page(content: bytes, **options: Any) -> Visitor:
        (tmp_path / "page.html").write_bytes(content)
        visitors.append(Visitor(browser, tmp_path, **options))
        visitors[-1].open("page.html")
        visitors[-1].draw_all()
        return visitors[-1]

    yield open_page
    for visitor in visitors:
        visitor.leave()


@pytest.mark.parametrize("dataset", ["people", "chats", "pictures", "hostile", "empty", "classes"])
def test_a_state_is_shown_without_a_catalog(showcase_once, opened, dataset):
    snapshot = Snapshot.on_disk(showcase_once.folder, dataset)
    visitor = opened(state_page("as it is here", snapshot))
    page = visitor.page
    expect(page.locator("h1")).to_contain_text("as it is here")
    expect(page.locator("#count")).to_contain_text(f"{snapshot.rows:,} rows.")
    assert page.locator(".column").count() == len(snapshot.metadata["schema"]["features"])
    for link in page.locator("a[href]:not([href^=http])").all():
        assert page.locator(link.get_attribute("href")).count() == 1
    if snapshot.rows:
        assert page.locator("#viewer").locator("tbody tr, .card").count()
    assert Axe().run(page).violations_count == 0


def test_a_state_that_says_odd_things_is_one_error(showcase_once):
    snapshot = Snapshot.on_disk(showcase_once.folder, "people")
    snapshot.provenance["contract"] = {"passed": True, "warnings": 3}
    with pytest.raises(RegistryError, match="nothing that a release writes"):
        state_page("odd", snapshot)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_was_found_is_read_without_broken_words(showcase_once, opened, scheme):
    snapshot = Snapshot.on_disk(showcase_once.folder, "people")
    visitor = opened(state_page("odd", replace(snapshot, metadata=snapshot.metadata | ODD)), color_scheme=scheme)
    page = visitor.page
    expect(page.locator("#found table")).to_have_count(3)
    for width in (360, 700, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(BROKEN) == [ODD["leakage"]["examples"][0]["key"]], width
        assert page.evaluate(WIDER) == [], width
        visitor.look(f"found-{width}-{scheme}")
    assert Axe().run(page).violations_count == 0


@pytest.fixture(scope="module")
def refused(showcase_once: Showcase, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Pages of versions with rows that are like tests of the first one, drawn before there is a browser."""
    repository, pages = Repository.open(showcase_once.folder), {}
    for dataset, split, key, row in (("people", "test", "person-100", 2), ("pictures", "all", "picture-0", 2)):
        old, new = (Snapshot.at(repository, dataset, f"{dataset}-v{number}.0.0") for number in (1, 2))
        like = {"split": split, "row": 0, "key": key}
        alike = [
            {"split": [*new.sizes][0], "row": row, "key": "a key", "like": like, "distance": distance}
            for distance in (None, 0.125)
        ]
        file = tmp_path_factory.mktemp("refused") / "refused.html"
        write_difference(file, ("1.0.0", old), ("2.0.0", new), alike, "no row <b>may</b> be")
        pages[dataset] = file.read_bytes()
    return pages


@pytest.mark.parametrize("dataset", ["people", "pictures"])
def test_rows_like_tests_of_an_older_version_stand_beside_these(refused, opened, dataset):
    page = opened(refused[dataset]).page
    expect(page.locator("h2").first).to_have_text("Rows like tests of 1.0.0")
    found = page.locator("section").first
    notes = found.locator(".held").all_inner_texts()
    assert notes == ["the same", "at a distance of 0.125"]
    expect(page.locator(".notice").first).to_have_text("Not released: no row <b>may</b> be.")
    if dataset == "people":
        assert found.locator("tbody th").all_inner_texts() == ["a key of train", "person-100 of test"] * 2
        assert found.locator("tbody tr:first-child td").all_inner_texts()[:2] == ["person-7", "Ada 7 Byron"]
    else:
        expect(found.locator(".case").first.locator("img")).to_have_count(2)
        assert "a key of all" in found.inner_text()
    assert Axe().run(page).violations_count == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_rows_that_break_a_contract_are_shown_and_the_column_first(showcase_once, opened, scheme):
    rows = [case(("train", 3, "person-3")), case(("test", 0, "person-100"))]
    message = "at least 99: found 30 in row 3"
    said = record(showcase_once, "people", split="train", column="age", message=message, cases=rows)
    visitor = opened(breaches_page(said, showcase_once.folder), color_scheme=scheme)
    page, found = visitor.page, visitor.page.locator("#breaches")
    expect(found.locator("h3")).to_have_text("age train")
    expect(found).to_contain_text(message)
    assert found.locator("thead th").all_inner_texts()[:2] == ["Row", "age"]
    assert found.locator("tbody th").all_inner_texts() == ["person-3 of train", "person-100 of test"]
    assert found.locator("td.wrong").all_inner_texts() == ["23", "20"]
    found.get_by_text("How its values are distributed").click()
    expect(page.locator("#column-3")).to_be_in_viewport()
    expect(page.locator("#contract")).to_contain_text("It is broken.")
    assert Axe().run(page).violations_count == 0
    visitor.look(f"breaches-{scheme}")


def test_rows_that_are_alike_stand_together_also_with_those_of_another_dataset(showcase_once, opened):
    [table] = [path for path in data_files(showcase_once.folder / "data/people/processed") if "train" in path.name]
    other = f"train/{table.name}:7"
    alike = case(("all", 3, "chat-3"), ("all", 4, "chat-4"), note="at a distance of 0.1")
    pairs = [alike, case(("all", 5, "chat-5"), ("", None, other), dataset="people")]
    said = record(showcase_once, "chats", column="leakage", cases=pairs)
    page = opened(breaches_page(said, showcase_once.folder)).page
    first, second = page.locator(".case").all()
    expect(first.locator(".chat")).to_have_count(2)
    expect(first).to_contain_text(TEXTS["image"])
    expect(first).to_contain_text("at a distance of 0.1")
    assert second.locator(".card").all_inner_texts()[1].splitlines()[-1] == f"{other} of people"
    expect(second).to_contain_text("Ada 7 Lovelace")


def test_files_of_pictures_of_another_dataset_are_shown(showcase_once, opened, tmp_path):
    root, file = tmp_path / "root", "train/images/a:1.png"
    shutil.copytree(showcase_once.folder / "data/people", root / "data/people")
    place = root / "data/scans/processed" / file
    place.parent.mkdir(parents=True)
    place.write_bytes(picture(3))
    alike = case(("train", 3, "person-3"), ("", None, file), dataset="scans")
    said = record(showcase_once, "people", cases=[alike]) | {"references": {"scans": "data/scans/processed"}}
    page = opened(breaches_page(said, root)).page
    expect(page.locator(".case img")).to_have_attribute("alt", "a picture of 83 by 60 pixels")
    expect(page.locator(".case .card").nth(1)).to_contain_text(f"{file} of scans")


def test_pictures_and_what_means_harm_are_shown(showcase_once, opened):
    rows = [case(("all", 0, None)), case(("all", 1, TEXTS["ended"]))]
    said = record(showcase_once, "hostile", column=COLUMNS[0], message=TEXTS["script"], cases=rows)
    page = opened(breaches_page(said, showcase_once.folder)).page
    expect(page.locator("#breaches h3")).to_have_text(COLUMNS[0])
    expect(page.locator("#breaches")).to_contain_text(TEXTS["ended"])
    split = next(iter(Snapshot.on_disk(showcase_once.folder, "pictures").sizes))
    said = record(showcase_once, "pictures", cases=[case((split, 1, "one"))])
    page = opened(breaches_page(said, showcase_once.folder)).page
    wait_until(lambda: page.evaluate("[...document.querySelectorAll('.case img')].some((one) => one.naturalWidth)"))


@pytest.mark.parametrize("place", ["../people", "..", "/tmp", "x/../../people"])
def test_a_record_that_names_places_elsewhere_is_refused(showcase_once, place):
    elsewhere = record(showcase_once, "people") | {"references": {"chats": place}}
    with pytest.raises(GateError):
        breaches_page(elsewhere, showcase_once.folder)
    elsewhere = record(showcase_once, "people")
    elsewhere["provenance"]["data"]["path"] = place
    with pytest.raises(GateError):
        breaches_page(elsewhere, showcase_once.folder)


@pytest.mark.parametrize(("bound", "room"), [("BYTES", 200), ("PIXELS", 10_000)])
def test_a_page_has_no_more_values_than_it_has_room_for(showcase_once, opened, monkeypatch, bound, room):
    monkeypatch.setattr(breaches, bound, room)
    monkeypatch.setattr(values, "ROWS", 1)
    split = next(iter(Snapshot.on_disk(showcase_once.folder, "pictures").sizes))
    rows = [case((split, number, f"key {number}")) for number in range(5)]
    page = opened(breaches_page(record(showcase_once, "pictures", cases=rows), showcase_once.folder)).page
    shown = page.locator(".case img").count()
    assert 0 < shown < 5
    expect(page.locator(".notice")).to_have_text(f"This page has the values of {shown} of 5 rows.")
    expect(page.locator(".case")).to_have_count(5)


def test_the_column_within_which_something_is_wrong_is_marked(showcase_once, opened):
    said = record(showcase_once, "people", column="age[].x", cases=[case(("train", 3, "person-3"))])
    page = opened(breaches_page(said, showcase_once.folder)).page
    assert page.locator("td.wrong").all_inner_texts() == ["23"]


def test_without_the_data_the_rows_are_named(showcase_once, opened, tmp_path):
    said = record(showcase_once, "people", column="age", cases=[case(("train", 3, "person-3"), ("train", None, "?"))])
    visitor = opened(breaches_page(said, tmp_path / "elsewhere"))
    expect(visitor.page.locator(".notice")).to_contain_text("No values of its rows are shown")
    assert visitor.page.locator("#breaches tbody th").all_inner_texts() == ["person-3 of train", "? of train"]
