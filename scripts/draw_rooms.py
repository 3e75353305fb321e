"""Draw the rooms of scripts/registry into docs/architecture.md: python scripts/draw_rooms.py.

Between two marks in that page stand the files of every room, each with the first line of what it says of itself, and
the rooms that it imports from. A test holds the page to it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from registry.config.fingerprint import imports_of

REGISTRY = Path(__file__).resolve().parent / "registry"
PAGE = REGISTRY.parents[1] / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: python scripts/draw_rooms.py -->", "<!-- end of rooms -->"


def modules() -> list[Path]:
    """Return the modules of the package, sorted, without those that only open a room."""
    return sorted(path for path in REGISTRY.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))


def room_of(path: Path) -> str:
    """Return the room that a module is in: its folder, or itself at the top."""
    return path.relative_to(REGISTRY).parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    """Return the rooms that a module imports from, wherever in it."""
    names = (name.split(".") for name in imports_of(path).anywhere)
    return {parts[1] for parts in names if parts[0] == "registry" and len(parts) > 1}


def arrows() -> dict[str, set[str]]:
    """Return {room: the rooms that its modules import from}."""
    found: dict[str, set[str]] = {}
    for path in modules():
        found.setdefault(room_of(path), set()).update(rooms_imported(path) - {room_of(path)})
    return found


def floors() -> list[list[str]]:
    """Return the rooms floor by floor, the lowest first: each imports from floors below its own alone."""
    pending, built = arrows(), []
    while pending:
        below = {room for floor in built for room in floor}
        floor = sorted(room for room, rooms in pending.items() if rooms <= below)
        if not floor:
            raise ValueError(f"these rooms import each other in a circle: {', '.join(sorted(pending))}")
        built.append(floor)
        pending = {room: rooms for room, rooms in pending.items() if room not in floor}
    return built


def _lines() -> Iterator[str]:
    rooms = arrows()
    for room in (room for floor in reversed(floors()) for room in floor):
        yield f"{room}  <-  {', '.join(sorted(rooms[room])) or 'nothing'}"
        for path in (path for path in modules() if room_of(path) == room):
            about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).partition("\n")[0]
            yield f"    {path.name:<20} {about}"


def drawing() -> str:
    """Return what stands between the marks, and the marks."""
    return "\n".join([BEGIN, "```", *_lines(), "```", END])


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + drawing() + rest.partition(END)[2], encoding="utf-8")
