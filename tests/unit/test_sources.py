"""Fetching source files from a real HTTP server that misbehaves in every way, from folders, and under locks."""

import hashlib
import logging
import os
import select
import threading
import types

import pytest
import yaml

from registry.errors import RegistryError
from registry.shown import public_url
from registry.sources import retrieve as sources
from registry.sources.fetch import KEPT, fetch
from registry.sources.limits import Patience
from registry.sources.raw import write_sources
from registry.sources.retrieve import retrieve
from support import reply

GOOD = b"good bytes " * 1000
BAD = b"evil bytes " * 1000
SHA256 = hashlib.sha256(GOOD).hexdigest()
MAX_BYTES = 50_000
QUICK = {"timeout": (1, 1), "retries": 0, "seconds": 60}


def stall(handler):
    """Accept the request and say nothing until the client has gone."""
    handler.rfile.read(1)
    handler.close_connection = True


def break_off(handler):
    """Announce everything, send half, hang up."""
    reply(handler, GOOD[:5000], headers={"Content-Length": str(len(GOOD))})
    handler.close_connection = True


def stall_midway(handler):
    """Announce everything, send half, say nothing more."""
    reply(handler, GOOD[:5000], headers={"Content-Length": str(len(GOOD))})
    stall(handler)


def hang_up(handler):
    """Close the connection without an answer."""
    handler.close_connection = True


