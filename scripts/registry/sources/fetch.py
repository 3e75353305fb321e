"""Fetch source files: from the samples, a mirror or upstream, always checked against their hashes."""

import logging
import re
import shutil
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import yaml

from registry.config.load import SAMPLES
from registry.errors import RegistryError
from registry.files import atomic_file, sha256_of
from registry.shown import public_url
from registry.sources.deadline import deadline
from registry.sources.locks import read_lock

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

TIMEOUT = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes of an answer."""
SLOWEST = 100_000
"""Bytes per second below which a transfer is given up, once it had the seconds that each has."""
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
"""HTTP states worth another try."""


STAND_INS = {
    "the pointer of Git LFS to the file": re.compile(rb"version https://git-lfs\.github\.com/spec/"),
    "an HTML page": re.compile(
        rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body|!--.*?--\s*>\s*<html)\b", re.I | re.S
    ),
}
"""What servers send, as if all were well, instead of a file: how it begins, by what it is."""


@dataclass(frozen=True)
class Patience:
    """How long to try: time-outs in seconds (as TIMEOUT), tries beside the first, seconds for a file of no size."""

    timeout: tuple[float, float] = TIMEOUT
    retries: int = 3
    seconds: float = 300.0

    def of(self, max_bytes: int) -> float:
        """Return how many seconds a file of up to so many bytes may take from one address, with all tries."""
        return self.seconds + max_bytes / SLOWEST


PATIENT = Patience()


class _Limited:
    """A file that refuses to grow beyond `max_bytes`."""

    def __init__(self, stream: BinaryIO, max_bytes: int) -> None:
        self._stream, self._left, self._max_bytes = stream, max_bytes, max_bytes

    def write(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            raise RegistryError(f"larger than max_bytes ({self._max_bytes:,})")
        self._stream.write(chunk)

    def flush(self) -> None:
        self._stream.flush()


def is_url(location: str) -> bool:
    """Tell a URL from a path."""
    return location.startswith(("http://", "https://"))


def describe(error: Exception) -> str:
    """Say in a few words what went wrong with a request, without the address: it may hold a password."""
    import requests

    match error:
        case requests.HTTPError():
            return f"HTTP {error.response.status_code} {error.response.reason}"
        case requests.Timeout():
            return "no answer in time"
        case requests.TooManyRedirects():
            return "redirected in circles"
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return "the answer broke off"
        case requests.ConnectionError():
            return "no connection, or it broke off"
        case RegistryError():
            return str(error)
    return type(error).__name__


def _whole(response: "requests.Response", **_: object) -> None:
    """Raise RegistryError for an answer that has no whole file in it."""
    if 200 < response.status_code < 300:
        raise RegistryError(f"HTTP {response.status_code}, which is no whole file")


def _download(url: str, target: Path, name: str, max_bytes: int, patience: Patience) -> None:
    import pooch
    import requests
    from tqdm import tqdm

    def download(url: str, output_file: str, registry: pooch.Pooch) -> None:
        progress = tqdm(desc=name, total=max_bytes, unit="B", unit_scale=True, mininterval=5, file=sys.stderr)
        get = pooch.HTTPDownloader(progressbar=progress, timeout=patience.timeout, hooks={"response": _whole})
        try:
            with Path(output_file).open("wb") as stream:
                get(url, _Limited(stream, max_bytes), registry)
        except requests.HTTPError as error:
            if error.response.status_code in TRANSIENT:
                raise
            raise RegistryError(describe(error)) from None
        except ValueError:
            raise RegistryError("a malformed address or answer") from None
        finally:
            progress.close()

    pooch.get_logger().setLevel(logging.WARNING)
    registry = pooch.create(
        path=target.parent,
        base_url="",
        registry={target.name: None},
        urls={target.name: url},
        retry_if_failed=patience.retries,
    )
    registry.fetch(target.name, downloader=download)


def _copy(path: Path, target: Path, max_bytes: int) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise RegistryError("no such file") from None
    except OSError as error:
        raise RegistryError(str(error.strerror).lower()) from None
    if not stat.S_ISREG(found.st_mode):
        raise RegistryError("no plain file")
    with path.open("rb") as source, target.open("wb") as stream:
        shutil.copyfileobj(source, _Limited(stream, max_bytes))
        if source.tell() != found.st_size:
            raise RegistryError("no plain file, or it changed while it was read")


def _locations(dataset: str, source: dict[str, Any], mode: str, mirror: str | None) -> list[str]:
    match mode:
        case "samples":
            return [f"{SAMPLES}/{dataset}/{source['file']}"]
        case "mirror":
            return [f"{str(mirror).rstrip('/')}/{dataset}/{source['file']}"]
    return source["urls"]


def retrieve(
    locations: Sequence[str],
    target: Path,
    check: Callable[[Path], None],
    *,
    max_bytes: int,
    patience: Patience = PATIENT,
) -> str:
    """Bring a file from the first of `locations` (URLs or paths) that gives one which `check` accepts; return that one.

    `check` raises RegistryError for bad bytes, which never reach `target`. Raises RegistryError, naming every location
    and what was wrong with it, if none works.
    """
    import requests

    failures = []
    for location in locations:
        shown = public_url(location) if is_url(location) else location
        log.info("fetching %s from %s", target.name, shown)
        try:
            with atomic_file(target) as temporary, deadline(patience.of(max_bytes)):
                temporary.unlink(missing_ok=True)
                if is_url(location):
                    _download(location, temporary, target.name, max_bytes, patience)
                else:
                    _copy(Path(location), temporary, max_bytes)
                check(temporary)
            return location
        except (RegistryError, requests.RequestException) as error:
            failures.append(f"{shown}: {describe(error)}")
            log.warning("failed: %s", failures[-1])
    raise RegistryError(
        "could not be fetched:\n" + "\n".join(f"    {failure}" for failure in failures or ["it has no address"]),
        where=target.name,
        hint="see config/README.md, Sources: choose another source, fix the mirror, or, if the file was really meant "
        "to change, accept its new hash in config/datasets/ (for samples: put it into data/samples/SHA256SUMS; where "
        "it is locked: delete the old one)",
    )


def _refuse_stand_in(path: Path, name: str) -> None:
    """Raise RegistryError for what a server sends instead of a file, by its first 1,000 bytes."""
    with path.open("rb") as stream:
        head = stream.read(1000)
    for what, beginning in STAND_INS.items():
        if beginning.match(head) and not name.endswith((".html", ".htm")):
            raise RegistryError(f"{what}, not the file itself")


def _check(
    path: Path, name: str, accepted: Sequence[str], origin: str, readable: Callable[[Path], None] | None
) -> None:
    if not path.stat().st_size:
        raise RegistryError("the file is empty")
    found = sha256_of(path)
    if accepted and found not in accepted:
        raise RegistryError(f"expected sha256 {' or '.join(accepted)}{origin}, found {found}")
    if not accepted:
        _refuse_stand_in(path, name)
    if readable:
        readable(path)


def fetch(
    dataset: str,
    files: Sequence[dict[str, Any]],
    *,
    mode: str,
    mirror: str | None,
    target: Path,
    lock: Path,
    readable: Callable[[Path], None] | None = None,
    patience: Patience = PATIENT,
) -> dict[str, Any]:
    """Fetch a dataset's source files into the folder `target` and return what was fetched, for provenance.

    A file without an accepted hash (see `registry.config.load.source_files`) is held to the one in the YAML file `lock`
    and, if there is none either, recorded there. `readable` raises RegistryError for a file that cannot be what it
    should, so that an error page is not taken for a first download. The result has `mode` and `files` with `file`,
    `url` (the first upstream address, whichever place it came from), `bytes`, `sha256`, and `served_by`: the upstream
    address that gave it, else the mode. Raises RegistryError.
    """
    locked = read_lock(lock)
    fetched = []
    for source in files:
        name = source["file"]
        pinned, origin = source["sha256"], ""
        if not pinned and name in locked.get(mode, {}):
            pinned, origin = [locked[mode][name]], f" (locked in {lock})"
        location = retrieve(
            _locations(dataset, source, mode, mirror),
            target / name,
            partial(_check, name=name, accepted=pinned, origin=origin, readable=readable),
            max_bytes=source["max_bytes"],
            patience=patience,
        )
        sha256 = sha256_of(target / name)
        if not pinned:
            locked.setdefault(mode, {})[name] = sha256
            _write_lock(lock, locked)
            log.info("first download of %s: its hash is now locked in %s; commit that file", name, lock)
        url = source["urls"][0] if source["urls"] else None
        size, served_by = (target / name).stat().st_size, location if mode == "upstream" else mode
        fetched.append({"file": name, "url": url, "bytes": size, "sha256": sha256, "served_by": served_by})
    return {"mode": mode, "files": fetched}


def _write_lock(lock: Path, locked: dict[str, dict[str, str]]) -> None:
    with atomic_file(lock) as temporary:
        text = "# Hashes found at the first download; kept in git and enforced from then on.\n"
        temporary.write_text(text + yaml.safe_dump(locked), encoding="utf-8")
