"""The GitHub API client, over real HTTP: pages, token, cache, and patience."""

import hashlib
import json
import logging
import time
from functools import partial

import pytest

from fake_github import ORG, READMES, REPOSITORIES, Api, build_raw, content_of, paths, refuse_raw
from registry.errors import RegistryError
from registry.sources import github
from registry.sources.readmes import blob_sha
from support import Server, reply

TOKEN = "ghp_verysecret"  # noqa: S105


@pytest.fixture
def build(http_server, tmp_path):
    return partial(build_raw, http_server, tmp_path)


@pytest.fixture
def refused(http_server, tmp_path):
    return partial(refuse_raw, http_server, tmp_path)


@pytest.fixture
def sleeps(monkeypatch):
    """Return the list of pauses that urllib3 would have made."""
    pauses = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    return pauses


def fail_first(server, path, times, *, then=None, status=500, headers=None):
    """Let the first requests of a path fail before it answers as it did."""
    route, left = then or server.routes[path], [times]

    def answer(handler):
        left[0] -= 1
        if left[0] >= 0:
            reply(handler, b"{}", status=status, headers=headers)
        else:
            route(handler)

    server.routes[path] = answer


def always(server, path, **answer):
    server.serve(path, b"{}", **answer)


def break_off(handler):
    reply(handler, b"[", headers={"Content-Length": "1000"})
    handler.close_connection = True


def hang_up(handler):
    handler.close_connection = True


def test_all_pages_become_files_with_the_bytes_of_upstream(http_server, build):
    Api(http_server, READMES | {"bare": None})
    raw = build()
    assert {path.name for path in raw.iterdir()} == {f"{name}.md" for name in READMES} | {"index.json", "sources.json"}
    assert all((raw / f"{name}.md").read_bytes() == content for name, content in READMES.items())
    index = json.loads((raw / "index.json").read_text())
    assert index["organisation"] == ORG
    assert index["without_readme"] == ["bare"]
    assert [document["repository"] for document in index["documents"]] == [".github", "docs", "gitops", "zero"]
    assert index["documents"][1] == {"repository": "docs", "path": "README.md", "sha": blob_sha(b"# Docs\n"), "size": 7}
    sources = json.loads((raw / "sources.json").read_text())
    assert sources["mode"] == "upstream"
    assert sources["files"][1] == {
        "file": "docs.md",
        "url": f"{http_server.url}/repos/{ORG}/docs/readme",
        "bytes": 7,
        "sha256": hashlib.sha256(b"# Docs\n").hexdigest(),
    }


def test_a_new_build_replaces_the_old_one_whole(http_server, build):
    Api(http_server, READMES)
    build()
    Api(http_server, {"other": b"other"})
    assert {path.name for path in build().iterdir()} == {"other.md", "index.json", "sources.json"}


def test_a_failed_build_leaves_the_old_one(http_server, build, tmp_path):
    Api(http_server, READMES)
    before = content_of(build())
    always(http_server, f"/repos/{ORG}/gitops/readme", status=500)
    with pytest.raises(RegistryError):
        build()
    assert content_of(tmp_path / "raw") == before


def test_a_readme_above_1_mb_comes_as_a_blob(http_server, build):
    content = b"0123456789" * 100_001
    Api(http_server, {"big": content})
    assert (build() / "big.md").read_bytes() == content
    assert paths(http_server)[-1] == f"/repos/{ORG}/big/git/blobs/{blob_sha(content)}"


def test_without_a_token_none_is_sent(http_server, build):
    Api(http_server, READMES)
    build()
    for _, headers in http_server.requests:
        assert "Authorization" not in headers
        assert headers["X-GitHub-Api-Version"] == "2022-11-28"
        assert headers["Accept"] == "application/vnd.github+json"


