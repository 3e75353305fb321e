"""`registry samples`, `find` and `diff`: answered from manifests alone."""

import csv
import dataclasses
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.markup import escape
from typer.core import TyperCommand

from registry.cli.common import (
    AsJson,
    Dataset,
    app,
    console,
    console_error,
    json_text,
    print_json,
    print_line,
    print_table,
    repository,
    say,
)
from registry.compare.diff import DatasetDiff, Fact, Statistic, diff
from registry.errors import RegistryError
from registry.shown import one_line, printable, redacted
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady
from registry.storage.tags import dataset_of, find_release, named_release
from registry.trace.samples import Sample, Samples, Search, find, samples

SHOWN = 20
"""Rows that a person is shown unless they ask for more."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Begins a cell that spreadsheets compute."""
NEGATIVE = re.compile(r"-\.?\d")
NOT_FOUND = 1
FAILED = 2

Tag = Annotated[
    str, typer.Argument(help="A tag such as tabular-v1.0.0, or a dataset for its newest.", show_default=False)
]


@app.command(name="samples")
def show_samples(
    context: typer.Context,
    tag: Tag,
    split: Annotated[str | None, typer.Option(help="Only this split.", show_default=False)] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"Maximum number of rows. Default: {SHOWN}, or all with --json or --csv.")
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV.")] = False,
    for_excel: Annotated[
        bool, typer.Option("--excel", help="With --csv: quote cells that a spreadsheet would take for formulas.")
    ] = False,
) -> None:
    """List the exact samples that made a version."""
    if for_excel and not as_csv:
        raise typer.BadParameter("is for --csv", param_hint="--excel")
    here = repository(context)
    everything = as_json or as_csv
    found = samples(here, named_release(here.git, tag), split, limit if limit or everything else SHOWN)
    if as_json:
        _print_samples_json(found)
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(Sample._fields)
        spelt = no_formula if for_excel else printable
        writer.writerows(map(spelt, row) for row in found.rows)
    else:
        counts = ", ".join(f"{name} {count:,}" for name, count in found.splits.items())
        console.print(f"[bold]{escape(found.tag)}[/]  {escape(one_line(counts))}  {found.content_hash}")
        print_table(Sample._fields, found.rows)
        if len(found.rows) < found.total:
            console.print(f"{len(found.rows):,} of {found.total:,} rows; --limit N shows more, --json or --csv all.")


def no_formula(cell: str) -> str:
    """Return a cell that no spreadsheet computes: a quote is put before what could begin a formula."""
    return f"'{printable(cell)}" if cell.startswith(FORMULA) else printable(cell)


def _print_samples_json(found: Samples) -> None:
    """Print one row per line: a document that is readable, and quick to write."""
    about = {"tag": found.tag, "content_hash": found.content_hash, "splits": found.splits, "total": found.total}
    head = json_text(about).removesuffix("}")
    rows = ",\n".join(json_text(row._asdict()) for row in found.rows)
    sys.stdout.write(f'{head}, "rows": [\n{rows}\n]}}\n')


class NumbersFirst(TyperCommand):
    """A command whose argument may begin with a negative number, which is none of its options."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Take what begins with a number for an argument, with or without `--` before it."""
        numbers = [] if "--" in args else [one for one in args if NEGATIVE.match(one)]
        others = [one for one in args if one not in numbers]
        return super().parse_args(ctx, [*others, "--", *numbers] if numbers else args)


