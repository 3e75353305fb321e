"""Make a dataset's file from the data alone: `registry new`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from registry.authoring.drafts import Wishes
from registry.authoring.embeddings import embeddings_of
from registry.authoring.excerpt import cut
from registry.authoring.facts import Facts, facts_of
from registry.authoring.guess import draft
from registry.authoring.writing import file_of
from registry.config.embeddings import KIND
from registry.config.kinds import AS_IS
from registry.config.load import MAX_FILES, SAMPLES, check_dataset, check_free, load_datasets
from registry.errors import RegistryError
from registry.files import atomic_file, data_files, link_or_copy, private_place, sha256_of
from registry.formats.members import is_hidden
from registry.gate import GateError, read_yaml
from registry.kinds.files import Format, is_packed, unpacked
from registry.shown import public_url
from registry.sources.fetch import fetch
from registry.sources.local import local_members
from registry.sources.objects import Store
from registry.sources.samples import list_samples
from registry.sources.wildcards import fixed_part, has_wildcards
from registry.storage.repository import read_config

CACHE = ".cache"
LARGEST = 100_000_000_000
"""Bytes at which a download is stopped whose size nobody knows yet."""
MOST_FILES = 10_000_000
"""Files of a folder at which it is refused."""
SECRET = re.compile("sig|token|key|secret|credential|password|auth", re.IGNORECASE)
"""Is in the names of what addresses hand over in secret."""
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

    `sources` are paths and URLs, which may have wildcards: files of rows with the same columns, folders and archives of
    pictures, and a table that names them, documents or, of the kind AS_IS, anything; of embeddings, the dataset whose
    documents they are of. Raises RegistryError for a name that is taken, for what is of no kind, and for wishes that do
    not fit.
    """
    check_free(name, load_datasets(read_config(root), root))
    if wishes.kind == KIND:
        content = embeddings_of(root, name, sources, layout, wishes)
        yield New(name, content, _text_of(name, content), Facts({}, {}, {}), {})
        return
    with private_place(root / CACHE / name) as folder, _by_name(f"{folder}/files/"):
        yield _of_files(root, name, sources, layout, wishes, folder)


def _of_files(root: Path, name: str, sources: Sequence[str], layout: Format, wishes: Wishes, folder: Path) -> New:
    """Return what follows from sources, which are fetched into a folder, as is a sample of them."""
    as_is = wishes.kind == AS_IS
    sources = [*sources] if as_is else [one for source in sources for one in _expanded(source)]
    entries, files, hidden = _fetched(root, name, sources, folder, as_is=as_is)
    with ExitStack() as stack:
        plain = files if as_is else {file: stack.enter_context(_as_rows(path)) for file, path in files.items()}
        found = draft(plain, layout, wishes, root)
    contract: dict[str, Any] = {"columns": found.columns, "rows": {}}
    content = {
        "kind": found.kind,
        "about": _about(name, sources, wishes),
        "source": "upstream",
        "sources": {"files": entries},
        **({"versioning": found.versioning} if found.versioning else {}),
        "params": found.params,
        "contract": contract,
    }
    check_dataset(name, content, root)
    facts = facts_of(files, found)
    if hidden:  # Folders are copied without them.
        facts.left_out.update(hidden_files=hidden)
    if problems := dict.fromkeys(facts.unusable, "drop"):
        found.params["problems"] = problems
    _check_facts(name, facts)
    contract["rows"]["upstream"] = _at_least(facts)
    samples = cut(files, found, folder / "sample", facts.first) if wishes.sample else {}
    if samples:
        contract["rows"]["samples"] = _at_least(sampled := facts_of(samples, found))
        if empty := [split for split, number in sampled.rows.items() if not number]:
            hint = "make the split larger, or leave the sample out: --no-sample"
            raise RegistryError(f"its sample has nothing for {', '.join(empty)}", where=name, hint=hint)
    _check_samples(root / SAMPLES / name, samples)
    contract |= facts.holds
    check_dataset(name, content, root)
    return New(name, content, _text_of(name, content), facts, samples)


