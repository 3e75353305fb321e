"""Turn what DVC and the libraries below it raise into one message that people can act on, without secrets."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from registry.errors import RegistryError
from registry.shown import redacted
from registry.storage.connection import announced

SECRETS = ("access_key_id", "secret_access_key", "session_token", "password", "sas_token", "account_key", "token")
"""Settings of a DVC remote that no message may show."""
LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "s3fs", "sqlite3", "diskcache")
"""Packages whose errors are those of a place that data goes to or comes from."""
PLAIN_INDEX = (
    "if it is split, git config core.splitIndex false && git update-index --no-split-index; if it is sparse, "
    "git sparse-checkout reapply --no-sparse-index; then run the same command again"
)
"""What makes git write an index that DVC's own reader of it, dulwich, can read."""
VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Variables of the environment that no message may show."""


class _Failures(logging.Handler):
    """Collects the exceptions that DVC logs where it does not raise them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.errors.append(record.exc_info[1])


@contextmanager
def _quiet() -> Iterator[_Failures]:
    """Keep DVC's own log off the terminal and hand over what went wrong."""
    failures = _Failures()
    loggers = [logging.getLogger(name) for name in ("dvc", "dvc_data", "dvc_objects", "dvc_s3")]
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [failures], False
    try:
        yield failures
    finally:
        for logger, (handlers, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate


@contextmanager
def explained(doing: str, remotes: Iterable[Mapping[str, Any]], address: str | None = None) -> Iterator[None]:
    """Turn what DVC raises or logs in the block into one RegistryError, without the secrets of these remotes.

    What takes long is announced. `address` is that of the remote; neither it nor what DVC says is for pages of others.
    """
    from dvc.exceptions import DvcException

    public = f"{doing} failed"
    if address is not None:
        doing = f"{doing} ({address})"
    with announced(doing), _quiet() as failures:
        try:
            yield
        except RegistryError:
            raise
        except (DvcException, OSError, ValueError) as error:
            cause = failures.errors[0] if failures.errors else error
            reason = f"{doing} failed: {reason_of(cause, remotes)}"
            raise RegistryError(reason, hint=hint_for(cause), public=public) from None
        except Exception as error:
            if type(error).__module__.startswith("dulwich."):
                reason = f"{doing} failed: DVC cannot read git's index"
                raise RegistryError(reason, hint=PLAIN_INDEX, public=public) from None
            # What S3 libraries, and the databases of DVC's notes, raise has no common ancestor.
            if type(error).__module__.split(".")[0] not in LIBRARIES:
                raise
            reason = f"{doing} failed: {reason_of(error, remotes)}"
            raise RegistryError(reason, hint=hint_for(error), public=public) from None


def reason_of(error: BaseException, remotes: Iterable[Mapping[str, Any]]) -> str:
    """Return the first line of what an error says, without the secrets of these remotes and of the environment."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    secrets = {str(remote[name]) for remote in remotes for name in SECRETS if remote.get(name)}
    return redacted(text, secrets | {os.environ[name] for name in VARIABLES if os.getenv(name)})


def hint_for(error: BaseException) -> str:
    """Return what a user can do about an error."""
    text = f"{type(error).__name__} {error}".lower()
    if any(
        word in text for word in ("credential", "signature", "accesskey", "access key", "forbidden", "denied", "403")
    ):
        return "check the credentials of this remote (see .env.example), then run the same command again"
    if "bucket" in text and ("exist" in text or "such" in text):
        return "make the bucket, or fix the remote's url, then run the same command again"
    if any(word in text for word in ("connect", "endpoint", "timed out", "timeout", "resolve")):
        return "check that the remote's server runs and can be reached, then run the same command again"
    if any(word in text for word in ("no space", "quota", "disk is full")):
        return "free some space, then run the same command again"
    return "fix that, then run the same command again"