@app.command(name="find", cls=NumbersFirst)
def show_places(
    context: typer.Context,
    given: Annotated[str, typer.Argument(metavar="FILE|TEXT|KEY", help="What to look for.", show_default=False)],
    dataset: Annotated[str | None, typer.Option(help="Only in this dataset.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Find the versions, splits and keys that hold a sample.

    The sample may be a file (a source picture, a picture whose pixels were kept, a text), a text, the input columns of
    a table's row (separated by commas, an empty one is null) or the whole row, or a key or an id as `registry samples`
    shows it. A source file, or its name, finds the versions that were made from it.

    Every released version is searched. Exit codes: 0 found, 1 not found, 2 an error, or a version that could not be
    searched.
    """
    try:
        found = find(repository(context), given, dataset)
    except RegistryError as error:
        console_error(error)
        raise typer.Exit(FAILED) from None
    if as_json:
        print_json(found)
    else:
        _print_places(found)
    if found.not_searched:
        raise typer.Exit(FAILED)
    if not (found.places or found.sources):
        raise typer.Exit(NOT_FOUND)


def _print_places(found: Search) -> None:
    for tag, reason in found.reasons.items():
        say(f"not searched: {tag}: {reason}")
    if not (found.places or found.sources):
        say(f"Not in any of {found.versions:,} versions; it was taken as: {', '.join(found.taken_as)}.")
    if found.places:
        print_table(
            ("dataset", "version", "", "split", "key", "taken as"),
            (
                (one.dataset, one.version, "latest" if one.latest else None, one.split, one.key, one.taken_as)
                for one in found.places
            ),
        )
    if found.sources:
        print_table(
            ("dataset", "version", "", "made from", "sha256"),
            (
                (one.dataset, one.version, "latest" if one.latest else None, one.file, one.sha256)
                for one in found.sources
            ),
        )


@app.command(name="diff")
def show_diff(
    context: typer.Context,
    dataset: Dataset,
    a: Annotated[str, typer.Argument(help="A version, or latest.", show_default=False)],
    b: Annotated[str | None, typer.Argument(help="Another; else what is built here.", show_default=False)] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every statistic that moved.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two versions: schema, rows of each split, statistics. Fetches manifests only."""
    here = repository(context)
    states = [_state(here, dataset, version) for version in (a, b)]
    found = diff(*(snapshot for _, snapshot in states))
    names = [name for name, _ in states]
    if as_json:
        print_json({"from": names[0], "to": names[1]} | dataclasses.asdict(found))
    else:
        print_diff(names, found, None if show_all else SHOWN)


def _state(here: Repository, dataset: str, version: str | None) -> tuple[str, Snapshot]:
    """Return a version of a dataset, or what is built, with its name."""
    if version is not None:
        release = find_release(here.git, dataset, version)
        return release.tag, Snapshot.at(here, release.dataset, release.commit, release.tag)
    try:
        return "what is built", Snapshot.on_disk(here.root, dataset_of(here.git, dataset))
    except NotReady as state:
        raise RegistryError(state.reason, where=dataset, hint=f"{state.hint}, or name two versions") from None


def print_diff(names: Sequence[str], found: DatasetDiff, limit: int | None) -> None:
    """Print what differs between two states of these names, with at most `limit` statistics."""
    console.print(f"[bold]{escape(names[0])}[/] -> [bold]{escape(names[1])}[/]")
    if not found.content_differs:
        console.print("The samples are the same" + (", the files' bytes differ." if found.bytes_differ else "."))
    for line in _schema(found):
        print_line(line)
    if found.content_differs:
        if found.rows_by not in (None, "sample_id"):
            console.print(f"Columns differ, so rows are compared by {found.rows_by}.")
        _print_rows(found)
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
        for kind, keys in rows.examples.items():
            number = getattr(rows, kind)
            more = (number if isinstance(number, int) else sum(number.values())) - len(keys)
            rest = f" and {more:,} more" if more else ""
            print_line(f"{split}, {kind.replace('_', ' ')}: {', '.join(keys)}{rest}")


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
    rows = [(one.path, _number(one.old), _number(one.new), _relative(one)) for one in moved]
    print_table(("statistic", "before", "after", "change"), rows, right=("before", "after", "change"))
    if len(moved) < len(statistics):
        console.print(f"{len(statistics) - len(moved):,} more statistics moved; --all shows every one.")


def _size(one: Statistic) -> float:
    """Return how much a number moved, relative to what it was; most of all where it came, went or was zero."""
    return abs(one.change / one.old) if one.change is not None and one.old else float("inf")


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
