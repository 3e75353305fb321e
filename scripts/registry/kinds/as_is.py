"""Files as they are, whatever is in them: weights, PDFs, archives. Each is a row, and is kept byte for byte."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from registry.config.kinds import WHOLE
from registry.errors import RegistryError
from registry.files import sha256_of
from registry.formats.members import folder_members
from registry.kinds.batching import in_batches
from registry.kinds.inputs import PATH, SHA256, SUFFIX
from registry.kinds.rows import DUPLICATES, Rows

POLICIES = {DUPLICATES: "keep"}
"""No two rows are the same, for they have different paths."""
COLUMNS = {PATH: pl.String(), SUFFIX: pl.String(), "bytes": pl.Int64(), SHA256: pl.String()}
"""What there is to know of a file: its path, how its name ends in lower case, its size, and the hash of its bytes."""
FOLDER = "files"
"""The folder, beside the table, in which the files are by their paths."""
AT_ONCE, BYTES_AT_ONCE = 1000, 256 << 20
"""Files of a batch, and bytes that they have; none is in memory as a whole."""


def read(files: Mapping[str, Path], contract: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Rows]:
    """Yield the files of source files and folders {name: path}, sorted by their paths, with the contract's columns.

    `params` are those of other kinds, too: there are none. Raises RegistryError for a column that is none of COLUMNS.
    """
    if unknown := [name for name in contract if name not in COLUMNS]:
        hint = f"there are {', '.join(COLUMNS)}"
        raise RegistryError(f"files have no {', '.join(unknown)}", where="contract.columns", hint=hint)
    if lacking := [name for name in (PATH, SHA256) if name not in contract]:
        raise RegistryError(f"files have {', '.join(lacking)}, of dtype string", where="contract.columns")
    sizes = ((path, place, place.stat().st_size) for path, place in files_in(files).items())
    for some in in_batches(sizes, lambda file: file[2], AT_ONCE, BYTES_AT_ONCE):
        paths = [path for path, _, _ in some]
        samples = pl.DataFrame(
            {
                PATH: paths,
                SUFFIX: [suffix_of(path) for path in paths],
                "bytes": [size for _, _, size in some],
                SHA256: [sha256_of(place) for _, place, _ in some],
            },
            schema=COLUMNS,
        )
        keys, splits = pl.Series(paths, dtype=pl.String), pl.repeat(WHOLE, len(paths), eager=True)
        yield Rows(samples.select([*contract]), keys, splits, counts={"bytes": samples["bytes"].sum()})


def files_in(files: Mapping[str, Path]) -> dict[str, Path]:
    """Return {path: where it is} of all that source files and folders {name: path} are, sorted: `name`, `name/a.pdf`.

    Hidden files are left out. Raises RegistryError for what `folder_members` refuses.
    """
    found = {}
    for name, place in files.items():
        if place.is_dir():
            members = folder_members(place, max_members=sys.maxsize)
            found |= {f"{name}/{member.name}": place / member.name for member in members}
        else:
            found[name] = place
    return dict(sorted(found.items()))


def suffix_of(path: str) -> str:
    """Return how the name of a file ends, in lower case: `.pdf`, or nothing."""
    return PurePosixPath(path).suffix.lower()


def stored(places: Mapping[str, Path], folder: Path, samples: pl.DataFrame) -> pl.DataFrame:
    """Copy the files of some rows from their `places` to their paths in FOLDER, in a folder; return the rows.

    They are copies, not links: to write into one must not change the source. Raises RegistryError for a file that is
    not what its row says of it.
    """
    for path, sha256 in samples.select(PATH, SHA256).rows():
        target = folder / FOLDER / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(places[path], target)
        if sha256_of(target) != sha256:
            raise RegistryError("it changed while it was read", where=path, hint="run the same command again")
    return samples
