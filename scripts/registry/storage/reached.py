"""The DVC remote through which this machine reaches the data, where its environment names one."""

import os

VARIABLE = "DVC_REMOTE"


def remote_from_here() -> str | None:
    """Return the name of that remote, None where the default one will do."""
    return os.environ.get(VARIABLE) or None
