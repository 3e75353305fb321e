"""Charts for the report, as SVG written by hand: a library would take longer to load than all bars take to draw."""

import re
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

from registry.files import atomic_file

Series = dict[str, dict[str, int]]
Measured = dict[str, dict[str, Any]]
"""What a profile says of one measure of a column, by split."""

BAR, LINE, BARS = 14, 24, 420
"""Pixels: the height of a bar, that of a line of text, and the length of a chart's longest bar."""
LETTER = 7
"""Pixels that a letter takes at most, as a rule."""
TALL = 60
"""Pixels: the height of a histogram."""
HISTOGRAMS = 40
"""Measures of columns that are drawn."""
FEW = 50
"""Values of which bars tell all."""
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


def measured(metadata: dict[str, Any]) -> dict[str, Measured]:
    """Return {title: what the profile says} of the first measures that have a histogram, and more than one value."""
    found = {
        f"{column}, {measure}": splits
        for column, measures in metadata.get("profile", {}).items()
        for measure, splits in measures.items()
        if all("histogram" in one for one in splits.values())
        and any(one["quantiles"]["min"] != one["quantiles"]["max"] for one in splits.values())
        and not _is_counted(measures, measure)
    }
    return dict([*found.items()][:HISTOGRAMS])


def _is_counted(measures: Mapping[str, Measured], measure: str) -> bool:
    """Tell whether each of a column's few values is counted, so that numbers and lengths tell no more."""
    classes = measures.get("classes", {}).values()
    few = classes and all(len(one["values"]) <= FEW and not one["others"] for one in classes)
    return measure in ("value", "characters") and bool(few)


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


def _about(metadata: dict[str, Any]) -> list[str]:
    """Return what a card begins with: what the dataset is, its rows, its licence."""
    about = metadata["dataset"]
    rows = ", ".join(f"{split} {its['num_samples']:,}" for split, its in metadata["splits"].items())
    words = textwrap.wrap(about.get("description", ""), LONGEST) + textwrap.wrap(f"Rows: {rows}", LONGEST)
    return words + textwrap.wrap(f"Licence: {about['license']}", LONGEST) if "license" in about else words


def _histogram(title: str, splits: Measured, top: float) -> tuple[list[str], float]:
    """Return the elements of the histograms of a measure, one for each split, from `top` on, and where they end."""
    elements, y = [_text(LINE, top, title, ' font-weight="bold"')], top + LINE / 2
    for number, (split, one) in enumerate(splits.items()):
        counts, quantiles = one["histogram"]["counts"], one["quantiles"]
        wide, most = BARS / len(counts), max(counts) or 1
        elements += [
            f'<rect x="{LINE + place * wide:.1f}" y="{y + TALL - TALL * count / most:.1f}" width="{wide:.1f}" '
            f'height="{TALL * count / most:.1f}" fill="{COLOURS[number % len(COLOURS)]}"/>'
            for place, count in enumerate(counts)
            if count
        ]
        low, middle, high = (_quantile(quantiles[name], one.get("unit")) for name in ("min", "50", "max"))
        y += TALL + LINE / 2
        elements.append(_text(LINE, y + 4, f"{split}: {low} to {high}, half at most {middle}", ' font-size="10"'))
        y += LINE / 2
    return elements, y + LINE


def _quantile(value: float, unit: str | None) -> str:
    """Return a number with six digits, or the day that it stands for."""
    if unit is None:
        return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
    try:
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(**{f'{unit}s': value}):%Y-%m-%d}"
    except OverflowError:
        return f"{value:,} {unit}s"


def draw_distributions(metadata: dict[str, Any], path: str | Path) -> None:
    """Draw all that is counted as bars, and what is measured as histograms; the SVG depends on the metadata alone."""
    charts = distributions(metadata)
    labels = [label for series in charts.values() for counts in series.values() for label in counts]
    left = LINE + LETTER * max((min(len(label), LONGEST) for label in labels), default=0)
    elements, y = [_text(LINE, LINE, metadata["dataset"]["title"], ' font-size="15"')], 2 * LINE
    for line in _about(metadata):
        elements.append(_text(LINE, y, line, ' fill="#555"'))
        y += LINE
    y += LINE
    for title, series in charts.items():
        drawn, y = _chart(title, series, left, y)
        elements += drawn
    for title, splits in measured(metadata).items():
        drawn, y = _histogram(title, splits, y)
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
