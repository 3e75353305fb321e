"""`registry run`: start Snakemake behind the registry's own lock."""

from typing import Annotated

import typer

from registry.cli.common import app, repository_root, say
from registry.workflow.snakemake import become, target_of

CORES = ("-c", "--cores", "-j", "--jobs", "--executor", "--profile", "--workflow-profile")
"""Options that say how much to run at once; without one of them, all cores are used."""


@app.command(name="run", context_settings={"ignore_unknown_options": True})
def run_snakemake(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGETS",
            help="Datasets, or targets as for snakemake (default: all); its options after --.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run snakemake after any other run here has finished; remove locks that a killed run left behind.

    Targets are datasets, or as for snakemake, whose options and exit code it has: registry run tabular -- --keep-going.
    """
    root = repository_root(context)
    given = [target_of(root, argument) for argument in arguments or []]
    options = {argument.partition("=")[0] for argument in given}
    cores = [] if options & set(CORES) else ["--cores", "all"]
    become(root, [*cores, *given], say=say)
