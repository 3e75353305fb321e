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
            metavar="TARGETS", help="Targets as for snakemake (default: all); its options after --.", show_default=False
        ),
    ] = None,
) -> None:
    """Run snakemake after any other run here has finished; remove locks that a killed run left behind.

    Targets and options are those of snakemake: registry run tabular -- --keep-going. The exit code is snakemake's.
    """
    given = arguments or []
    options = {argument.partition("=")[0] for argument in given}
    cores = [] if options & set(CORES) else ["--cores", "all"]
    become(repository_root(context), [*cores, *given], say=say)
