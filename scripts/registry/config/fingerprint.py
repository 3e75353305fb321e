"""Fingerprint the code behind a rule: its script, every module of ours that it imports, and the data that they read.

Snakemake notices a changed script but not a changed import of it, so each rule carries this as a param.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from registry.errors import RegistryError

SCRIPTS = Path(__file__).resolve().parents[2]


@cache
def _own(scripts: Path) -> frozenset[str]:
    return frozenset(path.stem for path in scripts.iterdir())


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _module_files(name: str, scripts: Path) -> tuple[Path, ...]:
    parts = name.split(".")
    if parts[0] not in _own(scripts):
        return ()
    packages = [scripts.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    return tuple(file for file in (*packages, scripts.joinpath(*parts).with_suffix(".py")) if file.is_file())


def _statements(block: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements of a block and of all blocks in it. Most nodes are expressions, which import nothing."""
    for child in ast.iter_child_nodes(block):
        if isinstance(child, ast.stmt):
            yield child
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _statements(child)


class Imports(NamedTuple):
    """The dotted names of what a Python file imports: for `from a import b`, a and a.b."""

    anywhere: frozenset[str]
    at_once: frozenset[str]
    """Those outside functions and other blocks."""


@cache
def imports_of(path: Path) -> Imports:
    """Return what a Python file imports.

    RegistryError for a file that is no Python, and for a relative import: it works in a package only, which the folder
    of a script is not.
    """
    try:
        tree = ast.parse(_content(path).decode(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        raise RegistryError(f"not Python: {error}", where=path) from None
    return Imports(_imported(_statements(tree), path), _imported(tree.body, path))


def _imported(statements: Iterable[ast.stmt], path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in statements:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise RegistryError(
                    f"line {node.lineno} imports relatively, which hides code from its fingerprint",
                    where=path,
                    hint="name the module from scripts/ on, as in: from registry.files import write_json",
                )
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


@cache
def _data_files(folder: Path) -> tuple[Path, ...]:
    """Return what lies in a folder of code but is none: schemas, tables, lists of words."""
    files = [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
    return tuple(file for file in files if file.suffix not in (".py", ".pyc"))


@cache
def _behind(path: Path, scripts: Path) -> frozenset[Path]:
    """Return the files that a Python file needs: the modules that it imports, and the data beside it that it names."""
    modules = {file for name in imports_of(path).anywhere for file in _module_files(name, scripts)}
    text = _content(path).decode()
    return frozenset(modules | {file for file in _data_files(path.parent) if file.name in text})


@cache
def code_files(script: str, scripts: Path = SCRIPTS) -> tuple[Path, ...]:
    """Return the files behind a script (relative to scripts/), sorted: what its fingerprint covers.

    That is the script, all data files in its folder and, transitively, the files below scripts/ that it imports, with
    the data files beside these that they name. `scripts` is that folder of another checkout. Raises FileNotFoundError
    where there is no such script, and RegistryError for a relative import.
    """
    found: set[Path] = set()
    pending = {scripts / script}
    while pending:
        found |= pending
        pending = {file for path in pending if path.suffix == ".py" for file in _behind(path, scripts)} - found
    return tuple(sorted(found | set(_data_files((scripts / script).parent))))


@cache
def fingerprint(script: str, scripts: Path = SCRIPTS) -> str:
    """Return the hex SHA-256 over the names and bytes of all code behind a script; arguments as for code_files."""
    digest = hashlib.sha256()
    for path in code_files(script, scripts):
        content = _content(path)
        digest.update(f"{path.relative_to(scripts).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
