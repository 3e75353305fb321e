"""A schema registry on loopback: a real HTTP server that answers as the API of Confluent's says, or badly."""

import base64
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

USER, PASSWORD = "reader", "the-secret-of-the-reader"
LOGIN = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class SchemaServer:
    """Keeps the schemas that producers register, and counts how often each path was asked for.

    `badly` answers all that readers ask, if it is set.
    """

    def __init__(self) -> None:
        self.schemas: dict[int, dict[str, Any]] = {}
        self.subjects: dict[str, list[int]] = {}
        self.asked: list[str] = []
        self.logins: list[str | None] = []
        self.badly: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:  # noqa: N802
                server.asked.append(self.path)
                server.logins.append(self.headers["Authorization"])
                if server.badly is not None:
                    server.badly(self)
                else:
                    answer(self, *server.found(unquote(urlsplit(self.path).path)))

            def do_POST(self) -> None:  # noqa: N802
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer(self, 200, server.registered(unquote(urlsplit(self.path).path).split("/")[2], body))

            def log_message(self, *arguments: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def found(self, path: str) -> tuple[int, dict[str, Any]]:
        match path.split("/")[1:]:
            case ["schemas", "ids", number] if int(number) in self.schemas:
                return 200, self.schemas[int(number)]
            case ["subjects", subject, "versions", version] if 0 < int(version) <= len(self.subjects.get(subject, ())):
                number = self.subjects[subject][int(version) - 1]
                return 200, self.schemas[number] | {"subject": subject, "version": int(version), "id": number}
        return 404, {"error_code": 40403, "message": "Schema not found"}

    def registered(self, subject: str, body: dict[str, Any]) -> dict[str, Any]:
        versions = self.subjects.setdefault(subject, [])
        number = next((one for one in versions if self.schemas[one] == body), len(self.schemas) + 1)
        if number not in versions:
            self.schemas[number] = body
            versions.append(number)
        return body | {"id": number, "subject": subject, "version": versions.index(number) + 1}

    def __enter__(self) -> "SchemaServer":
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()


def answer(handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any] | bytes, **headers: str) -> None:
    """Answer a request."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(content))} | headers).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)
