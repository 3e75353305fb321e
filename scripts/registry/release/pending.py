"""What a command that releases is about to make visible: written down first, so that the next one can complete it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from registry.files import write_json
from registry.gate import GateError, read_json
from registry.storage.git import Git

FILE = "registry-pending.json"
"""Its name in the .git folder that all working trees share."""


@dataclass(frozen=True)
class Pending:
    """A commit that is made and checked, and whose branch is about to move from `head` to it.

    `tags` maps tags to their objects, `files` are those of the working tree that are as the commit has them, `restore`
    names a dataset whose pin goes, and which is to be restored after that. `owed` tells that an earlier command, whose
    commit is visible, left that to do.
    """

    branch: str
    head: str
    commit: str
    tags: dict[str, str]
    files: Sequence[str]
    restore: str | None = None
    owed: bool = False

    @property
    def visible(self) -> bool:
        """Tell whether the branch is where it was to go: only `restore` is left to do."""
        return self.head == self.commit

    @property
    def what(self) -> str:
        """What it is, for people."""
        return ", ".join(self.tags) or f"commit {self.commit[:10]}"


def write_pending(git: Git, pending: Pending) -> None:
    """Write down what is about to happen."""
    write_json(_path(git), asdict(pending))


def read_pending(git: Git) -> Pending | None:
    """Return what a command that was killed left half done; None where nothing waits."""
    try:
        return Pending(**read_json(_path(git).read_bytes(), where=FILE))
    except (FileNotFoundError, GateError, TypeError):
        return None


def settle_pending(git: Git, pending: Pending, *, visible: bool) -> None:
    """Forget a commit that is visible, or that cannot become so any more; what is still to be restored stays."""
    if pending.restore is not None and (visible or pending.owed):
        write_pending(git, replace(pending, head=pending.commit, tags={}, files=[], owed=True))
    else:
        clear_pending(git)


def clear_pending(git: Git) -> None:
    """Forget it altogether."""
    _path(git).unlink(missing_ok=True)


def _path(git: Git) -> Path:
    return git.common_dir / FILE
