"""Write and remove single files of a checkout: whatever names them, nothing happens outside it or through a link."""

from collections.abc import Iterable
from pathlib import Path

from registry.files import atomic_file
from registry.gate import checked_inside


def check_places(root: Path, paths: Iterable[str]) -> None:
    """Check that all of these can be written and removed, before the first of them is. Raises GateError."""
    for path in paths:
        checked_inside(root, path)


def write(root: Path, path: str, content: bytes) -> bool:
    """Give a file this content, and tell whether it had another. Raises GateError."""
    target = checked_inside(root, path)
    if target.is_file() and not target.is_symlink() and target.read_bytes() == content:
        return False
    with atomic_file(target) as partial:
        partial.write_bytes(content)
    return True


def remove(root: Path, path: str) -> None:
    """Remove a file, or a link itself, where there is one. Raises GateError."""
    checked_inside(root, path).unlink(missing_ok=True)
