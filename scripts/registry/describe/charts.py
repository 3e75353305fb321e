"""Charts for the report. Matplotlib takes a while to import, so pictures have a module of their own (figures)."""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from registry.files import atomic_file

Series = dict[str, dict[str, int]]


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


def draw_distributions(metadata: dict[str, Any], path: str | Path) -> None:
    """Write one horizontal bar chart a distribution as an SVG whose bytes depend on the metadata alone."""
    matplotlib.rcParams.update({"svg.hashsalt": metadata["dataset"]["name"], "svg.fonttype": "none"})
    charts = distributions(metadata)
    bars = [sum(len(counts) for counts in series.values()) for series in charts.values()]
    figure = Figure(figsize=(8, 1 + sum(0.8 + 0.25 * count for count in bars)), layout="constrained")
    figure.suptitle(metadata["dataset"]["title"], parse_math=False)
    axes = figure.subplots(len(charts), squeeze=False, gridspec_kw={"height_ratios": [count + 3 for count in bars]})
    for axis, (title, series) in zip(axes[:, 0], charts.items(), strict=True):
        labels = list(dict.fromkeys(label for counts in series.values() for label in counts))
        height = 0.8 / len(series)
        for index, (name, counts) in enumerate(series.items()):
            at = [position + index * height for position in range(len(labels))]
            drawn = axis.barh(at, [counts.get(label, 0) for label in labels], height, label=name or None)
            axis.bar_label(drawn, fmt="{:,.0f}", padding=2, fontsize=7)
        axis.set_title(title, fontsize=10, loc="left", parse_math=False)
        centres = [position + (len(series) - 1) * height / 2 for position in range(len(labels))]
        axis.set_yticks(centres, labels, parse_math=False)
        axis.invert_yaxis()
        axis.margins(x=0.12)
        axis.spines[["top", "right"]].set_visible(False)
        if len(series) > 1:
            legend = axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
            for text in legend.get_texts():
                text.set_parse_math(False)
    with atomic_file(path) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None})
