"""Read the releases of a registry at any address that git takes: a folder, a bare repository, a URL. No clone stays."""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from semver import Version

from registry.errors import RegistryError
from registry.gate import MAX_DESCRIPTION, MAX_POINTER
from registry.storage.git import Git, GitError
from registry.storage.snapshot import is_description
from registry.storage.tags import TAG

EAGER = "blob:limit=100k"
"""Larger files of a tag are transferred only when they are read."""
_PEELED = "^{}"
_PASSWORD = "REGISTRY_GIT_PASSWORD"  # noqa: S105  the name of a variable
_HELPER = f"!printf 'password=%s\\n' \"${_PASSWORD}\" #"
"""A credential helper that tells git the password; an empty one before it keeps git from asking, or telling, others."""


@dataclass(frozen=True)
class Tags:
    """The tags that name releases: {dataset: its versions, the lowest first}, and {odd tag: why it is left out}."""

    versions: dict[str, list[Version]]
    left_out: dict[str, str]


def public(text: str) -> str:
    """Return `text` without the password or token that an address in it may hold."""
    text = re.sub(r"(https?://)[^/\s]*@", r"\1", text)
    return re.sub(r"(ssh://[^/\s:@]*):[^/\s]*@", r"\1@", text)


def list_tags(address: str) -> Tags:
    """Return the releases at an address, as git lists its tags. Raises RegistryError."""
    with _scratch(address) as git, _explained(address):
        listed = git.run("ls-remote", "--tags", "origin")
    names = [line.rpartition("refs/tags/")[2] for line in listed.splitlines()]
    annotated = {name.removesuffix(_PEELED) for name in names if name.endswith(_PEELED)}
    found = Tags({}, {})
    for name in names:
        match = TAG.fullmatch(name)
        if match is None:
            continue
        if name not in annotated:
            found.left_out[name] = "not an annotated tag of a commit"
            continue
        try:
            found.versions.setdefault(match["dataset"], []).append(Version.parse(match["version"]))
        except ValueError:
            found.left_out[name] = "its number is too long"
    return Tags({name: sorted(those) for name, those in sorted(found.versions.items())}, found.left_out)


def read_tags(address: str, datasets: Mapping[str, str]) -> dict[str, dict[str, bytes]]:
    """Return {tag: {path: content}} of what git knows of each {tag: dataset}: descriptions and .dvc files.

    A tag of which nothing can be read has no paths. Raises RegistryError where git cannot reach the address.
    """
    with _fetched(address, datasets) as git:
        return {tag: _described(git, tag, dataset) for tag, dataset in datasets.items()}


def read_file(address: str, tag: str, path: str) -> bytes | None:
    """Return a short file of a tag; None where it has no such file. Raises RegistryError."""
    with _fetched(address, [tag]) as git, _explained(address):
        return git.read(f"refs/tags/{tag}", [path], max_bytes=MAX_POINTER).get(path)


def _described(git: Git, tag: str, dataset: str) -> dict[str, bytes]:
    try:
        listed = git.listed(f"refs/tags/{tag}", f"data/{dataset}")
        wanted = [path for path in listed if path.isprintable() and is_description(path, dataset)]
        return git.read(f"refs/tags/{tag}", wanted, max_bytes=MAX_DESCRIPTION)
    except GitError:
        return {}


@contextmanager
def _fetched(address: str, tags: Iterable[str]) -> Iterator[Git]:
    """Yield a repository that has these tags of another one, without their history, until the block ends."""
    with _scratch(address) as git:
        specs = "".join(f"refs/tags/{tag}:refs/tags/{tag}\n" for tag in tags)
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", f"--filter={EAGER}")
        with _explained(address):
            git.run("fetch", *options, "--stdin", "origin", stdin=specs)
        yield git


@contextmanager
def _scratch(address: str) -> Iterator[Git]:
    """Yield an empty repository, whose `origin` is that address, until the block ends."""
    place = str(Path(address).resolve()) if os.path.exists(address) else address  # noqa: PTH110  no name is too long for it
    with tempfile.TemporaryDirectory(prefix="registry-") as folder:
        git = Git(Path(folder), _with_remote(place) | {"GIT_DIR": folder})
        git.run("init", "--quiet", "--bare")
        yield git


def _with_remote(address: str) -> dict[str, str]:
    """Return what the environment must hold for git to know the remote `origin`, beside what else is configured so.

    Other users of this machine see the arguments of git, and of the helpers to which it hands an address on, but not
    the environment: user and password of an address are there alone.
    """
    settings, password = [("remote.origin.url", address)], ""
    login = re.match(r"(https?://)([^/]*)@([^/]*)", address)
    if login:
        user, _, password = (unquote(part) for part in login[2].partition(":"))
        host = f"{login[1]}{login[3]}"
        settings = [("remote.origin.url", host + address[login.end() :]), (f"credential.{host}.username", user)]
    if password:
        settings += [(f"credential.{host}.helper", helper) for helper in ("", _HELPER)]
    first = int(os.environ.get("GIT_CONFIG_COUNT") or "0")
    numbered = {
        f"GIT_CONFIG_{kind}_{number}": text
        for number, setting in enumerate(settings, start=first)
        for kind, text in zip(("KEY", "VALUE"), setting, strict=True)
    }
    return {"GIT_CONFIG_COUNT": str(first + len(settings)), _PASSWORD: password, **numbered}


@contextmanager
def _explained(address: str) -> Iterator[None]:
    try:
        yield
    except GitError as error:
        reason = public(error.printed.partition("\n\n")[0])
        raise RegistryError(
            f"git cannot read it: {reason}", where=public(address), hint="check the address, and your access to it"
        ) from None
