"""What every rule's script has around it: a log, and errors that read well."""

import errno
import gc
import io
import logging
import os
import re
import resource
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from registry.errors import ContractError, RegistryError
from registry.files import write_json
from registry.shown import one_line, shown, some
from registry.sources.raw import check_raw, forget_parts, remember_raw
from registry.workflow.running import hold_running

NOTE = "note: "
"""Begins the lines of a log that the run's summary shows."""
DONE = "done in "
"""Begins the last line of a log whose job did what it should."""
ENDED = re.compile(
    rf"^{DONE}([0-9.]+) s(?: of ([0-9,]+) min)?(?:, with ([0-9,]+)(?: of ([0-9,]+))? MB)?$", re.MULTILINE
)
ERROR = "error: "
"""Begins the message that ends the log of a job that failed."""
BREACHES = ".breaches.json"
"""Ends the name, beside its log, of what a job writes that finds a contract broken: breaches and state of the error."""

ENVIRONMENT = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
}
"""Errors of the operating system that the user can fix."""


class _Log(io.TextIOBase):
    """A log in which what scripts print, and data that they quote, steers no terminal and is not taken for `say`'s.

    What other processes write into its file is written as it is.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._rest, self._lock = stream, "", threading.RLock()

    def writable(self) -> bool:
        """Tell that text can be written."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the file, for other processes to write into."""
        self.flush()
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write the lines that are whole by now."""
        with self._lock:
            *lines, self._rest = (self._rest + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
            for line in lines:
                quoted = " " if line.startswith((NOTE, DONE)) else ""
                self._stream.write(f"{quoted}{shown(line)}\n")
        return len(text)

    def flush(self) -> None:
        """Let others see what was written."""
        self._stream.flush()

    def say(self, line: str) -> None:
        """Write a line that the run's summary takes for the job's own word."""
        self.end()
        self._stream.write(f"{one_line(line)}\n")

    def end(self) -> None:
        """End the last line, if one was begun."""
        if self._rest:
            self.write("\n")


def _message(error: BaseException) -> str:
    if isinstance(error, RegistryError):
        return f"{ERROR}{error}"
    number = _errno_of(error)
    if number in ENVIRONMENT:
        place = getattr(error, "filename2", None) or getattr(error, "filename", None) or "the disk"
        full = number in (errno.ENOSPC, errno.EDQUOT)
        hint = "free some space" if full else "fix that"
        what = "no space left" if full else os.strerror(number).lower()
        return f"{ERROR}{place}: {what}\n  what to do: {hint} and run the same command again"
    return traceback.format_exc()


def _errno_of(error: BaseException) -> int | None:
    """Return the number that the operating system gave an error; polars has it in its text alone."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    said = re.search(r"\(os error (\d+)\)", str(error))
    return int(said[1]) if said else None


class _NotInstalled:
    """Finds, as one of sys.meta_path, that pandas is not installed."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas' in a job whose script does not import it at its top")


@contextmanager
def without_pandas() -> Iterator[None]:
    """Keep pyarrow from loading pandas, as it does where it is installed, at half a second for each job.

    A script that imports it at its top has it all the same.
    """
    sys.meta_path.insert(0, _NotInstalled)
    try:
        yield
    finally:
        sys.meta_path.remove(_NotInstalled)


def note(line: str) -> None:
    """Log a line that the run's summary shows, too."""
    say = sys.stdout.say if isinstance(sys.stdout, _Log) else print
    say(f"{NOTE}{line}")


class Ended(NamedTuple):
    """What the log of a job that did what it should says of it; None is what it does not say.

    `memory` is the most megabytes that its process had at once; `declared_minutes` and `declared_memory` are what its
    rule says that the job needs.
    """

    seconds: float
    declared_minutes: int | None
    memory: int | None
    declared_memory: int | None


def ended(log: str) -> Ended | None:
    """Return how a job ended by the text of its log; None if it did not do what it should."""
    if (match := ENDED.search(log)) is None:
        return None
    return Ended(float(match[1]), *(number and int(number.replace(",", "")) for number in match.groups()[1:]))


def _most_memory() -> int:
    """Return the most megabytes of memory that this process had at once."""
    status = Path("/proc/self/status")
    if status.is_file():
        # What the process itself had: getrusage() also counts what Snakemake had when it started this process.
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)[1]) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Send what the block prints and logs to the rule's log file, and end the process with 1 if it fails.

    A RegistryError, a full disk and a forbidden place become one plain message; anything else is a bug and leaves its
    traceback. Breaches of a contract are written beside the log, too. Where the log cannot be written, messages go to
    standard error. Inputs in raw/ are read only if they are what was fetched or made, samples only if they are what
    SHA256SUMS says.
    """
    hold_running()
    path = Path(snakemake.log[0])
    breaches = path.with_suffix(BREACHES)
    started = time.monotonic()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        breaches.unlink(missing_ok=True)
        with path.open("w", encoding="utf-8") as stream, redirect_stdout(_Log(stream)) as log, redirect_stderr(log):
            logging.basicConfig(stream=log, level=logging.INFO, format="%(message)s", force=True)
            try:
                for accept in snakemake.params.get("edited", {}).values():
                    where = some([*snakemake.params.edited], 3)
                    raise RegistryError("not what data/samples/SHA256SUMS says", where=where, hint=accept)
                check_raw(snakemake.input)
                with without_pandas():
                    yield
                remember_raw(snakemake.output)
                forget_parts(snakemake.input, snakemake.output)
            except Exception as error:
                log.end()
                print(_message(error), file=log, flush=True)
                if isinstance(error, ContractError):
                    write_json(breaches, {"breaches": error.breaches} | error.state)
                sys.exit(1)
            finally:
                log.end()
            seconds, memory = f"{time.monotonic() - started:.1f}", f"{_most_memory():,}"
            minutes, most = (snakemake.resources.get(name) for name in ("runtime", "mem_mb"))
            of_time, of_memory = f" of {minutes:,} min" if minutes else "", f" of {most:,}" if most else ""
            log.say(f"{DONE}{seconds} s{of_time}, with {memory}{of_memory} MB")
            gc.freeze()  # Or the interpreter's end searches all modules for cycles: a tenth of a small build's CPU.
    except OSError as error:
        print(shown(_message(error)), file=sys.__stderr__)
        sys.exit(1)
