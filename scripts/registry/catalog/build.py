"""Build the catalog: `registry catalog`."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from registry.cards.hub import about_of
from registry.catalog.dataset import DatasetPages, data_of, gather
from registry.catalog.folder import Entry, Folder, alone_in
from registry.catalog.pages import STATIC, Around, dataset_page, page, script_of, static
from registry.catalog.runs import LoggedRuns
from registry.catalog.summary import summary_of
from registry.errors import RegistryError
from registry.files import json_digest, sha256_of
from registry.storage.address import public_address
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.snapshots import snapshots
from registry.storage.tags import Release, entries_of, odd_tags, other_names, releases, taken_back

SITE = "site"
"""Where the catalog of a checkout is, unless another folder is named."""
NEWEST = 20
"""Versions of each dataset that it has, unless told otherwise."""


@dataclass(frozen=True)
class Built:
    """A catalog that was written: its first page, how many datasets and versions it has, how many files are new."""

    index: Path
    datasets: int
    versions: int
    written: int


def build(
    repository: Repository,
    out: Path,
    number: int | None = None,
    *,
    force: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Built:
    """Write the catalog of all datasets, with the newest `number` versions of each or all, to a folder.

    Raises RegistryError for a folder that has other files, unless `force`, and where nothing is released.
    """
    known = releases(repository.git)
    if not known:
        raise RegistryError("nothing is released here", hint="snakemake --cores all, or registry pull")
    with alone_in(out, say):
        return _build(repository, Folder(out, force=force), known, number, say)


def _build(
    repository: Repository,
    folder: Folder,
    known: Mapping[str, Sequence[Release]],
    number: int | None,
    say: Callable[[str], None],
) -> Built:
    """Write the catalog of these datasets to a folder in which nobody else writes one."""
    folder.begin(known)
    for name in STATIC:
        folder.put(f"static/{name}", static(name))
    aliases = defaultdict(list)
    for alias in other_names(repository.git):
        aliases[alias.release.dataset] = sorted({*aliases[alias.release.dataset], alias.name})
    children, address = _children(repository, known), public_address(repository.git.origin())
    drawn_by, recorded, logged = _drawn_by(), {}, LoggedRuns(say)
    for name, those in known.items():
        around = Around(aliases[name], children.get(name, []), logged.of(name))
        key = _key(those, number, around, drawn_by)
        before = folder.before.get(name)
        if before and before.key == key and folder.keep(before.files):
            recorded[name] = before
            continue
        say(f"drawing {name}")
        found = gather(repository, name, entries_of(those)[:number], say)
        recorded[name] = _write(folder, found, len(those), around, key, address)
    folder.put("diff.html", page("diff.html.jinja", base=""))
    folder.put("index.html", _index(repository, recorded))
    folder.close(recorded)
    versions = sum(one.summary["versions"] for one in recorded.values())
    return Built(folder.place / "index.html", len(recorded), versions, folder.written)


def _drawn_by() -> str:
    """Return a digest of all that decides how pages look."""
    here = files("registry.catalog")
    with_all = [path for path in Path(str(here)).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return json_digest({path.relative_to(str(here)).as_posix(): sha256_of(path) for path in with_all})


def _key(those: Sequence[Release], number: int | None, around: Around, drawn_by: str) -> str:
    """Return a digest of all that the pages of a dataset are drawn from."""
    superseded = {tag: str(version) for tag, version in taken_back(those).items()}
    tags = {release.tag: [release.commit, release.message] for release in those}
    return json_digest([tags, superseded, number, asdict(around), drawn_by])


def _children(repository: Repository, known: Mapping[str, Sequence[Release]]) -> dict[str, list[str]]:
    """Return {dataset: those whose newest version is made of it}."""
    found = defaultdict(list)
    newest = snapshots(repository, [(name, those[-1]) for name, those in known.items()])
    for snapshot in newest.values():
        if isinstance(snapshot, Snapshot):
            for parent in snapshot.provenance["source"].get("datasets", {}):
                found[parent].append(snapshot.dataset)
    return found


def _write(
    folder: Folder,
    found: DatasetPages,
    number: int,
    around: Around,
    key: str,
    address: str | None,
) -> Entry:
    """Write the pages of a dataset, which has so many versions in all; return what is recorded of it."""
    title = found.newest.snapshot and about_of(found.newest.snapshot)["title"]
    data = data_of(found) | {"title": title or found.name}
    pictures = {f"pictures/{name}": content for name, content in sorted(found.values.pictures.items())}
    pages = {f"datasets/{version.tag}.html": version for version in found.versions}
    paths = [*pictures, f"data/{found.name}.js", *pages, f"datasets/{found.name}.html"]
    entry = Entry(None, paths, summary_of(found))
    folder.record(found.name, entry)
    for path, content in pictures.items():
        folder.put(path, content)
    folder.put(f"data/{found.name}.js", script_of(data))
    for path, version in pages.items():
        content = dataset_page(found, version, around, address=address, left_out=number - len(found.versions))
        folder.put(path, content)
        if version is found.newest:
            folder.put(f"datasets/{found.name}.html", content)
    if found.without_values or any(version.rows is None for version in found.versions):
        # What could not be read may come back: it is tried again.
        return entry
    entry = entry._replace(key=key)
    folder.record(found.name, entry)
    return entry


def _index(repository: Repository, recorded: Mapping[str, Entry]) -> bytes:
    datasets = [
        one.summary | {"order": ".".join(f"{int(part):06}" for part in one.summary["version"].split("."))}
        for one in recorded.values()
    ]
    return page(
        "index.html.jinja",
        base="",
        datasets=datasets,
        versions=sum(one["versions"] for one in datasets),
        size=sum(one["bytes"] for one in datasets),
        kinds=sorted({one["kind"] for one in datasets if one["kind"]}),
        licences=sorted({one["licence"] for one in datasets if one["licence"]}),
        odd=odd_tags(repository.git),
    )
