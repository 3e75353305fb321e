"""Make commits and tags appear: atomically, sparing the user's own work, and on origin first where asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from filelock import FileLock, Timeout

from registry.errors import RegistryError
from registry.release.aliases import alias_object
from registry.release.pending import Pending, read_pending, settle_pending, write_pending
from registry.storage.git import Git, GitError
from registry.storage.git_text import records
from registry.storage.repository import Repository
from registry.storage.tags import TAGS, other_names, releases

ATTEMPTS = 10
"""How often to decide again when somebody else's commit or release came first."""
NAMED = 3
"""Tags that a message names."""
_OVERTAKEN = ("non-fast-forward", "fetch first", "already exists", "cannot lock ref", "failed to update ref")
"""What git says when origin has moved on."""

T = TypeVar("T")


class Conflict(Exception):  # noqa: N818  it leads to another attempt
    """Somebody else moved the branch, or took a version number."""


@dataclass(frozen=True)
class Base:
    """Where a new commit goes: on `commit`, the newer of HEAD and origin's branch; both are HEAD without push.

    `unpushed` are tags of releases that HEAD contains and origin, with push, lacks.
    """

    branch: str
    head: str
    commit: str
    unpushed: tuple[str, ...] = ()


def blocked(repository: Repository, command: str = "registry publish") -> tuple[str, str] | None:
    """Return why nothing can be released from here, and what to do so that `command` can; None where it can."""
    git = repository.git
    operation = git.operation()
    if operation:
        return f"{operation} is under way", f"finish or abort it, then run {command}"
    if git.commit() is None:
        return "there is no commit yet", f"commit the registry's own files, then run {command}"
    if git.is_shallow():
        return "this clone is shallow: it does not know all releases", "git fetch --unshallow --tags"
    branch = git.branch()
    if branch is None:
        return "HEAD is detached", f"git switch to the branch that releases are made from, then run {command}"
    release_branch = repository.settings.branch or git.default_branch() or branch
    if branch != release_branch:
        return (
            f"releases are made from {release_branch}, this is {branch}",
            f"merge it into {release_branch}, or set release.branch in config/config.yaml",
        )
    return None


def lock_of(repository: Repository) -> FileLock:
    """Return the lock of a clone, which every command holds that writes what is released or restored."""
    return FileLock(repository.git.common_dir / "registry.lock")


@contextmanager
def exclusive(repository: Repository, say: Callable[[str], None]) -> Iterator[None]:
    """Keep other commands that write away from this clone while the block runs; `say` tells of a wait."""
    lock = lock_of(repository)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another registry command is at work here: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def retry_on_conflict(
    repository: Repository, work: Callable[[Base], T], say: Callable[[str], None], *, dry_run: bool = False
) -> T:
    """Call `work` with the base to build on, alone in this clone, and again whenever it raises Conflict.

    What an earlier command left half done is completed first, unless this is a `dry_run`.
    """
    with exclusive(repository, say):
        for _ in range(ATTEMPTS):
            reason_not = blocked(repository)
            if reason_not:
                raise RegistryError(f"nothing is released: {reason_not[0]}", hint=reason_not[1])
            try:
                base = _find_base(repository)
                if not dry_run and _resume(repository, base, say):
                    base = _find_base(repository)
                return work(base)
            except Conflict:
                say("somebody else was faster: deciding again")
    raise RegistryError(f"overtaken {ATTEMPTS} times", hint="run the same command again")


