"""A GitHub API on the real HTTP server, and the corpora that tests build from it."""

import base64
import hashlib
import json

import pytest

from registry.errors import RegistryError
from registry.sources.github import GitHub
from registry.sources.readmes import blob_sha, write_corpus
from support import reply

ORG = "OpenCloudHub"
REPOSITORIES = f"/orgs/{ORG}/repos"
READMES = {"docs": b"# Docs\n", "gitops": b"# GitOps\r\nno end", ".github": b"\xff\xfe", "zero": b""}


class Api:
    """A GitHub API on the real HTTP server: pages of two repositories, ETags, 304, blobs for what is above 1 MB."""

    def __init__(self, server, readmes):
        self.server, self.answers = server, []
        names = list(readmes)
        self.pages = [names[at : at + 2] for at in range(0, len(names), 2)] or [[]]
        server.routes[REPOSITORIES] = self.page
        for name, content in readmes.items():
            if content is not None:
                self.readme(name, content)

    def send(self, handler, value, headers=None):
        body = json.dumps(value).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        same = handler.headers["If-None-Match"] == etag
        self.answers.append((handler.path, 304 if same else 200))
        sent = {"ETag": etag, "Cache-Control": "private, max-age=60", "Vary": "Accept, Authorization"} | (headers or {})
        reply(handler, b"" if same else body, status=304 if same else 200, headers=sent)

    def page(self, handler):
        assert "per_page=100&type=public" in handler.path
        number = int(handler.path.partition("&page=")[2] or 1)
        more = number < len(self.pages)
        link = f'<{self.server.url}{REPOSITORIES}?per_page=100&type=public&page={number + 1}>; rel="next"'
        names = [{"name": name, "full_name": f"{ORG}/{name}"} for name in self.pages[number - 1]]
        self.send(handler, names, {"Link": link} if more else {})

    def readme(self, name, content, /, **lies):
        answer = {"type": "file", "path": "README.md", "sha": blob_sha(content), "size": len(content)}
        blob = {"content": base64.encodebytes(content).decode(), "encoding": "base64"}
        if len(content) > 1_000_000:
            self.json(f"{name}/git/blobs/{blob_sha(content)}", answer | blob)
            blob = {"content": "", "encoding": "none"}
        self.json(f"{name}/readme", answer | blob | lies)

    def link(self, name, to, content, /, **lies):
        """Let the README of a repository be a symbolic link; `content` is that of the file behind it, or None."""
        way = to.encode()
        told = {"type": "file", "path": "README.md", "sha": blob_sha(way), "size": len(way), "encoding": "base64"}
        self.json(
            f"{name}/git/blobs/{blob_sha(way)}", {"content": base64.b64encode(way).decode(), "encoding": "base64"}
        )
        if content is None:
            self.json(f"{name}/readme", told | {"type": "symlink", "target": to} | lies)
            return
        sent = {"content": base64.encodebytes(content).decode(), "encoding": "base64"}
        self.json(f"{name}/readme", told | sent | lies)
        target = {"type": "file", "path": to, "sha": blob_sha(content), "size": len(content)}
        self.json(f"{name}/contents/{to}", target | sent)

    def json(self, path, value):
        self.server.routes[f"/repos/{ORG}/{path}"] = lambda handler: self.send(handler, value)


def build_raw(server, folder, name="raw", exclude=(), **options):
    """Build `<folder>/<name>` from the fake API in the way that the job does."""
    source = GitHub(server.url, ORG, **{"cache": folder / "cache", "retries": 2, "backoff": 0.0} | options)
    write_corpus(folder / name, source, mode="upstream", api=server.url, organisation=ORG, exclude=exclude)
    return folder / name


def refuse_raw(server, folder, **options):
    """Build, expect a RegistryError and nothing half-written, and return the message."""
    with pytest.raises(RegistryError) as caught:
        build_raw(server, folder, **options)
    assert not (folder / "raw").exists()
    assert not (folder / ".raw.partial").exists()
    return str(caught.value)


def paths(server):
    return [path for path, _ in server.requests]


def content_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
