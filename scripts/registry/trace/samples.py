"""Trace samples through the versions, by manifests alone: which are in a version, and which versions hold one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from registry.compare.manifests import read_manifest
from registry.errors import RegistryError
from registry.storage.repository import Repository
from registry.storage.snapshot import dvc_md5, snapshot_at
from registry.storage.tags import Release, find_release, releases

if TYPE_CHECKING:
    from registry.trace.lookup import Readings


class Sample(NamedTuple):
    """A row of a manifest; ids are hexadecimal."""

    key: str
    split: str
    sample_id: str
    input_id: str


@dataclass(frozen=True)
class Samples:
    """The samples of a version: how many each split has (of all splits, in order), and the rows that were asked for."""

    tag: str
    content_hash: str
    splits: dict[str, int]
    rows: list[Sample] = field(repr=False)
    total: int


def samples(repository: Repository, release: Release, split: str | None = None, limit: int | None = None) -> Samples:
    """Return which samples make a version, in order: those of one split or all, the first `limit` or all.

    `total` counts the rows that there are without the limit. Fetches the manifest where the cache lacks it. Raises
    RegistryError.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    snapshot = snapshot_at(repository.git, repository.store, release.dataset, release.commit)
    path = snapshot.manifest()
    names = list(read_manifest(path).digests)
    if split is not None and split not in names:
        raise RegistryError(f"{release.tag} has no split {split}", hint=f"choose from: {', '.join(names)}")
    with pq.ParquetFile(path) as file:
        table = file.read(columns=list(Sample._fields)).select(Sample._fields)
    found = {str(count["values"]): count["counts"].as_py() for count in pc.value_counts(table["split"])}
    if split is not None:
        table = table.filter(pc.equal(table["split"], pa.scalar(split)))
    columns = [column.to_pylist() for column in table.slice(0, limit).columns]
    rows = [Sample(key, of, sample.hex(), about.hex()) for key, of, sample, about in zip(*columns, strict=True)]
    return Samples(
        release.tag, snapshot.content_hash, {name: found.get(name, 0) for name in names}, rows, table.num_rows
    )


@dataclass(frozen=True)
class Place:
    """Where a sample was found; `taken_as` says what of that which was given is in the manifest."""

    dataset: str
    version: str
    tag: str
    latest: bool
    split: str
    key: str
    sample_id: str
    taken_as: str


@dataclass(frozen=True)
class Search:
    """What a search found in how many `versions`.

    `taken_as` says how that which was given was taken, `not_searched` names versions that have no manifest.
    """

    places: list[Place]
    taken_as: list[str]
    versions: int
    not_searched: list[str]


def find(repository: Repository, given: str, dataset: str | None = None) -> Search:
    """Return which versions of which datasets (or of one) hold a sample: a file's name, a text, a row or an id.

    Manifests that the cache lacks are fetched; equal ones are read once. Raises RegistryError, also where a manifest
    cannot be had: an answer is about all versions.
    """
    from registry.trace.lookup import read

    if dataset is not None:
        find_release(repository.git, dataset, "latest")
    chosen = [
        release
        for those in releases(repository.git).values()
        for release in those
        if dataset in (None, release.dataset)
    ]
    readings = read(given)
    pointers = {release.tag: f"{release.commit}:data/{release.dataset}/manifest.parquet.dvc" for release in chosen}
    contents = repository.git.contents(pointers.values())
    md5s = {tag: dvc_md5(contents[pointer]) for tag, pointer in pointers.items() if pointer in contents}
    manifests = repository.store.files(md5s.values())
    hits = {md5: list(_hits(path, readings)) for md5, path in manifests.items()}
    latest = {release.dataset: release.tag for release in chosen}
    places = [
        Place(
            release.dataset,
            str(release.version),
            release.tag,
            release.tag == latest[release.dataset],
            sample.split,
            sample.key,
            sample.sample_id,
            taken_as,
        )
        for release in chosen
        for sample, taken_as in hits.get(md5s.get(release.tag, ""), [])
    ]
    return Search(places, readings.names, len(md5s), [tag for tag in pointers if tag not in md5s])


def _hits(path: Path, readings: "Readings") -> Iterator[tuple[Sample, str]]:
    """Yield the rows of a manifest that one of the readings stands for, in order, and that reading."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = readings.ids | readings.row_ids(read_manifest(path).schema)
    with pq.ParquetFile(path) as file:
        table = file.read(columns=["sample_id", "input_id"])
        among = pa.array(list(wanted), table.schema.field("input_id").type)
        found = [pc.is_in(table[name], value_set=among) for name in ("sample_id", "input_id")]
        places = pc.indices_nonzero(pc.or_(*found))
        if not len(places):
            return
        columns = file.read(columns=list(Sample._fields)).select(Sample._fields).take(places).columns
    for key, split, sample_id, input_id in zip(*(column.to_pylist() for column in columns), strict=True):
        taken_as = wanted.get(input_id) or wanted[sample_id]
        yield Sample(key, split, sample_id.hex(), input_id.hex()), taken_as
