"""What every rule's script has around it: a log, and errors that read well."""

import errno
import gc
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from registry.errors import RegistryError
from registry.sources.raw import check_raw, remember_raw
from registry.workflow.running import hold_running

log = logging.getLogger("registry")

NOTE = "note: "
"""Begins the lines of a log that the run's summary shows."""

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


def _message(error: BaseException) -> str:
    if isinstance(error, RegistryError):
        return f"error: {error}"
    if isinstance(error, OSError) and error.errno in ENVIRONMENT:
        place = error.filename2 or error.filename or "the disk"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "free some space" if full else "fix that"
        what = "no space left" if full else os.strerror(error.errno).lower()
        return f"error: {place}: {what}\n  what to do: {hint} and run the same command again"
    return traceback.format_exc()


class _NotInstalled:
    """Finds, as one of sys.meta_path, that pandas is not installed."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas' in a job whose script does not import it at its top")


@contextmanager
def without_pandas() -> Iterator[None]:
    """Keep pyarrow and pandera from loading pandas, as they do where it is installed, at half a second for each job.

    A script that imports it at its top has it all the same.
    """
    sys.meta_path.insert(0, _NotInstalled)
    try:
        yield
    finally:
        sys.meta_path.remove(_NotInstalled)


def note(line: str) -> None:
    """Log a line that the run's summary shows, too."""
    log.info("%s%s", NOTE, line)


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Send what the block prints and logs to the rule's log file, and end the process with 1 if it fails.

    A RegistryError, a full disk and a forbidden place become one plain message; anything else is a bug and leaves its
    traceback. Where the log cannot be written, messages go to standard error. Inputs in raw/ are read only if they are
    what was fetched or made, samples only if they are what SHA256SUMS says.
    """
    hold_running()
    path = Path(snakemake.log[0])
    started = time.monotonic()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as stream, redirect_stdout(stream), redirect_stderr(stream):
            logging.basicConfig(stream=stream, level=logging.INFO, format="%(message)s", force=True)
            try:
                for path, accept in snakemake.params.get("edited", {}).items():
                    raise RegistryError("not what data/samples/SHA256SUMS says", where=path, hint=accept)
                check_raw(snakemake.input)
                with without_pandas():
                    yield
                remember_raw(snakemake.output)
            except Exception as error:
                print(_message(error), file=stream, flush=True)
                sys.exit(1)
            log.info("done in %.1f s", time.monotonic() - started)
            gc.freeze()  # Or the interpreter's end searches all modules for cycles: a tenth of a small build's CPU.
    except OSError as error:
        print(_message(error), file=sys.__stderr__)
        sys.exit(1)
