"""Where scripts/ci/https.py sends a token: to the server that was asked, and to no other."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from support import ROOT, Server

CODE = "import sys; from https import ask; print(ask(sys.argv[1], {'Authorization': 'Bearer the-token'}))"


def asked(url: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts" / "ci")}
    return subprocess.run([sys.executable, "-c", CODE, url], env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture
def server() -> Iterator[Server]:
    with closing(Server()) as server:
        yield server


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(server, status):
    with closing(Server()) as elsewhere:
        elsewhere.serve("/", b"{}")
        server.serve("/", b"", status=status, headers={"Location": f"{elsewhere.url}/"})
        assert f"HTTP Error {status}" in asked(f"{server.url}/").stderr
        assert [headers["Authorization"] for _, headers in server.requests] == ["Bearer the-token"]
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/", "http://127.0.0.1@192.0.2.1/", "file:///etc/hostname", "192.0.2.1"]
)
def test_nothing_is_sent_unencrypted(url):
    assert "ValueError: its address does not begin with https://" in asked(url).stderr


def test_a_server_on_this_machine_is_asked(server):
    server.serve("/", b'{"it": "answers"}')
    assert asked(f"{server.url}/").stdout == "{'it': 'answers'}\n"
