"""Talk to git. The only module that runs it; what it writes passes no hook and spares the user's own changes."""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from registry.errors import RegistryError
from registry.gate import GateError
from registry.shown import redacted
from registry.storage.git_text import decoded, encoded, one_per_line, quoted, records

STATES = {
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisection",
}
"""Files below .git that tell of an operation under way."""

FALLBACK_IDENTITY = "Data registry <data-registry@localhost>"
PATIENCE = 10
"""Seconds to wait for a lock that another git holds."""
_IDENTITY = re.compile(r"(.+) <(.+)>")
_COMMITTER = re.compile(rb"^committer (.*) <(.*)> ([0-9]+ [+-][0-9]{4})$", re.MULTILINE)
LITTLE = 64 << 10
"""A disk with fewer free bytes is full."""
MAX_LISTED = 1 << 20
"""Bytes that git may print of the files of a dataset's version."""
_FULL = ("No space left", "Out of diskspace", "quota exceeded")
_SCRATCH = "registry-"
_PATIENT = [
    part
    for name in ("core.filesRefLockTimeout", "core.packedRefsTimeout")
    for part in ("-c", f"{name}={PATIENCE * 1000}")
]


class GitError(RegistryError):
    """A git command failed; `printed` is what it said, `full` tells that the disk has no space left."""

    def __init__(self, command: str, printed: str, *, full: bool = False) -> None:
        self.printed = redacted(printed.strip())
        self.full = full
        hint = "free some space, then run the same command again" if full else None
        super().__init__(f"git {command} failed: {self.printed}", hint=hint)


