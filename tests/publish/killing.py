"""Run `registry` and do something at one exact place in it.

PLACE  before:WHAT:N, after:WHAT:N or half:WHAT:N, the N-th time; WHAT is module.function, module.Class.method, or
       `git <command>`. `half` is for functions that copy a file: half of it is there then.
       call:N, when a function of `registry` is called for the N-th time, whichever it is.
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
from types import FrameType
from typing import Any

import forks

PACKAGE = str(Path("scripts", "registry")) + os.sep


def act(place: str, deed: str) -> None:
    """Tell that the place is reached, and do the deed."""
    sys.stderr.write(f"=== {place}\n")
    sys.stderr.flush()
    if deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_INDEX")}
    subprocess.run(deed, shell=True, check=True, env=environment, stdout=sys.stderr)


def interfere(place: str, deed: str) -> None:
    """Arrange that `deed` happens at `place`."""
    when, what, number = place.split(":")
    seen = 0

    def due() -> bool:
        nonlocal seen
        seen += 1
        return seen == int(number)

    def wrap(function: Callable[..., Any], concerns: Callable[..., bool]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*arguments: Any, **options: Any) -> Any:
                assert when == "before", "nothing else is needed so far"
                if due():
                    act(place, deed)
                return await function(*arguments, **options)

            return awaited

        @functools.wraps(function)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            now = concerns(*arguments) and due()
            if now and when == "half":
                content = Path(arguments[0]).read_bytes()
                Path(arguments[1]).write_bytes(content[: len(content) // 2])
            if now and when in ("before", "half"):
                act(place, deed)
            result = function(*arguments, **options)
            if now and when == "after":
                act(place, deed)
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


def on_call(reached: Callable[[int], None]) -> None:
    """Call `reached` with 1, 2, 3 ... at each call of a function of `registry` in this process."""
    seen = 0

    def profile(frame: FrameType, event: str, _: Any) -> None:
        nonlocal seen
        if event == "call" and PACKAGE in frame.f_code.co_filename:
            seen += 1
            reached(seen)

    sys.setprofile(profile)


def registry(place: str, deed: str, *arguments: str) -> None:
    """Be the command `registry` in which `deed` happens at `place`."""
    if place.startswith("call:"):
        number = int(place.removeprefix("call:"))
        on_call(lambda seen: act(place, deed) if seen == number else None)
    else:
        interfere(place, deed)
    forks.registry(*arguments)


def counted(*arguments: str) -> None:
    """Be the command `registry`, and print how many calls of its functions there were."""
    calls = 0

    def reached(seen: int) -> None:
        nonlocal calls
        calls = seen

    on_call(reached)
    try:
        forks.registry(*arguments)
    finally:
        sys.setprofile(None)
        print(f"=== {calls} calls")


def impatient(*arguments: str) -> None:
    """Be the command `registry`, which waits one second where it waits ten for a lock of git."""
    git = importlib.import_module("registry.storage.git")
    git._PATIENT[:] = [part.replace(f"={git.PATIENCE * 1000}", "=1000") for part in git._PATIENT]
    git.PATIENCE = 1
    forks.registry(*arguments)
