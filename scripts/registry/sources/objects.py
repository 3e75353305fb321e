"""Read objects of S3 and other stores, and files of the Hugging Face Hub, through fsspec and the libraries behind it.

Addresses and credentials come from where those libraries look: the environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID,
HF_TOKEN, ...) and the user's own files.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from registry.errors import RegistryError
from registry.formats.members import Member, check_name, hidden_place
from registry.sources.limits import PATIENT, Patience
from registry.sources.wildcards import fixed_part, has_wildcards

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

SCHEMES = ("s3", "gs", "az", "hf")
BLOCK = 8 << 20
"""Bytes that are asked for at once."""
PAGE = 1000
"""Files that S3 lists at once, at most."""
LOGINS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_ENDPOINT_URL for a server of your own",
    "hf": "HF_TOKEN",
}
"""Variables of the environment that hold credentials, by scheme."""


class Store:
    """The place that an address such as `s3://bucket/key` is in."""

    def __init__(self, url: str, patience: Patience = PATIENT) -> None:
        self._scheme, _, self._path = url.partition("://")
        self._anonymous = False
        with self._explained():
            self._files = self._connected(patience)

    def file(self) -> Member:
        """Return the file at the address. Raises RegistryError."""
        with self._explained():
            details = self._files.info(self._path)
            if details["type"] != "file":
                raise RegistryError("a folder, not a file")
            return self._member(self._path.rpartition("/")[2], details)

    def files(self, max_files: int, hidden: set[str] | None = None) -> list[Member]:
        """Return the files below the address, or those that match it if it has wildcards, sorted by name.

        Names are relative to the address, or to the last folder before a wildcard; hidden files are left out, and
        added to `hidden`, all in a hidden folder as one. A folder of S3 that has more than `max_files` is listed no
        further than that. Raises RegistryError, also for more, and for a name that cannot be taken.
        """
        base, members, hidden = self._path.rstrip("/"), [], set() if hidden is None else hidden
        with self._explained():
            if has_wildcards(pattern := base):
                base = fixed_part(pattern)
                found = self._files.glob(pattern, detail=True).items()
            else:
                found = self._below(base, max_files)
            folder = self._files._strip_protocol(base)
            for path, details in found:
                if path == folder and details["type"] == "file":
                    raise RegistryError("a file, not a folder")
                name = path[len(folder) + 1 :]
                if details["type"] != "file" or path.endswith("/"):
                    continue
                if place := hidden_place(name):
                    hidden.add(place)
                    continue
                check_name(name)
                members.append(self._member(name, details))
                if len(members) > max_files:
                    raise RegistryError(f"more than max_files ({max_files:,})")
        return sorted(members, key=lambda member: member.name)

    def _below(self, base: str, max_files: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the path and the details of each file below a folder, of S3 a page at a time, asked for when needed."""
        if self._scheme != "s3":
            yield from self._files.find(base, detail=True).items()
            return
        bucket, _, key = base.partition("/")
        options = {"Bucket": bucket, "Prefix": f"{key}/" if key else "", "MaxKeys": min(max_files + 1, PAGE)}
        page = self._files.call_s3("list_objects_v2", **options)
        if key and not page.get("Contents"):
            yield base, self._files.info(base)
        while True:
            for one in page.get("Contents", ()):
                name = f"{bucket}/{one['Key']}"
                yield name, {"name": name, "type": "file", "size": one["Size"]}
            if not (token := page.get("NextContinuationToken")):
                return
            page = self._files.call_s3("list_objects_v2", **options, ContinuationToken=token)

    def _connected(self, patience: Patience) -> "AbstractFileSystem":
        fresh = {"skip_instance_cache": True, "use_listings_cache": False}
        match self._scheme:
            case "s3":
                import botocore.session
                from s3fs import S3FileSystem

                self._anonymous = botocore.session.get_session().get_credentials() is None
                connect, read = patience.timeout
                timeouts = {"connect_timeout": connect, "read_timeout": read}
                return S3FileSystem(anon=self._anonymous, config_kwargs=timeouts, **fresh)
            case "hf":
                from huggingface_hub import HfFileSystem

                return HfFileSystem(endpoint=os.getenv("HF_ENDPOINT"), **fresh)
        import fsspec

        return fsspec.filesystem(self._scheme, **fresh)

    def _member(self, name: str, details: dict[str, Any]) -> Member:
        return Member(name, details["size"], partial(self._open, details["name"]))

    def _open(self, path: str) -> BinaryIO:
        options = {"block_size": 0} if self._scheme == "hf" else {"block_size": BLOCK, "cache_type": "readahead"}
        with self._explained():
            return _Explained(self._files.open(path, "rb", **options), self._explained)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the libraries raise into a RegistryError, in words that hold no credentials."""
        try:
            yield
        except RegistryError:
            raise
        except Exception as error:  # They have no common ancestor.
            raise RegistryError(self._reason(error)) from None

    def _reason(self, error: Exception) -> str:
        kinds = {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}
        status = getattr(getattr(error, "response", None), "status_code", None)
        login = LOGINS.get(self._scheme, "the credentials")
        if isinstance(error, ImportError):
            return str(error)
        if "NoSuchBucket" in kinds:
            return "no such bucket"
        if kinds & {"RepositoryNotFoundError", "RevisionNotFoundError"}:
            return f"no such dataset or revision, or one that is not for everybody: check it, and {login}"
        if kinds & {"PermissionError", "NoCredentialsError"} or status in (401, 403):
            return f"forbidden without credentials: set {login}" if self._anonymous else f"forbidden: check {login}"
        if isinstance(error, FileNotFoundError):
            return "nothing there has that name"
        if kinds & {"TimeoutError", "ConnectTimeoutError", "ReadTimeoutError", "TimeoutException"}:
            return "no answer in time"
        if kinds & {"ConnectionError", "HTTPClientError", "ClientError", "TransportError"}:
            return "no connection, or it broke off"
        return f"HTTP {status}" if status else type(error).__name__


class _Explained:
    """A file of a store, whose errors while it is read are explained."""

    def __init__(self, file: BinaryIO, explained: Callable[[], AbstractContextManager[None]]) -> None:
        self._file, self._explained = file, explained

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, up to `size`. Raises RegistryError."""
        with self._explained():
            return self._file.read(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
