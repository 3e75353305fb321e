"""The rooms of scripts/registry, and what none of them may do (docs/architecture.md draws them)."""

import ast
import re
from pathlib import Path

import pytest

from project import DATASETS
from registry.config.fingerprint import SCRIPTS

REGISTRY = SCRIPTS / "registry"
FLOORS = (
    {"cli"},
    {"restore", "trace"},
    {"workflow"},
    {"vectors"},
    {"embedding"},
    {"release"},
    {"compare"},
    {"client"},
    {"storage"},
    {"describe"},
    {"sources"},
    {"formats"},
    {"config"},
    {"files"},
    {"errors"},
)
"""From the top floor down: a room imports from itself and from floors below its own."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
NAMELESS = ("storage", "compare", "release", "restore", "trace")
"""Rooms that know no dataset by name."""
NAMES = [*DATASETS, "readmes", "prompts"]


def modules() -> list[Path]:
    return sorted(path for path in REGISTRY.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))


def room_of(path: Path) -> str:
    return path.relative_to(REGISTRY).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Return the dotted names of all modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            names.add(node.module)
    return names


def test_every_room_has_a_floor():
    assert {room_of(path) for path in modules()} == FLOOR.keys()


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(REGISTRY).as_posix())
def test_a_module_imports_from_its_own_room_and_from_those_below(path):
    here = room_of(path)
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("registry.")}
    above = {room for room in rooms - {here} if FLOOR[room] <= FLOOR[here]}
    assert not above


@pytest.mark.parametrize("package", ["dvc", "dvc_data", "dvc_objects", "dvc_s3"])
def test_only_storage_talks_to_dvc(package):
    users = {
        path.relative_to(REGISTRY).as_posix()
        for path in modules()
        if package in {n.split(".")[0] for n in imported(path)}
    }
    assert users <= {"storage/dvc.py", "storage/explain.py", "client.py"}


def test_only_storage_runs_git():
    users = {path.relative_to(REGISTRY).as_posix() for path in modules() if re.search(r'\["git"', path.read_text())}
    assert users == {"storage/git.py"}


@pytest.mark.parametrize("path", [path for path in modules() if room_of(path) in NAMELESS], ids=lambda path: path.name)
def test_no_dataset_is_known_by_name(path):
    text = path.read_text(encoding="utf-8").lower()
    assert not [name for name in NAMES if name in text]


def test_the_rooms_are_empty_at_the_door():
    doors = [path for path in REGISTRY.rglob("__init__.py") if path.parent != REGISTRY and path.parent.name != "cli"]
    assert not [path for path in doors if path.read_text(encoding="utf-8")]
