"""Build the catalog: `registry catalog`."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from registry.cards.hub import about_of
from registry.catalog.dataset import DatasetPages, VersionPage, data_of, gather
from registry.catalog.folder import Folder
from registry.catalog.pages import STATIC, Around, dataset_page, kind_of, page, script_of, static
from registry.catalog.runs import LoggedRuns
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
PREVIEWS = 2
"""Pictures of a dataset in the list of all."""
CLASSES = 200
"""Classes of a column that the list can be searched for."""


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
    folder = Folder(out, force=force)
    folder.record(folder.before)
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
        before = folder.before.get(name, {})
        if before.get("key") == key and folder.keep(before["files"]):
            recorded[name] = before
            continue
        say(f"drawing {name}")
        found = gather(repository, name, entries_of(those)[:number])
        recorded[name] = _write(folder, found, len(those), around, key, address)
        folder.record({**folder.before, **recorded})
    folder.put("diff.html", page("diff.html.jinja", base=""))
    folder.put("index.html", _index(repository, recorded))
    folder.close(recorded)
    versions = sum(one["summary"]["versions"] for one in recorded.values())
    return Built(out / "index.html", len(recorded), versions, folder.written)


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
) -> dict[str, Any]:
    """Write the pages of a dataset, which has so many versions in all; return what is recorded of it."""
    title = found.newest.snapshot and about_of(found.newest.snapshot)["title"]
    data = data_of(found) | {"title": title or found.name}
    paths = [folder.put(f"pictures/{name}", content) for name, content in sorted(found.values.pictures.items())]
    paths.append(folder.put(f"data/{found.name}.js", script_of(data)))
    for version in found.versions:
        content = dataset_page(found, version, around, address=address, left_out=number - len(found.versions))
        paths.append(folder.put(f"datasets/{version.tag}.html", content))
        if version is found.newest:
            paths.append(folder.put(f"datasets/{found.name}.html", content))
    whole = not found.without_values and all(version.rows is not None for version in found.versions)
    # What could not be read may come back: it is tried again.
    return {"key": key if whole else None, "files": paths, "summary": _summary(found)}


def _summary(found: DatasetPages) -> dict[str, Any]:
    """Return what the list of datasets shows of one."""
    newest = found.newest
    summary = {
        "name": found.name,
        "version": newest.version,
        "date": newest.entry.date.date().isoformat(),
        "versions": len(found.versions),
        "title": found.name,
        "description": newest.problem or "",
        "kind": "",
        "licence": "",
        "rows": 0,
        "bytes": 0,
        "text": found.name,
        "pictures": [],
        "bars": [],
    }
    if newest.snapshot is None:
        return summary
    snapshot, about = newest.snapshot, about_of(newest.snapshot)
    features = snapshot.metadata["schema"]["features"]
    words = [found.name, about["title"], about["description"], *features]
    words += [str(label) for feature in features.values() for label in feature.get("classes", [])[:CLASSES]]
    return summary | {
        "title": about["title"],
        "description": about["description"],
        "kind": kind_of(snapshot),
        "licence": about["license"],
        "rows": snapshot.rows,
        "bytes": snapshot.provenance["data"]["bytes"],
        "text": " ".join(words),
        "pictures": [*found.values.pictures][:PREVIEWS],
        "bars": _small_bars(newest),
    }


def _small_bars(version: VersionPage) -> list[int]:
    """Return the counts of one column that are drawn small: classes, else a histogram, else the sizes of splits."""
    measures = [(name, splits) for column in version.profile.values() for name, splits in column.items()]
    for name, splits in measures:
        if name == "classes":
            return [*next(iter(splits.values()))["values"].values()][:20]
    for _, splits in measures:
        if histogram := next(iter(splits.values())).get("histogram"):
            return histogram["counts"]
    sizes = [*version.snapshot.sizes.values()]
    return sizes if len(sizes) > 1 else []


def _index(repository: Repository, recorded: Mapping[str, Mapping[str, Any]]) -> bytes:
    datasets = [
        one["summary"] | {"order": ".".join(f"{int(part):06}" for part in one["summary"]["version"].split("."))}
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
