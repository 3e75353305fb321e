"""Let the checkout on a volume follow origin, and refuse one that the run that is asked for does not belong in.

REPOSITORY and BRANCH say what is to be released to. With DRY_RUN=true it need not be possible to release.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from check_checkout import check

from registry.errors import RegistryError
from registry.shown import one_line
from registry.storage.repository import Repository


def follow_origin(root: Path, environment: Mapping[str, str]) -> None:
    """Bring a checkout to where origin is. Raises RegistryError where it is of another repository or branch.

    It does so too where a run could not release from there, and CalledProcessError where it cannot follow.
    """
    git = Repository.open(root).git
    wanted = (environment["REPOSITORY"], environment["BRANCH"])
    found = (git.origin(), git.branch())
    if found != wanted:
        here, there = (f"branch {one_line(branch)} of {one_line(address)}" for address, branch in (found, wanted))
        raise RegistryError(
            f"it is a clone of {here}, and {there} is asked for",
            where=str(root.resolve()),
            hint="ask for that one, or release what it holds and remove it from the volume",
        )
    command = [sys.executable, "-m", "registry", "--repo", str(root), "follow"]
    subprocess.run(command, check=True)  # noqa: S603
    check(root, releases=environment.get("DRY_RUN") != "true")


if __name__ == "__main__":
    try:
        follow_origin(Path(), os.environ)
    except RegistryError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError:
        sys.exit(1)
