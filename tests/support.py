"""What tests share: places, how much is tried, and a real HTTP server."""

import fcntl
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
MIRROR = ROOT.parent / "shared" / "mirror"

STRESS = bool(os.environ.get("STRESS"))
"""Whether `make stress` asks for everything; `make test` leaves out what is marked with `stress`."""

FUZZ = bool(os.environ.get("FUZZ"))
"""Whether `make fuzz` asks for new random cases, and many; otherwise they are the same ones each time."""

PATIENCE = 300
"""Seconds that a test waits for something that must come."""

Route = Callable[[BaseHTTPRequestHandler], None]


def wait_until(true: Callable[[], Any]) -> Any:
    """Return what `true` returns as soon as that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.05)
    return found


def examples(number: int) -> int:
    """Return how many cases to try where `make test` tries so many."""
    return number * 20 if FUZZ else number


def stress(cases: Iterable[Any]) -> list[Any]:
    """Return cases of a test as params that `make test` leaves out and `make stress` runs."""
    return [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.stress) for case in cases]


def free_ports(count: int) -> list[int]:
    """Return different ports on loopback that nothing listens at.

    They are none of those that the system gives to connections, or Ray to its workers, which might take one before a
    server does.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found += [port] if port not in found else []
    return found


class Shared(Protocol):
    """A server that workers of pytest-xdist can share."""

    def ready(self) -> bool: ...
    def start(self) -> object: ...
    def stop(self) -> None: ...


T = TypeVar("T", bound=Shared)


@contextmanager
def shared(server: T, folder: Path) -> Iterator[T]:
    """Run one server for all workers of pytest-xdist; who started it stops it when nobody uses it any more."""
    with (folder / "users").open("w") as users:
        with FileLock(folder / "server.lock"):
            fcntl.flock(users, fcntl.LOCK_SH)
            starts = not server.ready()
            if starts:
                server.start()
        yield server
        if starts:
            fcntl.flock(users, fcntl.LOCK_EX)
            server.stop()


class Server:
    """A real HTTP server on loopback; `routes` maps a path (without query) to what answers it."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:  # noqa: N802
                server.requests.append((self.path, dict(self.headers)))
                route = server.routes.get(urlsplit(self.path).path)
                if route is None:
                    reply(self, b"not here", status=404)
                else:
                    route(self)

            def log_message(self, *arguments: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def serve(self, path: str, body: bytes, **options: object) -> None:
        """Answer `path` with these bytes; options as in `reply`."""
        self.routes[path] = lambda handler: reply(handler, body, **options)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def reply(
    handler: BaseHTTPRequestHandler, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None
) -> None:
    """Send a whole answer. A `Content-Length` in `headers` replaces the true one."""
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
