"""Answers of a GitHub API that lie, name what they should not, or never end: one clear error, no file."""

import json
import time
from functools import partial

import pytest

from fake_github import ORG, REPOSITORIES, Api, build_raw, paths, refuse_raw
from registry.sources import github
from registry.sources.readmes import blob_sha


@pytest.fixture
def build(http_server, tmp_path):
    return partial(build_raw, http_server, tmp_path)


@pytest.fixture
def refused(http_server, tmp_path):
    return partial(refuse_raw, http_server, tmp_path)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 100_000, b"{}", b'"x"', b"[1]", b'[{"name": 1}]', b'[{"full_name": "x"}]'],
)
def test_a_list_that_is_none(http_server, refused, body):
    http_server.serve(REPOSITORIES, body)
    assert "GitHub's answer is wrong" in refused()


@pytest.mark.parametrize(
    "lie",
    [
        {"sha": "0" * 40},
        {"sha": None},
        {"size": 3},
        {"size": "4"},
        {"content": "Z29vZA"},
        {"content": "Z29v"},
        {"content": None},
        {"content": ""},
        {"encoding": "utf-8"},
        {"encoding": "none", "sha": "../../../user"},
        {"path": 1},
    ],
    ids=str,
)
def test_a_readme_that_is_not_what_it_says(http_server, refused, lie):
    api = Api(http_server, {"docs": b"good"})
    api.json(f"docs/git/blobs/{blob_sha(b'good')}", {"content": "YmFkIQ==", "encoding": "base64"})
    api.readme("docs", b"good", **lie)
    assert f"/repos/{ORG}/docs/" in refused()
    assert not [path for path in paths(http_server) if "user" in path]


def test_a_blob_that_is_missing_fails_the_job(http_server, refused):
    Api(http_server, {"docs": b"x" * 1_000_001})
    del http_server.routes[f"/repos/{ORG}/docs/git/blobs/{blob_sha(b'x' * 1_000_001)}"]
    assert "HTTP 404" in refused()


def test_a_readme_above_the_maximum_is_not_fetched(http_server, refused, monkeypatch):
    monkeypatch.setattr(github, "MAX_BYTES", 1_000_000)
    Api(http_server, {"docs": b"x" * 1_000_001})
    assert refused().startswith("docs: README.md has 1,000,001 bytes, more than 1,000,000\n")
    assert paths(http_server)[-1] == f"/repos/{ORG}/docs/readme"


def test_an_answer_without_end_is_cut(http_server, refused, monkeypatch):
    monkeypatch.setattr(github, "MAX_ANSWER", 100_000)
    http_server.serve(REPOSITORIES, b" " * 1_000_000 + b"[]")
    assert "the answer is longer than 100,000 bytes" in refused()


def test_pages_that_go_in_circles(http_server, refused):
    link = {"Link": f'<{http_server.url}{REPOSITORIES}?per_page=100&type=public>; rel="next"'}
    http_server.serve(REPOSITORIES, b"[]", headers=link)
    assert "circles" in refused()


def test_more_pages_than_an_organisation_has(http_server, refused, monkeypatch):
    monkeypatch.setattr(github, "MAX_PAGES", 2)
    Api(http_server, dict.fromkeys("abcde", b"x"))
    assert "it has more than 2 pages" in refused()
    assert len(http_server.requests) == 2


def dribble(handler):
    """Send a byte of the answer at a time, for as long as somebody reads."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)


def test_an_answer_that_never_comes_to_an_end_is_given_up(http_server, refused, monkeypatch):
    monkeypatch.setattr(github, "LONGEST", 0.5)
    http_server.routes[REPOSITORIES] = dribble
    assert f"{REPOSITORIES}: not done within" in refused()


@pytest.mark.parametrize("content", [b"# Docs\n", b"x" * 1_000_001])
@pytest.mark.parametrize("lie", [{}, {"type": "symlink"}], ids=str)
def test_a_link_is_the_file_that_it_leads_to(http_server, build, content, lie):
    api = Api(http_server, {"docs": None, "other": b"x"})
    api.link("docs", "docs/README.md", content, **lie)
    raw = build()
    assert (raw / "docs.md").read_bytes() == content
    document = json.loads((raw / "index.json").read_text())["documents"][0]
    assert document == {
        "repository": "docs",
        "path": "docs/README.md",
        "sha": blob_sha(content),
        "size": len(content),
    }


@pytest.mark.parametrize("to", ["docs", "gone.md", "../../other/readme", "/etc/passwd", "..", "."])
def test_a_link_to_no_file_of_its_repository_is_named(http_server, refused, to):
    api = Api(http_server, {"docs": None})
    api.link("docs", to, None)
    api.json("docs/contents/docs", [{"type": "file", "path": "docs/README.md"}])
    message = refused()
    assert message.startswith(f"docs: README.md is a symbolic link to {to}, which is no file of that repository\n")
    assert "sources.github.exclude" in message
    assert {path.split("/")[3] for path in paths(http_server) if path.startswith("/repos/")} == {"docs"}


@pytest.mark.parametrize("lie", [{"content": "YmFk"}, {"sha": "0" * 40}, {"type": "symlink"}], ids=str)
def test_the_file_that_a_link_leads_to_is_held_to_its_hash(http_server, refused, lie):
    api = Api(http_server, {"docs": None})
    api.link("docs", "docs.md", b"good")
    told = {"type": "file", "path": "docs.md", "sha": blob_sha(b"good"), "size": 4}
    api.json("docs/contents/docs.md", told | {"content": "Z29vZA==", "encoding": "base64"} | lie)
    assert "GitHub's answer is wrong: its content is not the" in refused()


BAD_NAMES = ["..", ".", "", "../x", "a/b", "a\\b", "a b", "a\n", "/etc/passwd", "é", "x" * 101, "a\0"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_no_file_name_is_never_used(http_server, refused, tmp_path, name):
    Api(http_server, {"docs": b"x"}).pages = [["docs", name]]
    before = set(tmp_path.rglob("*.md"))
    assert "is not the name of a repository" in refused()
    assert paths(http_server) == [f"{REPOSITORIES}?per_page=100&type=public"]
    assert set(tmp_path.rglob("*.md")) == before


def test_names_that_differ_only_in_case_are_refused(http_server, refused):
    Api(http_server, {"Docs": b"x", "docs": b"y"})
    assert "Docs and docs differ only in case" in refused()


def test_a_repository_told_twice_counts_once(http_server, build):
    Api(http_server, {"docs": b"x"}).pages = [["docs"], ["docs"]]
    assert len(json.loads((build() / "index.json").read_text())["documents"]) == 1


def test_repositories_named_like_our_own_files_do_not_collide(http_server, build):
    Api(http_server, {"index": b"a", "index.json": b"b", "sources": b"c", "sources.json": b"d"})
    raw = build()
    assert (raw / "index.json.md").read_bytes() == b"b"
    assert json.loads((raw / "index.json").read_text())["organisation"] == ORG
    assert len(list(raw.iterdir())) == 6
