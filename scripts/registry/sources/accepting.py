"""Let a dataset's file accept other bytes of its sources: its hashes change, and not a letter beside them."""

from collections.abc import Mapping
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

from registry.config.load import source_name
from registry.files import atomic_file


def accept_sources(path: Path, mode: str, fetched: Mapping[str, Mapping[str, Any]]) -> None:
    """Let the file of a dataset at `path` accept what was fetched {source file: its sha256 and bytes} in a mode.

    A hash that is accepted there gives way; one that holds in another mode alone stays.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 1 << 20
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(path.read_text(encoding="utf-8"))
    for source in content["sources"]["files"]:
        found = fetched[source_name(source)]
        entries = [entry for entry in source["accept"] if mode in entry.get("modes", [mode])]
        if found["sha256"] in [entry["sha256"] for entry in entries]:
            continue
        entry = entries[0] if entries else {}
        if not entries:
            source["accept"].append(entry)
        entry["sha256"] = found["sha256"]
        entry["note"] = f"of {date.today().isoformat()}, {found['bytes']:,} bytes"
    text = StringIO()
    yaml.dump(content, text)
    with atomic_file(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
