"""`registry verify` and `refresh`: run the workflow again, and say what came of it."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand

from registry.cli.common import AsJson, app, console, print_json, print_line, repository, say, say_left_out
from registry.cli.comparing import SHOWN, print_diff
from registry.cli.running import end_as, print_verdict
from registry.release.push import released_of
from registry.storage.examine import examine
from registry.storage.repository import Repository
from registry.storage.tags import TAG, named_release, parse_tag
from registry.trace.nightly import refresh_all
from registry.trace.preview import Preview
from registry.trace.refresh import Refreshed, refresh
from registry.trace.verify import Verdict, verify

DIFFERENT = 1


class RemoteByItself(TyperCommand):
    """A command whose option --remote may stand without a name: then it is the default remote's."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Give --remote an empty name where it has none."""
        for place in [place for place, one in enumerate(args, start=1) if one == "--remote"]:
            if place == len(args) or args[place].startswith("-"):
                args = [*args[:place], "", *args[place:]]
        return super().parse_args(ctx, args)


@app.command(name="verify", cls=RemoteByItself)
def check(
    context: typer.Context,
    tag: Annotated[
        str | None,
        typer.Argument(help="A tag such as tabular-v1.0.0, or a dataset for its newest version.", show_default=False),
    ] = None,
    remote: Annotated[
        str | None,
        typer.Option(
            metavar="[NAME]",
            help="Build nothing: find what is missing or damaged in this DVC remote, or the default one.",
            show_default=False,
        ),
    ] = None,
    mirror: Annotated[
        str | None, typer.Option(help="Folder or URL of the sources of a version built from a mirror.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Build in this new folder, and keep it.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build a version again, from its own code, config and sources, in a scratch folder, and compare.

    With --remote, read what a remote holds of that version, of all versions of a dataset, or of all versions. Exit
    codes: 0 identical bytes, or the same content in other bytes (a warning names the libraries that differ), or nothing
    wrong in the remote; 1 different, or it cannot be built, or something is missing or damaged in the remote.
    """
    here = repository(context)
    if remote is not None:
        if mirror or keep:
            raise typer.BadParameter("with --remote nothing is built", param_hint="--mirror, --keep")
        _check_remote(here, tag, remote or here.store.default_remote, as_json)
        return
    if tag is None:
        raise typer.BadParameter("name a version to build, or a remote with --remote", param_hint="TAG")
    verdict = verify(here, named_release(here.git, tag), mirror=mirror, keep=keep, say=say)
    if as_json:
        print_json(verdict)
    else:
        _print(verdict)
    if verdict.result == "different":
        raise typer.Exit(DIFFERENT)


def _check_remote(here: Repository, tag: str | None, remote: str, as_json: bool) -> None:
    datasets = () if tag is None else (tag,)
    wanted = [parse_tag(here.git, tag)] if tag and TAG.fullmatch(tag) else released_of(here, datasets)
    found = examine(here, wanted, remote, say)
    say_left_out(found.left_out)
    if as_json:
        print_json(found)
    else:
        for one in found.faulty:
            print_line(f"{one.tag}: {one.path} is {one.fault} ({one.md5})")
        right = f"{found.objects:,} objects of {len(found.tags):,} versions were read in remote {remote}"
        print_line(f"{right}; {len({one.md5 for one in found.faulty}):,} are missing or damaged.")
        if found.faulty:
            say(f"to repair it, in a checkout whose cache has this data: registry push {remote} --repair")
    if found.faulty or found.left_out:
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
        print_diff((verdict.tag, "built again"), verdict.diff, (), SHOWN)


@app.command(name="refresh")
def ask_again(
    context: typer.Context,
    dataset: Annotated[
        str | None, typer.Argument(help="A dataset; all with a living source, if none is named.", show_default=False)
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Take files whose hashes are others by now.")] = False,
    cores: Annotated[str, typer.Option(help="As for snakemake.")] = "all",
    as_json: AsJson = False,
) -> None:
    """Ask a dataset's sources again, in its mirror or upstream, and build and release what changed there.

    Without a dataset, ask all living sources, whose hashes nobody knows before, build and release all that is out of
    date, and complete what a run that was killed left: the command for every night. Its exit codes: 0 all went well; 1
    something failed, and the other datasets are released; 3 something is built but was not released.

    By itself Snakemake has nothing to do, for it cannot know that a source changed. Where files have other hashes than
    the accepted ones, this only shows what would become of the dataset. --accept writes their hashes into the dataset's
    file, builds and releases. Datasets here that are made of this one are built, too. Exit codes: 0 done, whether or
    not anything changed; 1 the run failed, a file has another hash than the accepted ones, or the dataset has no source
    that can change by itself.
    """
    output = sys.stderr if as_json else None
    if dataset is None:
        if accept:
            raise typer.BadParameter("name a dataset whose files are to be accepted", param_hint="--accept")
        record = refresh_all(repository(context), cores=cores, output=sys.stderr, say=say)
        if as_json:
            print_json(record)
        else:
            print_verdict(record)
        end_as(record)
        return
    done = refresh(repository(context), dataset, accept=accept, cores=cores, output=output, say=say)
    if as_json:
        print_json(done)
    elif isinstance(done, Preview):
        _print_preview(done)
    else:
        _print_refreshed(done)
    if isinstance(done, Preview):
        raise typer.Exit(DIFFERENT)


def _print_refreshed(done: Refreshed) -> None:
    if done.released:
        print_line(f"{done.dataset}: released as {done.after}")
    else:
        newest = f"the newest version is still {done.after}" if done.after else "nothing is released"
        print_line(f"{done.dataset}: {newest}")


def _print_preview(found: Preview) -> None:
    """Print what would become of a dataset, and how to let it."""
    for file, (old, new) in found.sources.items():
        print_line(f"{file}: its sha256 was {old}, and is {new}")
    newest = f"{found.dataset}-v{found.before}" if found.before else "what is built"
    if found.diff:
        print_diff((newest, "its sources as they are now"), found.diff, (), SHOWN)
    if found.failure:
        print_line(f"{found.dataset} cannot be made of them:")
        console.print(found.failure)
    elif found.after:
        print_line(f"It would become {found.after}{f' ({found.level})' if found.level else ''}:")
        for reason in found.reasons:
            print_line(f"  {reason}")
        for warning in found.warnings:
            print_line(f"  warning: {warning}")
        if found.refused:
            print_line(f"Its release would be refused: {found.refused}")
    else:
        print_line(f"The data would stay what {newest} has.")
    accept = f"registry refresh {found.dataset} --accept"
    if found.failure:
        say(f"nothing is changed here; what broke the build is to be put right before: {accept}")
    else:
        say(f"nothing is changed here; to pin, build and release it: {accept}")
