"""Open DVC remotes, and notice a server that does not answer: soon by a line, and in the end by an error."""

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from registry.errors import RegistryError
from registry.shown import one_line

if TYPE_CHECKING:
    from dvc.fs import FileSystem

TIMEOUTS = {"connect_timeout": 10, "read_timeout": 30}
"""Seconds without an answer, or without one more byte of it, after which S3 is asked again; a remote may set others."""
TRIES = 2
"""How often s3fs repeats what botocore gave up. Botocore itself tries $AWS_MAX_ATTEMPTS times, or five."""
AFTER = 5
"""Seconds after which a line says what is waited for."""

_SCHEME_OF_NO_HOST = re.compile(r"(?:\A|/\.dvc/)([a-z][a-z0-9+.-]+):/(?:/+(?=/)|(?!/))", re.IGNORECASE)
"""Starts file:///path, and file:/path, which DVC takes for a folder beside .dvc/config."""

_log = logging.getLogger(__name__)


def checked_url(url: str, remote: str) -> str:
    """Return the URL of a remote. Raises RegistryError for file:///path: DVC writes that to a folder called `file:`."""
    odd = _SCHEME_OF_NO_HOST.search(url)
    if odd:
        path = f"/{url[odd.end() :].lstrip('/')}"
        raise RegistryError(
            f"the url of remote {remote} begins with {odd[1]}:, which DVC takes for a folder in the checkout",
            where=".dvc/config",
            hint=f"write the path alone: dvc remote modify {remote} url {path}; and commit .dvc/config",
        )
    return url


def open_remote(name: str, remotes: Mapping[str, Mapping[str, Any]]) -> tuple["FileSystem", str]:
    """Return the file system that DVC has for one of the remotes {name: settings}, and the path of the remote in it.

    Raises RegistryError for a url that is not what it seems.
    """
    from dvc.fs import get_cloud_fs

    checked_url(remotes[name]["url"], name)
    kind, settings, path = get_cloud_fs({"remote": remotes}, name=name)
    return bounded(kind(**settings)), path


def bounded(filesystem: "FileSystem") -> "FileSystem":
    """Return a file system that was not used yet, which does not wait for ever."""
    if filesystem.protocol == "s3":
        given = filesystem.fs_args.get("config_kwargs", {})
        filesystem.fs_args["config_kwargs"] = TIMEOUTS | given
        filesystem.fs.retries = TRIES
    return filesystem


@contextmanager
def announced(doing: str) -> Iterator[None]:
    """Log a warning, which goes to standard error unless logging says otherwise, whenever the block takes long."""
    done = threading.Event()

    def tell() -> None:
        pause = since = AFTER
        while not done.wait(pause):
            _log.warning("%s: waiting for %s s", one_line(doing), since)
            pause, since = since, 2 * since

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
