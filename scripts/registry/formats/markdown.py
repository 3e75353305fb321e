"""Read Markdown for retrieval: without what only decorates it, and section by section.

Headings, code and rules are found by a CommonMark parser; HTML, which READMEs use for headings, badges and
tables of contents, by patterns. Every repetition in a pattern is bounded, so that no text takes for ever.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from markdown_it import MarkdownIt
from markdown_it.token import Token

LEVELS = 3
"""Headings of these levels start a section; deeper ones stay in its text."""

_INLINE = MarkdownIt("commonmark")
_PARSER = MarkdownIt("commonmark").enable("table").disable("inline")
"""Of blocks alone; what stands in them is seldom asked for, and takes most of the time."""

_BASE64 = re.compile(r"data:[\w.+/-]{1,100};base64,[A-Za-z0-9+/=]*|(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{200,}={0,2}")
_MARKUP = re.compile(
    r"""
    (?P<code>(?<!`)(?P<ticks>`{1,10})(?!`)(?:(?!\n\s{0,9}\n).){1,1000}?(?<!`)(?P=ticks)(?!`))
    | <!--(?:(?!<!--).){0,20000}?-->
    | <(?P<block>script|style|svg|picture)\b[^<>]{0,2000}>(?:(?!<(?P=block)\b).){0,20000}?</(?P=block)\s{0,9}>
    | <h(?P<level>[1-6])\b[^<>]{0,2000}>(?P<heading>(?:(?!<h[1-6]\b).){0,2000}?)</h(?P=level)\s{0,9}>
    | \(?<a\s[^<>]{0,1000}?href=["']\#[^<>]{0,1000}>.{0,500}?</a\s{0,9}>\)?
    | (?P<line><(?:br|hr|/p|/li|/tr|/div)\s{0,9}/?>)
    | </?[a-zA-Z][a-zA-Z0-9-]{0,30}(?:\s[^<>]{0,5000})?/?>
    | \[!\[[^\]\n]{0,500}\](?:\([^()\s]{0,2000}\)|\[[^\]\n]{0,200}\])\](?:\([^()\s]{0,2000}\)|\[[^\]\n]{0,200}\])
    | !\[(?P<alt>[^\]\n]{0,500})\]\([^()\n]{0,2000}\)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]{1,2000}>")
_INDENT = re.compile(r"(?m)^[^\S\n]+")
_BLANK = re.compile(r"(?m)(?<![^\S\n])[^\S\n]+$")
_PADDING = re.compile(r"(?<=\S)[^\S\n]{2,}(?=\S)|(?<=---)-+")
_GAP = re.compile(r"\n{3,}")


OTHER_MARKUP = (
    ".rst",
    ".rest",
    ".adoc",
    ".asciidoc",
    ".asc",
    ".org",
    ".textile",
    ".creole",
    ".mediawiki",
    ".rdoc",
    ".pod",
)
"""How the names of texts in another markup end: its underlines and comments would be headings in Markdown."""


def is_markdown(name: str) -> bool:
    """Tell whether a file may be Markdown, by its name."""
    return not name.lower().endswith(OTHER_MARKUP)


@dataclass(frozen=True)
class Clean:
    """A text without decoration: its character `i` stands for the characters `first[i]` to `end[i]` of the original.

    Neither ever falls.
    """

    text: str
    first: np.ndarray
    end: np.ndarray

    @classmethod
    def of(cls, text: str) -> "Clean":
        """Return a text as it is."""
        return cls(text, np.arange(len(text)), np.arange(1, len(text) + 1))

    def edited(self, edits: Iterable[tuple[int, int, str]]) -> "Clean":
        """Return it with the spans (start, end), in order and apart from each other, replaced by other texts."""
        texts, firsts, ends, at = [], [], [], 0
        for start, end, replacement in edits:
            if replacement != self.text[start:end]:
                texts += [self.text[at:start], replacement]
                firsts += [self.first[at:start], np.full(len(replacement), self.first[start])]
                ends += [self.end[at:start], np.full(len(replacement), self.end[end - 1])]
                at = end
        return Clean(
            "".join([*texts, self.text[at:]]),
            np.concatenate([*firsts, self.first[at:]]),
            np.concatenate([*ends, self.end[at:]]),
        )

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the original the characters `start` to `end` come from."""
        return int(self.first[start]), int(self.end[end - 1])


def _blocks(text: str, *types: str, env: dict[str, Any] | None = None) -> Iterator[tuple[int, int, Token, Token]]:
    """Yield where blocks of these types begin and end, their token, and the one after it; `env` gets the references."""
    starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text)]
    for token, following in pairwise([*_PARSER.parse(text, env), None]):
        if token.type in types:
            first, last = token.map
            yield starts[first], starts[min(last, len(starts) - 1)], token, following


def _outside_code(text: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    at = 0
    for start, end, *_ in _blocks(text, "fence", "code_block"):
        yield from pattern.finditer(text, at, start)
        at = end
    yield from pattern.finditer(text, at)


def _markup(match: re.Match[str]) -> str:
    if match["level"]:
        title = " ".join(_TAG.sub("", match["heading"]).split())
        return f"\n\n{'#' * int(match['level'])} {title}\n\n" if title else ""
    if match["line"]:
        in_table = match.string.startswith("|", match.string.rfind("\n", 0, match.start()) + 1)
        return " " if in_table else "\n"
    return match["code"] or match["alt"] or ""


def clean(text: str) -> Clean:
    """Return a text without HTML tags and comments, badges, images (descriptions in Markdown stay), rules and base64.

    HTML headings become Markdown's. Links within the page that are written in HTML (tables of contents, back to top)
    go with their text, the padding of tables goes. Code stays as it is, but for base64. Lines end in a line feed.
    """
    found = Clean.of(text)
    found = found.edited((*match.span(), "\n") for match in re.finditer("\r\n?", found.text))
    found = found.edited((*match.span(), "") for match in _BASE64.finditer(found.text))
    found = found.edited((start, end, "\n") for start, end, *_ in _blocks(found.text, "hr"))
    found = found.edited(
        (*match.span(), "")
        for start, end, *_ in _blocks(found.text, "html_block")
        for match in _INDENT.finditer(found.text, start, end)
    )
    found = found.edited((*match.span(), _markup(match)) for match in _outside_code(found.text, _MARKUP))
    found = found.edited((*match.span(), "") for match in _outside_code(found.text, _BLANK))
    found = found.edited((*match.span(), " "[: match[0].isspace()]) for match in _outside_code(found.text, _PADDING))
    return found.edited((*match.span(), "\n\n") for match in _outside_code(found.text, _GAP))


@dataclass(frozen=True)
class Section:
    """A stretch of a text below one heading: its characters `start` to `end`, and the titles it stands under.

    `headings` are those of level 1, 2 and 3; None where there is none.
    """

    headings: tuple[str | None, ...]
    start: int
    end: int


def _title(inline: Token, env: dict[str, Any]) -> str:
    """Return a heading's text without its markup."""
    (parsed,) = _INLINE.parseInline(inline.content, env)
    parts = [child.content for child in parsed.children if child.type in ("text", "code_inline", "softbreak")]
    return " ".join("".join(parts).split())


def whole(text: str) -> list[Section]:
    """Return a text that is not Markdown as one section without headings."""
    return [Section((None,) * LEVELS, 0, len(text))] if text else []


def sections(text: str) -> list[Section]:
    """Return the sections of a Markdown text, one after the other; a heading belongs to the section that it starts."""
    path: tuple[str | None, ...] = (None,) * LEVELS
    marks = [(0, path)]
    references: dict[str, Any] = {}
    for start, _, token, inline in _blocks(text, "heading_open", env=references):
        level = int(token.tag.removeprefix("h"))
        if level <= LEVELS and token.level == 0:
            path = (*path[: level - 1], _title(inline, references) or None, *(None,) * (LEVELS - level))
            marks.append((start, path))
    ends = [start for start, _ in marks[1:]] + [len(text)]
    return [Section(path, start, end) for (start, path), end in zip(marks, ends, strict=True) if start < end]
