"""Write values into a page: texts of others as text, whatever is in them, numbers, and what is drawn small."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup, escape

from registry.shown import UNPRINTABLE, redacted
from registry.storage.tags import Entry

LINK = re.compile(r"https?://[^\s<>\"'\\`|]+")
_LEVEL = re.compile(r"(MAJOR|MINOR|PATCH): (.*)", re.DOTALL)
_ABOUT = ("rows: ", "content: sha256:")
"""How lines of a tag's message begin that are not why it was made."""


def marked(text: object) -> Markup:
    """Return a text in which what nobody can see, or what turns its direction, is spelt by its number."""
    return Markup("").join(
        Markup('<span class="odd">U+{:04X}</span>').format(ord(char)) if _is_odd(char) else escape(char)
        for char in _pieces(redacted(str(text)))
    )


def plain(text: object) -> str:
    """Return a text where no marks can stand, in a title or an attribute, without what nobody can see."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_odd(piece) else piece for piece in _pieces(redacted(str(text))))


def _pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces, each odd character one of its own."""
    start = 0
    # Nearly all texts have none, and are not looked at char by char.
    for place, char in enumerate("" if text.replace("\n", "").isprintable() else text):
        if _is_odd(char):
            yield from filter(None, (text[start:place], char))
            start = place + 1
    yield text[start:]


def _is_odd(char: str) -> bool:
    return len(char) == 1 and char not in "\n\t" and unicodedata.category(char).startswith(UNPRINTABLE)


def link(address: str) -> Markup:
    """Return an address as a link, if it is one."""
    if not LINK.fullmatch(address) or any(map(_is_odd, address)):
        return marked(address)
    return Markup('<a href="{0}" rel="noopener noreferrer">{0}</a>').format(redacted(address))


def number(value: Any) -> str:
    """Return a number with six digits, or an integer with all of them; yes or no; another value as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}" if isinstance(value, float) else str(value)


def figure(value: Any) -> str:
    """Return a value of a column: integers may be years or ids, which nobody counts by thousands."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else number(value)


def share_bar(share: float) -> Markup:
    """Return a bar as long as a share of a whole."""
    return Markup(
        '<svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{0:.1f} %">'
        '<rect width="{0:.2f}" height="10" rx="1"/></svg>'
    ).format(100 * share)


def bars(counts: Sequence[int]) -> Markup:
    """Return small bars of some counts."""
    highest, width = max(counts) or 1, 84 / len(counts)
    drawn = (
        Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            place * width, 40 - 40 * count / highest, max(width - 1, 0.5), 40 * count / highest
        )
        for place, count in enumerate(counts)
    )
    return Markup('<svg class="bars" viewBox="0 0 84 40" aria-hidden="true">{}</svg>').format(Markup("").join(drawn))


def reasons(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield the level, if it has one, and the words of each reason for a version."""
    for line in entry.changes:
        if not line.startswith(_ABOUT):
            level = _LEVEL.fullmatch(line)
            yield level.groups() if level else ("", line)