def endless(handler):
    """Send for ever, in chunks, without a length."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
    except OSError:
        handler.close_connection = True


def dribble(handler):
    """Announce everything, and send a byte now and then, each in time."""
    reply(handler, b"", headers={"Content-Length": str(len(GOOD))})
    _dribble(handler, b"x")


def dribble_headers(handler):
    """Begin an answer that is never done with its headers."""
    handler.send_response(200)
    handler.flush_headers()
    _dribble(handler, b"X")


def dribble_continue(handler):
    """Say for ever that the client may go on."""
    _dribble(handler, b"HTTP/1.1 100 Continue\r\n\r\n")


def _dribble(handler, piece):
    try:
        while True:
            handler.wfile.write(piece)
            handler.wfile.flush()
            select.select([handler.rfile], [], [], 0.05)
    except OSError:
        handler.close_connection = True


def redirect(to):
    return lambda handler: reply(handler, b"", status=302, headers={"Location": to})


def body(content, **options):
    return lambda handler: reply(handler, content, **options)


def in_turn(*routes):
    """Answer the first request by the first route, and so on; the last one stays."""
    left = list(routes)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


FAULTS = {
    "not found": (body(b"gone", status=404), "HTTP 404"),
    "forbidden": (body(b"no", status=403), "HTTP 403"),
    "always busy": (body(b"busy", status=503), "HTTP 503"),
    "stalls": (stall, "no answer in time"),
    "stalls midway": (stall_midway, "no answer in time|broke off"),
    "breaks off": (break_off, "broke off"),
    "hangs up": (hang_up, "no connection, or it broke off"),
    "redirects in circles": (redirect("/file"), "redirected in circles"),
    "redirects to nowhere": (redirect("http://127.0.0.1:1/file"), "no connection"),
    "redirects to another kind of address": (redirect("ftp://127.0.0.1/file"), "a malformed address"),
    "lies": (body(BAD), "expected sha256"),
    "is an error page": (body(b"<html>not found</html>"), "expected sha256"),
    "is too large": (body(b"x" * (MAX_BYTES + 1)), r"larger than max_bytes \(50,000\)"),
    "never ends": (endless, r"larger than max_bytes \(50,000\)"),
    "is empty": (body(b""), "the file is empty"),
    "is a part": (body(GOOD[:5000], status=206), "HTTP 206, which is no whole file"),
    "is nothing": (body(b"", status=204), "HTTP 204, which is no whole file"),
    "has no sense of length": (body(GOOD, headers={"Content-Length": "many"}), "a malformed address or answer"),
}


@pytest.fixture(params=FAULTS, ids=lambda name: name.replace(" ", "-"))
def fault(request, http_server):
    """A URL that fails, and the words that tell how."""
    http_server.routes["/file"], words = FAULTS[request.param]
    return f"{http_server.url}/file", words


@pytest.fixture
def waits(monkeypatch):
    """The pauses between retries, noted instead of slept."""
    import pooch.core

    noted = []
    monkeypatch.setattr(pooch.core, "time", types.SimpleNamespace(sleep=noted.append))
    return noted


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A current folder to fetch into; give it files by `source`, fetch them by `get`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    return tmp_path


def source(*urls, file="file", sha256=(SHA256,), max_bytes=MAX_BYTES):
    return {"file": file, "urls": list(urls), "sha256": list(sha256), "max_bytes": max_bytes}


def get(repository, *files, mode="upstream", mirror=None, **options):
    folders = {"mode": mode, "mirror": mirror, "target": repository / "raw", "lock": repository / "lock.yaml"}
    patience = {key: options.pop(key) for key in QUICK if key in options}
    return fetch("dataset", files, **folders, **options, patience=Patience(**QUICK | patience))


def left(repository):
    """Every file below the repository."""
    return {path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()}


def test_a_good_file_is_fetched_and_recorded(repository, http_server):
    http_server.serve("/good", GOOD)
    url = f"{http_server.url}/good"
    assert get(repository, source(url)) == {
        "mode": "upstream",
        "files": [{"file": "file", "url": url, "bytes": len(GOOD), "sha256": SHA256, "served_by": url}],
    }
    assert (repository / "raw" / "file").read_bytes() == GOOD
    assert left(repository) == {"raw/file"}


def test_a_file_may_lie_in_a_folder(repository, http_server):
    http_server.serve("/good", GOOD)
    get(repository, source(f"{http_server.url}/good", file="split/train/file"))
    assert left(repository) == {"raw/split/train/file"}


def test_a_redirect_is_followed(repository, http_server):
    http_server.routes["/moved"] = redirect("/good")
    http_server.serve("/good", GOOD)
    get(repository, source(f"{http_server.url}/moved"))
    assert (repository / "raw" / "file").read_bytes() == GOOD


def test_one_of_several_hashes_is_enough(repository, http_server):
    http_server.serve("/good", GOOD)
    get(repository, source(f"{http_server.url}/good", sha256=["0" * 64, SHA256]))
    assert left(repository) == {"raw/file"}


def test_every_fault_is_one_clear_error_and_leaves_nothing(repository, fault):
    url, words = fault
    with pytest.raises(RegistryError, match=words) as raised:
        get(repository, source(url))
    assert str(raised.value).startswith("file: could not be fetched:\n")
    assert "what to do: see config/README.md" in str(raised.value)
    assert left(repository) == set()


def test_no_fault_destroys_an_earlier_file(repository, fault):
    (repository / "raw" / "file").write_bytes(b"earlier")
    with pytest.raises(RegistryError):
        get(repository, source(fault[0]))
    assert (repository / "raw" / "file").read_bytes() == b"earlier"
    assert left(repository) == {"raw/file"}


def test_after_any_fault_the_next_address_is_tried(repository, http_server, fault):
    http_server.serve("/good", GOOD)
    fetched = get(repository, source(fault[0], f"{http_server.url}/good"))
    assert fetched["files"][0]["url"] == fault[0]
    assert fetched["files"][0]["served_by"] == f"{http_server.url}/good"
    assert (repository / "raw" / "file").read_bytes() == GOOD


def test_addresses_are_tried_in_order_and_the_first_good_one_ends_it(repository, http_server):
    http_server.serve("/good", GOOD)
    http_server.serve("/bad", BAD)
    get(repository, source(*[f"{http_server.url}/{name}" for name in ("none", "bad", "good", "never")]))
    assert [path for path, _ in http_server.requests] == ["/none", "/bad", "/good"]


@pytest.mark.parametrize(
    "route",
    [body(b"", status=status) for status in (429, 500, 502, 503, 504)] + [stall, break_off, hang_up],
    ids=[429, 500, 502, 503, 504, "stall", "break-off", "hang-up"],
)
def test_a_passing_fault_is_retried(repository, http_server, waits, route):
    http_server.routes["/file"] = in_turn(route, route, body(GOOD))
    get(repository, source(f"{http_server.url}/file"), retries=2)
    assert (repository / "raw" / "file").read_bytes() == GOOD
    assert len(waits) == 2
    assert waits == sorted(set(waits))


@pytest.mark.parametrize("name", ["not found", "forbidden", "is too large", "never ends"])
def test_a_lasting_fault_is_not_retried(repository, http_server, waits, name):
    http_server.routes["/file"] = FAULTS[name][0]
    with pytest.raises(RegistryError):
        get(repository, source(f"{http_server.url}/file"), retries=3)
    assert len(http_server.requests) == 1
    assert waits == []


def test_an_error_that_stays_is_given_up(repository, http_server, waits):
    http_server.serve("/file", b"", status=503)
    with pytest.raises(RegistryError, match="HTTP 503"):
        get(repository, source(f"{http_server.url}/file"), retries=3)
    assert len(http_server.requests) == 4


@pytest.mark.parametrize("route", [dribble, dribble_headers, dribble_continue])
def test_a_server_that_never_comes_to_an_end_is_given_up(repository, http_server, route):
    http_server.routes["/file"] = route
    http_server.serve("/good", GOOD)
    with pytest.raises(RegistryError, match=r"/file: not done within \d s"):
        get(repository, source(f"{http_server.url}/file"), seconds=0.5)
    get(repository, source(f"{http_server.url}/file", f"{http_server.url}/good"), seconds=0.5)
    assert (repository / "raw" / "file").read_bytes() == GOOD


def test_a_larger_file_may_take_longer():
    assert Patience(seconds=10).of(1_000_000) == 20


def test_a_wrong_hash_names_file_place_expected_and_found_and_what_to_do(repository, http_server):
    http_server.serve("/bad", BAD)
    with pytest.raises(RegistryError) as raised:
        get(repository, source(f"{http_server.url}/bad", sha256=[SHA256, "0" * 64]))
    assert str(raised.value).splitlines() == [
        "file: could not be fetched:",
        f"    {http_server.url}/bad: expected sha256 {SHA256} or {'0' * 64}, found {hashlib.sha256(BAD).hexdigest()}",
        "  what to do: see config/README.md, Sources: choose another source, fix the mirror, or, if the file was "
        "really meant to change, accept its new hash: registry refresh DATASET --accept (for samples: put it into "
        "data/samples/SHA256SUMS)",
    ]


def test_every_address_and_its_fault_is_named(repository, http_server):
    http_server.serve("/bad", BAD)
    with pytest.raises(RegistryError, match="/none: HTTP 404.*\n.*/bad: expected sha256"):
        get(repository, source(f"{http_server.url}/none", f"{http_server.url}/bad"))


def test_a_file_without_address_says_so(repository):
    with pytest.raises(RegistryError, match="it has no address"):
        get(repository, source())


@pytest.mark.parametrize("route", [body(b"", status=404), body(BAD), stall, redirect("/file")])
def test_no_secret_of_an_address_is_ever_shown(repository, http_server, caplog, capfd, waits, route):
    caplog.set_level(logging.INFO)
    http_server.routes["/file"] = route
    url = http_server.url.replace("//", "//someone:hunter2@") + "/file?token=hunter3#hunter4"
    with pytest.raises(RegistryError) as raised:
        get(repository, source(url), retries=1)
    shown = str(raised.value) + caplog.text + "".join(capfd.readouterr())
    assert "someone" not in shown
    assert "hunter" not in shown
    assert f"{http_server.url}/file" in shown
    assert "token=hunter3" in http_server.requests[0][0]
    assert "Authorization" in http_server.requests[0][1]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@example.org:8080/a?b=c#d", "https://example.org:8080/a"),
        ("https://example.org/a", "https://example.org/a"),
        ("https://u:p@ss@example.org/", "https://example.org/"),
    ],
)
def test_the_address_that_is_shown_keeps_what_is_public(url, shown):
    assert public_url(url) == shown


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("kind", ["folder", "url"])
def test_a_mirror_is_a_folder_or_a_url_and_never_recorded(repository, http_server, kind, slash):
    http_server.serve("/base/dataset/split/file", GOOD)
    (repository / "mirror" / "dataset" / "split").mkdir(parents=True)
    (repository / "mirror" / "dataset" / "split" / "file").write_bytes(GOOD)
    mirror = {"folder": str(repository / "mirror"), "url": f"{http_server.url}/base"}[kind] + slash
    upstream = source("http://127.0.0.1:1/first", "http://127.0.0.1:1/second", file="split/file")
    fetched = get(repository, upstream, mode="mirror", mirror=mirror)
    assert fetched == {
        "mode": "mirror",
        "files": [
            {
                "file": "split/file",
                "url": "http://127.0.0.1:1/first",
                "bytes": len(GOOD),
                "sha256": SHA256,
                "served_by": "mirror",
            }
        ],
    }
    assert (repository / "raw" / "split" / "file").read_bytes() == GOOD


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "no plain file"),
        (os.mkfifo, "no plain file"),
        (lambda path: path.symlink_to("/dev/zero"), "no plain file"),
        (lambda path: path.symlink_to("/proc/version"), "no plain file, or it changed while it was read"),
        (lambda path: path.write_bytes(BAD), "expected sha256"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_bytes(b"x" * (MAX_BYTES + 1)), "larger than max_bytes"),
    ],
    ids=["missing", "folder", "pipe", "device", "proc", "bad", "empty", "large"],
)
def test_a_bad_file_in_a_mirror_is_refused(repository, make, words):
    (repository / "mirror" / "dataset").mkdir(parents=True)
    make(repository / "mirror" / "dataset" / "file")
    with pytest.raises(RegistryError, match=f"mirror/dataset/file: {words}"):
        get(repository, source("http://127.0.0.1:1/file"), mode="mirror", mirror="mirror")
    assert not any((repository / "raw").iterdir())


def test_samples_come_from_the_repository(repository):
    (repository / "data" / "samples" / "dataset").mkdir(parents=True)
    (repository / "data" / "samples" / "dataset" / "file").write_bytes(GOOD)
    assert get(repository, source(), mode="samples")["files"][0]["url"] is None
    assert (repository / "raw" / "file").read_bytes() == GOOD


def test_the_mirror_keeps_its_file(repository):
    (repository / "mirror" / "dataset").mkdir(parents=True)
    (repository / "mirror" / "dataset" / "file").write_bytes(GOOD)
    get(repository, source(), mode="mirror", mirror="mirror")
    assert (repository / "mirror" / "dataset" / "file").read_bytes() == GOOD


def test_what_a_refresh_keeps_is_not_fetched_again_if_it_is_what_is_accepted(repository, http_server):
    http_server.serve("/good", GOOD)
    url, kept = f"{http_server.url}/good", repository / KEPT / "dataset" / "raw"
    files = {"target": kept, "lock": repository / "other.yaml", "mirror": None}
    write_sources(kept / "sources.json", fetch("dataset", [source("nowhere", url)], mode="upstream", **files))
    http_server.serve("/good", BAD)
    http_server.requests.clear()
    assert get(repository, source("nowhere", url))["files"][0]["served_by"] == url
    assert (repository / "raw" / "file").read_bytes() == GOOD
    assert http_server.requests == []

    with pytest.raises(RegistryError, match="could not be fetched"):
        get(repository, source(url), mode="mirror", mirror="mirror")
    bad = hashlib.sha256(BAD).hexdigest()
    for accepted in ([bad], []):
        assert get(repository, source(url, sha256=accepted))["files"][0]["sha256"] == bad
    (repository / "lock.yaml").unlink()
    (kept / "file").write_bytes(BAD)
    http_server.serve("/good", GOOD)
    assert get(repository, source(url))["files"][0]["sha256"] == SHA256


class TestLock:
    """A file without a known hash is held to the bytes of its first download."""

    @pytest.fixture
    def two_modes(self, repository, http_server):
        """Fetch `file` unpinned from upstream or mirror, which hold different bytes."""
        (repository / "mirror" / "dataset").mkdir(parents=True)
        (repository / "mirror" / "dataset" / "file").write_bytes(BAD)
        http_server.serve("/file", GOOD)
        return lambda mode: get(repository, source(f"{http_server.url}/file", sha256=[]), mode=mode, mirror="mirror")

    def test_the_first_download_of_each_mode_is_locked(self, repository, two_modes, caplog):
        caplog.set_level(logging.INFO)
        two_modes("upstream")
        assert yaml.safe_load((repository / "lock.yaml").read_text()) == {"upstream": {"file": SHA256}}
        assert "first download of file: its hash is now locked" in caplog.text
        two_modes("mirror")
        found = hashlib.sha256(BAD).hexdigest()
        locked = {"upstream": {"file": SHA256}, "mirror": {"file": found}}
        assert yaml.safe_load((repository / "lock.yaml").read_text()) == locked

    def test_the_lock_is_enforced_and_not_rewritten(self, repository, two_modes, http_server):
        two_modes("upstream")
        text = (repository / "lock.yaml").read_bytes()
        two_modes("upstream")
        http_server.serve("/file", BAD)
        with pytest.raises(RegistryError, match=rf"expected sha256 {SHA256} \(locked in \S*lock.yaml\), found"):
            two_modes("upstream")
        assert (repository / "lock.yaml").read_bytes() == text
        assert (repository / "raw" / "file").read_bytes() == GOOD

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "the pointer of Git LFS"),
            (b"<!DOCTYPE html>\n<title>Log in</title>", "an HTML page"),
            (b"\xef\xbb\xbf\n<!-- x -->\n<HTML lang='en'>", "an HTML page"),
        ],
    )
    def test_what_only_stands_for_a_file_is_never_locked(self, repository, http_server, content, what):
        http_server.serve("/file", content)
        with pytest.raises(RegistryError, match=what):
            get(repository, source(f"{http_server.url}/file", file="data.csv", sha256=[]))
        assert left(repository) == set()

    def test_a_page_that_is_wanted_is_taken(self, repository, http_server):
        http_server.serve("/file", b"<html></html>")
        get(repository, source(f"{http_server.url}/file", file="page.html", sha256=[]))
        assert (repository / "lock.yaml").exists()

    def test_only_the_unpinned_file_of_several_is_locked(self, repository, http_server):
        http_server.serve("/file", GOOD)
        url = f"{http_server.url}/file"
        get(repository, source(url, file="pinned"), source(url, file="b", sha256=[]), source(url, file="a", sha256=[]))
        assert yaml.safe_load((repository / "lock.yaml").read_text()) == {"upstream": {"a": SHA256, "b": SHA256}}

    def test_pinned_files_need_no_lock(self, repository, http_server):
        http_server.serve("/file", GOOD)
        get(repository, source(f"{http_server.url}/file"))
        assert not (repository / "lock.yaml").exists()

    def test_a_pin_outranks_the_lock(self, repository, http_server):
        http_server.serve("/file", GOOD)
        (repository / "lock.yaml").write_text(f"upstream: {{file: {'a' * 64}}}")
        get(repository, source(f"{http_server.url}/file"))
        assert (repository / "raw" / "file").read_bytes() == GOOD

    def test_a_failure_locks_what_came_before_and_no_more(self, repository, http_server):
        http_server.serve("/file", GOOD)
        url = f"{http_server.url}/file"
        with pytest.raises(RegistryError):
            get(repository, source(url, sha256=[]), source(f"{url}/none", file="other", sha256=[]))
        assert yaml.safe_load((repository / "lock.yaml").read_text()) == {"upstream": {"file": SHA256}}

    def test_what_cannot_be_read_is_not_locked(self, repository, http_server):
        http_server.serve("/file", b"a table")

        def readable(path):
            raise RegistryError("not a Parquet file")

        with pytest.raises(RegistryError, match="/file: not a Parquet file"):
            get(repository, source(f"{http_server.url}/file", sha256=[]), readable=readable)
        assert left(repository) == set()

    @pytest.mark.parametrize("text", ["{", "- a list", "upstream: text", "upstream: {file: 7}", "upstream:"])
    def test_a_lock_that_is_none_is_refused_with_its_name(self, repository, http_server, text):
        http_server.serve("/file", GOOD)
        (repository / "lock.yaml").write_text(text)
        with pytest.raises(RegistryError, match="lock.yaml"):
            get(repository, source(f"{http_server.url}/file", sha256=[]))


def test_bad_bytes_are_checked_before_they_get_their_name(tmp_path):
    (tmp_path / "origin").write_bytes(BAD)
    seen = []

    def check(path):
        seen.append(path)
        assert not (tmp_path / "file").exists()

    retrieve([str(tmp_path / "origin")], tmp_path / "file", check, max_bytes=MAX_BYTES)
    assert seen[0] != tmp_path / "file"
    assert (tmp_path / "file").read_bytes() == BAD


def test_an_interrupt_leaves_nothing(repository, monkeypatch):
    (repository / "mirror" / "dataset").mkdir(parents=True)
    (repository / "mirror" / "dataset" / "file").write_bytes(GOOD)

    def interrupted(source, target):
        target.write(source.read(100))
        raise KeyboardInterrupt

    monkeypatch.setattr(sources.shutil, "copyfileobj", interrupted)
    with pytest.raises(KeyboardInterrupt):
        get(repository, source(), mode="mirror", mirror="mirror")
    assert not any((repository / "raw").iterdir())


def test_two_datasets_can_fetch_at_once(repository, http_server):
    http_server.serve("/good", GOOD)
    threads = [
        threading.Thread(target=get, args=(repository, source(f"{http_server.url}/good", file=str(number))))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert left(repository) == {f"raw/{number}" for number in range(4)}