def _resume(repository: Repository, base: Base, say: Callable[[str], None]) -> bool:
    """Complete what an earlier command left half done, and tell whether that moved the branch.

    Where that cannot be completed any more, it is forgotten: nothing of it is visible to anybody. The branch also
    follows origin's where all that is new there is here already: somebody else made the same.
    """
    git, pending = repository.git, read_pending(repository.git)
    if pending and not pending.visible:
        completed = _can_complete(repository, base, pending)
        if completed:
            existing = git.references(TAGS)
            say(f"completing what an earlier command began: {pending.what}")
            tags = {tag: target for tag, target in pending.tags.items() if f"{TAGS}{tag}" not in existing}
            fast_forward(repository, base, pending.commit, pending.files, tags)
        settle_pending(git, pending, visible=completed or git.is_ancestor(pending.commit, base.head))
        if completed:
            return True
    if base.commit == base.head:
        return False
    news = git.differing(base.head, base.commit, [])
    if git.changed(base.commit, news):
        return False
    fast_forward(repository, base, base.commit, news)
    return True


def _can_complete(repository: Repository, base: Base, pending: Pending) -> bool:
    git = repository.git
    if (base.branch, base.head) != (pending.branch, pending.head):
        return False
    if repository.settings.push:
        return git.is_ancestor(pending.commit, base.commit)
    return git.commit(pending.commit) is not None and not any(git.commit(f"refs/tags/{tag}") for tag in pending.tags)


def _find_base(repository: Repository) -> Base:
    if repository.settings.push:
        return find_base_on_origin(repository)
    head = repository.git.commit()
    return Base(repository.git.branch(), head, head)


def find_base_on_origin(repository: Repository) -> Base:
    """Fetch origin's branch and tags, and return the base on it. Raises RegistryError where it has diverged."""
    git = repository.git
    branch, head = git.branch(), git.commit()
    if git.origin() is None:
        raise RegistryError(
            "there is no git remote `origin`",
            hint="git remote add origin <url>; or set release.push to false in config/config.yaml, and go without",
        )
    tracked = f"refs/remotes/origin/{branch}"
    listed = records(git.run("ls-remote", "--refs", "origin", f"refs/heads/{branch}", f"{TAGS}*"))
    theirs = {reference: target for target, reference in (line.split("\t", 1) for line in listed)}
    unpushed = _unpushed(repository, head, theirs)
    known = f"refs/heads/{branch}" in theirs
    refspecs = [f"+refs/heads/{branch}:{tracked}"] if known else []
    git.run("fetch", "--quiet", "--tags", "origin", *refspecs)
    newest = git.commit(tracked) if known else head
    if git.is_ancestor(newest, head):
        return Base(branch, head, head, unpushed)
    if git.is_ancestor(head, newest):
        return Base(branch, head, newest, unpushed)
    raise RegistryError(
        f"{branch} and origin/{branch} have diverged",
        hint="git pull --no-rebase, which leaves released commits as they are, then run the same command again",
    )


def _unpushed(repository: Repository, head: str, theirs: Mapping[str, str]) -> tuple[str, ...]:
    """Return the tags of releases in `head` that origin, which has `theirs` {reference: object}, lacks.

    Raises RegistryError where it has another release under the same tag.
    """
    git = repository.git
    known = git.references(TAGS)
    tags = {release.tag for those in releases(git, merged=head).values() for release in those}
    tags |= {alias.tag for alias in other_names(git) if alias.release.tag in tags}
    ours = {reference: known[reference] for reference in (f"{TAGS}{tag}" for tag in sorted(tags))}
    for reference, target in ours.items():
        if theirs.get(reference, target) != target:
            tag = reference.removeprefix(TAGS)
            raise RegistryError(
                f"{tag} is a different release on origin than here",
                hint=f"if nobody relies on the one here: git tag --delete {tag}, git pull, then registry publish",
            )
    return tuple(reference.removeprefix(TAGS) for reference in ours if reference not in theirs)


