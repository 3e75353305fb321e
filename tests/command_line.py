"""Every command of `registry`, as Typer has it."""

from collections.abc import Iterator
from typing import Any

import typer

from registry.cli import app


def _commands(group: Any, *above: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, *above, name)
        else:
            yield " ".join([*above, name]), command


GROUP = typer.main.get_command(app)
COMMANDS = dict(_commands(GROUP))
"""Each by its name, such as `vectors load`, without those that only name their successor."""
