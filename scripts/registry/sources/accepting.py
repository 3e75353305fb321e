"""Let a dataset's file accept other bytes of its sources: its hashes change, and not a letter beside them."""

import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.config.load import read_yaml, source_name
from registry.files import atomic_file

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node, SequenceNode

OWN_NOTE = re.compile(r"of \d{4}-\d\d-\d\d, [\d,]+ bytes")
"""What is noted here of a hash; any other note is a person's, and stays."""

Edit = tuple[int, int, str]
"""What stands between two places in a text gives way to another text."""


def accept_sources(path: Path, mode: str, fetched: Mapping[str, Mapping[str, Any]]) -> None:
    """Let the file of a dataset at `path` accept what was fetched {source file: its sha256 and bytes} in a mode.

    A hash that is accepted there gives way; one that holds in another mode alone stays.
    """
    from ruamel.yaml import YAML

    text = path.read_bytes().decode("utf-8")
    sources = _inner(YAML(typ="safe", pure=True).compose(text), "sources", "files")
    edits: list[Edit] = []
    for number, source in enumerate(read_yaml(path)["sources"]["files"]):
        found = fetched[source_name(source)]
        entries = [index for index, entry in enumerate(source["accept"]) if mode in entry.get("modes", [mode])]
        if found["sha256"] in [source["accept"][index]["sha256"] for index in entries]:
            continue
        note, place = f"of {date.today().isoformat()}, {found['bytes']:,} bytes", _inner(sources, number, "accept")
        if entries:
            edits.append(_replaced(text, _inner(place, entries[0], "sha256"), found["sha256"]))
            if OWN_NOTE.fullmatch(source["accept"][entries[0]]["note"]):
                edits.append(_replaced(text, _inner(place, entries[0], "note"), note))
        else:
            entry = {"sha256": found["sha256"], "note": note} | ({"modes": [mode]} if source["accept"] else {})
            column = _key(_inner(sources, number), "accept").start_mark.column
            edits += _added(text, place, entry, is_flow=_inner(sources, number).flow_style, column=column)
    if not edits:
        return
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    with atomic_file(path) as partial:
        partial.write_bytes(text.encode("utf-8"))


def _key(mapping: "Node", name: str) -> "Node":
    return next(key for key, _ in mapping.value if key.value == name)


def _inner(node: "Node", *path: str | int) -> "Node":
    """Return what lies in a node under keys of mappings and numbers in lists."""
    for step in path:
        node = node.value[step] if isinstance(step, int) else next(v for key, v in node.value if key.value == step)
    return node


def _replaced(text: str, node: "Node", new: str) -> Edit:
    """Return the edit that gives a scalar another value, written as it is: with its quotes, if it has some."""
    start, end = node.start_mark.index, node.end_mark.index
    written = text[start:end]
    return start, end, written.replace(node.value, new) if node.value in written else json.dumps(new)


def _added(text: str, place: "SequenceNode", entry: Mapping[str, Any], *, is_flow: bool, column: int) -> list[Edit]:
    """Return the edits that add an entry to a list; `is_flow` is for what it is in, which begins at a column."""
    start, end = place.start_mark.index, place.end_mark.index
    if is_flow or (place.flow_style and place.value):
        return [(start + 1, start + 1, json.dumps(entry) + (", " if place.value else ""))]
    edits, column = [], place.start_mark.column if place.value else column + 2
    if place.value:
        start = len(text[: _end(place)].rstrip())
    else:
        start = len(text[:start].rstrip())
        edits.append((start, end, ""))
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = [f"{key}: {value if isinstance(value, str) else f'[{value[0]}]'}" for key, value in entry.items()]
    added = "".join(f"{newline}{' ' * column}{'  ' if number else '- '}{line}" for number, line in enumerate(lines))
    behind = re.compile(r"[^\r\n]*").match(text, end if edits else start).end()
    return [*edits, (behind, behind, added)]


def _end(node: "Node") -> int:
    """Return where the last value in a node ends."""
    while isinstance(node.value, list) and not node.flow_style:
        node = node.value[-1][1] if isinstance(node.value[-1], tuple) else node.value[-1]
    return node.end_mark.index
