"""Ask a server with a token that nobody else gets: redirects are not followed, and all but this machine need HTTPS."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 30
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Let a redirect end in HTTPError: urllib sends all headers on to wherever it points."""

    def redirect_request(self, *_: object) -> None:
        """Name no request that follows."""


_OPENER = urllib.request.build_opener(_NoRedirects)


def check_address(url: str) -> None:
    """Raise ValueError for an address to which no token may be sent."""
    address = urlsplit(url)
    if address.scheme != "https" and (address.scheme != "http" or address.hostname not in LOOPBACK):
        raise ValueError("its address does not begin with https://, so that others could read the token")


def ask(url: str, headers: Mapping[str, str], body: Any = None, method: str | None = None) -> Any:
    """Return the JSON that a server answers to a request with these headers and this JSON.

    Raises ValueError for an address that is not encrypted and for an answer that is no JSON, and else as urllib does.
    """
    check_address(url)
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, dict(headers), method=method)  # noqa: S310
    with _OPENER.open(request, timeout=TIMEOUT) as answer:
        return json.load(answer)
