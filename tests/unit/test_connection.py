"""What is a remote's URL, and what becomes of a server that does not answer."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from registry.errors import RegistryError
from registry.storage import connection
from registry.storage.connection import announced, checked_url, open_remote
from registry.storage.explain import explained

KEYS = {"access_key_id": "ada", "secret_access_key": "the-secret-of-ada"}


@contextmanager
def silent(answer: bytes = b"") -> Iterator[str]:
    """Serve what takes any connection, and neither answers nor hangs up, or sends `answer` and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    taken, _ = server.accept()
                except OSError:
                    return
                held.append(taken)
                if answer:
                    taken.recv(1 << 16)
                    taken.sendall(answer)
                    taken.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in held:
                one.close()


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe first bytes"], ids=["hangs", "dies"]
)
def test_a_server_that_hangs_or_dies_is_one_message(answer, monkeypatch, caplog):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(connection, "AFTER", 0.1)
    with silent(answer) as address:
        remote = {"url": "s3://bucket/store", "endpointurl": address, "read_timeout": "1", **KEYS}
        filesystem, path = open_remote("team", {"team": remote})
        doing = "fetching from remote team"
        failed = pytest.raises(RegistryError, match=r"^fetching from remote team \(s3://bucket/store\) failed: ")
        with failed as error, explained(doing, [remote], remote["url"]):
            filesystem.fs.cat_file(f"{path}/object")
    assert error.value.public == "fetching from remote team failed"
    assert f"{doing} (s3://bucket/store): waiting for 0.1 s" in caplog.text
    assert "the-secret-of-ada" not in caplog.text


def test_s3_is_given_time_outs_which_a_remote_may_change():
    for given, expected in (
        ({}, connection.TIMEOUTS),
        ({"read_timeout": "300"}, {"connect_timeout": 10, "read_timeout": 300}),
    ):
        filesystem, _ = open_remote("team", {"team": {"url": "s3://bucket/store", **KEYS, **given}})
        config = filesystem.fs.s3.meta.config
        assert {name: getattr(config, name) for name in expected} == expected


def test_what_is_announced_shows_no_password_and_steers_no_terminal(monkeypatch, caplog):
    monkeypatch.setattr(connection, "AFTER", 0.01)
    told = threading.Event()
    monkeypatch.setattr(connection._log, "handlers", [handler := logging.Handler()])
    monkeypatch.setattr(handler, "emit", lambda record: told.set())
    with announced("reading ssh://ada:hunter2@host/\x1b[31mstore"):
        assert told.wait(60)
    assert "reading ssh://ada@host/\N{REPLACEMENT CHARACTER}[31mstore: waiting for 0.01 s" in caplog.text


@pytest.mark.parametrize(
    "url",
    ["s3://bucket/file:/x", "ssh://host/x", "/mnt/store", "/mnt/a:/b", "../store", "~/store", "C:/x", "remote://a/x"],
)
def test_a_url_that_dvc_takes_as_it_is_meant(url):
    assert checked_url(url, "team") == url


@pytest.mark.parametrize(
    "url", ["file:///mnt/store", "FILE:/mnt/store", "/checkout/.dvc/file:/mnt/store", "local:///mnt/store"]
)
def test_a_url_that_dvc_takes_for_a_folder_of_that_name(url):
    with pytest.raises(RegistryError, match="dvc remote modify team url /mnt/store;"):
        checked_url(url, "team")
