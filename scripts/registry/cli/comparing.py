"""`registry diff`: what differs between two states of a dataset."""

import dataclasses
import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.common import (
    AsJson,
    Dataset,
    app,
    console,
    json_text,
    print_headed,
    print_json,
    print_line,
    print_table,
    repository,
    say,
)
from registry.compare.diff import DatasetDiff, Fact, Statistic, diff
from registry.compare.drift import Drift, drift
from registry.compare.manifests import MAX_ROWS
from registry.compare.rows import EXAMPLES
from registry.describe.metadata import profile_of
from registry.errors import RegistryError
from registry.extras import check_installed
from registry.shown import one_line, redacted, some
from registry.storage.damage import MissingDataError
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady
from registry.storage.tags import dataset_of, find_release

if TYPE_CHECKING:
    from registry.compare.values import ChangedRow

SHOWN = 20
"""Statistics that a person is shown unless they ask for more."""
WIDTH, LEAD = 80, 20
"""Characters of a changed value that are shown, and how many of these before the first that differs."""
NAMED = 5
"""Values that came or went that are shown."""
AROUND = 200
"""Characters on both sides that are searched for secrets."""


@app.command(name="diff")
def show_diff(
    context: typer.Context,
    dataset: Dataset,
    a: Annotated[str, typer.Argument(help="A version, or latest.", show_default=False)],
    b: Annotated[str | None, typer.Argument(help="Another; else what is built here.", show_default=False)] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_ROWS,
            help=f"Name this many rows of each kind of change, and fetch the data to show values. Default: {EXAMPLES}, "
            "with values if the data is here.",
            show_default=False,
        ),
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every statistic that moved.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it as a page, too, which needs no other file.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two versions: schema, rows of each split, old and new values, statistics.

    Only manifests are fetched, unless --rows or --html asks for values. Exit codes: 0 done; 1 an error, or values were
    asked for and cannot be shown.
    """
    here = repository(context)
    names, snapshots = zip(*(_state(here, dataset, version) for version in (a, b)), strict=True)
    if html is not None:
        check_installed("jinja2")
        from registry.catalog.difference import write_difference

        write_difference(html, *zip(names, snapshots, strict=True))
    examples = EXAMPLES if rows is None else rows
    found = diff(*snapshots, examples=examples)
    values, missing = _values(snapshots, found, fetch=rows is not None)
    moved = drift(*(profile_of(snapshot.metadata, where=snapshot.name) for snapshot in snapshots))
    if as_json:
        changed = [dataclasses.asdict(row) for row in values]
        print_json(
            {"from": names[0], "to": names[1]}
            | dataclasses.asdict(found)
            | {"values": None if missing else changed, "values_missing": missing}
            | {"drift": [dataclasses.asdict(one) for one in moved]}
        )
    else:
        print_diff(names, found, values, None if show_all else SHOWN)
        _print_drift(moved, None if show_all else SHOWN)
    if missing:
        say(f"values of changed rows are not shown: {missing}")
        if rows is not None:
            raise typer.Exit(1)


def _values(snapshots: Sequence[Snapshot], found: DatasetDiff, *, fetch: bool) -> tuple[list["ChangedRow"], str | None]:
    """Return the values of changed rows, or why they cannot be shown."""
    from registry.compare.values import changed_rows

    try:
        return changed_rows(*snapshots, found, fetch=fetch), None
    except MissingDataError as error:
        return [], str(error) if fetch else f"{error}; --rows N fetches it"
    except RegistryError as error:
        return [], str(error)


def _state(here: Repository, dataset: str, version: str | None) -> tuple[str, Snapshot]:
    """Return a version of a dataset, or what is built, with its name."""
    if version is not None:
        release = find_release(here.git, dataset, version)
        return release.tag, Snapshot.at(here, release.dataset, release.commit, release.tag)
    try:
        return "what is built", Snapshot.on_disk(here.root, dataset_of(here.git, dataset))
    except NotReady as state:
        raise RegistryError(state.reason, where=dataset, hint=f"{state.hint}, or name two versions") from None


def print_diff(names: Sequence[str], found: DatasetDiff, values: Sequence["ChangedRow"], limit: int | None) -> None:
    """Print what differs between two states of these names, with at most `limit` statistics."""
    print_headed(names[0], f" -> {names[1]}")
    if not found.content_differs:
        console.print("The samples are the same" + (", the files' bytes differ." if found.bytes_differ else "."))
    for line in _schema(found):
        print_line(line)
    if found.content_differs:
        if found.rows_by not in (None, "sample_id"):
            by = "inputs" if found.rows_by == "input_id" else "keys"
            console.print(f"Columns differ, so rows are compared by their {by} alone, other values column by column.")
        _print_rows(found)
    _print_values(values)
    _print_statistics(found.statistics, limit)
    for fact in found.metadata:
        print_line(f"{fact.path}: {_fact(fact)}")


def _schema(found: DatasetDiff) -> Iterator[str]:
    columns = found.columns
    for name, dtype in columns.added.items():
        yield f"column `{name}` added ({dtype})"
    for name, dtype in columns.removed.items():
        yield f"column `{name}` removed ({dtype})"
    for name, new in columns.renamed.items():
        yield f"column `{name}` renamed to `{new}`"
    for name, (before, after) in columns.retyped.items():
        yield f"column `{name}` changed from {before} to {after}"
    if columns.reordered:
        yield "columns reordered"
    for name, classes in found.classes.items():
        for what, labels in (("added", classes.added), ("removed", classes.removed)):
            if labels:
                yield f"classes of `{name}` {what}: {', '.join(labels)}"
        if classes.reordered:
            yield f"classes of `{name}` reordered"
    if found.splits_reordered:
        yield "splits reordered"


def _print_rows(found: DatasetDiff) -> None:
    kinds = ("added", "removed", "changed")
    print_table(
        ("split", "before", "after", *kinds, "moved in", "moved out", ""),
        (
            (
                split,
                f"{rows.before:,}",
                f"{rows.after:,}",
                *(f"{getattr(rows, kind):,}" for kind in kinds),
                _moves(rows.moved_in, "from"),
                _moves(rows.moved_out, "to"),
                _remark(found, split),
            )
            for split, rows in found.splits.items()
        ),
        right=("before", "after", *kinds),
    )
    for split, rows in found.splits.items():
        if rows.columns and found.rows_by != "sample_id":
            print_line(f"{split}, values differ in: {', '.join(rows.columns)}")
        for kind, keys in rows.examples.items():
            if not keys:
                continue
            number = getattr(rows, kind)
            more = (number if isinstance(number, int) else sum(number.values())) - len(keys)
            rest = f" and {more:,} more" if more else ""
            print_line(f"{split}, {kind.replace('_', ' ')}: {', '.join(keys)}{rest}")


def _print_values(values: Sequence["ChangedRow"]) -> None:
    for row in values:
        by_place = "" if row.checked else " (by its place; nothing tells whether that is so)"
        print_line(f"{row.split}, {row.key}{by_place}:" + ("" if row.values else " no column of its table differs"))
        for column, pair in row.values.items():
            old, new = _excerpts(*pair)
            console.print(f"    {one_line(f'{column}: {old} -> {new}')}")


def _excerpts(old: object, new: object) -> tuple[str, str]:
    """Return what two values are, from where they begin to differ."""
    texts = [json.dumps(value, ensure_ascii=False, default=str) for value in (old, new)]
    # The first place that differs, by halves: values may have many megabytes.
    same = bisect_left(range(min(map(len, texts))), True, key=lambda end: texts[0][: end + 1] != texts[1][: end + 1])
    start = same - LEAD if same > 2 * LEAD else 0
    return tuple(_excerpt(text, start) for text in texts)


def _excerpt(text: str, start: int) -> str:
    end, before = start + WIDTH, max(0, start - AROUND)
    around = text[before : end + AROUND]
    if redacted(around) != around:
        return redacted(around)
    return ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")


def _moves(counts: dict[str, int], word: str) -> str:
    return ", ".join(f"{count:,} {word} {split}" for split, count in counts.items())


def _remark(found: DatasetDiff, split: str) -> str | None:
    rows = found.splits[split]
    remarks = {
        "new split": split in found.splits_added,
        "split removed": split in found.splits_removed,
        "reordered": rows.reordered,
    }
    return ", ".join(remark for remark, holds in remarks.items() if holds) or None


def _print_statistics(statistics: Sequence[Statistic], limit: int | None) -> None:
    if not statistics:
        return
    moved = sorted(statistics, key=_size, reverse=True)[:limit]
    rows = [(one.path, *_numbers(one), _relative(one)) for one in moved]
    print_table(("statistic", "before", "after", "change"), rows, right=("before", "after", "change"))
    if len(moved) < len(statistics):
        console.print(f"{len(statistics) - len(moved):,} more statistics moved; --all shows every one.")


def _print_drift(drifts: Sequence[Drift], limit: int | None) -> None:
    """Print what moved more than chance would move it, the farthest first."""
    moved = sorted((one for one in drifts if one.psi > one.chance or one.new or one.lost), key=lambda one: -one.psi)
    if moved:
        rows = [
            (f"{one.column} ({one.measure})", one.split, f"{one.psi:.3f}", f"{one.jensen_shannon:.3f}", _came(one))
            for one in moved[:limit]
        ]
        print_table(("drift", "split", "psi", "jensen-shannon", ""), rows, right=("psi", "jensen-shannon"))
    if limit and len(moved) > limit:
        console.print(f"{len(moved) - limit:,} more have drifted; --all shows every one.")


def _came(one: Drift) -> str | None:
    kinds = (("new", one.new), ("lost", one.lost))
    return "; ".join(f"{kind}: {some(values, NAMED)}" for kind, values in kinds if values) or None


def _size(one: Statistic) -> float:
    """Return how much a number moved, relative to what it was; most of all where it came, went or was zero."""
    return abs(one.change / one.old) if one.change is not None and one.old else float("inf")


def _numbers(one: Statistic) -> tuple[str, str]:
    """Return both numbers with six digits, or with all where six are the same."""
    old, new = (_number(value) for value in (one.old, one.new))
    return (old, new) if old != new else (repr(one.old), repr(one.new))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def _relative(one: Statistic) -> str:
    if one.change is None:
        return "new" if one.old is None else "gone"
    return f"{one.change / one.old:+.2%}" if one.old else f"{one.change:+,.6g}"


def _fact(fact: Fact) -> str:
    def spelt(value: object) -> str:
        text = redacted(json_text(value))
        return text if len(text) <= 100 else f"{text[:97]}..."

    if fact.old is None:
        return f"added: {spelt(fact.new)}"
    return f"removed: {spelt(fact.old)}" if fact.new is None else f"{spelt(fact.old)} -> {spelt(fact.new)}"
