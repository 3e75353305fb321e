"""Read Markdown for retrieval: without what only decorates it, and section by section.

Headings, code and rules are found by a CommonMark parser; HTML, which READMEs use for headings, badges and
tables of contents, by patterns. Every repetition in a pattern is bounded, so that no text takes for ever.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markdown_it import MarkdownIt
from markdown_it.token import Token

LEVELS = 3
"""Headings of these levels start a section; deeper ones stay in its text."""

_PARSER = MarkdownIt("commonmark").enable("table")

_BASE64 = re.compile(r"data:[\w.+/-]{1,100};base64,[A-Za-z0-9+/=]*|(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{200,}={0,2}")
_MARKUP = re.compile(
    r"""
    (?P<code>(?<!`)(?P<ticks>`{1,10})(?!`).{1,1000}?(?<!`)(?P=ticks)(?!`))
    | <!--.{0,20000}?-->
    | <(?P<block>script|style|svg|picture)\b[^<>]{0,2000}>.{0,20000}?</(?P=block)\s{0,9}>
    | <h(?P<level>[1-6])\b[^<>]{0,2000}>(?P<heading>.{0,2000}?)</h(?P=level)\s{0,9}>
    | \(?<a\s[^<>]{0,1000}?href=["']\#[^<>]{0,1000}>.{0,500}?</a\s{0,9}>\)?
    | (?P<line><(?:br|hr|/p|/li|/tr|/div)\s{0,9}/?>)
    | </?[a-zA-Z][a-zA-Z0-9-]{0,30}(?:\s[^<>]{0,5000})?/?>
    | \[!\[[^\]\n]{0,500}\](?:\([^()\s]{0,2000}\)|\[[^\]\n]{0,200}\])\](?:\([^()\s]{0,2000}\)|\[[^\]\n]{0,200}\])
    | !\[(?P<alt>[^\]\n]{0,500})\]\([^()\n]{0,2000}\)
    """,
    re.VERBOSE | re.DOTALL,
)
_TAG = re.compile(r"<[^<>]{1,2000}>")
_INDENT = re.compile(r"(?m)^[^\S\n]+")
_BLANK = re.compile(r"(?m)[^\S\n]+$")
_PADDING = re.compile(r"(?<=\S)[^\S\n]{2,}(?=\S)|(?<=---)-+")
_GAP = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Clean:
    """A text without decoration; `origin[i]` is the position in the original of its character `i`, never falling."""

    text: str
    origin: np.ndarray

    def edited(self, edits: Iterable[tuple[int, int, str]]) -> "Clean":
        """Return it with the spans (start, end), in order and apart from each other, replaced by other texts."""
        texts, origins, at = [], [], 0
        for start, end, replacement in edits:
            texts += [self.text[at:start], replacement]
            origins += [self.origin[at:start], np.full(len(replacement), self.origin[start], np.int64)]
            at = end
        return Clean("".join([*texts, self.text[at:]]), np.concatenate([*origins, self.origin[at:]]))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the original the characters `start` to `end` come from."""
        return int(self.origin[start]), int(self.origin[end - 1]) + 1


def _blocks(text: str, *types: str) -> Iterator[tuple[int, int, Token, Token | None]]:
    """Yield where blocks of these types begin and end, their token, and the one after it."""
    starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text)]
    for token, following in pairwise([*_PARSER.parse(text), None]):
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
    return "\n" if match["line"] else match["code"] or match["alt"] or ""


def clean(text: str) -> Clean:
    """Return a text without HTML tags and comments, badges, images (their descriptions stay), rules and base64.

    HTML headings become Markdown's. Links within the page that are written in HTML (tables of contents, back to top)
    go with their text, the padding of tables goes. Code stays as it is, but for base64. Lines end in a line feed.
    """
    found = Clean(text, np.arange(len(text)))
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


def _title(inline: Token) -> str:
    """Return a heading's text without its markup."""
    parts = [child.content for child in inline.children if child.type in ("text", "code_inline", "softbreak")]
    return " ".join("".join(parts).split())


def sections(text: str) -> list[Section]:
    """Return the sections of a Markdown text, one after the other; a heading belongs to the section that it starts."""
    path: tuple[str | None, ...] = (None,) * LEVELS
    marks = [(0, path)]
    for start, _, token, inline in _blocks(text, "heading_open"):
        level = int(token.tag.removeprefix("h"))
        if level <= LEVELS and token.level == 0:
            path = (*path[: level - 1], _title(inline) or None, *(None,) * (LEVELS - level))
            marks.append((start, path))
    ends = [start for start, _ in marks[1:]] + [len(text)]
    return [Section(path, start, end) for (start, path), end in zip(marks, ends, strict=True) if start < end]