def test_the_token_is_sent_but_found_nowhere(http_server, build, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    Api(http_server, READMES)
    build(token=TOKEN)
    assert {headers["Authorization"] for _, headers in http_server.requests} == {f"Bearer {TOKEN}"}
    assert len(content_of(tmp_path / "cache")) > 5
    assert not [name for name, content in content_of(tmp_path).items() if TOKEN.encode() in content]
    assert f"/repos/{ORG}/docs/readme: HTTP 200" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_no_error_shows_the_token(http_server, refused, status, caplog):
    always(http_server, REPOSITORIES, status=status)
    assert TOKEN not in refused(token=TOKEN) + caplog.text


@pytest.mark.parametrize("token", ["with space", "two\nlines", "schlüssel"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(http_server, refused, token):
    message = refused(token=token)
    assert message.startswith("GITHUB_TOKEN: not a token")
    assert token not in message
    assert not http_server.requests


def test_the_next_page_is_never_sought_on_another_host(http_server, refused):
    other = Server()
    link = {"Link": f'<{other.url}/steal?page=2>; rel="next"'}
    http_server.serve(REPOSITORIES, b"[]", headers=link)
    assert "its next page is on another host (127.0.0.1)" in refused(token=TOKEN)
    assert not other.requests
    other.close()


def test_a_redirect_to_another_host_does_not_carry_the_token(http_server, build):
    other = Server()
    Api(http_server, {"docs": b"x"})
    other.routes[f"/repos/{ORG}/docs/readme"] = http_server.routes[f"/repos/{ORG}/docs/readme"]
    location = {"Location": f"{other.url}/repos/{ORG}/docs/readme"}
    http_server.serve(f"/repos/{ORG}/docs/readme", b"", status=302, headers=location)
    build(token=TOKEN)
    assert [headers.get("Authorization") for _, headers in other.requests] == [None]
    other.close()


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_second_run_asks_again_and_is_told_304(http_server, build, token):
    api = Api(http_server, READMES)
    before = content_of(build(token=token))
    requests = len(api.answers)
    assert {status for _, status in api.answers} == {200}
    assert content_of(build(token=token)) == before
    assert len(api.answers) == 2 * requests
    assert {status for _, status in api.answers[requests:]} == {304}


def test_a_readme_that_changed_within_the_life_of_the_cache_is_seen(http_server, build):
    api = Api(http_server, READMES)
    build()
    api.readme("docs", b"# New\n")
    assert (build() / "docs.md").read_bytes() == b"# New\n"
    assert api.answers.count((f"/repos/{ORG}/docs/readme", 200)) == 2


def test_a_wrong_answer_does_not_stay_in_the_cache(http_server, refused):
    api = Api(http_server, {"docs": b"good"})
    api.readme("docs", b"good", content="YmFk")
    assert "wrong" in refused()
    refused()
    assert api.answers.count((f"/repos/{ORG}/docs/readme", 200)) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_passing_failure_is_tried_again(http_server, build, status):
    Api(http_server, {"docs": b"x"})
    fail_first(http_server, f"/repos/{ORG}/docs/readme", 2, status=status)
    build()
    assert paths(http_server)[1:] == [f"/repos/{ORG}/docs/readme"] * 3


def test_the_pauses_grow(http_server, build, sleeps):
    Api(http_server, {"docs": b"x"})
    fail_first(http_server, f"/repos/{ORG}/docs/readme", 4)
    build(retries=4, backoff=1.0)
    assert sleeps == [2.0, 4.0, 8.0]


@pytest.mark.parametrize("broken", [break_off, hang_up])
def test_a_broken_connection_is_tried_again(http_server, build, refused, broken):
    Api(http_server, {"docs": b"x"})
    good, http_server.routes[REPOSITORIES] = http_server.routes[REPOSITORIES], broken
    assert "broke off" in refused()
    assert len(http_server.requests) == 3
    left = [broken, broken]
    http_server.routes[REPOSITORIES] = lambda handler: (left.pop() if left else good)(handler)
    build()


def test_a_server_that_says_nothing_is_given_up(http_server, refused, monkeypatch):
    monkeypatch.setattr(github, "TIMEOUT", (0.2, 0.2))
    http_server.routes[REPOSITORIES] = lambda handler: handler.rfile.read(1)
    assert REPOSITORIES in refused(retries=1)
    assert len(http_server.requests) == 2


def test_permanent_failure_fails_the_job(http_server, refused):
    Api(http_server, READMES)
    always(http_server, f"/repos/{ORG}/docs/readme", status=500)
    message = refused()
    assert message.startswith(f"{http_server.url}/repos/{ORG}/docs/readme: HTTP 500 Internal Server Error")
    assert paths(http_server).count(f"/repos/{ORG}/docs/readme") == 3


@pytest.mark.parametrize("status", [403, 429, 503])
def test_retry_after_is_honoured(http_server, build, sleeps, status):
    Api(http_server, {"docs": b"x"})
    fail_first(http_server, f"/repos/{ORG}/docs/readme", 1, status=status, headers={"Retry-After": "7"})
    build()
    assert sleeps == [7]
    assert paths(http_server).count(f"/repos/{ORG}/docs/readme") == 2


@pytest.mark.parametrize("status", [403, 429])
def test_a_rate_limit_that_resets_soon_is_waited_for(http_server, build, sleeps, status):
    Api(http_server, {"docs": b"x"})
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 100)}
    fail_first(http_server, f"/repos/{ORG}/docs/readme", 1, status=status, headers=headers)
    build()
    assert len(sleeps) == 1
    assert 60 < sleeps[0] <= 101


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("kind", ["reset", "retry after"])
def test_a_rate_limit_far_in_the_future_fails_at_once(http_server, refused, sleeps, status, kind):
    now = int(time.time())
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(now + 3000)}
    always(http_server, REPOSITORIES, status=status, headers=reset if kind == "reset" else {"Retry-After": "3000"})
    message = refused()
    times = [time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now + 3000 + late)) for late in range(10)]
    assert any(f"rate limit is used up until {when} UTC" in message for when in times)
    assert "GITHUB_TOKEN" in message
    assert not sleeps
    assert len(http_server.requests) == 1


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-ratelimit-remaining": "9"}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "?"}],
)
def test_403_for_another_reason_fails_at_once(http_server, refused, headers):
    Api(http_server, READMES)
    always(http_server, f"/repos/{ORG}/docs/readme", status=403, headers=headers)
    assert "HTTP 403 Forbidden" in refused()
    assert paths(http_server).count(f"/repos/{ORG}/docs/readme") == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "GitHub asks for a token"), (404, "check sources.github"), (304, "HTTP 304"), (204, "HTTP 204")],
)
def test_any_other_state_fails(http_server, refused, status, words):
    http_server.serve(REPOSITORIES, b"", status=status)
    assert words in refused()


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize(("status", "blamed"), [(401, "is wrong or has expired"), (403, "may not read this")])
def test_only_a_token_that_was_set_is_blamed(http_server, refused, status, blamed, token):
    always(http_server, REPOSITORIES, status=status)
    assert (f"GITHUB_TOKEN {blamed}" in refused(token=token)) == bool(token)


