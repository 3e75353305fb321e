"""`registry run`, `summary` and `graph`: start Snakemake behind the registry's own lock, tell what it did and makes."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.filesize import decimal

from registry.cli.common import (
    NOT_RELEASED,
    AsJson,
    app,
    console,
    print_json,
    print_line,
    print_table,
    repository,
    repository_root,
    say,
)
from registry.shown import joined
from registry.sources.stream import batch_names
from registry.workflow.failures import FailedJob
from registry.workflow.record import read_record
from registry.workflow.snakemake import become, target_of
from registry.workflow.verdict import FAILED, exit_code, held_back, remarks

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
    if any(map(batch_names, root.glob("data/*/raw"))):
        from registry.restore.batches import complete_batches

        complete_batches(repository(context), say)
    given = [target_of(root, argument) for argument in arguments or []]
    options = {argument.partition("=")[0] for argument in given}
    cores = [] if options & set(CORES) else ["--cores", "all"]
    become(root, [*cores, *given], say=say)


@app.command()
def summary(
    context: typer.Context,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, as job summaries have it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what the last run here did, what is not released, and why.

    Exit codes: 0 all went well; 1 it failed, was stopped or killed, or something was refused a release; 3 something is
    built but was not released.
    """
    record = read_record(repository_root(context))
    if as_json:
        print_json(record)
    elif as_markdown:
        from registry.workflow.markdown import as_markdown as spelt

        console.print(spelt(record))
    else:
        _print_table(record)
        print_verdict(record)
    end_as(record)


@app.command()
def graph(context: typer.Context, as_json: AsJson = False) -> None:
    """List the datasets with the rules that build them, and the others that each needs: for an orchestrator to run."""
    from registry.config.load import needed
    from registry.config.names import rule_of
    from registry.release.assess import configured

    datasets = configured(repository(context))
    found = [{"dataset": name, "rule": rule_of(name), "needs": needed(datasets[name])} for name in datasets]
    broken = {name: str(error) for name, error in datasets.broken.items()}
    if as_json:
        print_json({"datasets": found, "left_out": broken})
        return
    print_table(("dataset", "rule", "needs"), [(one["dataset"], one["rule"], ", ".join(one["needs"])) for one in found])
    for name, error in broken.items():
        print_line(f"{name} is left out: {joined(error)}")


def end_as(record: Mapping[str, Any]) -> None:
    """End with the exit code that the record of a run comes to."""
    code = exit_code(record)
    if code == FAILED:
        raise typer.Exit(FAILED)
    if code == NOT_RELEASED:
        raise typer.Exit(NOT_RELEASED)


def _print_table(record: Mapping[str, Any]) -> None:
    rows = [
        (
            one["dataset"],
            one["state"],
            one["release"] and one["release"]["version"],
            one["release"] and one["release"]["level"],
            None if one["rows"] is None else f"{one['rows']:,}",
            None if one["bytes"] is None else decimal(one["bytes"]),
        )
        for one in record["datasets"]
    ]
    print_table(("dataset", "state", "version", "level", "rows", "size"), rows, right=("rows", "size"))


def print_verdict(record: Mapping[str, Any]) -> None:
    """Print how a run ended, what failed in it, and what is not released."""
    print_line(f"The last run ended: {record['ending']}.")
    for line in remarks(record):
        console.print(line)
    for job in record["failed_jobs"]:
        console.print(f"{job['rule']} failed:\n{FailedJob(**job).said}")
    for name, why in held_back(record).items():
        print_line(f"{name} is not released: {why}")
