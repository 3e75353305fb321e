"""Bring a file or a folder from the first of several places that gives what is asked for."""

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from registry.errors import RegistryError
from registry.files import atomic_file, atomic_folder
from registry.formats.members import Member, check_apart
from registry.shown import public_url, redacted
from registry.sources.deadline import deadline
from registry.sources.limits import PATIENT, Budget, Limited, Patience
from registry.sources.local import local_file, local_members
from registry.sources.parallel import for_each

log = logging.getLogger(__name__)

CONNECTIONS = 16
"""Files of a folder that are fetched at once."""


def is_url(location: str) -> bool:
    """Tell a URL from a path."""
    return "://" in location


def retrieve(
    locations: Sequence[str],
    target: Path,
    check: Callable[[Path], None],
    *,
    max_bytes: int,
    max_files: int | None = None,
    patience: Patience = PATIENT,
    root: Path = Path(),
) -> tuple[str, int]:
    """Bring a file from the first of `locations` that gives one which `check` accepts; return that one.

    With `max_files` it is a folder, of which hidden files are left out: their number is returned, too, with a hidden
    folder as one. Locations are URLs or paths, which may be relative to `root`; those of folders may have wildcards.
    `check` raises RegistryError for bad bytes, which never reach `target`. Raises RegistryError, naming
    every location and what was wrong with it, if none works.
    """
    failures = []
    for location in locations:
        shown = _shown(location)
        log.info("fetching %s from %s", target.name, shown)
        hidden: set[str] = set()
        try:
            if max_files is None:
                with atomic_file(target) as temporary, deadline(patience.of(max_bytes)):
                    temporary.unlink(missing_ok=True)
                    _bring_file(location, temporary, root, max_bytes, patience)
                    check(temporary)
            else:
                with atomic_folder(target) as temporary, deadline(patience.of(max_bytes)):
                    _bring_folder(location, temporary, root, max_bytes, max_files, patience, hidden)
                    check(temporary)
            return location, len(hidden)
        except RegistryError as error:
            failures.append(f"{shown}: {error}")
            log.warning("failed: %s", failures[-1])
    raise unfetched(target.name, failures or ["it has no address"])


def unfetched(name: str, failures: Sequence[str]) -> RegistryError:
    """Return the error for a source that no location gave, each of which failed."""
    return RegistryError(
        "could not be fetched:\n" + "\n".join(f"    {failure}" for failure in failures),
        where=name,
        hint="see config/README.md, Sources: choose another source, fix the mirror, or, if the file was really meant "
        "to change, accept its new hash: registry refresh DATASET --accept (for samples: put it into "
        "data/samples/SHA256SUMS)",
    )


def _shown(location: str) -> str:
    """Return a location as logs and messages may show it."""
    return public_url(location) if _is_http(location) else redacted(location)


def _is_http(location: str) -> bool:
    return location.startswith(("http://", "https://"))


def _bring_file(location: str, target: Path, root: Path, max_bytes: int, patience: Patience) -> None:
    if _is_http(location):
        from registry.sources.http import download

        download(location, target, target.name, max_bytes=max_bytes, patience=patience)
    elif is_url(location):
        from registry.sources.objects import Store

        _copy(Store(location, patience).file(), target, Budget(max_bytes))
    else:
        _copy(local_file(root / location), target, Budget(max_bytes))


def _bring_folder(
    location: str, target: Path, root: Path, max_bytes: int, max_files: int, patience: Patience, hidden: set[str]
) -> None:
    """Copy all that is below a location into the folder `target`, but for what is hidden."""
    members = _listed(location, root, max_files, patience, hidden)
    if not members:
        raise RegistryError("there are no files")
    check_apart([member.name for member in members])
    budget = Budget(max_bytes)

    def copy(member: Member) -> None:
        path = target / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _copy(member, path, budget)
        except RegistryError as error:
            raise RegistryError(str(error), where=member.name) from None

    try:
        for_each(copy, members, threads=CONNECTIONS)
    finally:
        budget.end()


def _listed(location: str, root: Path, max_files: int, patience: Patience, hidden: set[str]) -> list[Member]:
    if _is_http(location):
        raise RegistryError("a folder cannot be listed by HTTP", hint="name its files, or an archive of them")
    if is_url(location):
        from registry.sources.objects import Store

        return Store(location, patience).files(max_files, hidden)
    return local_members(location, max_files, root, hidden)


def _copy(member: Member, target: Path, budget: Budget) -> None:
    with member.open() as source, target.open("wb") as stream:
        shutil.copyfileobj(source, Limited(stream, budget))
        if stream.tell() != member.size:
            raise RegistryError("no plain file, or it changed while it was read")
