"""Markdown without decoration, and in sections: what stays, what goes, and where it came from."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.formats.markdown import LEVELS, Clean, clean, sections
from support import ROOT

READMES = sorted((ROOT / "data/samples/opencloudhub-readmes/HEAD").glob("*/README.md"))
PIECES = [
    *("# Title\n", "Title\n===\n", "### Deep `code`\n", "<h2 align='center'>HTML <b>title</b></h2>\n", "> # quoted\n"),
    *(
        "```\n# comment\n<b>\n```\n",
        "````\n```\n",
        "```",
        "    # indented\n",
        "- item\n",
        "---\n",
        "| a |   b |\n|---|---|\n",
    ),
    *("<!-- ", " -->", "<div>", "</div>\n", "<br/>", "<a href='#x'>up</a>", "<svg>", "</svg>", "<", ">", "`", "``"),
    *("![alt](x.png)", "[![b](b.svg)](x)", "data:image/png;base64,AAAA", "QUJD" * 60, "\r\n", "\r", "\n", "\n\n", "  "),
    *("word", "😀", "e\u0301", "\u2028", "\0", "\t"),
]
MARKDOWN = st.lists(st.sampled_from(PIECES) | st.text(max_size=9), max_size=25).map("".join)


def titles(text):
    return [section.headings for section in sections(text)]


def of(text):
    """Return the cleaned text."""
    return clean(text).text


@given(MARKDOWN)
def test_every_character_tells_where_it_came_from(text):
    cleaned = clean(text)
    assert len(cleaned.text) == len(cleaned.first) == len(cleaned.end)
    for places in (cleaned.first, cleaned.end):
        assert (places[:-1] <= places[1:]).all()
    assert (cleaned.first < cleaned.end).all()
    assert ((cleaned.first >= 0) & (cleaned.end <= len(text))).all()
    for character, first, end in zip(cleaned.text, cleaned.first, cleaned.end, strict=True):
        if end == first + 1 and not character.isspace():
            assert text[first] == character


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.text(max_size=4)), max_size=5))
def test_an_edit_replaces_spans_and_the_rest_stays_as_it_was(text, steps):
    edits, at = [], 0
    for gap, length, replacement in steps:
        if at + gap + length <= len(text):
            edits.append((at + gap, at + gap + length, replacement))
            at += gap + length
    edited = Clean.of(text).edited(edits)
    expected = text
    for start, end, replacement in reversed(edits):
        expected = expected[:start] + replacement + expected[end:]
    assert edited.text == expected
    kept = [index for index in range(len(text)) if not any(start <= index < end for start, end, _ in edits)]
    assert {index for index in kept if index in edited.first} == set(kept)


def test_a_span_covers_the_whole_of_what_was_replaced():
    text = "before\n<h2 align='center'>\n  A <b>title</b>\n</h2>\nafter"
    cleaned = clean(text)
    start = cleaned.text.index("## A title")
    first, end = cleaned.span(start, start + len("## A title"))
    assert text[first:end] == "<h2 align='center'>\n  A <b>title</b>\n</h2>"


@given(MARKDOWN)
def test_sections_cover_the_text_without_gap_or_overlap(text):
    for whole in (text, of(text)):
        found = sections(whole)
        assert "".join(whole[section.start : section.end] for section in found) == whole
        assert all(section.start < section.end for section in found)
        assert all(len(section.headings) == LEVELS for section in found)


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.parent.name)
def test_a_real_readme_is_clean_and_has_sections(path):
    cleaned = of(path.read_bytes().decode())
    prose = re.sub(r"(?ms)^\s*(`{3,}).*?^\s*\1\s*$|`[^`\n]+`", "", cleaned)
    assert not re.search(r"</?(?:a|b|br|div|h\d|img|p|picture|svg)\b|<!--|shields\.io|base64,|\r|\n\n\n", prose)
    assert all(any(headings) for headings in titles(cleaned)[1:])
    assert of(cleaned) == cleaned


def test_there_are_thirteen_real_readmes():
    assert len(READMES) == 13


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<h1 align='center'>A <em>b</em></h1>\ntext", "\n\n# A b\n\ntext"),
        ("<H3>\n  Loud\n</H3>", "\n\n### Loud\n\n"),
        ("<h2><img src='x.svg'></h2>text", "text"),
        ("a <!-- gone\n# too --> b", "a b"),
        ("a <!-- never closed", "a <!-- never closed"),
        ("[![CI](https://x.test/ci.svg)](https://x.test) text", " text"),
        ("[![CI][badge]][link]text", "text"),
        ("![How it works](flow.png) text", "How it works text"),
        ("![](logo.png)text", "text"),
        ("<img src='logo.png' alt='Logo'>text", "text"),
        ("<picture><source srcset='a'><img src='b'></picture>text", "text"),
        ("<svg><text>no</text></svg>text", "text"),
        ("![x](data:image/png;base64,AAAA+/==) y", "x y"),
        ("```\ntoken = '" + "QUJD" * 60 + "=='\n```\n", "```\ntoken = ''\n```\n"),
        ("sha256:" + "ab" * 32, "sha256:" + "ab" * 32),
        ("<li><a href=\"#setup\">Set up</a></li>\n<p>(<a href='#top'>back to top</a>)</p>text", "\n\ntext"),
        ("<a href='https://x.test/#part'>link</a>", "link"),
        ("[Set up](#setup)", "[Set up](#setup)"),
        ("one<br>two", "one\ntwo"),
        ("| a<br/>b | c |\n|---|---|\n| d | e |", "| a b | c |\n|---|---|\n| d | e |"),
        ("|  a   | b  |\n|------|:----:|", "| a | b |\n|---|:---:|"),
        ("a\n\n***\n\nb", "a\n\nb"),
        ("a \t\nb", "a\nb"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("<div>\n    indented\n</div>", "\nindented\n\n"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("", ""),
    ],
)
def test_what_goes_and_what_stays(text, expected):
    assert of(text) == expected


@pytest.mark.parametrize(
    "code",
    [
        "```html\n<b>bold</b>   <!-- kept -->\n\n\n\n![x](y)\n```\n",
        "~~~\n<br>\n~~~\n",
        "````\n```\n<b>\n```\n````\n",
        "- item\n\n  ```\n  <b>\n  ```\n",
        "```\n<b> never closed",
        "text\n\n    <b> indented\n",
        "Use `<b>` and `` a ` <i> `` here.",
    ],
)
def test_code_stays_as_it_is(code):
    assert of(code) == code


def test_a_lone_backtick_hides_nothing_in_the_next_paragraph():
    assert of("5` long\n\n<b>bold</b>\n\n7` wide") == "5` long\n\nbold\n\n7` wide"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("text", [(None, None, None)]),
        ("# A\n## B\n### C\n## D\n", [("A", None, None), ("A", "B", None), ("A", "B", "C"), ("A", "D", None)]),
        ("### C\n# A\n", [(None, None, "C"), ("A", None, None)]),
        ("# A\n#### deeper\n", [("A", None, None)]),
        ("A\n===\nB\n---\n", [("A", None, None), ("A", "B", None)]),
        ("# A `b` **c** [d](e) &amp; \\# ##\n", [("A b c d & #", None, None)]),
        ("# [A][1]\n\n[1]: https://x.test\n", [("A", None, None)]),
        ("#\n", [(None, None, None)]),
        ("#no\n", [(None, None, None)]),
        ("# A\n```\n# no\n```\n", [("A", None, None)]),
        ("# A\n````\n```\n# no\n```\n# no\n````\n", [("A", None, None)]),
        ("# A\n~~~\n```\n# no\n~~~\n# B\n", [("A", None, None), ("B", None, None)]),
        ("# A\n```\n# no, never closed\n", [("A", None, None)]),
        ("# A\n\n    # no\n", [("A", None, None)]),
        ("# A\n> # no\n", [("A", None, None)]),
        ("# A\n- # no\n", [("A", None, None)]),
    ],
)
def test_headings_make_the_path(text, expected):
    assert titles(text) == expected


def test_html_headings_and_windows_line_ends_make_the_path():
    assert titles(of("<h1>A</h1>\r\n\r\nB\r\n---\r\ntext\r\n"))[1:] == [("A", None, None), ("A", "B", None)]
