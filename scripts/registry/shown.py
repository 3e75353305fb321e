"""The one place that text of others passes before people see it: it steers no terminal, and holds no password."""

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

ODD = "\N{REPLACEMENT CHARACTER}"
HIDDEN = "***"
UNPRINTABLE = ("C", "Zl", "Zp")
"""Categories of Unicode: controls, what turns the direction of text or has no width, surrogates, ends of lines."""
_LOGIN = re.compile(r"(?<=://)(?:[^/?#\s]*@|[^\s/:@\[]*:(?!\d*[/?#])[^\s'\"]{0,1000}@)")
"""What an address has before its host. A password may hold `@` and, though it should not, `/`."""
_LOGIN_WITHOUT_SCHEME = re.compile(
    r"(?<![\w/])([^\s:/@'\"]{1,100}):[^\s/@'\"][^\s'\"]{0,1000}@(?=(?:\d+\.\d+\.\d+\.\d+|[\d.-]*[^\W\d][\w.-]*)[:/])"
)
"""`user:password@host:path`, as scp and git take it; `name@1.0/x` has no host."""
_SECRET = re.compile(
    r"(?<=[?&;#])([\w.-]{0,100}(?:token|secret|passw|pwd|key|sig|credential|auth)[\w.-]*=)[^&,;\s'\"<>()]+",
    re.IGNORECASE,
)
"""A value in the query of an address, by its name."""
_SETTING = re.compile(
    r"(?<![\w.?&;#-])(\w{0,100}(?:password|passwd|secret|token|access_key)=)[^&,;\s'\"<>()]+", re.IGNORECASE
)
"""A value of a setting, by its name: `password=...` of PostgreSQL, `AWS_SECRET_ACCESS_KEY=...`."""


_MARKS = re.compile(r"()([\\`*_\[\]<>&|~])|^()([#+=-])|^(\d{1,9})([.)])")
"""What marks something up within a line of Markdown, or at its beginning."""
_MEANING = re.compile(r"[^\w\s.,=%/-]|_|(?<=www)\.", re.IGNORECASE)
"""What could mark something up, or make a link or a mention of it, within a line of Markdown."""


def printable(text: str) -> str:
    """Return text with a replacement for every character that could steer a terminal or cannot be printed.

    Line feeds and tabs stay. The length does not change.
    """
    if text.isprintable():
        return text
    return "".join(
        ODD if char not in "\n\t" and unicodedata.category(char).startswith(UNPRINTABLE) else char for char in text
    )


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Return text without the passwords and tokens that addresses in it hold, and without these secrets.

    The user of an address stays only in SSH's: others take a token there.
    """
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    if "@" in text:
        text = _LOGIN_WITHOUT_SCHEME.sub(r"\1@", _LOGIN.sub(_user, text))
    return _SETTING.sub(rf"\1{HIDDEN}", _SECRET.sub(rf"\1{HIDDEN}", text))


def _user(login: re.Match[str]) -> str:
    of_ssh = login.string.endswith("ssh://", 0, login.start())
    return f"{login[0].removesuffix('@').partition(':')[0]}@" if of_ssh else ""


def shown(text: str, secrets: Iterable[str] = ()) -> str:
    """Return text as people may see it: printable, and without credentials."""
    return redacted(printable(text), secrets)


def one_line(text: object) -> str:
    """Return what `shown` does of a name, a cell or a path, which adds no line and no column wherever it stands."""
    return re.sub(r"[\n\t]", ODD, shown(str(text)))


def joined(message: object) -> str:
    """Return a message of several lines, as errors have them, in one line, whose parts are told apart."""
    return re.sub(r"\n\s*", "; ", re.sub(r":\n\s*", ": ", str(message)))


def markdown(text: object) -> str:
    """Return what `one_line` does of a text, as code in Markdown: it marks nothing up, and mentions and links nothing.

    Every character that Markdown or HTML could give a meaning is spelt by its number, as HTML has it.
    """
    spelt = _MEANING.sub(lambda found: f"&#{ord(found[0])};", one_line(text))
    return f"<code>{spelt}</code>"


def markdown_text(text: object) -> str:
    """Return what `one_line` does of a text, as plain text in Markdown: it marks nothing up, and is easy to read."""
    return _MARKS.sub(
        lambda found: "\\".join(part for part in found.groups() if part is not None), one_line(text).strip()
    )


def markdown_block(text: str) -> str:
    """Return what `shown` does of a text of several lines, as a block of its own in Markdown."""
    return f"<pre>{html.escape(shown(text).strip())}</pre>"


def some(items: Sequence[str], number: int) -> str:
    """Return the first of these, so many, and how many more there are: `a, b and 3 more`."""
    more = len(items) - number
    return ", ".join(items[:number]) + (f" and {more:,} more" if more > 0 else "")


def public_url(url: str) -> str:
    """Return a URL without user, password, query and fragment, fit for logs and records."""
    return re.split(r"[?#]", redacted(url), maxsplit=1)[0]
