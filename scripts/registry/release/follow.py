"""Let a clone follow origin's branch, where others released, and keep what is built here, which git alone refuses."""

from collections.abc import Callable
from dataclasses import dataclass

from registry.errors import RegistryError
from registry.release.record import blocked, exclusive, fast_forward, find_base_on_origin
from registry.storage.repository import Repository


@dataclass(frozen=True)
class Followed:
    """The commit that the branch is at now, whether it moved, and the files of datasets that stayed as they were."""

    commit: str
    moved: bool
    kept: list[str]


def follow(repository: Repository, *, say: Callable[[str], None] = print) -> Followed:
    """Move the branch to origin's. What describes or configures a dataset and differs from HEAD stays: it is of here.

    So `registry publish` decides about it as about any other build. Raises RegistryError where the branches have
    diverged, or where other changes of the user are in the way.
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
        fast_forward(repository, base, base.commit, kept)
        return Followed(base.commit, moved=True, kept=kept)
