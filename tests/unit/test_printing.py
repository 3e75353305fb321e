"""What commands print: text of others steers no terminal, and programs get it as it is."""

import json
from dataclasses import dataclass

import pytest
from rich.markup import escape

from registry.cli.common import console, json_text, print_json, print_line, print_table, say
from registry.cli.tracing import no_formula
from registry.shown import printable

ODD = "\x1b]0;title\x07 \x9b31m \u202e \U000e0001 [bold]"


@dataclass
class Named:
    """Has a name."""

    name: str


def test_nothing_that_is_printed_steers_a_terminal(capsys):
    console.print(escape(ODD))
    print_table(("a", "b"), [(ODD, None)])
    print_json([Named(ODD)])
    say(ODD)
    printed = "".join(capsys.readouterr())
    assert not set(ODD) & {char for char in printed if char != "\n" and not char.isprintable()}
    assert printed.count("[bold]") == 4


def test_nothing_in_a_line_or_a_cell_adds_a_line_or_shows_a_password(capsys):
    print_line("one\ntwo https://ada:hunter2@host/")
    print_table(("a", "b"), [("one\ntwo", "https://ada:hunter2@host/")])
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines() if "two" in line] == ["one\ufffdtwo"] * 2
    assert "hunter2" not in printed


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_for_a_spreadsheet_is_a_formula(cell):
    assert no_formula(cell) == f"'{printable(cell)}"
    assert no_formula(f"a{cell}") == printable(f"a{cell}")


@pytest.mark.parametrize("text", [ODD, "plain", "two\nlines", "\ufffd", 'a "quote" \\', "ü \u2028"])
def test_json_says_what_it_was_given(text):
    value = {"names": [text], text: 1}
    assert json.loads(json_text(value)) == json.loads(json_text(value, indent=2)) == value
    assert printable(json_text(value)) == json_text(value)
