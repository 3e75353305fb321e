"""What must hold whatever happened to a publish."""

import hashlib
import json
import os
import re
import shutil
from functools import cached_property
from pathlib import Path

import yaml
from botocore.client import BaseClient

from forks import REGISTRY
from registry.files import dvc_digest
from registry.storage.git import Git
from s3 import S3Server
from tiny import Tiny


class Witness:
    """Remembers every release it was shown, and finds out if one of them was moved, lost or changed.

    `git` is where tags are looked up (a clone or a bare repository), `objects` reads an object from the remote.
    """

    def __init__(self, clone: Tiny, origin: Path | None = None, server: S3Server | None = None) -> None:
        self.clone = clone
        self.origin = origin
        self.server = server
        self.tags: dict[str, str] = {}

    @cached_property
    def _client(self) -> BaseClient:
        return self.server.client()

    def _git(self, *arguments: str) -> str:
        return self.clone.run("git", "-C", str(self.origin or self.clone.folder), *arguments)

    def look(self) -> dict[str, str]:
        """Check that no tag moved or vanished, and return all: {tag: object}."""
        listed = self._git("for-each-ref", "--format=%(refname:strip=2) %(objecttype) %(objectname)", "refs/tags")
        now = {}
        for line in listed.splitlines():
            tag, kind, target = line.split()
            assert kind == "tag", f"{tag} is not annotated"
            now[tag] = target
        for tag, target in self.tags.items():
            assert now.get(tag) == target, f"{tag} was moved or lost"
        self.tags = now
        return now

    def files(self, revision: str, dataset: str) -> dict[str, str]:
        """Return {path: text} of what git has of a dataset at a revision."""
        git = Git(self.origin or self.clone.folder)
        contents = git.read(revision, git.listed(revision, f"data/{dataset}/"))
        return {path: content.decode() for path, content in contents.items()}

    def read(self, md5: str, config: str) -> bytes:
        """Return an object's bytes from the remote that a revision's .dvc/config names."""
        key = f"files/md5/{md5[:2]}/{md5[2:]}"
        if self.server is None:
            return (self.clone.folder / ".dvc" / "storage" / key).read_bytes()
        bucket, prefix = re.search(r"url = s3://([^/]+)/(\S+)", config).groups()
        return self._client.get_object(Bucket=bucket, Key=f"{prefix}/{key}")["Body"].read()

    def check_objects(self, tags: list[str] | None = None) -> None:
        """Check that the remote holds every file of these tags (of all), with the bytes that its .dvc file says."""
        seen: dict[str, bytes] = {}
        for tag in self.look() if tags is None else tags:
            dataset = tag.rsplit("-v", 1)[0]
            config = self._git("show", f"{tag}:.dvc/config")
            files = self.files(tag, dataset)
            outs = {path: yaml.safe_load(text)["outs"][0]["md5"] for path, text in files.items() if path[-4:] == ".dvc"}
            provenance = json.loads(files[f"data/{dataset}/provenance.json"])
            metadata = json.loads(files[f"data/{dataset}/metadata.json"])
            assert outs[f"data/{dataset}/processed.dvc"] == provenance["data"]["md5"], tag
            assert f"data/{dataset}/manifest.parquet.dvc" in outs, tag
            assert metadata["content_hash"] == provenance["content_hash"], tag
            for md5 in outs.values():
                for oid in self._whole(md5, config, seen):
                    assert hashlib.md5(seen[oid]).hexdigest() == oid.removesuffix(".dir"), f"{tag}: {oid} is damaged"

    def _whole(self, md5: str, config: str, seen: dict[str, bytes]) -> list[str]:
        if md5 not in seen:
            seen[md5] = self.read(md5, config)
        if not md5.endswith(".dir"):
            return [md5]
        return [md5, *(oid for entry in json.loads(seen[md5]) for oid in self._whole(entry["md5"], config, seen))]

    def check_dvc_get(self, tags: list[str], folder: Path) -> None:
        """Check that somebody else gets these tags with `dvc get --rev`, byte for byte as released."""
        url = self.origin
        if url is None:
            # A local URL would be read from its cache: take that away, and leave the store.
            url = folder / "seen-from-elsewhere"
            shutil.rmtree(url, ignore_errors=True)
            self.clone.run("git", "clone", "--quiet", "--no-checkout", str(self.clone.folder), str(url))
            self.clone.run("git", "-C", str(url), "checkout", "--quiet", "HEAD", "--", ".dvc")
            (url / ".dvc" / "storage").symlink_to(self.clone.folder / ".dvc" / "storage")
        wanted = []
        for tag in tags:
            for out in ("processed", "manifest.parquet"):
                path = f"data/{tag.rsplit('-v', 1)[0]}/{out}"
                wanted.append((tag, path, str(folder / "got" / f"{tag}-{out}")))
        (folder / "got").mkdir()
        site = str(folder / "site-of-others")
        env = self.clone.environment(DVC_SITE_CACHE_DIR=site)
        got = REGISTRY.run("invariants:dvc_get", str(url), json.dumps(wanted), cwd=folder, env=env)
        assert got.code == 0, got.printed
        for tag, path, out in wanted:
            recorded = yaml.safe_load(self._git("show", f"{tag}:{path}.dvc"))["outs"][0]["md5"]
            assert dvc_digest(out) == recorded, f"{tag}: {path} differs from what was released"
        shutil.rmtree(folder / "got")

    def check(self) -> None:
        """Check every tag, every object, and git's own."""
        self.check_objects()
        for place in {self.clone.folder, self.origin or self.clone.folder}:
            # Objects that nobody points at are what an interrupted publish leaves.
            self.clone.run("git", "-C", str(place), "fsck", "--strict", "--no-dangling", "--no-progress")

    def check_with_dvc(self, folder: Path) -> None:
        """Check all of it, the newest tag of each dataset with dvc itself."""
        self.check()
        newest = {tag.rsplit("-v", 1)[0]: tag for tag in sorted(self.tags, key=_number)}
        self.check_dvc_get(list(newest.values()), folder)


