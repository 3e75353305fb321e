"""Charts for the report, as SVG written by hand: a library would take longer to load than all bars take to draw."""

import re
from html import escape
from pathlib import Path
from typing import Any

from registry.files import atomic_file

Series = dict[str, dict[str, int]]

BAR, LINE, BARS = 14, 24, 420
"""Pixels: the height of a bar, that of a line of text, and the length of a chart's longest bar."""
LETTER = 7
"""Pixels that a letter takes at most, as a rule."""
LONGEST = 60
"""Letters of a label that are shown."""
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def distributions(metadata: dict[str, Any]) -> dict[str, Series]:
    """Return {title: {series: {label: count}}} for every `..._distribution` in the splits and the summary."""
    charts: dict[str, Series] = {}
    for split, facts in metadata["splits"].items():
        for key, counts in facts.items():
            if key.endswith("_distribution"):
                charts.setdefault(key.removesuffix("_distribution"), {})[split] = counts
    for key, counts in metadata.get("summary", {}).items():
        if key.endswith("_distribution"):
            charts[key.removesuffix("_distribution")] = {"": counts}
    return charts or {"samples": {"": {split: facts["num_samples"] for split, facts in metadata["splits"].items()}}}


def _text(x: float, y: float, text: str, more: str = "") -> str:
    shown = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return f'<text x="{x:g}" y="{y:g}"{more}>{escape(NOT_IN_XML.sub("�", shown))}</text>'


def _bar(x: float, y: float, length: float, colour: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>'


def _chart(title: str, series: Series, left: float, top: float) -> tuple[list[str], float]:
    """Return a chart's elements, with its bars from `left` and all of it from `top` on, and where it ends."""
    elements = [_text(LINE, top, title, ' font-weight="bold"')]
    legend = max(left, LINE + LETTER * (len(title) + 2))
    for number, name in enumerate(series if len(series) > 1 else ()):
        x = legend + number * BARS / len(series)
        elements += [_bar(x, top - BAR + 2, BAR, COLOURS[number % len(COLOURS)]), _text(x + BAR + 4, top, name)]
    labels = list(dict.fromkeys(label for counts in series.values() for label in counts))
    most = max((count for counts in series.values() for count in counts.values()), default=0) or 1
    y = top + LINE / 2
    for label in labels:
        middle = y + len(series) * BAR / 2 + 4
        elements.append(_text(left - 6, middle, label, ' text-anchor="end"'))
        for number, counts in enumerate(series.values()):
            count = counts.get(label, 0)
            length = BARS * count / most
            elements.append(_bar(left, y, length, COLOURS[number % len(COLOURS)]))
            elements.append(_text(left + length + 4, y + BAR - 3, f"{count:,}", ' font-size="10"'))
            y += BAR
        y += BAR / 2
    return elements, y + LINE


def draw_distributions(metadata: dict[str, Any], path: str | Path) -> None:
    """Write one horizontal bar chart per distribution as an SVG whose bytes depend on the metadata alone."""
    charts = distributions(metadata)
    labels = [label for series in charts.values() for counts in series.values() for label in counts]
    left = LINE + LETTER * max((min(len(label), LONGEST) for label in labels), default=0)
    elements, y = [_text(LINE, LINE, metadata["dataset"]["title"], ' font-size="15"')], 2.5 * LINE
    for title, series in charts.items():
        drawn, y = _chart(title, series, left, y)
        elements += drawn
    size = f'width="{left + BARS + 5 * LINE:g}" height="{y:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        *elements,
        "</svg>",
    ]
    with atomic_file(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
