"""Bound how long something may take in all: a time-out for each read never ends a server that sends a byte a second."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from registry.errors import RegistryError


class LateError(RegistryError):
    """Something took too long."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Interrupt the block after so many seconds, whatever it waits for. Raises LateError.

    Signals do it, which reach the main thread alone: in another one the block takes as long as it takes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise LateError(f"not done within {seconds:,.0f} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    # Once more each second, because a library that was interrupted at a bad moment may have swallowed the first.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:  # It may have rung just before.
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
