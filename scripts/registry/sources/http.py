"""Download a file by HTTP: with time-outs and more tries, and never more of it than it may have."""

import errno
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import RegistryError
from registry.sources.limits import Budget, Limited, Patience

if TYPE_CHECKING:
    import requests

TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
"""HTTP states worth another try."""


def describe(error: Exception) -> str:
    """Say in a few words what went wrong with a request, without the address: it may hold a password."""
    import requests

    if full := _full_disk(error):
        return os.strerror(full).lower()
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


def _full_disk(error: BaseException | None) -> int | None:
    """Return the number of the system's error where what broke off an answer was that its copy found no space."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def _whole(response: "requests.Response", **_: object) -> None:
    """Raise RegistryError for an answer that has no whole file in it."""
    if 200 < response.status_code < 300:
        raise RegistryError(f"HTTP {response.status_code}, which is no whole file")


def download(url: str, target: Path, name: str, *, max_bytes: int, patience: Patience) -> None:
    """Write to `target` what a URL gives, as `name` in the progress shown.

    Raises RegistryError.
    """
    import pooch
    import requests
    from tqdm import tqdm

    def get(url: str, output_file: str, registry: pooch.Pooch) -> None:
        progress = tqdm(desc=name, total=max_bytes, unit="B", unit_scale=True, mininterval=5, file=sys.stderr)
        transfer = pooch.HTTPDownloader(progressbar=progress, timeout=patience.timeout, hooks={"response": _whole})
        try:
            with Path(output_file).open("wb") as stream:
                transfer(url, Limited(stream, Budget(max_bytes)), registry)
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
    try:
        registry.fetch(target.name, downloader=get)
    except requests.RequestException as error:
        raise RegistryError(describe(error)) from None
