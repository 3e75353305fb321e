"""Tell what makes a text unfit for readers and models: nothing of it shows, or it holds control characters."""

import re
import unicodedata

CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters, NUL among them, but for tabs and the ends of lines. Databases and terminals choke on them."""
BYTE_ORDER_MARKS = {
    "UTF-32": (b"\xff\xfe\0\0", b"\0\0\xfe\xff"),
    "UTF-16": (b"\xff\xfe", b"\xfe\xff"),
}


def is_blank(text: str) -> bool:
    """Tell whether a text has no character that shows: only spaces, controls, zero-width spaces."""
    return not any(unicodedata.category(character)[0] not in "ZC" for character in text)


def wide_encoding(data: bytes) -> str | None:
    """Return UTF-16 or UTF-32 if bytes begin with its byte order mark, else None."""
    return next((name for name, marks in BYTE_ORDER_MARKS.items() if data.startswith(marks)), None)
