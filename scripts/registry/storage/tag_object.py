"""Read the text of an annotated tag as git stores it. Git's own reader gives up altogether at the first odd one."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

MAX_TAG = 1 << 20
"""Bytes that the text of a release's tag may have."""
_HEADER = re.compile(rb"object ([0-9a-f]{40}|[0-9a-f]{64})\ntype commit\ntag [^\n]+\n")
_TAGGER = re.compile(rb"tagger [^\n]*> ([0-9]{1,12}) ([+-])([0-9]{2})([0-5][0-9])\n")


NOT_OF_A_COMMIT = "not an annotated tag of a commit"


@dataclass(frozen=True)
class TagObject:
    """An annotated tag of a commit: when it was made, and what it says."""

    commit: str
    date: datetime
    message: str


def read_tag(content: bytes) -> TagObject | str:
    """Return what the text of a tag says, or why no publish can have made it."""
    header = _HEADER.match(content)
    if header is None:
        return NOT_OF_A_COMMIT
    tagger = _TAGGER.match(content, header.end())
    date = _date(tagger) if tagger else None
    if date is None:
        return "it has no tagger, or no valid date"
    message = content[tagger.end() :].lstrip(b"\n").decode("utf-8", errors="replace")
    return TagObject(header[1].decode(), date, message)


def _date(tagger: re.Match[bytes]) -> datetime | None:
    """Return the date in the line of a tagger; None where no calendar has it, and for 1970, which stands for none."""
    seconds, sign, hours, minutes = tagger.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        zone = timezone(-offset if sign == b"-" else offset)
        return datetime.fromtimestamp(int(seconds), zone) if int(seconds) else None
    except (ValueError, OverflowError, OSError):
        return None
