"""Read an organisation's READMEs from the GitHub REST API: cached, patient, and never a wrong byte."""

import base64
import json
import logging
import posixpath
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urljoin, urlsplit

import requests
from cachecontrol import CacheControlAdapter, CacheController
from cachecontrol.caches import FileCache
from cachecontrol.heuristics import BaseHeuristic
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import MaxRetryError, ResponseError
from urllib3.util import Retry

from registry.errors import RegistryError
from registry.shown import one_line, public_url
from registry.sources.deadline import LateError, deadline
from registry.sources.http import describe
from registry.sources.limits import TIMEOUT
from registry.sources.readmes import MAX_BYTES, Readme, blob_sha

log = logging.getLogger(__name__)

API_VERSION = "2022-11-28"
RETRIES = 4
BACKOFF = 1.0
"""Seconds; the pauses between tries are 0, 2, 4 and 8 times this."""
MAX_WAIT = 300
"""Seconds to wait, at most, because GitHub asks for it."""
MAX_ANSWER = 2 * MAX_BYTES
"""Bytes of an answer that are read at most: base64 in JSON makes a README 1.4 times as long."""
LONGEST = 1_800
"""Seconds that an exchange may take in all, with its pauses and tries: more than four times MAX_WAIT."""
MAX_PAGES = 1_000
"""Pages of repositories that are read at most, of up to 100 each."""
MAX_LINK = 4_096
"""Bytes of a symbolic link at most, as Linux has it."""
SAID = 200
"""Characters of GitHub's own message that an error shows."""
RETRIED = (403, 429, 500, 502, 503, 504)
"""403 only where it stands for a rate limit."""
LATER = "run the same command again later"
HINTS = {401: "GitHub asks for a token: set GITHUB_TOKEN", 404: "check sources.github in config/datasets/"}
WITH_TOKEN = {
    401: "GITHUB_TOKEN is wrong or has expired: set another, or unset it",
    403: "GITHUB_TOKEN may not read this: set another, or unset it",
}


class _OfAllError(RegistryError):
    """What no repository in particular is to blame for, such as a rate limit."""


