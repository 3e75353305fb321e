"""Every page of the catalog in a real browser: it opens, it is safe, and whoever opens it can use it."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browsing import Visitor
from hostile_values import CLASSES, TEXTS, TITLE
from showcase import MANY, VERSIONS, WIDE

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
)
HANDLERS = (
    "[...document.querySelectorAll('*')].flatMap((one) => one.getAttributeNames()).filter((one) => /^on/.test(one))"
)
LINKS = "[...document.querySelectorAll('a[href]')].map((link) => link.href)"
MISSING = "[...document.images].filter((one) => one.complete && !one.naturalWidth).map((one) => one.src)"


def test_every_link_leads_to_a_page_that_opens(visitor):
    seen, waiting, places = {}, ["index.html"], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        page = visitor.open(path)
        expect(page.locator("h1")).to_be_visible()
        file, _, pair = path.partition("#")
        if pair:
            expect(page.locator("h1")).to_contain_text(pair.partition("/")[2].replace("..", " → "))
        if "-v" not in path:
            visitor.draw_all()
        assert page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content") == POLICY
        assert page.evaluate(HANDLERS) == []
        assert page.evaluate(MISSING) == []
        assert page.locator("script:not([src])").count() == 0
        assert page.evaluate("window.hit") is None
        seen[path] = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
        links = page.evaluate(LINKS)
        assert not [link for link in links if not link.startswith(("file:", "https://example.org/"))]
        for inside in filter(None, map(visitor.inside, links)):
            file, _, place = inside.partition("#")
            if place and "/" not in place:
                places.add((file if file != "diff.html" else path, place))
            else:
                waiting.append(inside)
    assert not [place for file, place in places if place not in seen[file]]
    pages = {str(path.relative_to(visitor.site)) for path in visitor.site.rglob("*.html")}
    assert {path.partition("#")[0] for path in seen} == pages
    assert sum("#" in path for path in seen) == sum(len(those) - 1 for those in VERSIONS.values())


def shown(visitor: Visitor) -> list[str]:
    names = visitor.page.locator("#datasets tbody tr:not([hidden]) th code").all_inner_texts()
    assert visitor.page.locator("#shown").inner_text() == str(len(names))
    return names


def test_the_list_is_searched_filtered_and_sorted(visitor):
    page = visitor.open("index.html")
    assert shown(visitor) == sorted(VERSIONS)
    small = {name: page.locator(f"tr:has(code:text-is('{name}')) .preview") for name in ("pictures", "people", "wide")}
    assert small["pictures"].locator("img").count() == 2
    assert [small[name].locator("svg.bars rect").count() > 1 for name in ("people", "wide")] == [True, True]
    for words, found in {
        "people": ["people"],
        "PEOPLE lovelace": [],
        "köln": ["people"],  # A class.
        "born": ["lost", "people"],  # A column.
        "measure 1998": ["wide"],
        "quoted onerror": ["hostile"],
        "things some": sorted(set(VERSIONS) - {"hostile"}),
    }.items():
        page.get_by_label("Search").fill(words)
        assert shown(visitor) == found, words
        assert page.locator("#none").is_visible() == (not found)
    page.get_by_label("Search").fill("")
    page.get_by_label("Licence").select_option("Apache-2.0")
    assert shown(visitor) == sorted(set(VERSIONS) - {"hostile"})
    page.get_by_label("Licence").select_option("")
    for column, first, last in (
        ("Rows", "empty", "classes"),
        ("Dataset", "chats", "wide"),
        ("Version", None, "people"),
    ):
        button = page.get_by_role("button", name=column, exact=True)
        button.click()
        head = page.get_by_role("columnheader", name=column, exact=True)
        expect(head).to_have_attribute("aria-sort", "ascending")
        assert first in (None, shown(visitor)[0])
        button.click()
        expect(head).to_have_attribute("aria-sort", "descending")
        assert shown(visitor)[0] == last
        assert page.locator("[aria-sort]").count() == 1


def test_the_tag_that_is_left_out_is_named(visitor):
    page = visitor.open("index.html")
    page.get_by_text("1 tag is left out").click()
    expect(page.locator("details")).to_contain_text("people-v9.9.9: ")


def test_a_page_tells_what_a_version_is(visitor):
    page = visitor.open("datasets/people-v2.0.0.html")
    expect(page.locator(".heading")).to_contain_text("An older version, taken back by 4.0.0. The newest is 4.0.0.")
    expect(page.locator(".facts")).to_contain_text("persons")
    rows = page.locator("table.versions tbody tr")
    assert rows.locator("th").all_inner_texts() == VERSIONS["people"][::-1]
    expect(rows.first).to_contain_text("<i>the column</i> was wrong")
    expect(rows.nth(3)).to_contain_text("taken back by 4.0.0")
    age = page.locator(".column", has=page.get_by_role("heading", name="age"))
    expect(age).to_contain_text("years")
    expect(age).to_contain_text("At the last <b>birthday</b>.")
    expect(age.locator(".charts")).to_contain_text("20 to 99")
    expect(page.get_by_role("link", name="https://example.org/people?a=1&b=2")).to_be_visible()


def test_rows_are_searched_sorted_and_shown_bit_by_bit(visitor):
    page = visitor.open("datasets/people.html")
    rows = page.locator("#viewer tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(90)
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    page.get_by_label("Split").select_option("test")
    expect(rows).to_have_count(20)
    page.get_by_label("Split").select_option("")
    age = page.locator("#viewer").get_by_role("button", name="age")
    age.click()
    expect(age).to_be_focused()
    expect(page.locator("#viewer th[aria-sort=ascending]")).to_have_text("age")
    assert rows.first.locator("td").nth(3).inner_text() == "20"
    age.click()
    assert rows.first.locator("td").nth(3).inner_text() == "69"
    page.get_by_label("Search in all versions").fill("byron")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("in 2.0.0")
    page.get_by_label("Search in all versions").fill("person-7 lovelace")
    expect(rows.first).to_contain_text("in 4.0.0, 1.1.0, 1.0.0")
    rows.first.get_by_role("link", name="1.0.0").click()
    expect(page.locator("h1")).to_have_text("People 1.0.0")


def test_code_is_copied(browser, site):
    visitor = Visitor(browser, site, permissions=["clipboard-read", "clipboard-write"])
    page = visitor.open("datasets/people-v2.0.0.html")
    snippet = page.locator("figure", has_text="dvc get").first
    snippet.get_by_role("button", name="Copy").click()
    expect(snippet.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == snippet.locator("pre").inner_text()
    assert "--rev people-v2.0.0" in snippet.locator("pre").inner_text()
    visitor.leave()


def test_two_versions_are_chosen(visitor):
    page = visitor.open("datasets/people.html")
    page.locator("#from").select_option("1.0.0")
    page.locator("#to").select_option("3.1.0")
    page.get_by_role("button", name="Show the difference").click()
    expect(page.locator("h1")).to_have_text("People 1.0.0 → 3.1.0")
    page.locator("#to").select_option("2.0.0")
    page.get_by_role("button", name="Show the difference").click()
    expect(page.locator("h1")).to_have_text("People 1.0.0 → 2.0.0")
    page.go_back()
    expect(page.locator("h1")).to_have_text("People 1.0.0 → 3.1.0")


@pytest.mark.parametrize(
    ("version", "chosen"),
    [("4.0.0", ["3.1.0", "4.0.0"]), ("2.0.0", ["1.1.0", "2.0.0"]), ("1.0.0", ["1.0.0", "1.1.0"])],
)
def test_a_version_is_compared_with_the_one_before_and_the_oldest_with_the_next(visitor, version, chosen):
    page = visitor.open(f"datasets/people-v{version}.html")
    assert [page.locator(id_).input_value() for id_ in ("#from", "#to")] == chosen


def test_the_only_version_is_compared_with_none(visitor):
    page = visitor.open("datasets/chats.html")
    expect(page.locator("#versions tbody tr")).to_have_count(1)
    assert page.locator("#compare").count() == 0


def test_text_of_others_is_text(visitor):
    page = visitor.open("datasets/hostile.html")
    assert page.title() == f"{TITLE[:-1]}\N{REPLACEMENT CHARACTER} 1.1.0"
    expect(page.locator("h1")).to_contain_text(TITLE[:-1])
    expect(page.locator("h1 .odd")).to_have_text("U+202E")
    viewer = page.locator("#viewer")
    for name in ("script", "image", "ended", "comment", "template", "entity", "link"):
        expect(viewer.get_by_text(TEXTS[name], exact=True).first).to_be_visible()
    expect(viewer.get_by_role("row", name="abc")).to_contain_text(
        "abc U+202Eright to leftU+202C, U+200BzeroU+200D widthU+FEFF"
    )
    expect(viewer.locator("tr", has_text="oneU+2028")).to_contain_text(
        "oneU+2028twoU+2029threeU+0085fourU+0000fiveU+001B[31m"
    )
    expect(viewer).to_contain_text("5,250,000 characters in all")
    chart = page.locator(".column", has=page.get_by_role("heading", name="label")).locator(".chart")
    chart.scroll_into_view_if_needed()
    for label in ("__proto__", "constructor", CLASSES[0][:8]):
        expect(chart.locator("svg")).to_contain_text(label)
    for column in ("__proto__", "toString"):
        article = page.locator(".column", has=page.get_by_role("heading", name=column))
        expect(article.locator(".charts")).to_contain_text("characters")


def test_odd_datasets_say_what_they_are(visitor):
    page = visitor.open("datasets/empty.html")
    expect(page.locator(".facts")).to_contain_text("Rows0")
    expect(page.locator("#count")).to_contain_text("0 of 0 rows")
    page = visitor.open("datasets/wide.html")
    expect(page.locator(".column")).to_have_count(WIDE)
    page = visitor.open("datasets/classes.html")
    expect(page.locator(".classes")).to_contain_text(f"{MANY:,} classes")
    page = visitor.open("datasets/pictures.html")
    expect(page.locator("#viewer .card")).to_have_count(24)
    expect(page.locator("#viewer")).to_contain_text("a picture that cannot be shown")
    page = visitor.open("datasets/chats.html")
    expect(page.locator("#viewer .chat li").first).to_contain_text("How much is 0 + 0?")
    page = visitor.open("datasets/vectors.html")
    expect(page.locator("#viewer")).to_contain_text("16 numbers")


def test_what_nobody_has_is_said_and_the_rest_is_shown(visitor):
    page = visitor.open("datasets/lost-v1.0.0.html")
    expect(page.locator(".notice").last).to_contain_text("Its rows cannot be shown: ")
    expect(page.locator("#overview")).to_contain_text("Rows5")
    expect(page.locator(".column .chart").first).to_be_visible()
    expect(page.locator("#use")).to_contain_text("--rev lost-v1.0.0")
    page = visitor.open("datasets/lost-v2.0.0.html")
    expect(page.locator(".notice").last).to_contain_text("No values of its rows are shown: ")
    page = visitor.open("diff.html#lost/1.0.0..3.0.0")
    expect(page.locator(".notice")).to_contain_text("1.0.0: ")
    assert page.locator("#counts").count() == 0


def test_pages_name_a_remote_without_its_address_which_the_terminal_has(site, showcase_once):
    folder = str(showcase_once.folder)
    lost = (site / "datasets/lost-v1.0.0.html").read_text(encoding="utf-8")
    assert "Its rows cannot be shown: remote local lacks files of this data: 1." in lost
    texts = {path: path.read_text(encoding="utf-8") for path in site.rglob("*") if path.suffix in (".html", ".js")}
    assert [path for path, text in texts.items() if folder in text or ".dvc/storage" in text] == []
    printed = site.with_suffix(".log").read_text(encoding="utf-8")
    assert f"remote local ({folder}/.dvc/storage) lacks files of this data" in printed


def test_keys_lead_through_the_page(visitor):
    page = visitor.open("datasets/people.html")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    wanted = ["#from", "#to", "#compare button", "#words", "#split", "#viewer", "#viewer th button", "#more", ".copy"]
    reached = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        reached |= {*page.evaluate("(all) => all.filter((one) => document.activeElement.matches(one))", wanted)}
        if reached == {*wanted}:
            break
    assert reached == {*wanted}
    page = visitor.open("diff.html#people/1.0.0..2.0.0")
    expect(page.locator("#counts")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page.locator("#counts")).to_be_visible()
    page = visitor.open("index.html")
    page.get_by_role("button", name="Rows", exact=True).focus()
    page.keyboard.press("Enter")
    assert shown(visitor)[0] == "empty"


ALL = ["index.html", *(f"datasets/{name}.html" for name in VERSIONS if name != "wide"), "datasets/lost-v1.0.0.html"]
PAIRS = ["diff.html#people/1.1.0..2.0.0", "diff.html#people/2.0.0..3.1.0", "diff.html#pictures/1.0.0..2.0.0"]
LOOKED_AT = ["index.html", "datasets/people.html", "datasets/pictures.html", "datasets/hostile.html", PAIRS[0]]
"""Pages of which pictures are kept."""


def opened(visitor: Visitor, path: str) -> Page:
    """Open a page and wait for it: of two pairs of a dataset, that of the first stays until it is told of the other."""
    page = visitor.open(path)
    expect(page.locator("h1")).to_contain_text(path.partition("#")[2].rpartition("/")[2].replace("..", " → "))
    return page


def test_paper(visitor):
    page = visitor.open("datasets/people.html")
    page.emulate_media(media="print")
    visitor.draw_all()
    for hidden in (".top", ".sections", "#find", ".copy"):
        expect(page.locator(hidden).first).to_be_hidden()
    assert page.locator(".chart svg").count() == page.locator(".chart").count() > 4
    visitor.look("people-print")


@pytest.mark.parametrize("width", [360, 3840])
def test_no_page_is_wider_than_the_screen(visitor, width):
    visitor.page.set_viewport_size({"width": width, "height": 900})
    for path in [*ALL, *PAIRS]:
        page = opened(visitor, path)
        if "wide" not in path:
            visitor.draw_all()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        if path in LOOKED_AT:
            visitor.look(f"{re.sub('[^a-z0-9.]+', '-', path)}-{width}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, site, scheme):
    visitor, axe = Visitor(browser, site, color_scheme=scheme), Axe()
    found, options = {}, {"resultTypes": ["violations"], "preload": False}
    if scheme == "dark":
        # All but the colours is the same.
        options["runOnly"] = ["color-contrast"]
    for path in [*ALL, *PAIRS]:
        page = opened(visitor, path)
        if "wide" not in path:
            visitor.draw_all()
        if path in LOOKED_AT:
            visitor.look(f"{re.sub('[^a-z0-9.]+', '-', path)}-{scheme}")
        dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        red = int(re.search(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[0])
        assert (dark, red < 128) == (scheme == "dark", scheme == "dark")
        for one in axe.run(page, options=options).response["violations"]:
            found[path, one["id"]] = [node["html"][:200] for node in one["nodes"]][:3]
    visitor.leave()
    assert found == {}
