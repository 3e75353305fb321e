"""Find which objects a DVC remote lacks or holds damaged: each is hashed while it streams, and none is kept."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import TYPE_CHECKING

from registry.errors import RegistryError
from registry.gate import FOLDER

if TYPE_CHECKING:
    from dvc.fs import FileSystem

AT_ONCE = 8
"""Objects that are read at the same time."""
BLOCK = 4 << 20
"""Bytes of each that are asked for, and held, at a time."""
NAMED = 3
"""Objects that a message names."""


class MissingDataError(RegistryError):
    """Nobody who can be asked has some data undamaged: neither the cache nor a remote."""


class Fault(StrEnum):
    """What is wrong with an object in a remote."""

    MISSING = "missing"
    DAMAGED = "damaged"


def faults(filesystem: "FileSystem", places: Mapping[str, str]) -> dict[str, Fault]:
    """Return {md5: what is wrong} of those objects {md5: path} that are not there, or not what their md5 says.

    Raises whatever the file system does where it cannot be asked.
    """

    def examined(md5: str, path: str) -> tuple[str, Fault | None]:
        return md5, _fault(filesystem, md5, path)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            return {md5: fault for md5, fault in pool.map(examined, places, places.values()) if fault}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fault(filesystem: "FileSystem", md5: str, path: str) -> Fault | None:
    from dvc_data.hashfile.hash import fobj_md5

    try:
        with filesystem.open(path, "rb", block_size=BLOCK) as stream:
            found = fobj_md5(stream, chunk_size=BLOCK)
    except FileNotFoundError:
        return Fault.MISSING
    return None if found == md5.removesuffix(FOLDER) else Fault.DAMAGED


def faulty(found: Mapping[str, Fault], remote: str, url: str, *, where: object = None) -> MissingDataError:
    """Return the error that says what is wrong with objects {md5: fault} of a remote, and how to repair them."""
    named = [f"{md5} is {fault}" for md5, fault in sorted(found.items())]
    more = f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""
    what = f"does not hold what was released: {', '.join(named[:NAMED])}{more}"
    return MissingDataError(
        f"remote {remote} ({url}) {what}",
        where=where,
        public=f"remote {remote} {what}",
        hint=f"in a checkout whose cache has this data, run `registry push {remote} --repair`; "
        f"`registry verify --remote {remote}` lists all that is missing or damaged",
    )