class Git:
    """A git repository, seen from the folder `root` of one of its working trees.

    `environment` adds to the variables that git is started with.
    """

    def __init__(self, root: Path, environment: Mapping[str, str] | None = None) -> None:
        self.root = root
        self._added = environment or {}

    @classmethod
    def find(cls, root: Path) -> "Git | None":
        """Return the repository whose working tree has its top at `root`; None where there is none.

        Raises GitError where there is one that git refuses to read, and RegistryError where git is not installed.
        """
        git = cls(root)
        if not root.is_dir():
            return None
        try:
            top = git.run("rev-parse", "--show-toplevel")
        except FileNotFoundError:
            raise RegistryError("git is not installed", hint="install it, and run the same command again") from None
        except GitError as error:
            if "not a git repository" in error.printed or "must be run in a work tree" in error.printed:
                return None
            if "dubious ownership" in error.printed:
                hint = f"if you trust it: git config --global --add safe.directory {shlex.quote(str(root))}"
                raise RegistryError("git reads no repository of another user", where=root, hint=hint) from None
            raise
        return git if top and Path(top).resolve() == root.resolve() else None

    def run(self, *arguments: str, stdin: str | bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run git and return what it printed, without the last newline. Raises GitError."""
        return decoded(self.output(*arguments, stdin=stdin, env=env)).rstrip("\n")

    def output(self, *arguments: str, stdin: str | bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
        """Run git and return the bytes that it printed. Raises GitError."""
        done = subprocess.run(  # noqa: S603
            ["git", *_PATIENT, *arguments],  # noqa: S607
            cwd=self.root,
            input=encoded(stdin) if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env={**self._environment, **(env or {})},
        )
        if done.returncode:
            printed = done.stderr.decode(errors="replace").strip()
            if done.returncode < 0:
                printed += f"signal {-done.returncode} ended it"
            # Not every message of git says why it could not write.
            full = shutil.disk_usage(self.root).free < LITTLE or any(words in printed for words in _FULL)
            raise GitError(arguments[0], printed, full=full)
        return done.stdout

    @cached_property
    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_INDEX_FILE")}
        return {**inherited, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **self._added}

    def _succeeds(self, *arguments: str) -> bool:
        try:
            self.run(*arguments)
        except GitError:
            return False
        return True

    @cached_property
    def common_dir(self) -> Path:
        """The .git folder that all working trees of this repository share."""
        return (self.root / self.run("rev-parse", "--git-common-dir")).resolve()

    @cached_property
    def main_worktree(self) -> Path:
        """The working tree that came with the repository; another one may have been added to it."""
        return Path(records(self.run("worktree", "list", "--porcelain"))[0].removeprefix("worktree "))

    def branch(self) -> str | None:
        """Return the name of the current branch; None where HEAD is detached."""
        try:
            return self.run("symbolic-ref", "--quiet", "--short", "HEAD")
        except GitError:
            return None

    def commit(self, revision: str = "HEAD") -> str | None:
        """Return the id of a revision's commit; None where there is none."""
        try:
            return self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except GitError:
            return None

    def is_shallow(self) -> bool:
        """Tell whether this clone has only the newest part of the history."""
        return self.run("rev-parse", "--is-shallow-repository") == "true"

    def operation(self) -> str | None:
        """Name the operation that is under way here, such as `a merge`; None where there is none."""
        paths = records(self.run("rev-parse", *(part for name in STATES for part in ("--git-path", name))))
        found = [what for path, what in zip(paths, STATES.values(), strict=True) if (self.root / path).exists()]
        return found[0] if found else None

    def default_branch(self) -> str | None:
        """Return the branch that origin's HEAD names; None where that is not known."""
        try:
            return self.run("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
        except GitError:
            return None

    def origin(self) -> str | None:
        """Return the URL of the remote `origin`; None where there is none."""
        try:
            return self.run("remote", "get-url", "origin")
        except GitError:
            return None

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Tell whether `newer` contains the commit `older`."""
        return self._succeeds("merge-base", "--is-ancestor", older, newer)

    def references(self, *below: str) -> dict[str, str]:
        """Return {reference: the object that it names} of all of them, or those below these."""
        listed = records(self.run("for-each-ref", "--format=%(objectname) %(refname)", *below))
        return {reference: target for target, reference in (line.split(" ", 1) for line in listed)}

    def contained(self, revision: str) -> set[str]:
        """Return the commits that a revision contains."""
        return set(records(self.run("rev-list", "--end-of-options", revision)))

    def read(self, revision: str, paths: Iterable[str], *, max_bytes: int | None = None) -> dict[str, bytes]:
        """Return {path: content} of those files that a revision has.

        Raises GateError for a file with more bytes, for files that have more than twice as many together, and for a
        name that is several lines.
        """
        names = {path: f"{revision}:{path}" for path in paths}
        contents = (
            self.contents(names.values()) if max_bytes is None else self._bounded(revision, names.values(), max_bytes)
        )
        return {path: contents[name] for path, name in names.items() if name in contents}

    def _bounded(self, revision: str, names: Collection[str], max_bytes: int) -> dict[str, bytes]:
        """Return {name: content} as `contents` does, but read no file that is too long, as `read` says."""
        found: dict[str, bytes] = {}
        left = 2 * max_bytes
        with tempfile.TemporaryFile() as asked:
            asked.write(one_per_line(names))
            asked.seek(0)
            pipes = {"stdin": asked, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            command = ["git", "cat-file", "--batch"]
            with subprocess.Popen(command, cwd=self.root, env=self._environment, **pipes) as reading:  # noqa: S603
                for name in names:
                    header = reading.stdout.readline()
                    if header.endswith(b" missing\n"):
                        continue
                    size = int(header.rpartition(b" ")[2] or 0)
                    left -= size
                    if size > max_bytes or left < 0:
                        reading.kill()
                        if size > max_bytes:
                            raise GateError(f"{size:,} bytes, more than {max_bytes:,}", where=name)
                        raise GateError(f"its files have more than {2 * max_bytes:,} bytes together", where=revision)
                    content = reading.stdout.read(size + 1)
                    if len(content) <= size:
                        raise GitError("cat-file", reading.stderr.read().decode(errors="replace"))
                    found[name] = content[:-1]
        return found

    def kinds(self, names: Iterable[str]) -> dict[str, tuple[str, int]]:
        """Return {name: (its type, how many bytes it has)} of those objects that exist."""
        names = list(names)
        printed = self.run(
            "cat-file", "--buffer", "--batch-check=%(objecttype) %(objectsize)", stdin=one_per_line(names)
        )
        found = {name: line.rpartition(" ") for name, line in zip(names, records(printed), strict=True)}
        return {name: (kind, int(size)) for name, (kind, _, size) in found.items() if size.isdecimal()}

    def contents(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return {name: content} of those objects that exist; a file's name is `<revision>:<path>`."""
        names = list(names)
        stream = self.output("cat-file", "--buffer", "--batch", stdin=one_per_line(names))
        found, position = {}, 0
        for name in names:
            end = stream.index(b"\n", position)
            header = stream[position:end]
            position = end + 1
            if not header.endswith(b" missing"):
                size = int(header.rsplit(b" ", 1)[1])
                found[name] = stream[position : position + size]
                position += size + 1
        return found

    def listed(self, revision: str, folder: str) -> list[str]:
        """Return the paths of the files that a revision has below a folder.

        Raises GateError for so many that a release cannot have made them, and where git cannot read them.
        """
        # Folders are listed, too: some that hold nothing but each other would never come to an end.
        command = ["git", "ls-tree", "-r", "-t", "-z", revision, "--", folder]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, cwd=self.root, env=self._environment, **pipes) as listing:  # noqa: S603
            printed = listing.stdout.read(MAX_LISTED + 1)
            if len(printed) > MAX_LISTED:
                listing.kill()
                raise GateError(f"more files below {folder} than a release can have", where=revision)
            reason = listing.stderr.read().decode(errors="replace").strip()
        if listing.returncode:
            raise GateError(f"git cannot list {folder}: {reason}", where=revision)
        entries = (entry.split("\t", 1) for entry in records(decoded(printed), "\0"))
        return [path for about, path in entries if about.split(" ")[1] != "tree"]

    def visible(self, *paths: str) -> list[str]:
        """Return the files at or below these paths of the working tree that git tracks, or does not ignore."""
        listed = self.run("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths)
        return sorted({path for path in records(listed, "\0") if (self.root / path).is_file()})

    def ignored(self, paths: Iterable[str]) -> dict[str, str]:
        """Return {path: which line of which file says so} of those paths that git ignores unless it tracks them."""
        try:
            printed = self.run("check-ignore", "--verbose", "--no-index", "-z", "--stdin", stdin="\0".join(paths))
        except GitError as error:
            if error.printed:
                raise
            return {}
        fields = records(printed, "\0")
        found = zip(*(fields[start::4] for start in range(4)), strict=True)
        return {path: f"line {line} of {file} ({pattern})" for file, line, pattern, path in found if pattern[:1] != "!"}

    def changed(self, revision: str, paths: Iterable[str]) -> list[str]:
        """Return those files of the working tree that differ from a revision's, are new or are gone."""
        paths = sorted(paths)
        present = [path for path in paths if (self.root / path).is_file()]
        hashed = records(self.run("hash-object", "--stdin-paths", stdin=one_per_line(map(quoted, present))))
        here, there = dict(zip(present, hashed, strict=True)), self._blobs(revision, paths)
        return [path for path in paths if here.get(path) != there.get(path)]

    def uncommitted(self, *patterns: str) -> set[str]:
        """Return the files of these patterns that HEAD does not have as they are here, but those that git ignores."""
        listed = self.run("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *patterns)
        return {entry[3:] for entry in records(listed, "\0")}

    def differing(self, one: str, other: str, paths: Iterable[str]) -> list[str]:
        """Return those files that differ between two revisions."""
        return records(self.run("diff", "--name-only", "-z", "--no-renames", one, other, "--", *paths), "\0")

    def is_kept(self, path: str) -> bool:
        """Tell whether a commit that a branch, a tag or HEAD leads to has this file as it is in the working tree."""
        blob = self.run("hash-object", "--", path)
        return bool(self.run("log", "-1", "--format=%H", f"--find-object={blob}", "HEAD", "--all", "--", path))

    def staged_otherwise(self, revision: str, paths: Iterable[str]) -> list[str]:
        """Return those files whose staged content is neither a revision's nor the working tree's."""
        staged = records(self.run("diff", "--cached", "--name-only", "-z", revision, "--", *paths), "\0")
        unstaged = records(self.run("diff", "--name-only", "-z", "--", *paths), "\0")
        return sorted(set(staged) & set(unstaged))

    def tracked(self, revision: str, paths: Iterable[str]) -> list[str]:
        """Return the files that a revision has at or below these paths."""
        return [*self._entries(revision, paths)]

    def _entries(self, revision: str, paths: Iterable[str]) -> dict[str, str]:
        """Return {path: `<mode> <object>`} of those files that a revision has."""
        listed = records(self.run("ls-tree", "-r", "-z", revision, "--", *paths), "\0")
        fields = ((about.split(" "), path) for about, path in (entry.split("\t", 1) for entry in listed))
        return {path: f"{mode} {target}" for (mode, _, target), path in fields}

    def _blobs(self, revision: str, paths: Iterable[str]) -> dict[str, str]:
        return {path: entry.split(" ")[1] for path, entry in self._entries(revision, paths).items()}

    def identity(self, chosen: str | None) -> dict[str, str]:
        """Return the environment that makes git sign as `chosen` ("Name <email>"), else as configured, else as us."""
        if chosen is None and self._succeeds("var", "GIT_COMMITTER_IDENT"):
            return {}
        name, email = _IDENTITY.fullmatch(chosen or FALLBACK_IDENTITY).groups()
        return {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", name), ("EMAIL", email))
        }

    def signature(self, commit: str) -> dict[str, str]:
        """Return the environment that makes git sign as, and date by, who made a commit and when."""
        name, email, date = map(decoded, _COMMITTER.search(self.contents([commit])[commit]).groups())
        return {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", name), ("EMAIL", email), ("DATE", f"@{date}"))
        }

    def commit_object(
        self,
        base: str,
        paths: Iterable[str],
        message: str,
        identity: Mapping[str, str],
        contents: Mapping[str, bytes | None] | None = None,
    ) -> str:
        """Make, but point no branch at, a commit on `base` that takes these files as they are in the working tree.

        Files that are gone are removed. `contents` {path: content} are taken, whatever the working tree has; of None,
        the file is removed. Works in an index of its own; call it with no other at work in this repository.
        """
        lines = [f"{self._entry(content)}\t{path}\0" for path, content in (contents or {}).items()]
        with self._index_of(base) as env:
            self.run("update-index", "--add", "--remove", "-z", "--stdin", stdin="\0".join(paths), env=env)
            if lines:
                self.run("update-index", "-z", "--index-info", stdin="".join(lines), env=env)
            tree = self.run("write-tree", env=env)
        return self.run("commit-tree", tree, "-p", base, "-F", "-", stdin=message, env=identity)

    def copying_commit_object(
        self, base: str, folder: str, copies: Mapping[str, str], message: str, identity: Mapping[str, str]
    ) -> str:
        """Make, but point no branch at, a commit on `base` that has in a folder these {name: file of base} and no more.

        Call it with no other at work in this repository.
        """
        entries = self._entries(base, copies.values())
        gone = dict.fromkeys(self._entries(base, [folder]), self._no_entry)
        new = {f"{folder}/{name}": entries[path] for name, path in copies.items()}
        with self._index_of(base) as env:
            lines = [f"{entry}\t{path}\0" for path, entry in [*gone.items(), *new.items()]]
            self.run("update-index", "-z", "--index-info", stdin="".join(lines), env=env)
            tree = self.run("write-tree", env=env)
        return self.run("commit-tree", tree, "-p", base, "-F", "-", stdin=message, env=identity)

    def _entry(self, content: bytes | None) -> str:
        """Return what a plain file of this content is in an index, after adding it to git's objects."""
        if content is None:
            return self._no_entry
        return f"100644 {self.run('hash-object', '-w', '--stdin', stdin=content)}"

    @contextmanager
    def _index_of(self, base: str) -> Iterator[dict[str, str]]:
        """Yield the environment in which git works in an index of its own, which holds the files of a commit."""
        for left in self.common_dir.glob(f"{_SCRATCH}*/"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(dir=self.common_dir, prefix=_SCRATCH) as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.run("read-tree", base, env=env)
            yield env

    def export(self, revision: str, folder: Path) -> None:
        """Write the files of a revision to a folder."""
        with tempfile.TemporaryDirectory() as index:
            env = {"GIT_INDEX_FILE": str(Path(index) / "index")}
            self.run("read-tree", revision, env=env)
            self.run("checkout-index", "--all", f"--prefix={folder.resolve()}/", env=env)

    def tag_object(self, tag: str, commit: str, message: str, identity: Mapping[str, str]) -> str:
        """Make an annotated tag as an object that no reference names yet, and return its id."""
        tagger = self.run("var", "GIT_COMMITTER_IDENT", env=identity)
        header = f"object {commit}\ntype commit\ntag {tag}\ntagger {tagger}\n"
        return self.run("mktag", stdin=f"{header}\n{message.rstrip()}\n")

    def _wait(self, *arguments: str, **options: Any) -> None:
        """Run git, and for some seconds again while another git holds the lock of the index."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.run(*arguments, **options)
                return
            except GitError as error:
                if "index.lock" not in error.printed or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def fast_forward(self, old: str, new: str, paths: Iterable[str]) -> None:
        """Make index and working tree follow HEAD from commit `old` to `new`, of which `paths` are already in place.

        The user's own changes stay: staged, unstaged and untracked. Raises GitError where they are in the way.
        """
        paths = sorted(set(paths))
        before = self._staged(paths)
        self._stage(paths, self._entries(new, paths))
        if old != new:
            self._succeeds("update-index", "-q", "--refresh")
            try:
                self._wait("read-tree", "-m", "-u", old, new)
            except GitError:
                self._stage(paths, before)
                raise

    def _staged(self, paths: Iterable[str]) -> dict[str, str]:
        """Return {path: `<mode> <object>`} of those files that the index has."""
        exactly = {"GIT_LITERAL_PATHSPECS": "1"}
        listed = records(self.run("ls-files", "--stage", "-z", "--", *paths, env=exactly), "\0") if paths else []
        fields = ((about.split(" "), path) for about, path in (entry.split("\t", 1) for entry in listed))
        return {path: f"{mode} {target}" for (mode, target, _), path in fields}

    def _stage(self, paths: Iterable[str], entries: Mapping[str, str]) -> None:
        """Let the index have these files as in `entries`, and none of them that is not there."""
        lines = [f"{entries.get(path, self._no_entry)}\t{path}\0" for path in paths]
        self._wait("update-index", "-z", "--index-info", stdin="".join(lines))

    @property
    def _no_entry(self) -> str:
        """What takes a file out of an index."""
        return f"0 {'0' * len(self.commit())}"

    def update_refs(self, branch: tuple[str, str, str] | None, tags: Mapping[str, str], reason: str) -> None:
        """In one transaction move a branch (name, new, old) and create tags {name: object}.

        Raises GitError when the branch is no longer at `old`, or a tag exists.
        """
        lines = [f"update refs/heads/{branch[0]} {branch[1]} {branch[2]}"] if branch else []
        lines += [f"create refs/tags/{tag} {target}" for tag, target in tags.items()]
        if lines:
            self.run("update-ref", "-m", reason, "--stdin", stdin="\n".join(lines) + "\n")
