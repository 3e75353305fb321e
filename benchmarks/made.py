"""Make releases fast, to measure what reads them: written as a build writes them, into DVC's cache and into git."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from many import keep_only, renamed
from measure import clone
from releases import committed

from registry.config.load import load_datasets, normalise, read_yaml
from registry.describe.description import describe
from registry.describe.manifest import row_keys
from registry.describe.metadata import metadata_digest
from registry.files import dvc_digest, seal, write_json
from registry.storage.git import Git
from registry.storage.snapshot import Snapshot
from registry.storage.tags import releases, tag_message

ROWS = 1 << 16
"""Rows that are described at once."""
TYPES = {pa.float64(): "float64", pa.timestamp("us"): "timestamp"}
"""What a contract calls types otherwise than Arrow does."""
FIRST = 1_800_000_000
"""When the first version was made, in seconds; each one after it comes a second later."""


@dataclass(frozen=True)
class Version:
    """A version of a dataset: its tag, what the tag says, and what git has of it, {path: content}."""

    tag: str
    message: str
    files: Mapping[str, bytes]


def empty(folder: Path) -> Path:
    """Return a registry without datasets."""
    clone(folder)
    keep_only(folder, [])
    return committed(folder)


def built(
    folder: Path,
    name: str,
    number: str,
    tables: Mapping[str, pa.Table],
    features: Mapping[str, dict[str, Any]] | None = None,
    why: Sequence[str] = (),
) -> Version:
    """Build a version of a dataset from the table of each split. Its rows are named by their first columns.

    `features` is what is known of columns beside their types, `why` what its tag says of the change.
    """
    schema = next(iter(tables.values())).schema
    types = {field.name: TYPES.get(field.type, field.type) for field in schema}
    config = {
        "about": {"title": name, "description": "Made for a benchmark.", "license": "CC0"},
        "params": {},
        "contract": {"columns": {name: {"dtype": str(dtype)} for name, dtype in types.items()}, "rows": {}},
    }
    place = folder / "config" / "datasets" / f"{name}.yaml"
    place.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    dataset = load_datasets(normalise(read_yaml(folder / "config" / "config.yaml")), folder)[name]
    data = folder / "data" / name
    shutil.rmtree(data, ignore_errors=True)
    for split, table in tables.items():
        (data / "processed" / split).mkdir(parents=True)
        pq.write_table(table, data / "processed" / split / f"{split}.parquet", row_group_size=1 << 17)
    seal(data / "processed")
    write_json(data / "sources.json", {"mode": "generated", "files": []})
    described = ("manifest.parquet", "metadata.json", "provenance.json")
    rule = SimpleNamespace(
        input=SimpleNamespace(sources=data / "sources.json", checksum=data / ".processed.md5"),
        output=SimpleNamespace(**{file.partition(".")[0]: data / file for file in described}),
        params=SimpleNamespace(dataset=dataset, code={}),
    )
    with describe(rule, schema) as about:
        for split, table in tables.items():
            for start in range(0, len(table), ROWS):
                batch = table.slice(start, ROWS).combine_chunks().to_batches()[0]
                keys = row_keys(f"{split}.csv", start, batch.num_rows)
                about.add(split, batch, inputs=schema.names[:1], keys=keys)
        about.features.update(features or {})
        about.facts["summary"] = {"num_samples": sum(map(len, tables.values()))}
    files = {f"data/{name}/{file}": (data / file).read_bytes() for file in described[1:]}
    files |= {f"data/{name}/{out}.dvc": _cached(folder, data / out) for out in ("processed", "manifest.parquet")}
    message = tag_message(number, why, Snapshot.of(name, number, files))
    return Version(f"{name}-v{number}", message, files)


def _cached(folder: Path, path: Path) -> bytes:
    """Move a file or a folder of the working tree into DVC's cache, and return the .dvc file of it."""
    md5, cache = dvc_digest(path), folder / ".dvc" / "cache" / "files" / "md5"
    listed = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    entries = [{"md5": dvc_digest(file), "relpath": file.relative_to(path).as_posix()} for file in listed]
    for entry, file in zip(entries, listed, strict=True):
        target = cache / entry["md5"][:2] / entry["md5"][2:]
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
    if md5.endswith(".dir"):
        target = cache / md5[:2] / md5[2:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(entries, sort_keys=True), encoding="utf-8")
    return f"outs:\n- md5: {md5}\n  hash: md5\n  path: {path.name}\n".encode()


def under_name(version: Version, one: str, name: str) -> Version:
    """Return a version of one dataset as one of another dataset, with the same data."""
    files = {renamed(path, one, name): content for path, content in version.files.items()}
    metadata, provenance = (f"data/{name}/{file}.json" for file in ("metadata", "provenance"))
    about, made = (json.loads(renamed(files[path].decode(), one, name)) for path in (metadata, provenance))
    made["metadata"]["sha256"] = metadata_digest(about)
    files |= {metadata: json.dumps(about, indent=2).encode(), provenance: json.dumps(made, indent=2).encode()}
    return Version(renamed(version.tag, one, name), renamed(version.message, one, name), files)


def again(folder: Path, number: str) -> list[Version]:
    """Return one more version of each dataset, with all that its newest has."""
    newest = [those[-1] for those in releases(Git(folder)).values()]
    return [
        Version(f"{one.dataset}-v{number}", one.message.replace(f" {one.version}", f" {number}", 1), {})
        for one in newest
    ]


def release(folder: Path, versions: Iterable[Version]) -> None:
    """Commit versions one after the other, each with its tag."""
    stream = [b"reset refs/heads/main\nfrom refs/heads/main^0\n\n"]
    for number, version in enumerate(versions):
        who = f"B <b@b> {FIRST + number} +0000".encode()
        commit = [b"commit refs/heads/main\ncommitter ", who, b"\n", _counted(version.message.encode())]
        for path, content in version.files.items():
            commit += [b"M 100644 inline ", path.encode(), b"\n", _counted(content)]
        tag = [b"tag ", version.tag.encode(), b"\nfrom refs/heads/main\ntagger ", who, b"\n"]
        stream += [*commit, b"\n", *tag, _counted(version.message.encode())]
    command = ["git", "fast-import", "--quiet"]
    subprocess.run(command, cwd=folder, check=True, input=b"".join(stream))


def _counted(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)