def _said(body: bytes) -> str:
    """Return what GitHub itself says about an error, if it does."""
    try:
        message = json.loads(body)["message"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""
    return one_line(message)[:SAID] if isinstance(message, str) else ""


class _Patience(Retry):
    """Retries that heed GitHub's rate limit, but give up at once if that takes longer than MAX_WAIT."""

    def get_retry_after(self, response: BaseHTTPResponse | requests.Response) -> float | None:
        wait = super().get_retry_after(response)
        reset = response.headers.get("x-ratelimit-reset", "")
        if wait is None and response.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
            wait = min(max(0.0, int(reset) - time.time()) + 1, self.retry_after_max)
        return wait

    def increment(self, *request: Any, response: BaseHTTPResponse | None = None, **more: Any) -> Self:
        if response is not None:
            wait = self.get_retry_after(response)
            if (wait is None and response.status == 403) or (wait or 0) > MAX_WAIT:
                raise MaxRetryError(None, None, ResponseError("not worth another try"))
        return super().increment(*request, response=response, **more)


class _WithoutVary(BaseHeuristic):
    """Drops `Vary`, for whose sake the cache would keep a copy of the token; every use of it is revalidated anyway."""

    def apply(self, response: Any) -> Any:
        response.headers.pop("Vary", None)
        return response


def _read(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(1 << 16):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise RegistryError(f"the answer is longer than {MAX_ANSWER:,} bytes")
    return bytes(body)


class GitHub:
    """The public repositories of an organisation and their READMEs.

    `cache` is the folder that keeps answers between runs: they are asked for again each time, with their ETag, and an
    answer that did not change (304) costs no rate limit. `token` (GITHUB_TOKEN) goes to the host of `api` alone. Every
    method raises RegistryError, with neither a token nor a query in it, for any answer that is not right.
    """

    def __init__(
        self,
        api: str,
        organisation: str,
        *,
        cache: Path,
        token: str | None = None,
        retries: int = RETRIES,
        backoff: float = BACKOFF,
    ) -> None:
        self._api, self._organisation = api.rstrip("/"), organisation
        self._patience = _Patience(
            total=retries, backoff_factor=backoff, status_forcelist=RETRIED, raise_on_status=False
        )
        self._cache = FileCache(cache)
        self._asked: list[str] = []
        self._session = requests.Session()
        self._session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "Cache-Control": "max-age=0",
                "User-Agent": "data-registry",
                "X-GitHub-Api-Version": API_VERSION,
            }
        )
        if token:
            self._session.auth = self._bearer(token)
        adapter = CacheControlAdapter(self._cache, heuristic=_WithoutVary(), max_retries=self._patience)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    @staticmethod
    def _bearer(token: str) -> Any:
        if not re.fullmatch(r"[!-~]+", token):
            raise RegistryError("not a token: it has spaces, line breaks or letters beyond ASCII", where="GITHUB_TOKEN")

        def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {token}"
            return request

        return authorise

    def _exchange(self, url: str) -> tuple[requests.Response, bytes]:
        patience = self._patience
        while True:
            response = self._session.get(url, timeout=TIMEOUT, stream=True)
            try:
                with response:
                    return response, _read(response)
            except requests.RequestException as error:  # urllib3's own retries end where the body of an answer begins
                if not patience.total:
                    raise
                patience = patience.increment("GET", public_url(url), error=error)
                patience.sleep()

    def _get(self, url: str, *, accepted: tuple[int, ...] = (200,)) -> tuple[requests.Response, Any]:
        try:
            with deadline(LONGEST):
                response, body = self._exchange(url)
        except (requests.RequestException, LateError) as error:
            raise _OfAllError(describe(error), where=public_url(url), hint=LATER) from None
        self._asked.append(response.url)
        if response.status_code not in accepted:
            raise self._refused(response, body)
        unchanged = " (unchanged since the last run)" if response.from_cache else ""
        log.info("%s: HTTP %d%s", public_url(url), response.status_code, unchanged)
        if response.status_code != 200:
            return response, None
        try:
            return response, json.loads(body)
        except (ValueError, RecursionError):
            raise self._wrong("it is not JSON", response) from None

    def _refused(self, response: requests.Response, body: bytes) -> RegistryError:
        where, status, said = public_url(response.url), response.status_code, _said(body)
        wait = self._patience.get_retry_after(response) if status in (403, 429) else None
        if wait is not None or (status in (403, 429) and "rate limit" in said.lower()):
            until = f" until {datetime.now(UTC) + timedelta(seconds=wait):%Y-%m-%d %H:%M:%S} UTC" if wait else ""
            more = ", or set GITHUB_TOKEN: with a token, GitHub answers 5,000 requests an hour instead of 60"
            hint = "run the same command again after that" + ("" if self._session.auth else more)
            return _OfAllError(f"GitHub's rate limit is used up{until}", where=where, hint=hint)
        hint = (HINTS | (WITH_TOKEN if self._session.auth else {})).get(status, LATER)
        kind = _OfAllError if status == 401 or status >= 500 else RegistryError
        return kind(f"HTTP {status} {response.reason}" + (f": {said}" if said else ""), where=where, hint=hint)

    def _wrong(self, what: str, response: requests.Response) -> RegistryError:
        """Return the error for a wrong answer, after forgetting it: it must not be revalidated into the next run.

        With it go those before it that it may not agree with.
        """
        for url in self._asked:
            self._cache.delete(CacheController.cache_url(url))
        return RegistryError(
            f"GitHub's answer is wrong: {what}",
            where=public_url(response.url),
            hint=LATER,
        )

    def _fields(self, response: requests.Response, answer: Any, **types: type) -> tuple[Any, ...]:
        for name, expected in types.items():
            if not isinstance(answer, dict) or not isinstance(answer.get(name), expected):
                raise self._wrong(f"it has no {name}", response)
        return tuple(answer[name] for name in types)

    def _next(self, response: requests.Response) -> str | None:
        link = response.links.get("next")
        if link is None:
            return None
        url = urljoin(response.url, link["url"])
        if urlsplit(url)[:2] != urlsplit(self._api)[:2]:
            raise self._wrong(f"its next page is on another host ({urlsplit(url).hostname})", response)
        return url

    def repositories(self) -> list[str]:
        """Return the names of the organisation's public repositories, sorted, as GitHub tells them."""
        self._asked.clear()
        names: set[str] = set()
        visited: set[str] = set()
        url: str | None = f"{self._api}/orgs/{self._organisation}/repos?per_page=100&type=public"
        while url:
            visited.add(url)
            response, answer = self._get(url)
            if not isinstance(answer, list):
                raise self._wrong("it is not a list", response)
            names.update(self._fields(response, repository, name=str)[0] for repository in answer)
            url = self._next(response)
            if url and len(visited) == MAX_PAGES:
                raise self._wrong(f"it has more than {MAX_PAGES:,} pages", response)
            if url in visited:
                raise self._wrong("its pages go in circles", response)
        return sorted(names)

    def readme(self, repository: str) -> Readme | None:
        """Return the README of a repository (a name that `check_names` passed), or None if it has none.

        Its bytes are held to the git blob id and the size that GitHub names. One above 1 MB comes as a git blob; one
        above MAX_BYTES is a RegistryError. One that is a symbolic link is the file that it leads to in its repository.
        """
        self._asked.clear()
        try:
            return self._readme(f"{self._api}/repos/{self._organisation}/{repository}")
        except _OfAllError:
            raise
        except RegistryError as error:
            out = f"leave {repository} out: name it in sources.github.exclude in config/datasets/"
            hint = f"{error.hint}, or {out}" if error.hint else out
            raise RegistryError(error.reason, where=repository, hint=hint) from None

    def _readme(self, base: str) -> Readme | None:
        response, answer = self._get(f"{base}/readme", accepted=(200, 404))
        if response.status_code == 404:
            return None
        readme = self._file(base, response, answer)
        if readme is None:
            response, answer = self._followed(base, response, answer)
            readme = self._file(base, response, answer)
        if readme is None:
            raise self._mismatched(response, answer)
        return readme

    def _file(self, base: str, response: requests.Response, answer: Any) -> Readme | None:
        """Return the file that GitHub tells of; None where its bytes are not those of the blob that is named."""
        path, sha, size = self._fields(response, answer, path=str, sha=str, size=int)
        if not re.fullmatch(r"[0-9a-f]{40}", sha):
            raise self._wrong("its sha is not the id of a git blob", response)
        if answer.get("type") == "symlink":
            return None
        if size > MAX_BYTES:
            raise RegistryError(f"{path} has {size:,} bytes, more than {MAX_BYTES:,}")
        if answer.get("encoding") == "none" or (size and not answer.get("content")):
            response, answer = self._get(f"{base}/git/blobs/{sha}")
        content = self._content(response, answer)
        return Readme(path, content) if (len(content), blob_sha(content)) == (size, sha) else None

    def _content(self, response: requests.Response, answer: Any) -> bytes:
        encoding, text = self._fields(response, answer, encoding=str, content=str)
        try:
            if encoding == "base64":
                return base64.b64decode(text)
        except ValueError:
            pass
        raise self._wrong("its content is not base64", response)

    def _followed(self, base: str, response: requests.Response, answer: Any) -> tuple[requests.Response, Any]:
        """Return what GitHub tells of the file that a symbolic link leads to.

        Of a link it names the blob, which holds the way, but sends the bytes of that file, or none.
        """
        path, sha = answer["path"], answer["sha"]
        blob, told = self._get(f"{base}/git/blobs/{sha}", accepted=(200, 404))
        way = self._content(blob, told) if blob.status_code == 200 else b""
        if blob_sha(way) != sha or len(way) > MAX_LINK:
            raise self._mismatched(response, answer)
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path).encode(), way))
        if not target.startswith((b"/", b"../")):
            file, told = self._get(f"{base}/contents/{quote(target)}", accepted=(200, 404))
            if isinstance(told, dict) and told.get("type") == "file":
                return file, told
        if answer.get("type") != "symlink":
            raise self._mismatched(response, answer)
        where = way.decode(errors="replace")
        raise RegistryError(f"{path} is a symbolic link to {where}, which is no file of that repository")

    def _mismatched(self, response: requests.Response, answer: Any) -> RegistryError:
        return self._wrong(f"its content is not the {answer['size']:,} bytes of git blob {answer['sha']}", response)
