"""The one place that text out of a tag or a remote passes before the client makes use of it."""

import json
import re
from collections.abc import Mapping
from typing import Any

from registry.errors import RegistryError

MD5 = re.compile(r"[0-9a-f]{32}")


def read_version(name: str, files: Mapping[str, bytes]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return metadata and provenance of a version from {path: content} of its tag. Raises RegistryError."""
    texts = [files.get(f"data/{name}/{file}") for file in ("metadata.json", "provenance.json")]
    if None in texts:
        raise RegistryError(f"no release: data/{name}/ lacks metadata.json or provenance.json")
    try:
        metadata, provenance = map(json.loads, texts)
        data = provenance["data"]
        counts = [split["num_samples"] for split in metadata["splits"].values()] + [data["files"], data["bytes"]]
        sound = all(type(count) is int and count >= 0 for count in counts)
        sound &= bool(MD5.fullmatch(data["md5"].removesuffix(".dir"))) and _is_below(data["path"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise RegistryError(f"no release: data/{name}/ has a metadata.json or provenance.json that no build writes")
    return metadata, provenance


def read_folder(content: bytes) -> dict[str, str]:
    """Return {relative path: md5} of the files that DVC's list of a folder names. Raises RegistryError."""
    try:
        found = {entry["relpath"]: entry["md5"] for entry in json.loads(content)}
        sound = all(_is_below(path) and MD5.fullmatch(md5) for path, md5 in found.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise RegistryError("not a list of files as DVC writes it")
    return found


def _is_below(path: str) -> bool:
    """Tell whether a path stays below its folder, and can be that of a file."""
    return bool(path.encode()) and "\0" not in path and not {"", ".", ".."} & {*path.split("/")}
