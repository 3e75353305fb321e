"""The `registry` command."""

import sys

from registry.cli import releasing
from registry.cli.common import app, console_error
from registry.errors import RegistryError

__all__ = ["app", "main", "releasing"]


def main() -> None:
    """Run the command line; what a user can mend is one message and exit code 1."""
    try:
        app()
    except RegistryError as error:
        console_error(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
