"""`registry new`, `check`, `eject` and `remove`: from the first description of a dataset to the end of it."""

import sys
from itertools import islice
from typing import Annotated, Any

import typer

from registry.authoring.eject import eject
from registry.cli.common import (
    AsJson,
    Dataset,
    Force,
    app,
    console,
    console_error,
    print_headed,
    print_json,
    print_line,
    print_table,
    repository,
    repository_root,
    say,
)
from registry.config.kinds import AS_IS
from registry.config.load import load_datasets
from registry.config.names import rule_of
from registry.errors import RegistryError
from registry.extras import check_installed, needed
from registry.restore.retire import retire
from registry.storage.repository import read_config

READER = "fastexcel"
"""A package of the extra that reads sources, which a client does without."""
MODULES = ("authoring.new", "authoring.drafts", "kinds.files")
"""What a new dataset takes, and a client does without."""
MOST_COLUMNS = 60
"""Columns that `registry new` shows."""
TYPES = ("dtype", "nullable", "list", "struct", "resolution", "zone", "precision", "scale", "shape")
"""What a contract says of the type of a column."""


def _listed(text: str | None) -> list[str]:
    return text.split(",") if text else []


def _ratios(text: str | None) -> dict[str, float]:
    """Return {split: its share} of `train=0.9,val=0.1`."""
    try:
        return {name: float(share) for name, share in (part.split("=") for part in _listed(text))}
    except ValueError:
        raise RegistryError(f"--split {text}: not as train=0.9,val=0.1") from None


def _kind(kind: str | None, *, as_is: bool) -> str | None:
    """Return the kind that is asked for by its name, or by --as-is."""
    if as_is and kind not in (None, AS_IS):
        raise RegistryError(f"--as-is: not for the kind {kind}", hint="leave one of them out")
    return AS_IS if as_is else kind


def _asked(question: str, default: str) -> str:
    """Return what somebody at a terminal answers; elsewhere nobody is asked."""
    return typer.prompt(question, default=default) if sys.stdin.isatty() and sys.stderr.isatty() else default


