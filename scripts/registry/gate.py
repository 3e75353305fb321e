"""The one gate for what somebody else wrote: the text of a tag, a .dvc file, a folder's list, a pin, a lock.

Whatever is read from git, from DVC or from a folder passes here before anything acts on it. What does not pass is one
GateError that names the place; nothing is trusted by half.
"""

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from registry.errors import RegistryError

MAX_DESCRIPTION = 8 << 20
"""Bytes that a metadata.json, a provenance.json or a report may have."""
MAX_POINTER = 1 << 20
"""Bytes that a .dvc file, a pin or a configuration file may have."""
MAX_LISTING = 512 << 20
"""Bytes that the list of a folder's files may have: 1,000,000 files take some 100 MB."""
MAX_DEPTH = 50
"""How deep lists and mappings may be nested."""
MAX_VALUES = 200_000
"""Keys and values that there may be in all: to check so many against a schema takes seconds."""
MAX_DIGITS = 19
"""Digits that an integer may have: those of 64 bits."""
TOO_LARGE = 10**MAX_DIGITS
MAX_PART, MAX_PATH = 200, 1000
"""Bytes that a file's name, and all of a path, may have: a name has 255 at most, and `.<name>.partial` is one, too."""
MD5 = re.compile(r"[0-9a-f]{32}")
PATH = re.compile(r"(?:(?!\.{1,2}(?:/|\Z))[^/\0]+/)*(?!\.{1,2}\Z)[^/\0]+")
"""Relative, and without parts that are empty or lead up."""
OF_GIT = re.compile(r"(?:\A|[/\\])(?:\.git|git~1)[ .]*(?:\Z|[:/\\])", re.IGNORECASE)
"""A part that some file system takes for `.git`: what stands there is configuration, which names commands to run."""
UNSEEN = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
"""Characters that some file system leaves out of names."""
YAML_TAG = "tag:yaml.org,2002:"
"""Begins the names of YAML's own types."""
OTHER_BASE = re.compile(r"[-+]?(?:0[0-9_]|.*:)")
"""An integer that YAML 1.1 reads to base 8 or 60."""
FOLDER = ".dir"
"""Ends the digest of a folder, which is that of the list of its files."""


class GateError(RegistryError):
    """What was read is not what it should be."""


def checked_md5(value: Any, *, where: object) -> str:
    """Return a digest as DVC writes it: 32 hexadecimal digits, with `.dir` for a folder. Raises GateError."""
    if not isinstance(value, str) or not MD5.fullmatch(value.removesuffix(FOLDER)):
        raise GateError(f"{_shown(value)} is not an md5", where=where)
    return value


def checked_path(value: Any, *, where: object) -> str:
    """Return a relative path that stays below its folder, its parts joined by `/`. Raises GateError."""
    if not isinstance(value, str) or not PATH.fullmatch(value) or not _is_unicode(value):
        raise GateError(f"{_shown(value)} is not a path below a folder", where=where)
    if OF_GIT.search(UNSEEN.sub("", value)):
        raise GateError(f"{_shown(value)} is a path into git's own folder", where=where)
    name = value.encode()
    if len(name) > MAX_PATH or max(map(len, name.split(b"/"))) > MAX_PART:
        raise GateError(f"{_shown(value)}... is too long for a path", where=where)
    return value


def checked_inside(root: Path, path: str) -> Path:
    """Return where a path below `root` is, unless a folder on the way is a link. Raises GateError.

    A link within the checkout harms, too: one that leads to .git lets a report become git's configuration. What the
    path itself names may be a link, which is about to be replaced.
    """
    place = root / checked_path(path, where=root)
    for folder in place.relative_to(root).parents[:-1]:
        if (root / folder).is_symlink():
            raise GateError("a link on the way to it leads elsewhere", where=place, hint=f"remove the link {folder}")
    return place


def read_json(content: bytes, *, where: object) -> Any:
    """Return the value of a JSON text, bounded in size, depth and numbers, without NaN and infinity.

    Raises GateError.
    """
    value = _parsed(content, MAX_DESCRIPTION, where)
    _check_values(value, where)
    return value


def _parsed(content: bytes, max_bytes: int, where: object) -> Any:
    _check_size(content, max_bytes, where)
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise GateError(f"not JSON: {_reason(error)}", where=where) from None


