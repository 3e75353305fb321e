"""Pictures with labels: folders of classes, or tables that name pictures or hold them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from registry.kinds import gallery
from registry.kinds.beside import Embedded, table_in
from registry.kinds.folders import Folders
from registry.kinds.rows import Rows

POLICIES = gallery.POLICIES | {"unknown_classes": "fail"}
"""What becomes of rows with problems, unless the params say."""


def read(
    files: Mapping[str, Path], contract: Mapping[str, Any], params: Mapping[str, Any], threads: int = 1
) -> Iterator[Rows]:
    """Yield the pictures of source files {name: path} as rows with the columns of the contract.

    See `registry.kinds.gallery.rows_of`. Raises RegistryError for what is no archive, and a table that does not fit.
    """
    if "table" in params:
        origin = table_in(files, contract, params)
    else:
        origin = Embedded(contract, params) if "image" in params else Folders(contract, params)
    return gallery.rows_of(origin, files, contract, params, threads)
