"""Send the events of a run to an address while it goes on: a receiver that stalls or refuses them costs it seconds."""

import json
import threading
from collections.abc import Mapping
from http.client import HTTPException
from queue import SimpleQueue
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

TIMEOUT = 3
"""Seconds to wait for an answer."""


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirection, which would take the key to another address."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Sender:
    """Sends events in their order, from a thread of its own."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url, self._headers = url, {"Content-Type": "application/json", **headers}
        self._events: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._given = self._sent = 0
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def send(self, event: dict[str, Any]) -> None:
        """Send an event soon."""
        self._given += 1
        self._events.put(event)

    def finish(self, seconds: float) -> str | None:
        """Wait at most so long until all is sent; return what went wrong, if anything did."""
        self._events.put(None)
        self._thread.join(seconds)
        lost = self._given - self._sent
        return f"{lost} of {self._given} events not taken: {self._problem or 'no answer in time'}" if lost else None

    def _work(self) -> None:
        opener = build_opener(_NoRedirect)
        while (event := self._events.get()) is not None:
            try:
                request = Request(self._url, json.dumps(event).encode(), self._headers)  # noqa: S310  it was checked
                with opener.open(request, timeout=TIMEOUT):
                    self._sent += 1
            except HTTPError as error:
                self._problem = f"HTTP {error.code}"
                error.close()
            except TimeoutError:
                self._problem = "no answer in time"
            except (OSError, HTTPException, ValueError) as error:
                # Nothing of what it says: it may hold the key.
                self._problem = self._problem_of(error)

    @staticmethod
    def _problem_of(error: Exception) -> str:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return "no answer in time"
        return (
            "no connection, or it broke off" if isinstance(reason, OSError | HTTPException) else "a malformed request"
        )
