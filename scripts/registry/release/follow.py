"""Let a clone follow origin's branch, where others released, and keep what is built here, which git alone refuses."""

from collections.abc import Callable
from dataclasses import dataclass

from registry.errors import RegistryError
from registry.release.record import blocked, exclusive, find_base_on_origin
from registry.storage.git import GitError
from registry.storage.repository import Repository


@dataclass(frozen=True)
class Followed:
    """The commit that the branch is at now, whether it moved, and the files of datasets that stayed as they were."""

    commit: str
    moved: bool
    kept: list[str]


def follow(repository: Repository, *, say: Callable[[str], None] = print) -> Followed:
    """Move the branch to origin's. What describes or configures a dataset and differs from HEAD stays: it is of here.

    So `registry publish` decides about it as about any other build; a configuration that origin has changed, too, is
    replaced by the one here then. Raises RegistryError where the branches have diverged, or where other changes of the
    user are in the way.
    """
    with exclusive(repository, say):
        reason_not = blocked(repository)
        if reason_not:
            raise RegistryError(f"this clone cannot follow origin: {reason_not[0]}", hint=reason_not[1])
        base = find_base_on_origin(repository)
        if base.commit == base.head:
            return Followed(base.head, moved=False, kept=[])
        news = repository.git.differing(base.head, base.commit, ["data", "reports", "config/datasets", "config/locks"])
        kept = repository.git.changed(base.head, news)
        staged = repository.git.staged_otherwise(base.head, kept)
        if staged:
            raise RegistryError(
                "staged in another version than the one in the working tree",
                where=staged[0],
                hint="git add or unstage it",
            )
        try:
            repository.git.fast_forward(base.head, base.commit, kept)
            repository.git.update_refs((base.branch, base.commit, base.head), {}, "registry follow")
        except GitError as error:
            hint = "commit or stash your own changes, then run registry follow again"
            raise RegistryError(f"this clone cannot follow origin: {error.printed}", hint=hint) from None
        return Followed(base.commit, moved=True, kept=kept)
