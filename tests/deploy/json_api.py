"""A server on loopback for an API that speaks JSON and asks for a token."""

import json
import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class JsonApi(ThreadingHTTPServer, ABC):
    """The server; `answer` is the API. It runs within a `with` block, at `url`."""

    def __init__(self, token: str, refusal: tuple[int, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token, self.refusal = token, refusal
        self.url = f"http://127.0.0.1:{self.server_port}"

    @abstractmethod
    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return the status and the body for a request with the token; its body is None where it has none."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: JsonApi

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        trusted = self.headers["Authorization"] == f"Bearer {self.server.token}"
        code, said = self.server.answer(self.command, self.path, body) if trusted else self.server.refusal
        data = json.dumps(said).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PATCH = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""
