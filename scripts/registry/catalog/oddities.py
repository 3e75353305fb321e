"""What is odd about a version: what cleaning counted, what its quality is, what its build was warned of, its drift."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from registry.cards.card import counts_of
from registry.catalog.dataset import VersionPage
from registry.compare.drift import Drift, moved
from registry.describe import metadata
from registry.gate import GateError
from registry.shown import some
from registry.storage.snapshot import Snapshot

NAMED = 10
"""Columns that are named of those with one value, or another one in each row."""
MOVED = 10
"""Measures of columns that moved most, of those that moved more than by chance."""


def problems_of(snapshot: Snapshot) -> list[tuple[str, int]]:
    """Return what was counted of a version, beside its classes: [(what, how many)]."""
    summary = snapshot.metadata.get("summary", {})
    return [*counts_of({name: value for name, value in summary.items() if not name.endswith("_distribution")})]


def warnings_of(snapshot: Snapshot) -> Sequence[str]:
    """Return what the build of a version was warned of, a line each."""
    return [str(line) for line in snapshot.provenance["contract"].get("warnings", [])]


def quality_of(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Yield what `registry.describe.quality` has counted of a version, in words: (what, how much). Raises GateError."""
    found = metadata.quality_of(snapshot.metadata, where=snapshot.name)
    for what, count in found.get("duplicates", {}).items():
        if count:
            yield f"{what} that are there before", f"{count:,} of {snapshot.rows:,}"
    for column, count in found.get("missing", {}).items():
        yield f"{column}, missing", f"{count:,} of {snapshot.rows:,}"
    for column, measures in found.get("outliers", {}).items():
        for measure, its in measures.items():
            yield f"{column}, outliers by {measure}", f"{its['count']:,} of {its['of']:,}"
    for word in ("constant", "unique"):
        for column in found.get(word, []):
            yield column, f"{word} in all rows"
    for column, splits in found.get("balance", {}).items():
        for split, its in splits.items():
            yield (
                f"{column} in {split}",
                f"{its['classes']:,} classes, the largest {its['ratio']:,.4g} times the smallest",
            )


def gate_figures(gates: Iterable[str], snapshot: Snapshot) -> dict[str, str]:
    """Return what a version has of what each gate of `contract.quality` is about, in words: the worst of it."""
    try:
        found = metadata.quality_of(snapshot.metadata, where=snapshot.name)
        leaks = "; ".join(f"{what}: {count}" for what, count in leakage_of(snapshot))
    except GateError:
        return dict.fromkeys(gates, "")
    return {gate: _gate_figure(gate, found, leaks, snapshot.rows) for gate in gates}


def _gate_figure(gate: str, found: Mapping[str, Any], leaks: str, rows: int) -> str:
    match gate if found else "":
        case "missing":
            return _worst([(count / max(rows, 1), column) for column, count in found["missing"].items()])
        case "outliers":
            measures = [(its, name) for name, by in found["outliers"].items() for its in by.values()]
            return _worst([(its["count"] / its["of"], name) for its, name in measures])
        case "duplicates":
            return f"{found['duplicates']['samples']:,} of {rows:,} rows"
        case "balance":
            ratios = [(its["ratio"], name) for name, splits in found["balance"].items() for its in splits.values()]
            return "{1}: {0:,.4g} times".format(*max(ratios)) if ratios else "no classes"
        case "constant" | "unique":
            return some(found[gate], NAMED) if found[gate] else "none"
        case "leakage":
            return leaks or "none"
    return "judged at the release" if gate == "drift" else ""


def _worst(shares: Sequence[tuple[float, str]]) -> str:
    return "{1}: {0:.4g} %".format(*max((100 * share, name) for share, name in shares)) if shares else "none"


def leakage_of(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Yield how many rows are like others, in words, where the contract has asked for that. Raises GateError."""
    found = metadata.leakage_of(snapshot.metadata, where=snapshot.name)
    for split, other, its in metadata.duplicates(found):
        if its["exact"] or its["near"]:
            yield f"{split}, like rows of {other}", f"{its['exact']:,} the same, {its['near']:,} nearly"


def alike_of(snapshot: Snapshot) -> Iterator[tuple[str, str, float]]:
    """Yield pairs of rows of a version that are like each other, where its contract has looked for them.

    Each pair is a row with its split, the row that it is like, with its split or dataset, and how far they are apart.
    Raises GateError.
    """
    for pair in metadata.leakage_of(snapshot.metadata, where=snapshot.name).get("examples", []):
        like = pair["like"]
        of = like.get("dataset", like.get("split", ""))
        yield f"{pair['key']} of {pair['split']}", f"{like['key']} of {of}", pair["distance"]


def drift_of(old: VersionPage | None, new: VersionPage) -> list[Drift]:
    """Return what moved most from the version before, and by more than chance would have it."""
    if old is None or not (old.profile and new.profile):
        return []
    return moved(old.profile, new.profile)[:MOVED]
