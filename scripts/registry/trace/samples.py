"""Trace samples using manifests only: which samples a version has, and which versions have a sample."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from registry.compare.manifests import ManifestFile, manifest_batches, manifest_of
from registry.errors import RegistryError
from registry.storage.repository import Repository
from registry.storage.snapshot import MANIFEST, Snapshot
from registry.storage.tags import Release, dataset_of, odd_tags, releases

if TYPE_CHECKING:
    import pyarrow as pa

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
    snapshot = Snapshot.at(repository, release.dataset, release.commit, release.tag)
    manifest = manifest_of(snapshot)
    if split is not None and split not in manifest.digests:
        raise RegistryError(f"{release.tag} has no split {split}", hint=f"choose from: {', '.join(manifest.digests)}")
    sizes = {name: snapshot.metadata["splits"][name]["num_samples"] for name in manifest.digests}
    rows = list(islice(_rows(manifest, split), limit))
    total = sum(sizes.values()) if split is None else sizes[split]
    return Samples(release.tag, snapshot.content_hash, sizes, rows, total)


def _rows(manifest: ManifestFile, split: str | None) -> Iterator[Sample]:
    """Yield the rows of a manifest, in order: those of one split, or all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch in manifest_batches(manifest.path):
        yield from _samples(batch if split is None else batch.filter(pc.equal(batch["split"], pa.scalar(split))))


def _samples(batch: "pa.RecordBatch") -> Iterator[Sample]:
    for key, split, *ids in zip(*(batch[name].to_pylist() for name in Sample._fields), strict=True):
        yield Sample(key, split, *(each.hex() for each in ids))


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
class Source:
    """A source file that a version was made from, as its provenance.json names it."""

    dataset: str
    version: str
    tag: str
    latest: bool
    file: str
    sha256: str


@dataclass(frozen=True)
class Search:
    """What a search found in how many `versions`: the samples, and the versions that were made from the file.

    `taken_as` says how that which was given was taken, `not_searched` names the tags that could not be searched, and
    `reasons` says why not.
    """

    places: list[Place]
    sources: list[Source]
    taken_as: list[str]
    versions: int
    not_searched: list[str]
    reasons: dict[str, str]


def find(repository: Repository, given: str, dataset: str | None = None) -> Search:
    """Return which versions of which datasets (or of one) hold a sample: a file's name, a text, a row, a key or an id.

    A file, or its name, may also be a source that versions were made from. Manifests that the cache lacks are fetched;
    equal ones are read once. A version that cannot be read is left out, and named. Raises RegistryError.
    """
    from registry.trace.lookup import read

    if dataset is not None:
        dataset = dataset_of(repository.git, dataset)
    chosen = [
        release
        for those in releases(repository.git).values()
        for release in those
        if dataset in (None, release.dataset)
    ]
    readings = read(given)
    snapshots, left_out = _snapshots(repository, chosen)
    manifests, unread = _manifests(repository, snapshots)
    left_out |= unread
    left_out |= {odd.tag: odd.reason for odd in odd_tags(repository.git) if dataset in (None, odd.dataset)}
    hits = {path: list(_hits(manifest, readings)) for path, manifest in {m.path: m for m in manifests.values()}.items()}
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
        if release.tag in manifests
        for sample, taken_as in hits[manifests[release.tag].path]
    ]
    sources = [
        Source(release.dataset, str(release.version), release.tag, release.tag == latest[release.dataset], file, sha256)
        for release in chosen
        if release.tag in snapshots
        for file, sha256 in _sources(snapshots[release.tag])
        if readings.source in (sha256, file, f"{snapshots[release.tag].raw}/{file}")
    ]
    return Search(places, sources, readings.names, len(manifests), list(left_out), left_out)


def _sources(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Yield the name and the sha256 of every source file of a version."""
    for file in snapshot.provenance["source"]["files"]:
        yield file["file"], file["sha256"]


def _snapshots(repository: Repository, chosen: Iterable[Release]) -> tuple[dict[str, Snapshot], dict[str, str]]:
    """Return {tag: what it holds} of the versions that can be read, and {tag: why not} of the others."""
    found, left_out = {}, {}
    for release in chosen:
        try:
            found[release.tag] = Snapshot.at(repository, release.dataset, release.commit, release.tag)
        except RegistryError as error:
            left_out[release.tag] = error.what
    return found, left_out


def _manifests(
    repository: Repository, snapshots: Mapping[str, Snapshot]
) -> tuple[dict[str, ManifestFile], dict[str, str]]:
    """Return {tag: its manifest} of those that can be had, and {tag: why not} of the others."""
    found, left_out = {}, {}
    _fetch_together(repository, snapshots.values())
    for tag, snapshot in snapshots.items():
        try:
            found[tag] = manifest_of(snapshot)
        except RegistryError as error:
            left_out[tag] = error.what
    return found, left_out


def _fetch_together(repository: Repository, snapshots: Iterable[Snapshot]) -> None:
    """Fetch all manifests at once, which is quicker than one by one; what cannot be had shows when it is opened."""
    with suppress(RegistryError):
        repository.store.files({snapshot.outs[f"{snapshot.folder}/{MANIFEST}"] for snapshot in snapshots})


def _hits(manifest: ManifestFile, readings: "Readings") -> Iterator[tuple[Sample, str]]:
    """Yield the rows of a manifest that one of the readings stands for, in order, and that reading."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from registry.describe.layout import ID_BYTES

    wanted = readings.ids | readings.row_ids(manifest.schema)
    among = pa.array(list(wanted), pa.binary(ID_BYTES))
    for batch in manifest_batches(manifest.path):
        found = [pc.is_in(batch[name], value_set=among) for name in ("sample_id", "input_id")]
        named = pc.equal(batch["key"], pa.scalar(readings.key)) if readings.key else False
        for sample in _samples(batch.filter(pc.or_(pc.or_(*found), named))):
            ids = (bytes.fromhex(each) for each in (sample.input_id, sample.sample_id))
            yield sample, next((wanted[each] for each in ids if each in wanted), "key")
