"""Fingerprint the code behind a rule: its script and every module of ours that it imports.

Snakemake notices a changed script but not a changed import of it, so each rule carries this as a param.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2]


def _module_files(name: str, scripts: Path) -> list[Path]:
    parts = name.split(".")
    packages = [scripts.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    return [file for file in (*packages, scripts.joinpath(*parts).with_suffix(".py")) if file.is_file()]


def _statements(block: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements of a block and of all blocks in it. Most nodes are expressions, which import nothing."""
    for child in ast.iter_child_nodes(block):
        if isinstance(child, ast.stmt):
            yield child
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _statements(child)


@cache
def _imports(path: Path, scripts: Path) -> frozenset[Path]:
    names: set[str] = set()
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(file for name in names for file in _module_files(name, scripts))


@cache
def code_files(script: str, scripts: Path = SCRIPTS) -> tuple[Path, ...]:
    """Return the script (relative to scripts/) and, transitively, the files below scripts/ that it imports, sorted.

    `scripts` is that folder of another checkout. Raises FileNotFoundError where there is no such script.
    """
    found: set[Path] = set()
    pending = {scripts / script}
    while pending:
        found |= pending
        pending = {file for path in pending for file in _imports(path, scripts)} - found
    return tuple(sorted(found))


@cache
def fingerprint(script: str, scripts: Path = SCRIPTS) -> str:
    """Return the hex SHA-256 over the names and bytes of all code behind a script; arguments as for code_files."""
    digest = hashlib.sha256()
    for path in code_files(script, scripts):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(scripts).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
