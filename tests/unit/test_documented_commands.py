"""Every command, argument, option and exit code is documented, and no other one is."""

import ast
import inspect
import re
import shlex
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
from pages import PAGES, code

import registry.cli
from command_line import COMMANDS, GROUP
from support import ROOT

USUAL = {0, 1, 2}
"""Exit codes that any command may have."""
SECTIONS = re.split("^## ", (ROOT / "docs" / "commands.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
EXIT_CODES = next(section for section in SECTIONS if section.startswith("Exit codes\n"))
DOCUMENTED = {
    section.partition("\n")[0].removeprefix("registry "): section
    for section in SECTIONS
    if section.startswith("registry ")
}


def options(command: Any) -> set[str]:
    shown = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    return {spelling for param in shown for spelling in param.opts}


def arguments(command: Any) -> list[str]:
    named = [param for param in command.params if param.param_type_name == "argument"]
    return [param.metavar or param.name.upper() for param in named]


def exits(function: Callable[..., Any]) -> set[int]:
    """Return the codes with which a function, or those that it calls in its module, ends the process."""
    function = inspect.unwrap(function)
    names, codes, pending = function.__globals__, set(), [function]
    seen: set[Any] = set()
    while pending:
        seen.add(current := pending.pop())
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(current)))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("typer.Exit", "sys.exit"):
                codes.add(eval(ast.unparse(node.args[0]), names))
            elif isinstance(node, ast.Name) and inspect.isfunction(called := names.get(node.id)):
                pending += [called] if called not in seen and called.__module__ == function.__module__ else []
    return codes


def test_every_command_has_a_section_and_nothing_else_has():
    assert DOCUMENTED.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_has_exactly_the_arguments_and_options_of_its_command(name):
    command = COMMANDS[name]
    usage, told = re.search(r"```\n(registry .+?)\n```\n(.*)", DOCUMENTED[name], re.DOTALL).groups()
    expected = options(command) - {"--help", "-h"}
    assert set(re.findall(r"--?[a-z][a-z-]*", usage)) == expected
    assert set(re.findall(r"^- `(--[a-z-]+)`: ", told, re.MULTILINE)) == expected
    positional = re.sub(r"\[?--.*", "", usage.removeprefix(f"registry {name}")).split()
    assert [word.strip("[]") for word in positional] == [word.strip("[]") for word in arguments(command)]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_tells_of_exit_codes_that_mean_more(name):
    own = exits(COMMANDS[name].callback)
    told = re.search(r"^Exit codes: (.+?)(\n\n|\Z)", DOCUMENTED[name], re.DOTALL | re.MULTILINE)
    codes = {int(code) for code in re.findall(r"(?:^|; )(\d+) ", told[1])} if told else set()
    assert own <= codes <= USUAL | own


def test_the_table_has_every_exit_code():
    own = set().union(*(exits(command.callback) for command in COMMANDS.values()), exits(registry.cli.main))
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", EXIT_CODES, re.MULTILINE)}
    assert table == USUAL | own


def wrong(line: str) -> str | None:
    """Return what of a command line of `registry` does not exist."""
    words = shlex.split(line.replace("[", "").replace("]", ""), comments=True)[1:]
    command, known = GROUP, options(GROUP)
    for word in words:
        if word == "--":
            break
        if word.startswith("-"):
            if word not in known | {"--help", "-h"}:
                return f"{word} in {line}"
        elif hasattr(command, "commands") and not (word.isupper() or "/" in word):
            if word not in command.commands:
                return f"{word} in {line}"
            command = command.commands[word]
            known = options(command)
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_command_and_no_option_that_does_not_exist(page):
    lines = [line for line in code(page) if line.startswith("registry ")]
    assert [found for line in lines if (found := wrong(line))] == []
