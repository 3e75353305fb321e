"""Read the releases of a registry at any address that git takes: a folder, a bare repository, a URL. No clone stays."""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from semver import Version

from registry.errors import RegistryError
from registry.gate import MAX_POINTER
from registry.shown import redacted
from registry.storage.git import Git, GitError
from registry.storage.git_text import records
from registry.storage.snapshot import described
from registry.storage.tag_object import NOT_OF_A_COMMIT
from registry.storage.tags import NAMED, Alias, OddTag, Release, by_dataset, judged

EAGER = "blob:limit=100k"
"""Larger files of a tag are transferred only when they are read."""
TAGS_ALONE = "tree:0"
"""No file is transferred, where the other side can leave them out."""
FILTERING = "--upload-pack=git -c uploadpack.allowFilter=true upload-pack"
"""Lets a repository in a folder here leave files out, whatever its own configuration says."""
FAILURES = 50
"""How often git may fail to fetch some of the tags before it is not their fault."""
_PEELED = "^{}"
_PASSWORD = "REGISTRY_GIT_PASSWORD"  # noqa: S105  the name of a variable
_HELPER = f"!printf 'password=%s\\n' \"${_PASSWORD}\" #"
"""A credential helper that tells git the password; an empty one before it keeps git from asking, or telling, others."""


@dataclass(frozen=True)
class Tags:
    """The tags that name releases: {name: its versions, the lowest first}, and {odd tag: why it is left out}.

    The name is that of the dataset, or an alias; `aliases` are the tags under such names {tag: the dataset}.
    """

    versions: dict[str, list[Version]]
    aliases: dict[str, str]
    left_out: dict[str, str]


def list_tags(address: str) -> Tags:
    """Return the releases at an address, judged by their tags as in a checkout. Raises RegistryError."""
    with _scratch(address) as git, _explained(address):
        listed = git.run("ls-remote", "--tags", "origin")
    there = {name: target for target, name in (line.split("\trefs/tags/", 1) for line in records(listed))}
    named = {name: target for name, target in there.items() if NAMED.fullmatch(name)}
    left_out = {name: NOT_OF_A_COMMIT for name in named if f"{name}{_PEELED}" not in there}
    wanted = {name: target for name, target in named.items() if name not in left_out}
    with _fetched(address, wanted, TAGS_ALONE) as (git, failed):
        found = list(judged(git, {name: target for name, target in wanted.items() if name not in failed}))
    left_out |= failed | {one.tag: one.reason for one in found if isinstance(one, OddTag)}
    those = by_dataset(one for one in found if isinstance(one, Release))
    versions = {name: [one.version for one in its] for name, its in those.items()}
    others = [one for one in found if isinstance(one, Alias)]
    for one in others:
        versions[one.name] = sorted([*versions.get(one.name, []), one.version])
    return Tags(dict(sorted(versions.items())), {one.tag: one.release.dataset for one in others}, left_out)


def read_tags(address: str, datasets: Mapping[str, str]) -> dict[str, dict[str, bytes]]:
    """Return {tag: {path: content}} of what git knows of each {tag: dataset}: descriptions and .dvc files.

    A tag of which nothing can be read has no paths. Raises RegistryError where git cannot reach the address.
    """
    with _fetched(address, _by_name(datasets), EAGER) as (git, failed):
        return {tag: {} if tag in failed else _described(git, tag, dataset) for tag, dataset in datasets.items()}


def read_file(address: str, tag: str, path: str) -> bytes | None:
    """Return a short file of a tag; None where it has no such file. Raises RegistryError."""
    with _fetched(address, _by_name([tag]), EAGER) as (git, _), _explained(address):
        return git.read(f"refs/tags/{tag}", [path], max_bytes=MAX_POINTER).get(path)


def _by_name(tags: Iterable[str]) -> dict[str, str]:
    return {tag: f"refs/tags/{tag}:refs/tags/{tag}" for tag in tags}


def _described(git: Git, tag: str, dataset: str) -> dict[str, bytes]:
    try:
        return described(git, dataset, f"refs/tags/{tag}", tag)
    except RegistryError:
        return {}


@contextmanager
def _fetched(address: str, specs: Mapping[str, str], left: str) -> Iterator[tuple[Git, dict[str, str]]]:
    """Yield a repository that has these {tag: refspec} of another one, without their history, until the block ends.

    It lacks the files that the filter `left` leaves there. With it come the tags that cannot be fetched, and why.
    """
    local = os.path.exists(address)  # noqa: PTH110  no name is too long for it
    with _scratch(address) as git:
        with _explained(address):
            failed = _fetch(git, specs, [f"--filter={left}", *([FILTERING] if local else [])])
        yield git, failed


@contextmanager
def _scratch(address: str) -> Iterator[Git]:
    """Yield an empty repository, whose `origin` is that address, until the block ends."""
    place = str(Path(address).resolve()) if os.path.exists(address) else address  # noqa: PTH110  no name is too long for it
    with tempfile.TemporaryDirectory(prefix="registry-") as folder:
        git = Git(Path(folder), _with_remote(place) | {"GIT_DIR": folder})
        git.run("init", "--quiet", "--bare")
        yield git


def _fetch(git: Git, specs: Mapping[str, str], filtering: Sequence[str]) -> dict[str, str]:
    """Fetch each {tag: refspec}, and return those that cannot be had, and why.

    One that is broken keeps none of the others away. Raises GitError where it cannot be their fault.
    """
    options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", *filtering)
    waiting, failures = [list(specs)] if specs else [], 0
    failed: dict[str, str] = {}
    while waiting:
        some = waiting.pop()
        try:
            git.run("fetch", *options, "--stdin", "origin", stdin="".join(f"{specs[tag]}\n" for tag in some))
        except GitError as error:
            failures += 1
            half = len(some) // 2
            if half:
                waiting += [some[:half], some[half:]]
            else:
                first = error.printed.partition("\n")[0]
                failed[some[0]] = f"git cannot fetch it: {redacted(first)}"
            if failures > FAILURES or len(failed) == len(specs):
                raise
    return failed


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
    # At fd::0 git would wait for ever for what started this program to speak.
    settings.append(("protocol.fd.allow", "never"))
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
        reason = redacted(error.printed.partition("\n\n")[0])
        raise RegistryError(
            f"git cannot read it: {reason}", where=redacted(address), hint="check the address, and your access to it"
        ) from None
