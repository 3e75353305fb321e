"""Do many small things at once that wait for others, and never wait for one of them that hangs."""

import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def for_each(do: Callable[[T], None], items: Iterable[T], *, threads: int) -> None:
    """Do something with each item, in so many threads. The first error ends it, as does whatever interrupts this.

    What runs then goes on by itself, until the process ends: it may hang, as where a server sends a byte an hour.
    """
    waiting: SimpleQueue[T] = SimpleQueue()
    ended: SimpleQueue[BaseException | None] = SimpleQueue()
    stop = threading.Event()
    for item in items:
        waiting.put(item)

    def work() -> None:
        try:
            while not stop.is_set():
                do(waiting.get_nowait())
        except Empty:
            ended.put(None)
        except BaseException as error:
            ended.put(error)

    try:
        for _ in range(threads):
            threading.Thread(target=work, daemon=True).start()
        for _ in range(threads):
            if error := ended.get():
                raise error
    finally:
        stop.set()
