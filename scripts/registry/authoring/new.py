"""Make a dataset's file from the data alone: `registry new`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from registry.authoring.drafts import Wishes, draft
from registry.authoring.facts import Facts, facts_of
from registry.authoring.sample import cut_samples
from registry.authoring.writing import file_of
from registry.config.load import SAMPLES, check_dataset, check_free, load_datasets
from registry.errors import RegistryError
from registry.files import atomic_file, data_files, link_or_copy, private_place, sha256_of
from registry.formats.members import is_hidden
from registry.gate import GateError, read_yaml
from registry.kinds.files import Format, is_packed, unpacked
from registry.shown import public_url
from registry.sources.fetch import fetch
from registry.sources.local import local_members
from registry.sources.objects import Store
from registry.sources.wildcards import fixed_part, has_wildcards
from registry.storage.repository import read_config

CACHE = ".cache"
LARGEST = 100_000_000_000
"""Bytes at which a download is stopped whose size nobody knows yet."""
MOST_FILES = 10_000_000
"""Files of a folder at which it is refused."""
SECRET = re.compile("sig|token|key|secret|credential|password|auth", re.IGNORECASE)
"""Is in the names of what addresses hand over in secret."""
SUM = len(f"{'0' * 64}  ")
"""Characters of a line of SHA256SUMS before the file's name."""
ODD = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class New:
    """A dataset that could be: its file's content and text, what holds of its rows, and the files of its samples."""

    name: str
    content: dict[str, Any]
    text: str
    facts: Facts
    samples: dict[str, Path]


@contextmanager
def new(root: Path, name: str, sources: Sequence[str], layout: Format, wishes: Wishes) -> Iterator[New]:
    """Read the sources of a new dataset, and yield what follows from them; what was fetched goes after the block.

    `sources` are paths and URLs, which may have wildcards: files of rows with the same columns, or folders and archives
    of pictures. Raises RegistryError for a name that is taken, for what is of no kind, and for wishes that do not fit.
    """
    check_free(name, load_datasets(read_config(root), root))
    with private_place(root / CACHE / name) as folder:
        (folder / "files").mkdir(parents=True)
        sources = [one for source in sources for one in _expanded(source)]
        entries, files = _fetched(root, name, sources, folder)
        with ExitStack() as stack:
            plain = {file: stack.enter_context(_as_rows(path)) for file, path in files.items()}
            found = draft(plain, layout, wishes)
        contract: dict[str, Any] = {"columns": found.columns, "rows": {}}
        content = {
            "kind": found.kind,
            "about": _about(name, sources, wishes),
            "source": "upstream",
            "sources": {"files": entries},
            "params": found.params,
            "contract": contract,
        }
        check_dataset(name, content, root)
        facts = facts_of(files, found)
        if problems := dict.fromkeys(facts.unusable, "drop"):
            found.params["problems"] = problems
        contract["rows"]["upstream"] = {split: {"min": number} for split, number in facts.rows.items()}
        _check_facts(name, facts)
        samples = cut_samples(files, found.layout, folder / "sample") if wishes.sample else {}
        if samples:
            sampled = facts_of(samples, found).rows
            if empty := [split for split, number in sampled.items() if not number]:
                hint = "make the split larger, or leave the sample out: --no-sample"
                raise RegistryError(f"its sample has nothing for {', '.join(empty)}", where=name, hint=hint)
            contract["rows"]["samples"] = {split: {"min": number} for split, number in sampled.items()}
        _check_samples(root / SAMPLES / name, samples)
        contract |= facts.holds
        check_dataset(name, content, root)
        yield New(name, content, _text_of(name, content), facts, samples)


def _check_samples(folder: Path, samples: Mapping[str, Path]) -> None:
    """Raise RegistryError for samples that are there: all but these very ones, of a run that was killed at writing."""
    ours = {folder / file / one.relative_to(path): one for file, path in samples.items() for one in data_files(path)}
    here = [path for path in data_files(folder) if not is_hidden(path.relative_to(folder.parent).as_posix())]
    if any(path not in ours or sha256_of(path) != sha256_of(ours[path]) for path in here):
        what, where = "there are samples of this name already", f"{SAMPLES}/{folder.name}"
        raise RegistryError(what, where=where, hint="move them away")


def _check_facts(name: str, facts: Facts) -> None:
    """Raise RegistryError for a dataset that no build could make."""
    if not sum(facts.rows.values()):
        problems = ", ".join(f"{problem}: {number:,}" for problem, number in facts.unusable.items())
        raise RegistryError(f"no sample of it can be used ({problems or 'it has none'})", where=name)
    if empty := [split for split, number in facts.rows.items() if not number]:
        raise RegistryError(f"nothing is left for {', '.join(empty)}", where=name, hint="name other shares: --split")
    if facts.key_problem:
        raise RegistryError(facts.key_problem, where=name, hint="name another column, or none: --key")


