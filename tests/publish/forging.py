"""What an attacker would make: tags, pointers and lists of files that lie, and what must not come of them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import yaml

from tiny import Tiny

SECRET = "a private key"


def untouched(victim: Path) -> None:
    assert victim.read_text() == SECRET
    assert list(victim.parent.iterdir()) == [victim]


def forge(clone: Tiny, tag: str, base: str, change: Callable[[dict[str, bytes]], None]) -> None:
    """Make an annotated tag whose commit is that of `base` with the files of its dataset changed."""
    dataset = tag.rpartition("-v")[0]
    paths = clone.git("ls-tree", "-r", "--name-only", base, "--", f"data/{dataset}").splitlines()
    files = {path: clone.git("show", f"{base}:{path}").encode() + b"\n" for path in paths}
    before = dict(files)
    change(files)
    env = {"GIT_INDEX_FILE": str(clone.folder / ".git" / "forged")}
    clone.git("read-tree", base, **env)
    for path in {*before, *files}:
        if path not in files:
            clone.git("update-index", "--force-remove", path, **env)
        elif files[path] != before.get(path):
            content = clone.folder / ".git" / "content"
            content.write_bytes(files[path])
            blob = clone.git("hash-object", "-w", "--no-filters", str(content))
            clone.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", **env)
    commit = clone.git("commit-tree", clone.git("write-tree", **env), "-p", f"{base}^{{commit}}", "-m", "Forged")
    clone.git("tag", "--annotate", "--message", f"{tag}\n\nrows: all 10", tag, commit)


def forge_pointer(clone: Tiny, output: str, md5: str, key: str | None = None) -> None:
    """Make letters-v9.0.0, whose .dvc file of an output names another md5, and provenance.json, too, below `key`."""

    def change(files: dict[str, bytes]) -> None:
        pointer = yaml.safe_load(files[f"data/letters/{output}.dvc"])
        pointer["outs"][0]["md5"] = md5
        files[f"data/letters/{output}.dvc"] = yaml.safe_dump(pointer).encode()
        if key:
            provenance = json.loads(files["data/letters/provenance.json"])
            provenance[key]["md5"] = md5
            files["data/letters/provenance.json"] = json.dumps(provenance).encode()

    forge(clone, "letters-v9.0.0", "letters-v1.1.0", change)


def stored(clone: Tiny, content: bytes, suffix: str = "") -> str:
    """Put an object into the remote, and return its md5."""
    md5 = hashlib.md5(content).hexdigest() + suffix
    path = clone.folder / ".dvc" / "storage" / "files" / "md5" / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5


def row_17(clone: Tiny) -> str:
    """Return the id of a sample that only letters-v1.1.0 has."""
    return json.loads(clone.registry("samples", "letters-v1.1.0", "--json"))["rows"][17]["sample_id"]


READERS = (
    "samples letters-v9.0.0",
    "diff letters 1.0.0 9.0.0",
    "rollback letters 9.0.0",
    "republish letters 9.0.0 --reason x",
    "verify letters-v9.0.0",
)
"""Commands that read a version by its number."""


def refused(clone: Tiny, *commands: str) -> None:
    for command in commands:
        printed = clone.registry(*command.split(), code=1)
        assert "Traceback" not in printed, printed
        assert printed.count("error:") == 1, printed