def dvc_get(url: str, wanted: str) -> None:
    """Do what `dvc get` does, for several (tag, path, out)."""
    from dvc.repo import Repo

    for tag, path, out in json.loads(wanted):
        Repo.get(url, path, out=out, rev=tag)


def _number(tag: str) -> tuple[int, ...]:
    return tuple(map(int, tag.rsplit("-v", 1)[1].split(".")))


class Work:
    """The user's own unfinished work: staged, unstaged, staged and changed again, untracked, ignored, removed."""

    FILES = ("notes.txt", "staged.txt", "both.txt", "untracked.txt", "new-staged.txt", "logs/ignored.log")

    def __init__(self, clone: Tiny) -> None:
        self.clone = clone
        clone.write("both.txt", "staged\n")
        clone.write("staged.txt", "staged\n")
        clone.write("new-staged.txt", "staged\n")
        clone.git("add", "both.txt", "staged.txt", "new-staged.txt")
        clone.write("both.txt", "and changed\n")
        clone.write("notes.txt", "changed\n")
        clone.write("untracked.txt", "untracked\n")
        clone.write("logs/ignored.log", "ignored\n")
        (clone.folder / "LICENSE").unlink()
        self.before = self._state()

    def _state(self) -> tuple[dict[str, tuple[bytes, int]], str, str]:
        files = {name: self.clone.folder / name for name in self.FILES}
        contents = {name: (path.read_bytes(), path.stat().st_mtime_ns) for name, path in files.items()}
        names = (*self.FILES, "LICENSE")
        return contents, self.clone.git("ls-files", "--stage", "--", *names), self.status(*names)

    def status(self, *names: str) -> str:
        """Return what `git status` says about these files, about all if none are named."""
        return self.clone.git("status", "--porcelain", "--untracked-files=all", "--", *names)

    def check(self) -> None:
        """Check that nothing of it was touched."""
        assert self._state() == self.before

    def check_is_all(self) -> None:
        """Check that git knows of no other change: the release left nothing behind."""
        self.check()
        assert self.status() == self.before[2]
        assert not [path for path in self.clone.folder.glob(".git/**/*.lock") if path.name != "registry.lock"]
        assert not list((self.clone.folder / ".git").glob("registry-*"))


def no_secret(clone: Tiny, printed: str, *secrets: str) -> None:
    """Check that no secret was printed or written to any file of the repository."""
    for secret in secrets:
        assert secret not in printed, printed
        for folder, _, names in os.walk(clone.folder):
            for name in names:
                path = Path(folder, name)
                assert path.is_symlink() or secret.encode() not in path.read_bytes(), f"{path} holds a secret"


def one_message(printed: str) -> None:
    """Check that what was printed is one error that says what to do, and no traceback."""
    assert "Traceback" not in printed, printed
    assert printed.count("error:") == 1, printed
    assert printed.count("what to do:") == 1, printed
