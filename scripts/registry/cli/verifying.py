"""`registry verify` and `refresh`: run the workflow again, and say what came of it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from registry.cli.common import AsJson, Dataset, app, print_json, print_line, repository, say
from registry.cli.tracing import SHOWN, Tag, print_diff
from registry.storage.tags import named_release
from registry.trace.refresh import refresh
from registry.trace.verify import Verdict, verify

DIFFERENT = 1


@app.command(name="verify")
def check(
    context: typer.Context,
    tag: Tag,
    mirror: Annotated[
        str | None, typer.Option(help="Folder or URL of the sources of a version built from a mirror.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Build in this new folder, and keep it.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build a version again, from its own code, config and sources, in a scratch folder, and compare.

    Exit codes: 0 identical bytes, or the same content in other bytes (a warning names the libraries that differ); 1
    different, or it cannot be built.
    """
    here = repository(context)
    verdict = verify(here, named_release(here.git, tag), mirror=mirror, keep=keep, say=say)
    if as_json:
        print_json(verdict)
    else:
        _print(verdict)
    if verdict.result == "different":
        raise typer.Exit(DIFFERENT)


def _print(verdict: Verdict) -> None:
    match verdict.result:
        case "identical":
            print_line(f"{verdict.tag}: identical, byte for byte.")
            return
        case "same content":
            say(f"warning: {verdict.tag}: the samples are the same, the bytes are not, in {', '.join(verdict.files)}.")
        case "different":
            print_line(f"{verdict.tag}: different in {', '.join(verdict.files) or 'its columns or order'}.")
    if verdict.libraries:
        versions = [f"{name} {then or 'none'} -> {now or 'none'}" for name, (then, now) in verdict.libraries.items()]
        say(f"libraries that differ: {', '.join(versions)}")
    else:
        say("all recorded libraries have the same versions")
    for what, names in (("sources that have other bytes now", verdict.sources), ("settings", verdict.config)):
        if names:
            say(f"{what}: {'; '.join(names)}")
    if verdict.diff:
        print_diff((verdict.tag, "built again"), verdict.diff, SHOWN)


@app.command(name="refresh")
def ask_again(
    context: typer.Context,
    dataset: Dataset,
    cores: Annotated[str, typer.Option(help="As for snakemake.")] = "all",
    as_json: AsJson = False,
) -> None:
    """Ask a dataset's sources again, in its mirror or upstream, and build and release what changed there.

    By itself Snakemake has nothing to do, for it cannot know that a source changed. Datasets here that are made of
    this one are built, too. Exit codes: 0 done, whether or not anything changed; 1 the run failed, a file has another
    hash than the accepted ones, or the dataset has no source that can change by itself.
    """
    done = refresh(repository(context), dataset, cores=cores, output=sys.stderr if as_json else None, say=say)
    if as_json:
        print_json(done)
    elif done.released:
        print_line(f"{dataset}: released as {done.after}")
    else:
        newest = f"the newest version is still {done.after}" if done.after else "nothing is released"
        print_line(f"{dataset}: {newest}")