def _text_of(name: str, content: dict[str, Any]) -> str:
    """Return the text of a dataset's file. RegistryError for names of columns that no such file can hold."""
    text = file_of(content)
    try:
        same = {"params": {}, **read_yaml(text.encode(), where=name)} == content
    except GateError:
        same = False
    if not same:
        what = "a name of its columns holds what YAML cannot, such as a line break, or is too long"
        raise RegistryError(what, where=name, hint="rename it in the source")
    return text


def write(root: Path, made: New) -> list[Path]:
    """Write a new dataset's file, and its samples with their hashes; return what was written."""
    folder, sums = root / SAMPLES, root / SAMPLES / "SHA256SUMS"
    written: list[Path] = []
    for file, path in made.samples.items():
        for one in data_files(path):
            target = folder / made.name / file / one.relative_to(path)
            with atomic_file(target) as partial:
                link_or_copy(one, partial)
            written.append(target)
    if written:
        lines = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
        # Of a dataset of this name that was begun before.
        lines = [line for line in lines if not line[SUM:].startswith(f"{made.name}/")]
        lines += [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}" for path in written]
        with atomic_file(sums) as partial:
            partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    config = root / "config" / "datasets" / f"{made.name}.yaml"
    with atomic_file(config) as partial:
        partial.write_text(made.text, encoding="utf-8")
    return [config, *([folder / made.name, sums] if written else [])]


def _expanded(source: str) -> list[str]:
    """Return the files that an address with wildcards matches, sorted; one without is all there is."""
    if not has_wildcards(source) or source.startswith(("http://", "https://")) or Path(source).exists():
        return [source]
    found = Store(source).files() if "://" in source else local_members(Path(source), MOST_FILES)
    if not found:
        raise RegistryError("no file matches", where=source)
    return [f"{fixed_part(source)}/{member.name}" for member in found]


def _fetched(
    root: Path, name: str, sources: Sequence[str], folder: Path
) -> tuple[list[dict[str, Any]], dict[str, Path]]:
    """Fetch sources into a folder; return what `sources.files` says of them, and {file: its path}."""
    for source in sources:
        _check_public(source)
    addresses = {_file_name(source): _address(root, source) for source in sources}
    if len(addresses) < len(sources):
        raise RegistryError("two of its sources have the same name", where=name, hint="rename one of them")
    folders = {file for file, url in addresses.items() if "://" not in url and (root / url).is_dir()}
    wanted = [
        {"file": file, "urls": [str(root / url) if "://" not in url else url], "sha256": [], "max_bytes": LARGEST}
        | ({"max_files": MOST_FILES} if file in folders else {})
        for file, url in addresses.items()
    ]
    target, lock = folder / "files", folder / "lock.yaml"
    fetched = fetch(name, wanted, mode="upstream", mirror=None, target=target, lock=lock, root=root)
    entries = [
        {
            "folder" if one["file"] in folders else "file": one["file"],
            "urls": [addresses[one["file"]]],
            "accept": [{"sha256": one["sha256"], "note": f"of {date.today().isoformat()}, {one['bytes']:,} bytes"}],
            "max_bytes": _bound(one["bytes"]),
        }
        for one in fetched["files"]
    ]
    return entries, {file: target / file for file in addresses}


def _as_rows(path: Path) -> AbstractContextManager[Path]:
    """Return how a file is opened to be looked at: unpacked, if rows are packed in it."""
    packed = path.is_file() and is_packed(path)
    return unpacked(path) if packed else nullcontext(path)


def _bound(size: int) -> int:
    """Return about twice a size, in round numbers: what a source may grow to before it is looked at again."""
    step = 10 ** (len(str(size)) - 1)
    return max(1_000_000, -(-2 * size // step) * step)


def _file_name(source: str) -> str:
    path = unquote(urlsplit(source).path) if "://" in source else source
    return ODD.sub("-", Path(path).name).strip("-.") or "data"


def _check_public(source: str) -> None:
    """Raise RegistryError for an address that holds a secret: it would stand in git."""
    found = [key for key, _ in parse_qsl(urlsplit(source).query) if SECRET.search(key)]
    if "://" in source and (found or "@" in urlsplit(source).netloc):
        what = f"its address holds a secret: {', '.join(found) or 'a login'}"
        raise RegistryError(what, where=public_url(source), hint="name one that anybody may see, or download the file")


def _address(root: Path, source: str) -> str:
    """Return how a dataset's file names a source: a path in the repository from there on, any other from the root."""
    if "://" in source:
        return source
    path = Path(source).resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _about(name: str, sources: Sequence[str], wishes: Wishes) -> dict[str, str]:
    title = wishes.title or name.replace("-", " ").capitalize()
    description = wishes.description or f"From {', '.join(map(_file_name, sources))}."
    return {"title": title, "description": description, "license": wishes.license}
