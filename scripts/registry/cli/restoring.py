"""`registry follow`, `pull`, `rollback` and `unpin`."""

from typing import Annotated

import typer

from registry.cli.common import AsJson, Dataset, Force, app, console, print_json, print_line, repository, say
from registry.extras import check_installed
from registry.release.follow import follow
from registry.restore.pull import Restored, pull, some
from registry.restore.rollback import rollback, unpin
from registry.shown import joined

Remote = Annotated[
    str | None, typer.Option(help="Fetch from this DVC remote, not the default one.", show_default=False)
]


@app.command(name="follow")
def take_over(context: typer.Context, as_json: AsJson = False) -> None:
    """Follow origin's branch as `git pull` does, and keep what is built here, where that would refuse.

    `registry publish` can then release it as the next version. Exit codes: 0 done, or there was nothing new; 1 the
    branches have diverged, or other changes are in the way.
    """
    done = follow(repository(context), say=say)
    if as_json:
        print_json(done)
        return
    print_line(f"The branch is at {done.commit[:10]}{'' if done.moved else ', as before'}.")
    for file in done.kept:
        differs = "; origin has another: git diff shows how" if file.startswith("config/") else ""
        print_line(f"{file} stays as it is here{differs}")


@app.command(name="pull")
def show_pull(
    context: typer.Context,
    datasets: Annotated[list[str] | None, typer.Argument(help="Only these; all otherwise.", show_default=False)] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Bring the sources too.")] = False,
    remote: Remote = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Restore released data and mark it as up to date for Snakemake, so that nothing is computed.

    If code or configuration has changed since the release, the next run builds the dataset again. Files that were not
    published are kept unless --force is given; the exit code is then 1.
    """
    done = pull(repository(context), datasets or (), raw=raw, remote=remote, force=force, say=say)
    if as_json:
        print_json(done)
    else:
        _print(done)
    if any(one.state in ("kept", "left out") for one in done):
        raise typer.Exit(1)


@app.command(name="rollback")
def roll_back(
    context: typer.Context,
    dataset: Dataset,
    version: Annotated[str, typer.Argument(help="A version, as `registry log` lists them.", show_default=False)],
    reason: Annotated[str | None, typer.Option(help="Why; kept with the pin.", show_default=False)] = None,
    remote: Remote = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Go back to a version of a dataset and pin it there: data and descriptions, never code or configuration.

    Nothing is computed, and while it is pinned nothing builds or publishes it.
    """
    done = rollback(repository(context), dataset, version, reason=reason, remote=remote, force=force, say=say)
    if as_json:
        print_json(done)
        return
    if not done.changed:
        print_line(f"{done.dataset} is pinned at {done.version} already.")
        return
    print_line(f"{done.dataset} is back at {done.version} and pinned there.")
    _print_commit(done.commit, done.uncommitted)
    print_line(f"To return to the newest version: registry unpin {done.dataset}")


@app.command(name="unpin")
def take_pin_away(
    context: typer.Context, dataset: Dataset, remote: Remote = None, force: Force = False, as_json: AsJson = False
) -> None:
    """Remove a dataset's pin, restore its newest version, and let Snakemake build it again if needed."""
    check_installed("snakemake")
    done, uncommitted = unpin(repository(context), dataset, remote=remote, force=force, say=say)
    if as_json:
        print_json({"uncommitted": uncommitted, **vars(done)})
        return
    print_line(f"{dataset} is no longer pinned.")
    _print_commit(None, uncommitted)
    _print([done])


@app.command(hidden=True, context_settings={"ignore_unknown_options": True})
def release(dataset: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Name the command that took the place of this one."""
    raise typer.BadParameter(f"it is called: registry unpin {' '.join(dataset or ['DATASET'])}", param_hint="release")


def _print_commit(commit: str | None, uncommitted: str | None) -> None:
    if commit:
        console.print(f"Committed as {commit[:10]}.")
    if uncommitted:
        print_line(f"Not committed: {uncommitted}. Commit the changed files below data/ yourself.")


def _print(done: list[Restored]) -> None:
    for one in done:
        print_line(_line(one))
    if not done:
        console.print("Nothing was released in this checkout.")


def _line(one: Restored) -> str:
    which = f"{one.dataset}: {one.version or 'what is here'}" + (" (pinned)" if one.pinned else "")
    again = f"; snakemake will build it again: {one.rebuild}" if one.rebuild else ""
    match one.state:
        case "left out":
            return f"{one.dataset}: left out: {joined(one.reason)}"
        case "kept":
            files = some(one.unpublished)
            return f"{one.dataset}: left as it is, not published: {files}; --force overwrites it{again}"
        case "restored":
            return f"{which} restored{again}"
    return f"{which} was here already{again}"
