"""What pyproject.toml declares is what scripts/ imports, and reading needs no more than the base dependencies."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from registry.config.fingerprint import SCRIPTS
from registry.extras import EXTRAS
from support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOR_DEVELOPERS = {"cluster", "editable", "lint", "orchestrate", "test"}
FOR_SNAKEMAKE = {"cluster-generic", "slurm"}
"""Extras whose packages Snakemake imports by itself."""
PLUGINS = {"dagster-webserver", "snakemake-storage-plugin-s3"}
"""What it imports of the other extras."""
OWN = {path.stem for path in (*SCRIPTS.iterdir(), *SCRIPTS.glob("ci/*.py"))}
DISTRIBUTIONS = packages_distributions()


def distributions(requirements: list[str]) -> set[str]:
    """Return the names of what is asked for, with that of other extras of this project."""
    found = set()
    for requirement in map(Requirement, requirements):
        if requirement.name == PROJECT["name"]:
            found |= set().union(*(EXTRA[extra] for extra in requirement.extras))
        else:
            found.add(canonicalize_name(requirement.name))
    return found


BASE = distributions(PROJECT["dependencies"])
EXTRA: dict[str, set[str]] = {}
for name, requirements in sorted(
    PROJECT["optional-dependencies"].items(), key=lambda item: "data-registry" in str(item)
):
    EXTRA[name] = distributions(requirements)
DECLARED = BASE.union(*(those for name, those in EXTRA.items() if name not in FOR_DEVELOPERS | FOR_SNAKEMAKE))


def imports(block: ast.AST, *, lazy: bool) -> Iterator[str]:
    """Yield the modules that a block imports: all, or without `lazy` those that are needed to import it."""
    for node in ast.iter_child_nodes(block):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif lazy or not (
            isinstance(node, ast.FunctionDef | ast.Lambda)
            or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        ):
            yield from imports(node, lazy=lazy)


def third_party(path: Path, *, lazy: bool) -> set[str]:
    """Return the top-level packages of others that a file imports, by name or through `needed` and its like."""
    text = path.read_text(encoding="utf-8")
    names = {name.split(".")[0] for name in imports(ast.parse(text), lazy=lazy)}
    if lazy:
        names |= {
            name.split(".")[0] for name in re.findall(r'(?:needed|check_installed|import_module)\("([\w.]+)"\)', text)
        }
    return names - OWN - sys.stdlib_module_names


def is_in(package: str, declared: set[str]) -> bool:
    """Tell whether a package is declared; one that is not installed here has the name of its distribution."""
    return bool({canonicalize_name(name) for name in DISTRIBUTIONS.get(package, [package])} & declared)


FILES = sorted(SCRIPTS.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SCRIPTS).as_posix())
def test_every_import_is_declared(path):
    assert not {package for package in third_party(path, lazy=True) if not is_in(package, DECLARED)}


def test_nothing_is_declared_that_nobody_imports():
    used = set().union(*(third_party(path, lazy=True) for path in FILES))
    distributed = {canonicalize_name(name) for package in used for name in DISTRIBUTIONS.get(package, [package])}
    assert not DECLARED - distributed - PLUGINS


def reached_from(*names: str) -> set[Path]:
    """Return the files of registry that are imported, directly or not, when these modules are."""
    found, pending = set(), {SCRIPTS.joinpath(*name.split(".")) for name in names}
    while pending:
        path = pending.pop()
        files = {path.with_suffix(".py"), path / "__init__.py"} & {*FILES}
        for file in files - found:
            found.add(file)
            pending |= {SCRIPTS.joinpath(*name.split(".")) for name in imports(ast.parse(file.read_text()), lazy=False)}
    return found


def test_importing_the_command_and_the_client_needs_the_base_alone():
    reached = reached_from("registry", "registry.cli", "registry.client")
    assert SCRIPTS / "registry" / "storage" / "git.py" in reached
    needed = {path.name: third_party(path, lazy=False) for path in reached}
    assert not {(name, package) for name, those in needed.items() for package in those if not is_in(package, BASE)}


def test_the_extra_that_a_message_names_brings_the_package():
    assert not {(package, extra) for package, extra in EXTRAS.items() if not is_in(package, EXTRA[extra])}


def test_a_message_names_the_extra_of_every_package_that_the_base_lacks():
    optional = set().union(
        *(third_party(path, lazy=True) for path in FILES if path.is_relative_to(SCRIPTS / "registry"))
    )
    assert {package for package in optional if not is_in(package, BASE)} == EXTRAS.keys()


def test_search_needs_the_base_and_its_extra_alone():
    rooms = [SCRIPTS / "registry" / room for room in ("vectors", "embedding")]
    start = [*rooms[0].glob("[a-z]*.py"), rooms[1] / "graph.py", rooms[1] / "quantize.py"]
    reached = reached_from(*(".".join(path.relative_to(SCRIPTS).with_suffix("").parts) for path in start))
    assert rooms[1] / "model.py" in reached
    needed = {path.name: third_party(path, lazy=path.parent in rooms) for path in reached}
    allowed = BASE | EXTRA["vectors"]
    assert not {(name, package) for name, those in needed.items() for package in those if not is_in(package, allowed)}
