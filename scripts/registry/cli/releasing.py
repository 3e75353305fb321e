"""`registry status`, `publish` and `log`."""

from typing import Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape

from registry.cli.common import (
    NOT_RELEASED,
    AsJson,
    Dataset,
    Force,
    app,
    console,
    print_json,
    print_table,
    repository,
    say,
)
from registry.compare.semver import Level
from registry.release.plan import Outcome
from registry.release.publish import Publication, publish
from registry.release.push import copy_to
from registry.release.status import status
from registry.restore.rollback import publish_from
from registry.storage.repository import NoRepositoryError, Repository
from registry.storage.tags import history

QUIET = ("not built", "unchanged")
"""States that a run's end need not mention."""


@app.command(name="status")
def show_status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every dataset: its version, and how what lies here differs from it."""
    found = status(repository(context))
    if as_json:
        print_json(found)
        return
    print_table(
        ("dataset", "version", "state", "rows", "size", "released"),
        (
            (
                one.dataset,
                one.version,
                one.state,
                None if one.rows is None else f"{one.rows:,}",
                None if one.bytes is None else decimal(one.bytes),
                one.released and f"{one.released:%Y-%m-%d}",
            )
            for one in found
        ),
        right=("rows", "size"),
    )
    for one in found:
        if one.reason:
            console.print(escape(f"{one.dataset}: {one.reason}" + (f"; {one.hint}" if one.hint else "")))


@app.command(name="publish")
def release(
    context: typer.Context,
    datasets: Annotated[list[str] | None, typer.Argument(help="Only these; all otherwise.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show number, reason and files; release nothing.")] = False,
    bump: Annotated[
        str | None, typer.Option(help="Raise the number to this level: major, minor or patch.", show_default=False)
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Release the content of this older version of one dataset under a new number, and pin it there.",
            show_default=False,
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="With --from: why, for the log.", show_default=False)] = None,
    force: Force = False,
    remote: Annotated[
        str | None,
        typer.Option(help="Copy the newest releases to this DVC remote; that releases nothing.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Release every complete dataset that changed: data to the DVC remote, one commit, a tag per dataset."""
    names = datasets or []
    level = None if bump is None else _level(bump)
    if version is not None and (len(names) != 1 or reason is None or bump):
        raise typer.BadParameter("takes one dataset and --reason, and no --bump", param_hint="--from")
    if version is None and (reason is not None or force):
        raise typer.BadParameter("go with --from", param_hint="--reason, --force")
    if remote is not None and (dry_run or bump or version):
        raise typer.BadParameter("copies what is released, and takes no other option", param_hint="--remote")
    try:
        here = repository(context)
    except NoRepositoryError as error:
        if as_json and remote is None:
            print_json(Publication([], dry_run=dry_run, skipped=str(error)))
        say(f"nothing is released: {error}")
        raise typer.Exit(NOT_RELEASED) from None
    if remote is not None:
        _copy(here, names, remote, as_json)
        return
    if version is not None:
        done = publish_from(here, names[0], version, reason, dry_run=dry_run, force=force, say=say)
    else:
        done = publish(here, names, dry_run=dry_run, bump=level, say=say)
    if as_json:
        print_json(done)
    else:
        _print(done, named=bool(names))
    states = {outcome.state for outcome in done.outcomes}
    if "refused" in states or (names and "behind" in states):
        raise typer.Exit(1)
    if done.skipped or states & {"skipped", "damaged"}:
        raise typer.Exit(NOT_RELEASED)


def _copy(here: Repository, datasets: list[str], remote: str, as_json: bool) -> None:
    copied = copy_to(here, datasets, remote)
    if as_json:
        print_json(copied)
        return
    for one in copied:
        console.print(escape(f"{one.dataset}: {one.tag} is in remote {one.remote}"))


def _level(name: str) -> Level:
    try:
        return Level[name.upper()]
    except KeyError:
        raise typer.BadParameter("choose major, minor or patch", param_hint="--bump") from None


def _print(done: Publication, *, named: bool) -> None:
    if done.skipped:
        say(f"nothing is released: {done.skipped}; {done.hint}")
        return
    for outcome in done.outcomes:
        if outcome.state not in QUIET or (named and outcome.state == "not built"):
            console.print(escape(_line(outcome, done.dry_run)))
            for reason in outcome.reasons if outcome.state in ("released", "recorded") else ():
                console.print(escape(f"  {reason}"))
            for file in outcome.files if done.dry_run else ():
                console.print(escape(f"  + {file}"))
    unchanged = [outcome for outcome in done.outcomes if outcome.state == "unchanged"]
    if not any(outcome.state in ("released", "recorded") for outcome in done.outcomes):
        console.print(
            f"Nothing new to release ({len(unchanged)} of {len(done.outcomes)} datasets are released as they are)."
        )
    elif done.commit:
        console.print(escape(f"Data is in remote {done.remote}, the release in commit {done.commit[:10]}."))


def _line(outcome: Outcome, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    match outcome.state:
        case "released":
            level = f" ({outcome.level})" if outcome.level else ""
            return f"{outcome.dataset}: {would}released as {outcome.tag}{level}"
        case "recorded":
            return f"{outcome.dataset}: {would}committed without a new version, it is still {outcome.version}"
        case "pinned":
            return f"{outcome.dataset}: pinned {outcome.reasons[0]}; {outcome.hint}"
        case "behind":
            return f"{outcome.dataset}: {outcome.reasons[0]}; {outcome.hint}"
    reasons = "; ".join(outcome.reasons)
    return f"{outcome.dataset}: {outcome.state}, not released: {reasons}; {outcome.hint}"


@app.command()
def log(context: typer.Context, dataset: Dataset, as_json: AsJson = False) -> None:
    """List the versions of a dataset, newest first, with what changed."""
    entries = history(repository(context).git, dataset)
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        mark = f"  superseded by {entry.superseded_by}" if entry.superseded_by else ""
        console.print(f"[bold]{escape(entry.tag)}[/]  {entry.date:%Y-%m-%d %H:%M}  {entry.commit[:10]}{mark}")
        for line in entry.changes:
            console.print(escape(f"    {line}"))