class _Loader(yaml.CSafeLoader):
    """Refuses what YAML takes for something else than it looks like, and a key that is there twice.

    Of such keys YAML would take the last without a word; `no:` is the key False, `1.10:` the key 1.1, `12:30` the
    number 750, `010` the number 8, and 2026-01-31 a date, which JSON does not have.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if key.tag != f"{YAML_TAG}str":
                raise _misread(key, "is no text as a key: quote it")
        keys: set[str] = set()
        for key, _ in node.value:
            if key.value in keys:
                raise _misread(key, "is there twice as a key")
            keys.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if OTHER_BASE.match(node.value):
            raise _misread(node, "is no decimal number: write it as one, or quote it")
        return super().construct_yaml_int(node)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        value = super().construct_yaml_float(node)
        if ":" in node.value or not math.isfinite(value):
            raise _misread(node, "is not a number of JSON: write one, or quote it")
        return value

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> None:
        raise _misread(node, "is a date, which JSON does not have: quote it")


for _kind in ("int", "float", "timestamp"):
    _Loader.add_constructor(f"{YAML_TAG}{_kind}", getattr(_Loader, f"construct_yaml_{_kind}"))


def _misread(node: yaml.Node, what: str) -> yaml.constructor.ConstructorError:
    written = _shown(node.value) if isinstance(node, yaml.ScalarNode) else "a list or mapping"
    return yaml.constructor.ConstructorError(None, None, f"{written} {what}", node.start_mark)


def read_yaml(content: bytes, *, where: object) -> Any:
    """Return the value of a short YAML text, bounded in depth and numbers, without aliases and tags.

    Every key is a text. Raises GateError.
    """
    _check_size(content, MAX_POINTER, where)
    try:
        text = content.decode("utf-8")
        _check_events(text)
        value = yaml.load(text, _Loader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, TypeError) as error:
        raise GateError(f"not valid YAML: {_reason(error)}", where=where) from None
    _check_values(value, where)
    return value


def _check_events(text: str) -> None:
    """Raise YAMLError at the first alias or tag, and where nesting grows too deep: the parser has no such limit."""
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "it has aliases", event.start_mark)
        if getattr(event, "tag", None):
            raise yaml.constructor.ConstructorError(None, None, f"it has tags: {_shown(event.tag)}", event.start_mark)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.constructor.ConstructorError(None, None, f"nested more than {MAX_DEPTH} deep", event.start_mark)


def read_pointer(content: bytes, name: str, *, where: object) -> str:
    """Return the md5 that a .dvc file records for its one output, the file or folder `name` beside it.

    Raises GateError for a pointer to anything else, and for one that tells DVC to look or to write elsewhere.
    """
    pointer = read_yaml(content, where=where)
    outs = pointer.get("outs") if isinstance(pointer, dict) else None
    out = outs[0] if isinstance(outs, list) and len(outs) == 1 else None
    if not isinstance(out, dict) or out.get("path") != name:
        raise GateError(f"not a .dvc file of {name}", where=where, hint="restore it: git checkout -- that file")
    elsewhere = sorted({"wdir", "cmd", "deps"} & pointer.keys() | {"files", "cloud", "version_id"} & out.keys())
    if elsewhere or out.get("hash", "md5") != "md5":
        raise GateError(f"leads DVC elsewhere: {', '.join(elsewhere) or 'hash'}", where=where)
    return checked_md5(out.get("md5"), where=where)


def read_listing(content: bytes, *, where: object) -> dict[str, str]:
    """Return {relative path: md5} of the list that DVC keeps of a folder's files. Raises GateError."""
    entries = _parsed(content, MAX_LISTING, where)
    if not isinstance(entries, list):
        raise GateError("not a list of a folder's files", where=where)
    found: dict[str, str] = {}
    folders: set[str] = {""}
    for entry in entries:
        if not isinstance(entry, dict):
            raise GateError(f"{_shown(entry)} is not an entry of a folder's list", where=where)
        path, md5 = checked_path(entry.get("relpath"), where=where), checked_md5(entry.get("md5"), where=where)
        if path in found or md5.endswith(FOLDER):
            raise GateError(f"{_shown(path)} is there twice, or is a folder", where=where)
        found[path] = md5
        while (path := path.rpartition("/")[0]) not in folders:
            folders.add(path)
    both = min(folders & found.keys(), default=None)
    if both is not None:
        raise GateError(f"{_shown(both)} is a file and a folder", where=where)
    return found


def _check_size(content: bytes, max_bytes: int, where: object) -> None:
    if len(content) > max_bytes:
        raise GateError(f"{len(content):,} bytes, more than {max_bytes:,}", where=where)


def _check_values(value: Any, where: object) -> None:
    """Check the depth, the size, the numbers and the texts of a value that was read."""
    level: list[Any] = [value]
    count = 0
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer, where)]
        count += len(level)
        if count > MAX_VALUES:
            raise GateError(f"more than {MAX_VALUES:,} values", where=where)
        if not level:
            return
    raise GateError(f"nested more than {MAX_DEPTH} deep", where=where)


def _inside(value: Any, where: object) -> Iterable[Any]:
    if isinstance(value, int):
        if abs(value) >= TOO_LARGE:
            raise GateError(f"it has an integer of more than {MAX_DIGITS} digits", where=where)
    elif isinstance(value, str):
        if not _is_unicode(value):
            raise GateError(f"{_shown(value)} is not Unicode", where=where)
    elif isinstance(value, dict):
        return [*value, *value.values()]
    elif isinstance(value, list):
        return value
    elif isinstance(value, float) and not math.isfinite(value):
        raise GateError(f"{value} is not a number of JSON", where=where)
    return ()


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any) -> str:
    """Return a value as a short text without control characters."""
    return ascii(value)[:80]


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and (mark := error.problem_mark):
        return f"{error.problem}, line {mark.line + 1}, column {mark.column + 1}"
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
