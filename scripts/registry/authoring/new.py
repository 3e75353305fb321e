"""Make a dataset's file from the data alone: `registry new`."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from registry.authoring.infer import infer
from registry.authoring.layout import columns_in, guess_format
from registry.authoring.sample import MOST_BYTES, cut_sample
from registry.authoring.writing import file_of
from registry.config.kinds import splits_of
from registry.config.load import SAMPLES, check_dataset, check_free, load_datasets
from registry.errors import RegistryError
from registry.files import atomic_file, link_or_copy, sha256_of
from registry.kinds.files import TYPES, Format, batches
from registry.kinds.rows import ID, Rows, digests_of
from registry.kinds.table import inputs_of, read
from registry.sources.fetch import fetch
from registry.storage.repository import read_config

CACHE = ".cache"
LARGEST = 100_000_000_000
"""Bytes at which a download is stopped whose size nobody knows yet."""
ODD = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Wishes:
    """What somebody says of a new dataset that its data does not tell."""

    title: str | None = None
    description: str | None = None
    license: str = "unknown"
    key: str | None = None
    target: str | None = None
    inputs: Sequence[str] = ()
    ratios: Mapping[str, float] = field(default_factory=dict)
    by: Sequence[str] = ()
    sample: bool = True


@dataclass(frozen=True)
class New:
    """A dataset that could be: its file's content and text, how many rows it has, and the files of its samples."""

    name: str
    content: dict[str, Any]
    text: str
    rows: int
    samples: dict[str, Path]


@contextmanager
def new(root: Path, name: str, sources: Sequence[str], layout: Format, wishes: Wishes) -> Iterator[New]:
    """Read the sources of a new dataset, and yield what follows from them; what was fetched goes after the block.

    `sources` are paths and URLs of files of rows with the same columns. Raises RegistryError for a name that is taken,
    for what cannot be read as a table, and for wishes that do not fit it.
    """
    check_free(name, load_datasets(read_config(root), root))
    (root / CACHE).mkdir(exist_ok=True)
    with TemporaryDirectory(dir=root / CACHE) as place:
        folder = Path(place)
        entries, files = _fetched(root, name, sources, folder)
        layout = _layout_of(files, layout, name)
        wanted = columns_in(next(iter(files.values())), layout)
        found = (batch for path in files.values() for batch in batches(path, layout, wanted))
        rows, columns = infer(found, texts=layout.type == "csv")
        params = _params(layout, next(iter(files.values())), wishes)
        contract: dict[str, Any] = {"columns": columns, "rows": {}}
        content = {
            "kind": "table",
            "about": _about(name, sources, wishes),
            "source": "upstream",
            "sources": {"files": entries},
            "params": params,
            "contract": contract,
        }
        check_dataset(name, content, root)
        splits, facts = _facts_of(read(files, columns, params), inputs_of(columns, params), params)
        contract["rows"]["upstream"] = {split: {"min": number} for split, number in splits.items()}
        samples = _sampled(files, layout, folder / "sample") if wishes.sample else {}
        if samples:
            splits, _ = _facts_of(read(samples, columns, params), inputs_of(columns, params), params)
            contract["rows"]["samples"] = {split: {"min": number} for split, number in splits.items()}
        contract |= facts
        check_dataset(name, content, root)
        yield New(name, content, file_of(content), rows, samples)


def write(root: Path, made: New) -> list[Path]:
    """Write a new dataset's file, and its samples with their hashes; return what was written."""
    folder, sums = root / SAMPLES, root / SAMPLES / "SHA256SUMS"
    written = []
    for file, path in made.samples.items():
        target = folder / made.name / file
        with atomic_file(target) as partial:
            link_or_copy(path, partial)
        written.append(target)
    if written:
        lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in written]
        text = sums.read_text(encoding="utf-8") if sums.is_file() else ""
        with atomic_file(sums) as partial:
            partial.write_text(text + "".join(lines), encoding="utf-8")
        written.append(sums)
    config = root / "config" / "datasets" / f"{made.name}.yaml"
    with atomic_file(config) as partial:
        partial.write_text(made.text, encoding="utf-8")
    return [config, *written]


