"""Make commits and tags appear: atomically, sparing the user's own work, and on origin first where asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from filelock import FileLock, Timeout

from registry.errors import RegistryError
from registry.release.git import GitError
from registry.release.repository import Repository

ATTEMPTS = 10
"""How often to start anew when somebody else's commit or release came first."""
_OVERTAKEN = ("non-fast-forward", "fetch first", "already exists", "cannot lock ref", "failed to update ref")
"""What git says when origin has moved on."""

T = TypeVar("T")


class Overtaken(Exception):  # noqa: N818  it leads to another attempt
    """Somebody else moved the branch, or took a version number."""


@dataclass(frozen=True)
class Tip:
    """Where a new commit goes: on `base`, the newer of HEAD and origin's branch; both are HEAD without push."""

    branch: str
    head: str
    base: str


def blocked(repository: Repository) -> tuple[str, str] | None:
    """Return why nothing can be released from here, and what to do; None where nothing is in the way."""
    git = repository.git
    operation = git.operation()
    if operation:
        return f"{operation} is under way", "finish or abort it, then run registry publish"
    if git.commit() is None:
        return "there is no commit yet", "commit the registry's own files, then run registry publish"
    branch = git.branch()
    if branch is None:
        return "HEAD is detached", "git switch to the branch that releases are made from, then run registry publish"
    release_branch = repository.settings.branch or git.default_branch() or branch
    if branch != release_branch:
        return (
            f"releases are made from {release_branch}, this is {branch}",
            f"merge it into {release_branch}, or set release.branch in config/config.yaml",
        )
    return None


@contextmanager
def alone(repository: Repository, say: Callable[[str], None]) -> Iterator[None]:
    """Keep other commands that write away from this clone while the block runs; `say` tells of a wait."""
    lock = FileLock(repository.git.common_dir / "registry.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another registry command is at work here: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def attempt(repository: Repository, work: Callable[[Tip], T], say: Callable[[str], None]) -> T:
    """Call `work` with the tip to build on, alone in this clone, and again whenever it raises Overtaken."""
    with alone(repository, say):
        for _ in range(ATTEMPTS):
            try:
                return work(_tip(repository))
            except Overtaken:
                say("somebody else was faster: deciding again")
    raise RegistryError(f"overtaken {ATTEMPTS} times", hint="run the same command again")


def _tip(repository: Repository) -> Tip:
    git = repository.git
    branch, head = git.branch(), git.commit()
    if not repository.settings.push:
        return Tip(branch, head, head)
    if git.origin() is None:
        raise RegistryError(
            "release.push is true, but there is no git remote `origin`",
            where="config/config.yaml",
            hint="git remote add origin <url>, or set release.push to false",
        )
    tracked = f"refs/remotes/origin/{branch}"
    known = git.run("ls-remote", "--heads", "origin", f"refs/heads/{branch}")
    refspecs = [f"+refs/heads/{branch}:{tracked}"] if known else []
    git.run("fetch", "--quiet", "--tags", "origin", *refspecs)
    theirs = git.commit(tracked) if known else head
    if git.is_ancestor(theirs, head):
        return Tip(branch, head, head)
    if git.is_ancestor(head, theirs):
        return Tip(branch, head, theirs)
    raise RegistryError(
        f"{branch} and origin/{branch} went different ways", hint="git pull --rebase, then run the same command again"
    )


def record(
    repository: Repository,
    tip: Tip,
    files: Sequence[str],
    message: str,
    tags: Mapping[str, str],
    *,
    present: Sequence[str] = (),
    check: Callable[[str], None] = lambda commit: None,
) -> str:
    """Commit these files of the working tree on the tip, with annotated tags {name: message}, and return the commit.

    Without files the tags go to the tip itself. `present` are files that lie here as the tip, but not HEAD, has them.
    `check` looks at the commit before anybody else can, and may raise. Branch and tags appear in one step; with
    release.push origin is offered them first, all or nothing. Raises Overtaken when the branch has moved on or a tag
    exists, and RegistryError when origin refuses.
    """
    git = repository.git
    identity = git.identity(repository.settings.identity)
    commit = git.commit_object(tip.base, files, message, identity) if files else tip.base
    check(commit)
    objects = {tag: git.tag_object(tag, commit, text, identity) for tag, text in tags.items()}
    if repository.settings.push:
        _offer(repository, tip.branch, commit, objects)
    follow(repository, tip, commit, [*files, *present], objects)
    return commit


def _offer(repository: Repository, branch: str, commit: str, tags: Mapping[str, str]) -> None:
    specs = [f"{commit}:refs/heads/{branch}", *(f"{target}:refs/tags/{tag}" for tag, target in tags.items())]
    try:
        repository.git.run("push", "--quiet", "--atomic", "origin", *specs)
    except GitError as error:
        if any(words in error.printed for words in _OVERTAKEN):
            raise Overtaken from None
        raise RegistryError(
            f"origin did not take it, and nothing is released: {error.printed}",
            hint="mend that, then run the same command again; data that was stored stays stored",
        ) from None


def follow(
    repository: Repository, tip: Tip, commit: str, files: Sequence[str], tags: Mapping[str, str] | None = None
) -> None:
    """Move the branch from HEAD to `commit`, of which `files` lie in the working tree already, and create tags.

    Raises Overtaken when the branch has moved on or a tag exists.
    """
    git = repository.git
    try:
        git.follow(tip.head, commit, files)
    except GitError as error:
        raise _stuck(repository, error) from None
    try:
        git.update_refs((tip.branch, commit, tip.head), tags or {}, "registry")
    except GitError as error:
        here = git.commit(f"refs/heads/{tip.branch}") == tip.head
        if here and not any(git.commit(f"refs/tags/{tag}") for tag in tags or {}):
            raise _stuck(repository, error) from None
        raise Overtaken from None


def _stuck(repository: Repository, error: GitError) -> RegistryError:
    """Say why this clone cannot follow a release, and whether origin has it already."""
    released = "origin has it, but this clone cannot follow" if repository.settings.push else "nothing is released"
    if error.full:
        hint = "free some space, then run registry publish"
    elif ".lock" in error.printed:
        hint = "let the other git end (or remove the lock that one left behind), then run registry publish"
    elif repository.settings.push:
        hint = "commit or stash your own changes, then run registry publish"
    else:
        hint = "mend that, then run registry publish"
    return RegistryError(f"{released}: {error.printed}", hint=hint)
