"""Read HTML as those see it who look at the page: what shows of it, as Markdown with its headings, code and tables.

Its tags are events and no tree, so that a page takes a time and a memory that grow with its bytes, whatever is in it.
"""

import codecs
import re
from collections.abc import Iterable, Mapping

MOST_DEPTH = 2_000
"""Elements that may be open in each other. Those of a page whose author closed none are some hundreds."""
HEADINGS = {f"h{level}": level for level in range(1, 7)}
UNSEEN = re.compile(
    "audio|canvas|datalist|embed|iframe|math|noembed|noframes|noscript|object|script|select|style|svg|template|textarea|"
    "video"
)
"""What is no text of a page, or shows only where something is missing."""
BLOCK = re.compile(
    "address|article|aside|blockquote|body|center|details|dialog|dir|div|dl|fieldset|figcaption|figure|footer|form|"
    "header|hr|main|menu|nav|ol|p|search|section|summary|table|ul"
)
"""What stands apart from what is before and after it."""
LINE = re.compile("br|caption|dd|dt|legend|li|tr")
"""What begins a line."""
CELL = re.compile("td|th")
_ITEM, _NEXT_CELL = "- ", " | "
NO_DISPLAY = re.compile(r"(?:^|;)\s*display\s*:\s*none\b", re.IGNORECASE)
_SPACES = " \t\n\f\r"
_SPACE = re.compile(f"[{_SPACES}]+")
_MARKUP = re.compile(r"(?=#{1,6}(?:\s|$)|=+\s*$|-+\s*$|```|~~~|<[A-Za-z/!?])")
"""Begins a line of text that Markdown would take for more."""
_DECLARED = re.compile(rb"<(?:meta\b|\?xml\b)[^>]{0,500}?\b(?:charset|encoding)\s*=\s*[\"']?\s*([\w:.-]{1,40})", re.I)
_PRESCANNED = 1024
"""Bytes in which a page must say its encoding (HTML 13.2.3.2)."""
_MEANT = {"ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "tis-620": "cp874"}
"""Encodings that pages name and browsers read as larger ones (https://encoding.spec.whatwg.org/#names-and-labels)."""
_TICKS = re.compile("`{3,}")
_AT_ONCE = 1 << 16
"""Bytes after which the parser stops where it is told to."""


class TooDeepError(Exception):
    """More elements are open in each other than MOST_DEPTH: no page that somebody wrote."""


def declared_encoding(content: bytes) -> str | None:
    """Return Python's name of the encoding that a page says that it has; None where it says none that there is."""
    if not (found := _DECLARED.search(content[:_PRESCANNED])):
        return None
    try:
        name = codecs.lookup(found[1].decode()).name
        "".encode(name)
    except LookupError:
        return None
    # What could be read so far is no UTF-16.
    return "utf-8" if name.startswith(("utf-16", "utf-32")) else _MEANT.get(name, name)


def as_markdown(page: str) -> str:
    """Return what shows of a page: headings as `# Title`, preformatted text in fences, a line for each row and item.

    The page's title is its first heading where it has none of the first level. A line that Markdown would take for a
    heading or for HTML begins with a backslash. Raises TooDeepError.
    """
    from lxml import etree

    parser = etree.HTMLParser(target=_Reader(), encoding="utf-8", huge_tree=True)
    content = page.encode()
    for start in range(0, len(content), _AT_ONCE):
        parser.feed(content[start : start + _AT_ONCE])
    return parser.close() if content else ""


class _Reader:
    """Takes the events of a page, and writes its text."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._lines: list[str] = []
        self._line: list[str] = []
        self._has_text = False
        # What ended in a cell: blocks of lines. In a row that has other cells, all of it is but one line.
        self._ended: list[list[str]] = [[]]
        self._has_cells = False
        self._open = 0
        self._cells_open = 0
        self._unseen_from: int | None = None
        self._heading: int | None = None
        self._code: list[str] | None = None
        self._title: list[str] | None = None
        self._page_title = ""
        self._has_first = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._open += 1
        self._cells_open += bool(CELL.fullmatch(tag))
        if self._open > MOST_DEPTH:
            raise TooDeepError
        if self._unseen_from is not None:
            return
        if UNSEEN.fullmatch(tag) or "hidden" in attributes or NO_DISPLAY.search(attributes.get("style", "")):
            self._unseen_from = self._open
        elif tag == "title":
            self._title = []
        elif self._code is not None:
            self._code += ["\n"] if tag == "br" else []
        elif tag == "pre" or tag in HEADINGS:
            self._end_heading()
            self._end_block()
            self._heading, self._code = HEADINGS.get(tag), [] if tag == "pre" else None
        elif BLOCK.fullmatch(tag):
            if self._has_text or not self._heading:
                self._end_heading()
                self._end(tag)
        elif self._heading:
            self._line += [" "] if LINE.fullmatch(tag) else []
        elif LINE.fullmatch(tag):
            self._end(tag)
            self._line += [_ITEM] if tag == "li" else []
        elif CELL.fullmatch(tag) and (self._has_text or self._ended[0]):
            self._line.append(_NEXT_CELL)
            self._has_cells = True

    def end(self, tag: str) -> None:
        self._open -= 1
        self._cells_open -= bool(CELL.fullmatch(tag))
        if self._unseen_from is not None:
            self._unseen_from = None if self._open < self._unseen_from else self._unseen_from
        elif tag == "title" and self._title is not None:
            self._page_title, self._title = self._page_title or _joined(self._title), None
        elif tag == "pre" and self._code is not None:
            self._end_code()
        elif tag in HEADINGS and self._heading:
            self._end_heading()
        elif self._heading or self._code is not None:
            return
        elif tag != "br" and (BLOCK.fullmatch(tag) or LINE.fullmatch(tag)):
            self._end(tag)

    def data(self, text: str) -> None:
        if self._unseen_from is not None:
            return
        if self._title is not None:
            self._title.append(text)
        elif self._code is not None:
            self._code.append(text)
        elif self._has_text or text.strip(_SPACES):
            self._line.append(text)
            self._has_text = self._has_text or not text.isspace()

    def close(self) -> str:
        self._end_code()
        self._end_heading()
        self._end_block()
        if self._page_title and not self._has_first:
            self._blocks.insert(0, f"# {self._page_title}")
        return "\n\n".join(self._blocks) + "\n" if self._blocks else ""

    def _taken(self) -> str:
        """Return the line that was gathered, and begin another."""
        text = _joined(self._line) if self._has_text else ""
        self._line, self._has_text = [], False
        return text

    def _end(self, tag: str) -> None:
        """End the line, or the block, that another begins or ends after."""
        is_block = BLOCK.fullmatch(tag)
        if is_block and self._line[-1:] == [_ITEM]:
            return  # It is the first of an item of a list, and stands in its line.
        if self._cells_open and tag not in ("table", "tr"):
            self._end_in_cell(is_block=bool(is_block))
        elif is_block:
            self._end_block()
        else:
            self._end_line()

    def _end_in_cell(self, *, is_block: bool) -> None:
        if self._has_text:
            self._ended[-1].append(self._taken())
        else:
            while self._line and self._line[-1] != _NEXT_CELL:
                self._line.pop()
        if is_block and self._ended[-1]:
            self._ended.append([])

    def _end_line(self) -> None:
        (*blocks, last), has_cells = self._ended, self._has_cells
        last += filter(None, [self._taken()])
        self._ended, self._has_cells = [[]], False
        if has_cells:
            blocks, last = [], [" ".join(line for block in [*blocks, last] for line in block)]
        for block in blocks:
            self._add(block)
            self._end_lines()
        self._add(last)

    def _add(self, lines: Iterable[str]) -> None:
        self._lines += [f"\\{text}" if _MARKUP.match(text) else text for text in lines]

    def _end_block(self) -> None:
        self._end_line()
        self._end_lines()

    def _end_lines(self) -> None:
        if self._lines:
            self._blocks.append("\n".join(self._lines))
        self._lines = []

    def _end_heading(self) -> None:
        if self._heading and (text := self._taken()):
            self._blocks.append(f"{'#' * self._heading} {text}")
            self._has_first = self._has_first or self._heading == 1
        self._heading = None

    def _end_code(self) -> None:
        if self._code is None:
            return
        text = "".join(self._code).replace("\r\n", "\n").replace("\r", "\n").removeprefix("\n").rstrip()
        if text:
            fence = "`" * max([3, *(len(ticks[0]) + 1 for ticks in _TICKS.finditer(text))])
            self._blocks.append(f"{fence}\n{text}\n{fence}")
        self._code = None


def _joined(parts: list[str]) -> str:
    return _SPACE.sub(" ", "".join(parts)).strip(" ")