def _at_least(facts: Facts) -> dict[str, dict[str, int]]:
    """Return what a contract says of the numbers of rows."""
    return {split: {"min": number} for split, number in facts.rows.items()}


@contextmanager
def _by_name(folder: str) -> Iterator[None]:
    """Let errors call the files in a folder, which nobody else sees, by their names."""
    try:
        yield
    except RegistryError as error:
        if folder not in error.reason:
            raise
        raise RegistryError(error.reason.replace(folder, ""), hint=error.hint) from None


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
    folder = root / SAMPLES / made.name
    for file, path in made.samples.items():
        for one in data_files(path):
            with atomic_file(folder / file / one.relative_to(path)) as partial:
                link_or_copy(one, partial)
    listed = [folder, list_samples(made.name, folder.parent)] if made.samples else []
    config = root / "config" / "datasets" / f"{made.name}.yaml"
    with atomic_file(config) as partial:
        partial.write_text(made.text, encoding="utf-8")
    return [config, *listed]


def _expanded(source: str) -> list[str]:
    """Return the files that an address with wildcards matches, sorted; one without is all there is."""
    if not has_wildcards(source) or source.startswith(("http://", "https://")) or Path(source).exists():
        return [source]
    found = Store(source).files(MOST_FILES) if "://" in source else local_members(Path(source), MOST_FILES)
    if not found:
        raise RegistryError("no file matches", where=source)
    return [f"{fixed_part(source)}/{member.name}" for member in found]


def _fetched(
    root: Path, name: str, sources: Sequence[str], folder: Path, *, as_is: bool
) -> tuple[list[dict[str, Any]], dict[str, Path], int]:
    """Fetch sources into a folder; return their `sources.files`, {file: its path}, and the number of hidden files.

    What lies here may be large: it is hashed, and read, where it is.
    """
    for source in sources:
        _check_public(source)
    several = {source for source in sources if as_is and _names_several(source)}
    names = {source: _file_name(fixed_part(source) if has_wildcards(source) else source) for source in several}
    given = {names.get(source) or _file_name(source): source for source in sources}
    if len(given) < len(sources):
        raise RegistryError("two of its sources have the same name", where=name, hint="rename one of them")
    # Not by what a link leads to, whose name may not tell its format.
    places = {file: Path(source).absolute() for file, source in given.items() if "://" not in source}
    folders = {file for file, place in places.items() if place.is_dir()} | {*names.values()}
    in_place = {file: place for file, place in places.items() if place.exists()}
    wanted = [
        {"file": file, "urls": [str(places.get(file, source))], "sha256": [], "max_bytes": LARGEST}
        | ({"max_files": MOST_FILES} if file in folders else {})
        | ({"copy": False} if file in in_place else {})
        for file, source in given.items()
    ]
    target, lock = folder / "files", folder / "lock.yaml"
    target.mkdir(parents=True)
    fetched = fetch(name, wanted, mode="upstream", mirror=None, target=target, lock=lock, root=root)
    entries = [
        {
            "folder" if one["file"] in folders else "file": one["file"],
            "urls": [_address(root, given[one["file"]])],
            "accept": [{"sha256": one["sha256"], "note": f"of {date.today().isoformat()}, {one['bytes']:,} bytes"}],
            "max_bytes": _bound(one["bytes"]),
        }
        | ({"max_files": 2 * one["files"]} if one.get("files", 0) > MAX_FILES else {})
        for one in fetched["files"]
    ]
    hidden = sum(one.get("hidden_files", 0) for one in fetched["files"])
    return entries, {file: in_place.get(file, target / file) for file in given}, hidden


def _names_several(source: str) -> bool:
    """Tell whether an address is of all files that wildcards match, or of a folder that is not here."""
    if "://" in source:
        return not source.startswith(("http://", "https://")) and (has_wildcards(source) or source.endswith("/"))
    return has_wildcards(source) and not Path(source).exists()


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
