"""What every rule's script has around it: a log, and errors that read well."""

import errno
import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from registry.errors import RegistryError

log = logging.getLogger("registry")


def _message(error: BaseException) -> str:
    if isinstance(error, RegistryError):
        return f"error: {error}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        place = error.filename or "the disk"
        return f"error: no space left on {place}\n  what to do: free some space and run the same command again"
    return traceback.format_exc()


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Send what the block prints and logs to the rule's log file, and end the process with 1 if it fails.

    A RegistryError and a full disk become one plain message; anything else is a bug and leaves its traceback.
    """
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with path.open("w", encoding="utf-8") as stream, redirect_stdout(stream), redirect_stderr(stream):
        logging.basicConfig(stream=stream, level=logging.INFO, format="%(message)s", force=True)
        try:
            yield
        except Exception as error:
            print(_message(error), file=stream)
            sys.exit(1)
        log.info("done in %.1f s", time.monotonic() - started)
