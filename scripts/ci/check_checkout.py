"""Refuse a checkout from which a run cannot release, before it builds: one without history, or one that does not push.

The message goes to standard error and to the summary of the job. With DRY_RUN=true only the history is asked for.
"""

import os
import sys
from pathlib import Path

from registry.errors import RegistryError
from registry.release.record import blocked
from registry.shown import markdown
from registry.storage.remotes import release_remote
from registry.storage.repository import Repository


def check(root: Path, *, releases: bool) -> None:
    """Raise RegistryError where the checkout at `root` is shallow, or what it `releases` would reach nobody."""
    repository = Repository.open(root)
    reason = blocked(repository)
    if repository.git.is_shallow():
        raise RegistryError(reason[0], hint=f"fetch-depth: 0 in the step with actions/checkout; elsewhere {reason[1]}")
    if not releases:
        return
    if reason:
        raise RegistryError(f"nothing could be released: {reason[0]}", hint=reason[1])
    if not repository.settings.push:
        hint = "commit push: true under release, or ask for a dry run"
        what = "release.push is off: what is released here would be lost with this machine"
        raise RegistryError(what, where="config/config.yaml", hint=hint)
    release_remote(repository, repository.git.commit())


if __name__ == "__main__":
    try:
        check(Path(), releases=os.environ.get("DRY_RUN") != "true")
    except RegistryError as error:
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(f"## Refused\n\n{markdown(error)}\n")
        sys.exit(str(error))
