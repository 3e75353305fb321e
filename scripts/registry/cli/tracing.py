"""`registry samples` and `find`: answered from manifests alone."""

import csv
import re
import sys
from typing import Annotated

import typer
from typer.core import TyperCommand

from registry.cli.common import (
    AsJson,
    app,
    console,
    console_error,
    json_text,
    print_headed,
    print_json,
    print_table,
    repository,
    say,
)
from registry.compare.manifests import MAX_ROWS
from registry.errors import RegistryError
from registry.shown import printable
from registry.storage.tags import named_release
from registry.trace.samples import Sample, Samples, Search, find, samples

SHOWN = 20
"""Rows that a person is shown unless they ask for more."""
DIGITS = 16
"""Of a hash, as many are shown; --json has all."""
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
        int | None,
        typer.Option(
            min=1, max=MAX_ROWS, help=f"Maximum number of rows. Default: {SHOWN}, or all with --json or --csv."
        ),
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
    if as_json and as_csv:
        raise typer.BadParameter("choose one", param_hint="--json, --csv")
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
        print_headed(found.tag, f"  {counts}  {found.content_hash}")
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
                (one.dataset, one.version, "latest" if one.latest else None, one.file, one.sha256[:DIGITS])
                for one in found.sources
            ),
        )
