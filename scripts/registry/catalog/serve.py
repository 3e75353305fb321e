"""Serve the folder of a catalog to this machine: `registry catalog --serve`."""

from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
PORT = 8000


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing of each request."""


def serve(folder: Path, started: Callable[[str], None]) -> None:
    """Serve a folder until the process is interrupted; `started` is told the address.

    At PORT, or where another program listens there, at a port that is free.
    """
    handler = partial(_Quiet, directory=str(folder))
    try:
        server = ThreadingHTTPServer((HOST, PORT), handler)
    except OSError:
        server = ThreadingHTTPServer((HOST, 0), handler)
    with server:
        started(f"http://{HOST}:{server.server_address[1]}/")
        server.serve_forever()
