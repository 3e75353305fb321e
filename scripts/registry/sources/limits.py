"""How long and how much of a source is taken at most."""

import threading
from dataclasses import dataclass
from typing import BinaryIO

from registry.errors import RegistryError

TIMEOUT = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes of an answer."""
SLOWEST = 100_000
"""Bytes per second below which a transfer is given up, once it had the seconds that each has."""


@dataclass(frozen=True)
class Patience:
    """How long to try: time-outs in seconds (as TIMEOUT), tries beside the first, seconds for a file of no size."""

    timeout: tuple[float, float] = TIMEOUT
    retries: int = 3
    seconds: float = 300.0

    def of(self, max_bytes: int) -> float:
        """Return how many seconds up to so many bytes may take from one address, with all tries."""
        return self.seconds + max_bytes / SLOWEST


PATIENT = Patience()


class Budget:
    """The bytes that may be written, by all threads together."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._left, self._lock = max_bytes, max_bytes, threading.Lock()

    def take(self, size: int) -> None:
        """Raise RegistryError if so many bytes are more than what is left."""
        with self._lock:
            self._left -= size
            if self._left < 0:
                raise RegistryError(f"larger than max_bytes ({self._max_bytes:,})")

    def end(self) -> None:
        """Leave nothing, so that every thread ends that still writes."""
        with self._lock:
            self._left = -1


class Limited:
    """A file that grows only as far as a budget allows."""

    def __init__(self, stream: BinaryIO, budget: Budget) -> None:
        self._stream, self._budget = stream, budget

    def write(self, chunk: bytes) -> None:
        """Write a chunk; RegistryError if it is too much."""
        self._budget.take(len(chunk))
        self._stream.write(chunk)

    def flush(self) -> None:
        """Flush the file."""
        self._stream.flush()
