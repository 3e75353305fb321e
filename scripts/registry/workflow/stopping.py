"""End a run when it is told to: a scheduler that wants its place back sends SIGTERM, and SIGKILL some seconds later.

Snakemake by itself would let the jobs that run come to their end, which may take longer than there is.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

TERMINATED = 128 + signal.SIGTERM
"""Exit code of what was told to stop, as shells have it."""
PAUSE = 0.1
"""Seconds after which processes are looked for that began meanwhile."""


@contextmanager
def stopping_what_it_starts() -> Iterator["Stop"]:
    """End what this process starts during the block at SIGTERM, and wait for it, instead of ending before it does."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGTERM)
    stop.listen()
    try:
        yield stop
    finally:
        stop.ended = True
        signal.signal(signal.SIGTERM, before)


class Stop:
    """Whether a run was told to stop; then its jobs, and its release if it is at that, end at once."""

    def __init__(self) -> None:
        self.told = False
        self.ended = False
        self._scheduler: Any = None

    def listen(self, scheduler: Any = None) -> None:
        """End at SIGTERM what this process has started; `scheduler`, Snakemake's, then starts no more."""
        self._scheduler = scheduler
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self.told:
            self.told = True
            # The main thread, in which signals are handled, may have the lock that the scheduler asks for.
            threading.Thread(target=self._end_all, daemon=True).start()

    def _end_all(self) -> None:
        import psutil

        if self._scheduler is not None:
            self._scheduler.exit_gracefully()
        while not self.ended:
            for process in psutil.Process().children(recursive=True):
                try:
                    process.terminate()
                except psutil.Error:
                    continue
            time.sleep(PAUSE)