@app.command(name="new")
def new_dataset(
    context: typer.Context,
    name: Dataset,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Paths or URLs: rows, pictures, documents, or anything --as-is; for embeddings, a dataset.",
            show_default=False,
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(help="What it is: table, text, images, captions, conversations, documents, as_is, embeddings."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is, in a sentence.")] = None,
    license: Annotated[str | None, typer.Option(help="The licence of the data, as in CC BY 4.0.")] = None,  # noqa: A002
    key: Annotated[str | None, typer.Option(help="The column that names each sample.")] = None,
    target: Annotated[str | None, typer.Option(help="The column that is to be learned.")] = None,
    inputs: Annotated[str | None, typer.Option("--input", help="The columns that say what a sample is about.")] = None,
    split: Annotated[str | None, typer.Option(help="Shares of splits, as in train=0.9,val=0.1.")] = None,
    by: Annotated[str | None, typer.Option(help="Columns whose rows stay together in one split.")] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="The first line is a row already.")] = False,
    columns: Annotated[str | None, typer.Option(help="The names of the columns, where files have none.")] = None,
    separator: Annotated[str | None, typer.Option(help="What stands between fields.")] = None,
    no_quotes: Annotated[bool, typer.Option("--no-quotes", help="Quotes are characters like others.")] = False,
    encoding: Annotated[str | None, typer.Option(help="The encoding of the text, as in cp1252.")] = None,
    null: Annotated[list[str] | None, typer.Option(help="A word that stands for no value.")] = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet of an Excel file.")] = None,
    as_is: Annotated[bool, typer.Option("--as-is", help="Keep files of any sort, byte for byte.")] = False,
    packed: Annotated[bool, typer.Option("--packed", help="Pack pictures into Parquet, however few.")] = False,
    no_sample: Annotated[bool, typer.Option("--no-sample", help="Put no rows of it into git.")] = False,
    code: Annotated[bool, typer.Option("--code", help="Write rules and scripts of its own, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the file, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a dataset: read its source once, infer what must hold of it, and write config/datasets/NAME.yaml.

    A sample of at most 200 kB goes into data/samples/. Then `registry run NAME` builds and releases it.
    """
    check_installed(READER)
    authoring, drafts, files = (needed(f"registry.{module}") for module in MODULES)
    root = repository_root(context)
    layout = {"separator": separator, "encoding": encoding, "sheet": sheet, "nulls": tuple(null or ())}
    layout |= {"header": False if no_header else None, "names": tuple(_listed(columns))}
    layout |= {"quoting": "none" if no_quotes else None}
    wishes = drafts.Wishes(
        kind=_kind(kind, as_is=as_is),
        title=title or _asked("Title", name.replace("-", " ").capitalize()),
        description=description,
        license=license or _asked("Licence", "unknown"),
        key=key,
        target=target,
        inputs=_listed(inputs),
        ratios=_ratios(split),
        by=_listed(by),
        sample=not no_sample,
        packed=packed,
    )
    layout = files.Format(**{option: value for option, value in layout.items() if value is not None})
    with authoring.new(root, name, sources, layout, wishes) as made:
        written = [] if dry_run else [str(path.relative_to(root)) for path in authoring.write(root, made)]
        if code and not dry_run:
            written += [path for path in eject(root, name).files if path not in written]
        if as_json:
            facts = {"rows": made.facts.rows, "left_out": made.facts.left_out}
            print_json({"dataset": name, **facts, "config": made.content, "written": written})
            return
        if dry_run:
            console.print(made.text)
            return
    specs = made.content["contract"]["columns"]
    first = dict(islice(specs.items(), MOST_COLUMNS))
    print_table(("column", "type", "rules"), [_row(column, spec) for column, spec in first.items()])
    if len(specs) > len(first):
        print_line(f"and {len(specs) - len(first):,} more columns")
    for problem, number in made.facts.unusable.items():
        print_line(f"{problem}: {number:,} samples, which are dropped (params.problems)")
    for what, number in made.facts.left_out.items():
        print_line(f"{what}: {number:,}, which are left out")
    rows = ", ".join(f"{number:,} in {split}" for split, number in made.facts.rows.items())
    print_line(f"a dataset of the kind {made.content['kind']}{f', samples: {rows}' if rows else ''}")
    print_line(f"written: {', '.join(written)}")
    if len(written) > 1:  # A release commits a dataset's file, and no samples.
        print_line(f"commit them: git add {' '.join(written)} && git commit")
    print_line(f"next: look at {written[0]}, then build and release it: registry run {name}")


@app.command(name="check")
def check_datasets(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(help="Datasets; all, if none is named.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check datasets without building them: configuration, sums of samples, and the contract of samples.

    Exits with 1 if something is wrong.
    """
    root = repository_root(context)
    datasets = load_datasets(read_config(root), root)
    check_installed(READER)
    checking = needed("registry.authoring.check")
    wrong = {}
    for name in names or sorted({*datasets, *datasets.broken}):
        try:
            found = checking.check(root, name, datasets)
            if not as_json:
                print_headed(f"{name}: ", f"right: {found}")
        except RegistryError as error:
            wrong[name] = str(error)
            if not as_json:
                console_error(RegistryError(f"{name}: {error}"))
    if as_json:
        print_json({"wrong": wrong})
    if wrong:
        raise typer.Exit(1)


@app.command(name="eject")
def eject_dataset(
    context: typer.Context,
    dataset: Dataset,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the files, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Turn a dataset with a `kind` into one with rules and scripts of its own, which make the same data.

    They are yours to change. Nothing is overwritten.
    """
    done = eject(repository_root(context), dataset, dry_run=dry_run)
    if as_json:
        print_json(done)
        return
    if not done.files:
        print_line(f"{dataset} has no kind: its rules and scripts are its own already.")
        return
    for path, text in done.files.items() if dry_run else ():
        print_headed(path, ":")
        console.print(text)
    print_line(f"{'to be written' if dry_run else 'written'}: {', '.join(done.files)}")
    if not dry_run:
        print_line(f"next: commit them; registry run {rule_of(dataset)} then makes the same data by them")


@app.command(name="remove")
def remove_dataset(
    context: typer.Context,
    dataset: Dataset,
    reason: Annotated[str | None, typer.Option(help="Why; kept with the commit.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and remove nothing.")] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Retire a dataset: its configuration, samples and data go, in one commit. Its releases stay, and so does its code.

    Every version can be read as before. `registry status` shows it as retired.
    """
    done = retire(repository(context), dataset, reason=reason, force=force, dry_run=dry_run, say=say)
    if as_json:
        print_json(done)
        return
    if not done.changed:
        print_line(f"{dataset} is retired already; its last version is {done.version}.")
        return
    print_line(f"{dataset} {'would be' if dry_run else 'is'} retired" + _last(done.version))
    for file in done.files if dry_run else ():
        print_line(f"  - {file}")
    if done.commit:
        print_line(f"Committed as {done.commit[:10]}; git revert {done.commit[:10]} brings it back.")
    if done.left:
        print_line(f"What stays here of it: {', '.join(done.left)}")


def _last(version: str | None) -> str:
    return f"; its last version is {version}, and all can be read as before." if version else "."


def _row(column: str, spec: dict[str, Any]) -> tuple[str, str, str]:
    said = {rule: ", ".join(map(str, value)) if rule == "values" else value for rule, value in spec.items()}
    rules = [f"{rule}: {value}" for rule, value in said.items() if rule not in TYPES]
    dtype = needed("registry.describe.columns").type_in_words(spec)
    return column, dtype + (", or none" if spec.get("nullable") else ""), "; ".join(rules)
