"""The rooms of scripts/registry, and what none of them may do (docs/architecture.md draws them)."""

import re

import pytest

import draw_rooms
from draw_rooms import REGISTRY, modules, room_of, rooms_imported
from project import DATASETS
from registry.config.fingerprint import imports_of

FLOORS = (
    {"cli"},
    {"authoring", "orchestrate", "restore", "streams", "trace"},
    {"workflow"},
    {"vectors"},
    {"embedding"},
    {"release"},
    {"catalog"},
    {"cards"},
    {"compare"},
    {"client"},
    {"reading"},
    {"storage"},
    {"kinds"},
    {"describe"},
    {"sources"},
    {"formats"},
    {"config"},
    {"files", "gate"},
    {"extras"},
    {"errors"},
    {"shown"},
)
"""From the top floor down: a room imports from itself and from floors below its own."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
NAMELESS = ("storage", "compare", "release", "restore", "trace")
"""Rooms that know no dataset by name."""
NAMES = [*DATASETS, "readmes", "prompts"]


def test_every_room_has_a_floor():
    assert {room_of(path) for path in modules()} == FLOOR.keys()


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(REGISTRY).as_posix())
def test_a_module_imports_from_its_own_room_and_from_those_below(path):
    here = room_of(path)
    above = {room for room in rooms_imported(path) - {here} if FLOOR[room] <= FLOOR[here]}
    assert not above


@pytest.mark.parametrize("package", ["dvc", "dvc_data", "dvc_objects", "dvc_s3"])
def test_only_storage_talks_to_dvc(package):
    users = {
        room_of(path) for path in modules() if package in {name.split(".")[0] for name in imports_of(path).anywhere}
    }
    assert users <= {"storage"}


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


def test_nothing_imports_relatively():
    relative = [path for path in modules() if re.search(r"^\s*from \.", path.read_text(encoding="utf-8"), re.MULTILINE)]
    assert not relative


def test_the_page_on_architecture_shows_the_rooms_as_they_are():
    assert draw_rooms.drawing() in draw_rooms.PAGE.read_text(encoding="utf-8"), "run: python scripts/draw_rooms.py"