def record(
    repository: Repository,
    base: Base,
    files: Sequence[str],
    message: str,
    tags: Mapping[str, str],
    *,
    contents: Mapping[str, bytes | None] | None = None,
    aliases: Mapping[str, str] | None = None,
    restore: str | None = None,
    check: Callable[[str], None] = lambda commit: None,
) -> str:
    """Commit these files of the working tree on the base, with annotated tags {name: message}, and return the commit.

    `contents` are files that the commit has with this content {path: content}, or not at all (None), and which the
    working tree gets with it; those among `files` stay there as they are.
    `aliases` are the tags that these, or others that there are, get under other names {tag there: tag}. With neither
    files nor tags there is no commit, and the branch stays. `check` looks at the commit before anybody else can, and
    may raise; `restore` names a dataset that is to be restored after it. Branch and tags appear in one step; with
    release.push origin is offered them first, all or nothing. Raises Conflict when the branch has moved on or a tag
    exists, and RegistryError when origin refuses.
    """
    git = repository.git
    owed = check_owed(git, restore)
    identity = git.identity(repository.settings.identity)
    commit = base.head
    if files or contents or tags:
        commit = git.commit_object(base.commit, files, message, identity, contents)
    check(commit)
    objects = {tag: git.tag_object(tag, commit, text, identity) for tag, text in tags.items()}
    for alias, tag in (aliases or {}).items():
        released = commit if tag in tags else git.commit(f"{TAGS}{tag}")
        objects[alias] = alias_object(repository, alias, tag, released)
    if repository.settings.push and objects and base.unpushed:
        names = ", ".join(base.unpushed[:NAMED])
        raise RegistryError(
            f"origin lacks releases that are here, and others could take their numbers: {names}",
            hint="git push --tags origin, then registry publish",
        )
    _still_on(repository, base)
    pending = Pending(base.branch, base.head, commit, objects, files, restore or owed, owed is not None)
    write_pending(git, pending)
    if repository.settings.push:
        _offer(repository, base, commit, objects)
    fast_forward(repository, base, commit, files, objects)
    settle_pending(git, pending, visible=True)
    return commit


def check_owed(git: Git, restore: str | None) -> str | None:
    """Return the dataset that an earlier command has left to be restored. RegistryError if `restore` is another one."""
    earlier = read_pending(git)
    owed = earlier.restore if earlier else None
    if restore and owed and restore != owed:
        raise RegistryError(f"{owed} is still to be restored", hint=f"registry unpin {owed}, then run the same again")
    return owed


def _offer(repository: Repository, base: Base, commit: str, tags: Mapping[str, str]) -> None:
    specs = [f"{target}:{TAGS}{tag}" for tag, target in tags.items()]
    if commit != base.head:
        specs.append(f"{commit}:refs/heads/{base.branch}")
    try:
        repository.git.run("push", "--quiet", "--atomic", "origin", *specs)
    except GitError as error:
        if any(words in error.printed for words in _OVERTAKEN):
            raise Conflict from None
        raise RegistryError(
            f"origin rejected the push, and nothing is released: {error.printed}",
            hint="fix that, then run the same command again; data that was stored stays stored",
        ) from None


def fast_forward(
    repository: Repository, base: Base, commit: str, files: Sequence[str], tags: Mapping[str, str] | None = None
) -> None:
    """Move the branch from HEAD to `commit`, of which `files` are in the working tree already, and create tags.

    Raises Conflict when the branch has moved on or a tag exists.
    """
    git = repository.git
    _still_on(repository, base)
    try:
        git.fast_forward(base.head, commit, files)
    except GitError as error:
        raise _stuck(repository, error) from None
    try:
        git.update_refs((base.branch, commit, base.head), tags or {}, "registry")
    except GitError as error:
        here = git.commit(f"refs/heads/{base.branch}") == base.head
        if here and not any(git.commit(f"refs/tags/{tag}") for tag in tags or {}):
            raise _stuck(repository, error) from None
        raise Conflict from None


def _still_on(repository: Repository, base: Base) -> None:
    """Check that nobody switched branches meanwhile: another branch's index and files are not for this release."""
    if repository.git.branch() != base.branch:
        raise RegistryError(
            f"the branch was switched from {base.branch} during the release",
            hint=f"git switch {base.branch}, then run registry publish: it completes what was begun",
        )


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
        hint = "fix that, then run registry publish"
    return RegistryError(f"{released}: {error.printed}", hint=hint)
