"""`registry run`: start Snakemake behind the registry's own lock."""

from typing import Annotated

import typer

from registry.cli.common import app, repository_root, say
from registry.workflow.snakemake import become

CORES = ("-c", "--cores", "-j", "--jobs", "--executor", "--profile", "--workflow-profile")
"""Options that say how much to run at once; without one of them, all cores are used."""


@app.command(name="run", context_settings={"ignore_unknown_options": True})
def run_snakemake(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGETS", help="As for snakemake, and after -- its options; all without.", show_default=False
        ),
    ] = None,
) -> None:
    """Run snakemake here, after every other run has ended; locks that a killed run left behind are taken away.

    Targets and options are those of snakemake: registry run tabular -- --keep-going. It ends as snakemake does.
    """
    given = arguments or []
    options = {argument.partition("=")[0] for argument in given}
    cores = [] if options & set(CORES) else ["--cores", "all"]
    become(repository_root(context), [*cores, *given], say=say)
