"""The `registry` command."""

import io
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from registry.cli import (
    authoring,
    cataloging,
    comparing,
    ingesting,
    reading,
    releasing,
    restoring,
    running,
    searching,
    tracing,
    verifying,
)
from registry.cli.common import app, console_error
from registry.errors import RegistryError
from registry.extras import MissingExtraError, explain_missing
from registry.workflow.job import ENVIRONMENT
from registry.workflow.stopping import TERMINATED

__all__ = [
    "app",
    "authoring",
    "cataloging",
    "comparing",
    "ingesting",
    "main",
    "reading",
    "releasing",
    "restoring",
    "running",
    "searching",
    "tracing",
    "verifying",
]


def main() -> None:
    """Run the command line; what a user can fix is one message and exit code 1."""
    # Else what it began would not be cleaned up, and the first process of a container would not hear of it at all.
    signal.signal(signal.SIGTERM, _stop)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except RegistryError as error:
        console_error(error)
        sys.exit(1)
    except ModuleNotFoundError as error:
        missing = explain_missing(error)
        if not isinstance(missing, MissingExtraError):
            raise
        console_error(missing)
        sys.exit(1)
    except OSError as error:
        if error.errno not in ENVIRONMENT:
            raise
        hint = "free some space, or fix that, and run the same command again"
        console_error(RegistryError(os.strerror(error.errno).lower(), where=error.filename or "the disk", hint=hint))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        _end_undisturbed()


def _end_undisturbed() -> None:
    """Let nothing cut short what Python cleans up at its end, which takes moments."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    # A run tells its processes again and again.
    _end_undisturbed()
    print("stopped (SIGTERM): run the same command again, which goes on where it was", file=sys.stderr)
    sys.exit(TERMINATED)
