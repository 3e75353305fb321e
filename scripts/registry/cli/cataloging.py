"""`registry catalog`: all datasets and versions as pages for people."""

from pathlib import Path
from typing import Annotated

import typer

from registry.cli.common import AsJson, app, print_json, repository, say
from registry.extras import check_installed


@app.command(name="catalog")
def draw_catalog(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Argument(help="A folder; site/ in the registry otherwise.", show_default=False)
    ] = None,
    versions: Annotated[
        str, typer.Option(metavar="all|N", help="How many of each dataset: all, or the newest.")
    ] = "20",
    serve: Annotated[bool, typer.Option("--serve", help="Serve it to this machine, too, until Ctrl-C.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that has other files.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw every dataset and version as pages that a browser opens, with no network.

    Data that is not here is fetched; only what changed since the last time is drawn again.
    """
    # What brings it brings all that pages take.
    check_installed("jinja2")
    from registry.catalog.build import SITE, build

    if versions != "all" and not (versions.isascii() and versions.isdigit() and int(versions) > 0):
        raise typer.BadParameter("write all, or a number from 1 on", param_hint="--versions")
    here = repository(context)
    folder = here.root / SITE if out is None else out
    found = build(here, folder, None if versions == "all" else int(versions), force=force, say=say)
    if as_json:
        print_json(found)
    else:
        typer.echo(found.index)
    if serve:
        from registry.catalog.serve import serve as serve_folder

        serve_folder(folder, lambda address: say(f"{address} (Ctrl-C ends it)"))
