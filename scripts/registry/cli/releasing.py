"""`registry status`, `publish` and `log`."""

import dataclasses
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from registry.cli.common import (
    NOT_RELEASED,
    AsJson,
    Dataset,
    Force,
    app,
    console,
    print_headed,
    print_json,
    print_line,
    print_table,
    repository,
    say,
    say_left_out,
    say_odd,
)
from registry.compare.semver import Level
from registry.errors import RegistryError
from registry.files import write_json
from registry.release.plan import Outcome
from registry.release.publish import Publication, publish
from registry.release.push import Repaired, copy_to, repair
from registry.release.status import status
from registry.restore.rollback import republish
from registry.shown import shown
from registry.storage.repository import NoRepositoryError, Repository, read_config
from registry.storage.states import NotReady, State
from registry.storage.tags import dataset_of, history, odd_tags
from registry.trace.runs import runs_of
from registry.workflow.record import add_release

QUIET = (State.NOT_BUILT, State.UNCHANGED)
"""States that a run's end need not mention."""

Datasets = Annotated[list[str] | None, typer.Argument(help="Only these; all otherwise.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show number, reason and files; release nothing.")]


@app.command(name="status")
def show_status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every dataset: its newest version, and whether the local data differs from it."""
    here = repository(context)
    found = status(here)
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
            print_line(f"{one.dataset}: {one.reason}" + (f"; {one.hint}" if one.hint else ""))
    say_odd(odd_tags(here.git))


@app.command(name="publish")
def release(
    context: typer.Context,
    datasets: Datasets = None,
    dry_run: DryRun = False,
    bump: Annotated[
        str | None,
        typer.Option(help="Raise numbers to at least this level: major, minor or patch.", show_default=False),
    ] = None,
    version: Annotated[str | None, typer.Option("--from", hidden=True)] = None,
    remote: Annotated[str | None, typer.Option(hidden=True)] = None,
    as_json: AsJson = False,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what --json prints to a file, too.", show_default=False)
    ] = None,
) -> None:
    """Release every complete dataset that changed: data to the DVC remote, one commit, a tag for each dataset."""
    if version is not None:
        raise typer.BadParameter(
            "is a command now: registry republish DATASET VERSION --reason WHY", param_hint="--from"
        )
    if remote is not None:
        raise typer.BadParameter("is a command now: registry push REMOTE [DATASET]", param_hint="--remote")
    level = None if bump is None else _level(bump)
    here = _open(context, dry_run, as_json)
    try:
        done = publish(here, datasets or (), dry_run=dry_run, bump=level, say=say)
    except RegistryError as error:
        if not dry_run:
            add_release(None, shown(str(error)), here.root)
        raise
    if save is not None:
        write_json(save, dataclasses.asdict(done))
    if not dry_run:
        add_release(dataclasses.asdict(done), None, here.root)
        _refresh_catalog(here)
        _show_refused(here, done.outcomes)
    _report(done, as_json, named=bool(datasets))


def _refresh_catalog(here: Repository) -> None:
    """Draw the catalog again, where the configuration asks for that. What is released is so, whatever comes of it."""
    if not read_config(here.root).get("catalog"):
        return
    from registry.catalog.build import NEWEST, SITE, build

    try:
        build(here, here.root / SITE, NEWEST)
    except (RegistryError, OSError) as error:
        say(f"the catalog is not drawn: {error}\n  what to do: registry catalog")


def _show_refused(here: Repository, outcomes: Iterable[Outcome]) -> None:
    """Draw what differs from the version against which a gate refused a dataset; remove pages of those that passed."""
    for one in outcomes:
        page = here.root / "logs" / one.dataset / "refused.html"
        if one.state != State.REFUSED or one.against is None:
            with suppress(OSError):
                page.unlink()
            continue
        from registry.catalog.difference import write_what_is_built

        try:
            write_what_is_built(page, here, one.dataset, one.against, one.alike, "; ".join(one.reasons))
        except (RegistryError, NotReady, OSError) as error:
            say(f"{page.relative_to(here.root)} is not drawn: {error}")
        else:
            say(f"{one.dataset}: {page.relative_to(here.root)} shows what differs from {one.against}")


@app.command(name="republish")
def release_again(
    context: typer.Context,
    dataset: Dataset,
    version: Annotated[str, typer.Argument(help="The version whose content to release again.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why, for the log.", show_default=False)],
    dry_run: DryRun = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Release the content of an older version under a new number, and pin the dataset there.

    Clients take the highest number for the latest version; this withdraws what was released since.
    """
    here = _open(context, dry_run, as_json)
    done = republish(here, dataset, version, reason, dry_run=dry_run, force=force, say=say)
    _report(done, as_json, named=True)


