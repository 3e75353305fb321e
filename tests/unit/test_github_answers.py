"""Answers of a GitHub API that lie, name what they should not, or never end: one clear error, no file."""

import json
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
    assert refused() == "docs: README.md has 1,000,001 bytes, more than 1,000,000"
    assert paths(http_server)[-1] == f"/repos/{ORG}/docs/readme"


def test_an_answer_without_end_is_cut(http_server, refused, monkeypatch):
    monkeypatch.setattr(github, "MAX_ANSWER", 100_000)
    http_server.serve(REPOSITORIES, b" " * 1_000_000 + b"[]")
    assert "the answer is longer than 100,000 bytes" in refused()


def test_pages_that_go_in_circles(http_server, refused):
    link = {"Link": f'<{http_server.url}{REPOSITORIES}?per_page=100&type=public>; rel="next"'}
    http_server.serve(REPOSITORIES, b"[]", headers=link)
    assert "circles" in refused()


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
