"""Read the files that say what datasets are, and what their samples are; whether they make sense is told elsewhere."""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from registry import gate
from registry.errors import RegistryError
from registry.files import read_regular

SAMPLES = "data/samples"
IN_PLACE = ".in-place.json"
"""End of the name of a pointer in raw/ to a source that is not copied."""


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file. Raises RegistryError, which says where, for a missing or malformed one."""
    try:
        return gate.read_yaml(read_regular(path, gate.MAX_POINTER + 1), where=path)
    except FileNotFoundError:
        raise RegistryError("no such file", where=path) from None
    except OSError as error:
        raise RegistryError(f"cannot be read: {str(error.strerror).lower()}", where=path) from None


def read_checksums(path: Path) -> Mapping[str, str]:
    """Return {file: sha256} of a SHA256SUMS file, as `sha256sum` writes it."""
    if not path.is_file():
        raise RegistryError("no such file", where=path, hint="write it with: sha256sum FILE... > SHA256SUMS")
    return parse_checksums(path.read_text(encoding="utf-8"), where=path)


def sample_checksums(dataset: str, root: Path) -> Mapping[str, str]:
    """Return {path below data/samples/: sha256} of a dataset's samples, as SHA256SUMS lists them."""
    path = root / SAMPLES / "SHA256SUMS"
    state = path.stat() if path.is_file() else None
    return _by_dataset(path, state and (state.st_ino, state.st_mtime_ns, state.st_size)).get(dataset, {})


@lru_cache(maxsize=1)
def _by_dataset(path: Path, state: tuple[int, ...] | None) -> Mapping[str, Mapping[str, str]]:
    """Return {dataset: its samples} of a SHA256SUMS file, read once in each state: every dataset asks for it."""
    found: dict[str, dict[str, str]] = {}
    for file, sha256 in read_checksums(path).items():
        found.setdefault(file.split("/", 1)[0], {})[file] = sha256
    return found


def parse_checksums(text: str, *, where: object) -> Mapping[str, str]:
    """Return {file: sha256} of the text of a SHA256SUMS file. Raises RegistryError, also for two lines for one file."""
    hashes: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if match is None:
            raise RegistryError(f"line {number} is not `<sha256>  <file>`", where=where)
        if match[2] in hashes:
            hint = "keep the one that `sha256sum` prints, and remove the other"
            raise RegistryError(f"line {number} is a second one for {match[2]}", where=where, hint=hint)
        hashes[match[2]] = match[1]
    return hashes


def source_name(source: Mapping[str, Any]) -> str:
    """Return the name below raw/ of a source file or folder."""
    return source["file"] if "file" in source else source["folder"]