@app.command(name="push")
def copy_releases(
    context: typer.Context,
    remote: Annotated[str, typer.Argument(help="A DVC remote that .dvc/config names.", show_default=False)],
    datasets: Datasets = None,
    mend: Annotated[
        bool, typer.Option("--repair", help="Put back what is missing or damaged there, of all versions.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the data of the newest releases to one more DVC remote. It makes no commit and no tag."""
    if mend:
        _print_repair(repair(repository(context), datasets or (), remote, say), as_json)
        return
    copied = copy_to(repository(context), datasets or (), remote)
    if as_json:
        print_json(copied)
        return
    for one in copied:
        print_line(f"{one.dataset}: {one.tag} is in remote {one.remote}")


def _print_repair(done: Repaired, as_json: bool) -> None:
    say_left_out(done.left_out)
    if as_json:
        print_json(done)
    else:
        for one in done.replaced:
            print_line(f"{one.tag}: {one.path} was {one.fault}, and is repaired")
        for one in done.left:
            print_line(f"{one.tag}: {one.path} is {one.fault} ({one.md5}), and the cache here does not have it")
        if not (done.replaced or done.left):
            print_line(f"Nothing to repair in remote {done.remote}.")
    if done.left or done.left_out:
        raise typer.Exit(1)


def _open(context: typer.Context, dry_run: bool, as_json: bool) -> Repository:
    """Return the repository to release from; where there is none, say so and end with the code for not released."""
    try:
        return repository(context)
    except NoRepositoryError as error:
        if as_json:
            print_json(Publication([], dry_run=dry_run, skipped=str(error)))
        say(f"nothing is released: {error}")
        raise typer.Exit(NOT_RELEASED) from None


def _report(done: Publication, as_json: bool, *, named: bool) -> None:
    """Print what was released, and end with the exit code that says so; `named`: datasets were asked for by name."""
    if as_json:
        print_json(done)
    else:
        _print(done, named=named)
    if done.waiting:
        say(f"an earlier command was interrupted; the next release completes it first: {done.waiting}")
    states = {outcome.state for outcome in done.outcomes}
    if State.REFUSED in states or (named and State.BEHIND in states):
        raise typer.Exit(1)
    if done.skipped or states & {State.SKIPPED, State.DAMAGED, State.BROKEN}:
        raise typer.Exit(NOT_RELEASED)


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
        if outcome.state not in QUIET or (named and outcome.state == State.NOT_BUILT):
            print_line(_line(outcome, done.dry_run))
            for reason in outcome.reasons if outcome.state in (State.RELEASED, State.RECORDED) else ():
                print_line(f"  {reason}")
            for line in outcome.warnings:
                print_line(f"  warning: {line}")
            for file in outcome.files if done.dry_run else ():
                print_line(f"  + {file}")
    for path in done.uncommitted_aliases:
        say(f"{path} gives another name to what is released: commit it, and run registry publish")
    for alias, tag in done.aliases.items():
        print_line(f"{tag}: {'would be' if done.dry_run else 'is'} {alias}, too")
    unchanged = [outcome for outcome in done.outcomes if outcome.state == State.UNCHANGED]
    if not any(outcome.state in (State.RELEASED, State.RECORDED) for outcome in done.outcomes):
        console.print(
            f"Nothing new to release ({len(unchanged)} of {len(done.outcomes)} datasets are released as they are)."
        )
    elif done.commit:
        print_line(f"Data is in remote {done.remote}, the release in commit {done.commit[:10]}.")


def _line(outcome: Outcome, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    match outcome.state:
        case State.RELEASED:
            level = f" ({outcome.level})" if outcome.level else ""
            return f"{outcome.dataset}: {would}released as {outcome.tag}{level}"
        case State.RECORDED:
            return f"{outcome.dataset}: {would}committed without a new version, it is still {outcome.version}"
        case State.PINNED:
            return f"{outcome.dataset}: pinned {outcome.reasons[0]}; {outcome.hint}"
        case State.BEHIND:
            return f"{outcome.dataset}: {outcome.reasons[0]}; {outcome.hint}"
    reasons = "; ".join(outcome.reasons)
    return f"{outcome.dataset}: {outcome.state}, not released: {reasons}; {outcome.hint}"


@app.command()
def log(context: typer.Context, dataset: Dataset, as_json: AsJson = False) -> None:
    """List the versions of a dataset, newest first, with what changed."""
    here = repository(context)
    entries = history(here.git, dataset)
    if as_json:
        runs = runs_of(here, dataset_of(here.git, dataset), [entry.tag for entry in entries])
        print_json([{**dataclasses.asdict(entry), "run": runs.get(entry.tag)} for entry in entries])
        return
    for entry in entries:
        mark = f"  superseded by {entry.superseded_by}" if entry.superseded_by else ""
        print_headed(entry.tag, f"  {entry.date:%Y-%m-%d %H:%M}  {entry.commit[:10]}{mark}")
        for line in entry.changes:
            print_line(f"    {line}")
    say_odd(odd for odd in odd_tags(here.git) if odd.dataset == dataset)
