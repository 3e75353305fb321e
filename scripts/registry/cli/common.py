"""What every command shares: the repository it works on, and how it prints."""

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from registry.errors import RegistryError
from registry.shown import one_line, printable, shown
from registry.storage.repository import Repository
from registry.storage.tags import OddTag

NOT_RELEASED = 3
"""Exit code: something is built and was not released; the reason is printed."""

app = typer.Typer(
    name="registry",
    help="Release datasets, read any version of them, and go back to one.\n\n"
    "Exit codes: 0 done, 1 an error or a refused release (one message says what, where, and what to do), "
    "2 wrong usage, 3 something is built but was not released, for the reason printed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class _Terminal(Console):
    """Prints text of others, too, so that none of it steers the terminal, and all of it is there as it is written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, soft_wrap=True, markup=False, emoji=False, **options)

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(shown(one) if isinstance(one, str) else one for one in objects), **options)


console = _Terminal(width=None if sys.stdout and sys.stdout.isatty() else 120)
errors = _Terminal(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite work that was not published.")]
Dataset = Annotated[str, typer.Argument(help="A dataset's name.", show_default=False)]


@app.callback()
def at(
    context: typer.Context,
    repo: Annotated[Path, typer.Option(help="The registry to work on.", file_okay=False, exists=True)] = Path(),
) -> None:
    """Remember which repository the command works on."""
    context.obj = repo


def repository(context: typer.Context) -> Repository:
    """Return the repository that a command works on: the top of the checkout around the folder that was named."""
    return Repository.open(repository_root(context))


def repository_root(context: typer.Context) -> Path:
    """Return the top of the checkout around the folder that was named; that folder where it is in none."""
    folder = context.obj.resolve()
    return next((path for path in (folder, *folder.parents) if (path / "config" / "config.yaml").is_file()), folder)


def say(line: str) -> None:
    """Tell a person what is going on, beside what a program reads."""
    errors.print(line)


def print_line(text: str) -> None:
    """Print a line of plain text; what it is made of adds no other."""
    console.print(one_line(text))


def print_headed(head: str, text: str) -> None:
    """Print a line of plain text that begins with a head in bold."""
    console.print(Text.assemble((one_line(head), "bold"), one_line(text)))


def say_odd(tags: Iterable[OddTag]) -> None:
    """Name the tags that look like releases, and are left out."""
    for odd in tags:
        say(f"{odd.tag} is left out: {odd.reason}")


def say_left_out(reasons: Mapping[str, str]) -> None:
    """Name what was left out {tag: why}."""
    for tag, why in reasons.items():
        say(f"left out: {tag}: {why}")


def console_error(error: RegistryError) -> None:
    """Print an error for people."""
    errors.print(Text.assemble(("error:", "bold red"), " ", shown(str(error))))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def print_json(value: Any) -> None:
    """Print dataclasses, or anything that JSON knows, as JSON."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = [dataclasses.asdict(item) if dataclasses.is_dataclass(item) else item for item in value]
    elif dataclasses.is_dataclass(value):
        value = dataclasses.asdict(value)
    sys.stdout.write(json_text(value, indent=2) + "\n")


def json_text(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON, in which what could steer a terminal is escaped, as JSON can."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=_plain)
    shown = printable(text)
    if shown == text:
        return text
    return "".join(one if one == other else json.dumps(one)[1:-1] for one, other in zip(text, shown, strict=True))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> None:
    """Print a table of plain text; the columns named in `right` are numbers, the first is never cut."""
    table = Table(box=SIMPLE_HEAD)
    for heading in headings:
        justify = "right" if heading in right else "left"
        table.add_column(heading, justify=justify, no_wrap=heading == headings[0], overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else one_line(cell)) for cell in row))
    console.print(table)
