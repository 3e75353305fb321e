"""`registry list` and `get`: read a registry at any address, with no checkout of it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from registry.cli.common import AsJson, app, print_json, print_table, say, say_left_out
from registry.client import ListedVersion, list_datasets, open_dataset
from registry.storage.objects import VARIABLE
from registry.storage.versions import LATEST

Address = Annotated[
    str, typer.Argument(metavar="REPO", help="A registry's git repository: a path or a URL.", show_default=False)
]


@app.command(name="list")
def show_listing(repo: Address, as_json: AsJson = False) -> None:
    """List the datasets of a registry anywhere, with the rows and the size of every version."""
    found = list_datasets(repo)
    say_left_out(found.left_out)
    if as_json:
        print_json(found)
    elif found.versions:
        print_table(
            ("dataset", "version", "rows", "files", "size"),
            (
                (_name(one), one.version, f"{one.rows:,}", f"{one.files:,}", decimal(one.bytes))
                for one in found.versions
            ),
            right=("rows", "files", "size"),
        )
    else:
        say("Nothing is released there.")


def _name(one: ListedVersion) -> str:
    return f"{one.dataset} (alias of {one.alias_of})" if one.alias_of else one.dataset


@app.command(name="get")
def show_data(
    repo: Address,
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@VERSION]",
            help="A dataset, and a version: 1.0.0, latest, or the highest of a range such as ^1, ~1.2 or >=1.1,<2.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The new folder for the data; NAME-vVERSION otherwise.", show_default=False)
    ] = None,
    remote: Annotated[
        str | None, typer.Option(help="Read from this DVC remote, not the default one.", show_default=False)
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help=f"Keep downloads here; else in ${VARIABLE}, or where this system keeps caches.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download the data of a version, and print its path.

    What was downloaded before comes from a cache, and is checked. If the data is there already, nothing is done.
    """
    name, at, version = wanted.partition("@")
    if not name or (at and not version):
        raise typer.BadParameter("write NAME or NAME@VERSION", param_hint="NAME[@VERSION]")
    found = open_dataset(name, version or LATEST, repo, remote=remote)
    path = found.fetch(out or f"{name}-v{found.version}", cache=cache, say=say)
    if as_json:
        print_json({"dataset": found.name, "version": found.version, "tag": found.tag, "path": path})
    else:
        typer.echo(path)
