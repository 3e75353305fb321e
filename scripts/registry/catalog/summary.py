"""What the list of all datasets shows of one; it is recorded, so that a dataset that stays is not read again."""

from pathlib import Path
from typing import Any

from registry.cards.hub import about_of
from registry.catalog.dataset import DatasetPages, VersionPage
from registry.catalog.pages import kind_of
from registry.config.schema import breaches

SCHEMA = Path(__file__).with_name("summary.schema.yaml")
PREVIEWS = 2
"""Pictures of a dataset in the list."""
CLASSES = 200
"""Classes of a column that the list can be searched for."""
BARS = 20
"""Classes that are drawn small."""
MAX_WORDS = 100_000
"""Characters that it can be searched for."""
MAX_LINE = 1_000
"""Characters of a title, a description or a licence that it shows."""


def summary_of(found: DatasetPages) -> dict[str, Any]:
    """Return what the list of datasets shows of one."""
    newest = found.newest
    summary = {
        "name": found.name,
        "version": newest.version,
        "date": newest.entry.date.date().isoformat(),
        "versions": len(found.versions),
        "title": found.name,
        "description": newest.problem or "",
        "kind": "",
        "licence": "",
        "rows": 0,
        "bytes": 0,
        "text": found.name,
        "pictures": [],
        "bars": [],
    }
    if newest.snapshot is None:
        return summary
    snapshot, about = newest.snapshot, about_of(newest.snapshot)
    features = snapshot.metadata["schema"]["features"]
    words = [found.name, about["title"], about["description"], *features]
    words += [str(label) for feature in features.values() for label in feature.get("classes", [])[:CLASSES]]
    return summary | {
        "title": _line(about["title"]),
        "description": _line(about["description"]),
        "kind": _line(kind_of(snapshot)),
        "licence": _line(about["license"]),
        "rows": snapshot.rows,
        "bytes": snapshot.provenance["data"]["bytes"],
        "text": " ".join(words)[:MAX_WORDS],
        "pictures": [*found.values.pictures][:PREVIEWS],
        "bars": _small_bars(newest),
    }


def is_summary(value: Any, name: str) -> bool:
    """Tell whether this is what the list may show of the dataset of this name."""
    return not breaches(value, SCHEMA) and value["name"] == name


def _line(text: str) -> str:
    return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]}…"


def _small_bars(version: VersionPage) -> list[int]:
    """Return the counts of one column that are drawn small: classes, else a histogram, else the sizes of splits."""
    measures = [one for column in version.profile.values() for splits in column.values() for one in splits.values()]
    for classes in (one["values"] for one in measures if "values" in one):
        return [*classes.values()][:BARS]
    for histogram in (one["histogram"] for one in measures if "histogram" in one):
        return histogram["counts"]
    sizes = [*version.snapshot.sizes.values()]
    return sizes if len(sizes) > 1 else []