def _fetched(
    root: Path, name: str, sources: Sequence[str], folder: Path
) -> tuple[list[dict[str, Any]], dict[str, Path]]:
    """Fetch sources into a folder; return what `sources.files` says of them, and {file: its path}."""
    addresses = {_file_name(source): _address(root, source) for source in sources}
    if len(addresses) < len(sources):
        raise RegistryError("two of its sources have the same name", where=name, hint="rename one of them")
    wanted = [
        {"file": file, "urls": [str(root / url) if "://" not in url else url], "sha256": [], "max_bytes": LARGEST}
        for file, url in addresses.items()
    ]
    fetched = fetch(name, wanted, mode="upstream", mirror=None, target=folder, lock=folder / "lock.yaml")
    entries = [
        {
            "file": one["file"],
            "urls": [addresses[one["file"]]],
            "accept": [{"sha256": one["sha256"], "note": f"of {date.today().isoformat()}, {one['bytes']:,} bytes"}],
            "max_bytes": _bound(one["bytes"]),
        }
        for one in fetched["files"]
    ]
    return entries, {file: folder / file for file in addresses}


def _bound(size: int) -> int:
    """Return about twice a size, in round numbers: what a source may grow to before it is looked at again."""
    step = 10 ** (len(str(size)) - 1)
    return max(1_000_000, -(-2 * size // step) * step)


def _file_name(source: str) -> str:
    path = unquote(urlsplit(source).path) if "://" in source else source
    return ODD.sub("-", Path(path).name).strip("-.") or "data"


def _address(root: Path, source: str) -> str:
    """Return how a dataset's file names a source: a path in the repository from there on, any other from the root."""
    if "://" in source:
        return source
    path = Path(source).resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _layout_of(files: Mapping[str, Path], given: Format, name: str) -> Format:
    layouts = {guess_format(path, given) for path in files.values()}
    if len(layouts) > 1:
        raise RegistryError("its files are laid out in different ways", where=name, hint="add them one by one")
    return layouts.pop()


def _about(name: str, sources: Sequence[str], wishes: Wishes) -> dict[str, str]:
    title = wishes.title or name.replace("-", " ").capitalize()
    description = wishes.description or f"From {', '.join(map(_file_name, sources))}."
    return {"title": title, "description": description, "license": wishes.license}


def _params(layout: Format, path: Path, wishes: Wishes) -> dict[str, Any]:
    """Return the params of a dataset: what is not as it would be without them."""
    plain = Format(type=Format().type_of(path) if path.suffix.lower() in TYPES else None)
    separator = Format().separator_of(path)
    options = {
        "type": layout.type if layout.type != plain.type else None,
        "separator": layout.separator if layout.type == "csv" and layout.separator != separator else None,
        "header": False if not layout.header else None,
        "encoding": layout.encoding if layout.encoding != plain.encoding else None,
        "nulls": [*layout.nulls] or None,
        "decimal": layout.decimal if layout.decimal != plain.decimal else None,
        "sheet": layout.sheet,
    }
    format_ = {key: value for key, value in options.items() if value is not None}
    split = {"ratios": dict(wishes.ratios), **({"by": [*wishes.by]} if wishes.by else {})} if wishes.ratios else None
    params = {
        "format": format_ or None,
        "names": [*layout.names] or None,
        "key": wishes.key,
        "target": wishes.target,
        "inputs": [*wishes.inputs] or None,
        "split": split,
    }
    return {key: value for key, value in params.items() if value is not None}


def _sampled(files: Mapping[str, Path], layout: Format, folder: Path) -> dict[str, Path]:
    folder.mkdir()
    for file, path in files.items():
        cut_sample(path, layout, folder / file, most_bytes=MOST_BYTES // len(files))
    return {file: folder / file for file in files}


def _facts_of(
    rows: Iterable[Rows], inputs: Sequence[str], params: Mapping[str, Any]
) -> tuple[dict[str, int], dict[str, bool]]:
    """Return how many rows each split has, and what of `unique` and `disjoint` holds of its inputs."""
    digests: dict[str, list[bytes]] = {split: [] for split in splits_of(params)}
    for its in rows:
        ids = digests_of([its.samples.get_column(name) for name in inputs])
        for split, those in digests.items():
            those.append(ids[(its.splits == split).to_numpy()].tobytes())
    found = {split: np.frombuffer(b"".join(those), ID) for split, those in digests.items()}
    once = {split: np.unique(ids) for split, ids in found.items()}
    facts = {"unique": all(len(once[split]) == len(ids) for split, ids in found.items())}
    if len(once) > 1:
        facts["disjoint"] = len(np.unique(np.concatenate([*once.values()]))) == sum(map(len, once.values()))
    return {split: len(ids) for split, ids in found.items()}, {fact: True for fact, holds in facts.items() if holds}
