"""Run `registry` and do something at one exact place in it.

PLACE  before:WHAT:N, after:WHAT:N or half:WHAT:N, the N-th time; WHAT is module.function, module.Class.method, or
       `git <command>`. `half` is for functions that copy a file: half of it is there then.
DEED   `kill` this process with SIGKILL, or a shell command to run before it goes on.
"""

import functools
import importlib
import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forks


def interfere(place: str, deed: str) -> None:
    """Arrange that `deed` happens at `place`."""
    when, what, number = place.split(":")
    seen = 0

    def due() -> bool:
        nonlocal seen
        seen += 1
        return seen == int(number)

    def act() -> None:
        sys.stderr.write(f"=== {place}\n")
        sys.stderr.flush()
        if deed == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_INDEX")}
        subprocess.run(deed, shell=True, check=True, env=environment, stdout=sys.stderr)

    def wrap(function: Callable[..., Any], concerns: Callable[..., bool]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*arguments: Any, **options: Any) -> Any:
                assert when == "before", "nothing else is needed so far"
                if due():
                    act()
                return await function(*arguments, **options)

            return awaited

        @functools.wraps(function)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            now = concerns(*arguments) and due()
            if now and when == "half":
                content = Path(arguments[0]).read_bytes()
                Path(arguments[1]).write_bytes(content[: len(content) // 2])
            if now and when in ("before", "half"):
                act()
            result = function(*arguments, **options)
            if now and when == "after":
                act()
            return result

        return wrapped

    if what.startswith("git "):
        owner, name = importlib.import_module("registry.storage.git").Git, "output"
        command = what.removeprefix("git ")
        replaced = wrap(getattr(owner, name), lambda _, *arguments: arguments[0] == command)
    else:
        owner, name = _find(what)
        replaced = wrap(getattr(owner, name), lambda *_: True)
    setattr(owner, name, replaced)


def _find(what: str) -> tuple[Any, str]:
    parts = what.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            owner: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:-1]:
            owner = getattr(owner, part)
        return owner, parts[-1]
    raise LookupError(what)


def registry(place: str, deed: str, *arguments: str) -> None:
    """Be the command `registry` in which `deed` happens at `place`."""
    interfere(place, deed)
    forks.registry(*arguments)
