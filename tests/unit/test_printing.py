"""What commands print: text of others steers no terminal, and programs get it as it is."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from registry.cli.common import (
    console,
    console_error,
    json_text,
    print_headed,
    print_json,
    print_line,
    print_table,
    say,
)
from registry.cli.tracing import no_formula
from registry.errors import RegistryError
from registry.shown import printable
from support import ROOT

ODD = "\x1b]0;title\x07 \x9b31m \u202e \U000e0001 [bold]"


@dataclass
class Named:
    """Has a name."""

    name: str


def test_nothing_that_is_printed_steers_a_terminal(capsys):
    console.print(ODD)
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


@pytest.mark.parametrize("text", ["I :smile: at 10:o:20", "\\[ x", "a\\[b]c[/b]", "[red]x", "[/]"])
def test_text_stays_as_it_is_written(capsys, text):
    print_line(text)
    say(text)
    print_headed(text, text)
    print_table((text,), [(text,)])
    console_error(RegistryError(text))
    printed = capsys.readouterr()
    assert printed.out.count(text) == 5
    assert printed.err == f"{text}\nerror: {text}\n"


def test_what_a_stream_cannot_spell_is_printed_all_the_same():
    code = "from registry.cli import app, main; from registry.cli.common import print_line as p; "
    code += "app.command('x')(lambda: p('\xe9')); main()"
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run([sys.executable, "-c", code, "x"], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "\\xe9\n"
