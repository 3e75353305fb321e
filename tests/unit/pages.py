"""The documentation for people, and the code that it shows."""

import re
from collections.abc import Iterator
from pathlib import Path

from support import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config" / "README.md", *ROOT.glob("docs/*.md")])


def code(page: Path) -> Iterator[str]:
    """Yield the lines of a page's blocks of code, and its pieces of code between backticks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    yield from (line.removeprefix("$ ") for block in blocks for line in block.splitlines())
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (re.sub(r"\s+", " ", piece) for piece in re.findall(r"`([^`]+)`", rest))