@pytest.mark.parametrize("status", [403, 409, 451])
def test_one_repository_that_github_refuses_is_named_and_can_be_excluded(http_server, build, refused, status):
    Api(http_server, READMES)
    http_server.serve(f"/repos/{ORG}/docs/readme", b'{"message": "Repository access blocked"}', status=status)
    message = refused()
    assert message.startswith(f"docs: {http_server.url}/repos/{ORG}/docs/readme: HTTP {status} ")
    assert "Repository access blocked" in message
    assert "leave docs out: name it in sources.github.exclude" in message
    assert "TOKEN" not in message
    raw = build(exclude=["docs"])
    assert {path.stem for path in raw.glob("*.md")} == READMES.keys() - {"docs"}


def test_a_rate_limit_that_is_only_spoken_of_is_no_fault_of_the_repository(http_server, refused):
    Api(http_server, READMES)
    said = b'{"message": "You have exceeded a secondary rate limit. Please wait."}'
    http_server.serve(f"/repos/{ORG}/docs/readme", said, status=403)
    message = refused()
    assert "rate limit is used up" in message
    assert "exclude" not in message


def test_a_malformed_retry_after_is_one_clear_error(http_server, refused):
    always(http_server, REPOSITORIES, status=429, headers={"Retry-After": "later"})
    assert REPOSITORIES in refused()
