"""Run one command of the registry for an orchestrator, hand on its lines, and read the one record that a run leaves."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TextIO

from registry.errors import RegistryError
from registry.orchestrate.checkout import Checkout
from registry.shown import shown
from registry.workflow.record import RECORD, read_record

PATIENCE = "86400"
"""Seconds for which a run waits for another one: an orchestrator starts several, and none is to fail for that."""
PAUSE = 0.1
"""Seconds between two looks at what it has printed."""


def run_command(checkout: Checkout, arguments: Sequence[str], say: Callable[[str], Any]) -> int:
    """Run `registry` with these arguments in the checkout, hand each line to `say`, and return its exit code.

    When this is interrupted, the command is told to end, and its end is waited for. It prints into a file, not a pipe,
    so that it builds and releases to its end though the orchestrator is killed.
    """
    command = [sys.executable, "-m", "registry", *arguments]
    environment = {"REGISTRY_PATIENCE": PATIENCE, "PYTHONUNBUFFERED": "1"} | checkout.environment()
    with (
        NamedTemporaryFile(prefix="registry-") as output,
        Path(output.name).open(encoding="utf-8", errors="replace") as printed,
        subprocess.Popen(  # noqa: S603
            command,
            cwd=checkout.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # What is sent to the orchestrator's whole group reaches this one through it alone, once.
            start_new_session=True,
        ) as process,
    ):
        try:
            for line in _lines(process, printed):
                say(shown(line))
        except BaseException:
            process.send_signal(signal.SIGTERM)
            for line in _lines(process, printed):
                sys.stderr.write(shown(f"{line}\n"))
            raise
        return process.returncode


def _lines(process: subprocess.Popen[bytes], printed: TextIO) -> Iterator[str]:
    """Yield the lines that a process prints into a file, without those that are empty, until it has ended."""
    begun, ended = "", False
    while not ended:
        ended = process.poll() is not None
        *lines, begun = (begun + printed.read()).split("\n")
        yield from filter(str.strip, [*lines, begun] if ended else lines)
        if not ended:
            time.sleep(PAUSE)


def build(checkout: Checkout, rules: Sequence[str], say: Callable[[str], Any]) -> dict[str, Any]:
    """Build these targets by one `registry run`, and return what it wrote down about itself.

    Where one fails, the others are built and released. Raises RegistryError where it wrote nothing, or another run has
    written since.
    """
    began = time.time()
    code = run_command(checkout, ["run", *rules, "--", "--keep-going"], say)
    ended = time.time()
    record = read_record(checkout.root)
    started = datetime.fromisoformat(record["started"]).timestamp()
    # The clock of a file system may be some milliseconds behind.
    if not began - 1 <= started <= ended or record["ended"] is None:
        what = f"`registry run` ended with {code}, and left no record of what it did"
        raise RegistryError(what, where=str(RECORD), hint="see its lines above, and run the same again")
    return record
