"""Build a released version again from its own code, configuration and sources, and compare what comes out."""

import math
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from registry.compare.diff import DatasetDiff, diff
from registry.compare.manifests import read_manifest
from registry.config.load import SAMPLES
from registry.describe.metadata import declared_facts, facts_of, is_number
from registry.errors import RegistryError
from registry.extras import check_installed
from registry.files import data_files, dvc_digest
from registry.gate import checked_inside
from registry.release.assess import differences
from registry.sources.stream import MODE
from registry.storage.repository import Repository, read_config
from registry.storage.snapshot import MANIFEST, METADATA, Snapshot
from registry.storage.states import NotReady
from registry.storage.tags import Release, find_release
from registry.trace.apart import build_apart

NOISE = 1e-9
"""How far numbers may be apart that another version of a library computed."""
_LACKING = re.compile(r"^ModuleNotFoundError: No module named '(?!registry\b)(\w+)", re.MULTILINE)
"""What the build of an older version says of a library that came and went."""


@dataclass(frozen=True)
class Verdict:
    """What came out of building a version again.

    `result` is identical, same content (the samples are, the bytes are not) or different. `files` are the data files
    whose bytes differ and, where the samples are the same, manifest.parquet and metadata.json if these say something
    else of them. `libraries` maps those that differ to their version (then, now), `sources` are the source files that
    have other bytes now, `config` the settings that differ; `diff` is there where samples or statistics differ.
    """

    tag: str
    result: str
    built_from: str
    files: list[str] = field(default_factory=list)
    libraries: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    config: list[str] = field(default_factory=list)
    diff: DatasetDiff | None = None


def verify(
    repository: Repository,
    release: Release,
    *,
    mirror: str | None = None,
    keep: Path | None = None,
    say: Callable[[str], None] = print,
) -> Verdict:
    """Build a release again in a scratch folder and return how it compares; this working tree is not touched.

    `mirror` is where the sources of a version built from a mirror lie, if not where the configuration says. `keep`
    names a new folder to build in, which stays. Raises RegistryError with the build's own words where it fails.
    """
    check_installed("snakemake")
    released = Snapshot.at(repository, release.dataset, release.commit, release.tag)
    made = _made_at(repository, release)
    with _scratch(keep) as scratch:
        _unpack(repository, made, scratch)
        place = _mirror(repository, scratch, released, mirror)
        if released.provenance["source"]["mode"] == MODE:
            _bring_batches(repository, released, scratch)
        say(f"building {release.dataset} as of {made.tag} in {scratch}")
        _build(scratch, release, place, say)
        try:
            built = Snapshot.on_disk(scratch, release.dataset)
        except NotReady as state:
            raise RegistryError(f"the build is not complete: {state.reason}", where=made.tag) from None
        return _compare(repository, release, made, released, built, scratch)


def _made_at(repository: Repository, release: Release) -> Release:
    """Return the release whose commit made the content: an older one where its content was released again."""
    while release.restored:
        release = find_release(repository.git, release.dataset, str(release.restored))
    return release


@contextmanager
def _scratch(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="registry-verify-") as folder:
            yield Path(folder).resolve()
        return
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise RegistryError("already exists, and is not empty", where=keep, hint="name a new folder with --keep")
    keep.mkdir(parents=True, exist_ok=True)
    yield keep.resolve()


def _unpack(repository: Repository, release: Release, scratch: Path) -> None:
    """Write the files of a release's commit, but nothing of any dataset (its pins, say), to a folder."""
    repository.git.export(release.commit, scratch)
    checked_inside(scratch, f"{SAMPLES}/SHA256SUMS")
    for folder in (scratch / "data").iterdir():
        if folder.is_symlink() or not folder.is_dir():
            folder.unlink()
        elif folder != scratch / SAMPLES:
            shutil.rmtree(folder)


def _mirror(repository: Repository, scratch: Path, released: Snapshot, mirror: str | None) -> str | None:
    """Return where a mirror is, as a URL or an absolute path: the one named, that version's own, or this checkout's."""
    places = (
        (mirror, Path.cwd()),
        (read_config(scratch).get("mirror"), repository.root),
        (read_config(repository.root).get("mirror"), repository.root),
    )
    found = [(place, base) for place, base in places if place]
    if found:
        place, base = found[0]
        return place if "://" in place else str((base / place).resolve())
    if released.provenance["source"]["mode"] == "mirror":
        raise RegistryError(
            f"this version of {released.dataset} was built from a mirror, and none is configured",
            hint="name it with --mirror PATH",
        )
    return None


def _bring_batches(repository: Repository, released: Snapshot, scratch: Path) -> None:
    """Put the released batches of a stream into a folder, since no upstream can be asked for them again."""
    md5 = released.outs.get(released.raw)
    if md5 is None:
        raise RegistryError("its batches were not released, and nothing else has them", where=released.name)
    listed = repository.store.listed(released.raw, md5)
    content = repository.store.files(listed.values())
    for path, digest in listed.items():
        target = checked_inside(scratch, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(content[digest], target)


def _build(scratch: Path, release: Release, mirror: str | None, say: Callable[[str], None]) -> None:
    code, printed = build_apart(scratch, release.dataset, {"mirror": mirror} if mirror else {}, say=say)
    if code:
        lacking = _LACKING.search(printed)
        if lacking:
            raise RegistryError(
                f"its code needs {lacking[1]}, which is not installed here",
                where=release.tag,
                hint="verify it in an environment made from its own envs/requirements.txt",
            )
        raise RegistryError(f"cannot be built again; the build said:\n\n{printed}\n", where=release.tag)


def _compare(
    repository: Repository, release: Release, made: Release, released: Snapshot, built: Snapshot, scratch: Path
) -> Verdict:
    then, now = released.provenance, built.provenance
    same = released.content_hash == built.content_hash
    same_bytes = released.data_md5 == built.data_md5
    told = _told_otherwise(released, built) if same else []
    if same and same_bytes and not told:
        return Verdict(release.tag, "identical", made.tag)
    # What a model computed differs from machine to machine, and so do the statistics of that.
    excused = told == [METADATA] and not same_bytes and _is_computed(built) and _nearly_agree(released, built)
    return Verdict(
        release.tag,
        "same content" if same and (excused or not told) else "different",
        made.tag,
        files=([] if same_bytes else _differing_files(repository, released, scratch)) + told,
        libraries=_differing(then["libraries"], now["libraries"]),
        sources=list(_differing(_hashes(then), _hashes(now))),
        config=differences(then["config"], now["config"]),
        diff=diff(released, built) if METADATA in told or not same else None,
    )


def _told_otherwise(released: Snapshot, built: Snapshot) -> list[str]:
    """Return which of manifest and metadata say something else of the same samples, however the files are written."""
    agrees = _close(facts_of(released.metadata), facts_of(built.metadata), NOISE)
    checks = {MANIFEST: _same_rows(released, built), METADATA: agrees}
    return [file for file, agrees in checks.items() if not agrees]


def _same_rows(released: Snapshot, built: Snapshot) -> bool:
    if released.provenance["manifest"]["md5"] == built.provenance["manifest"]["md5"]:
        return True
    import polars as pl

    one, other = read_manifest(released.manifest()), read_manifest(built.manifest())
    if replace(one, path=other.path) != other:
        return False
    try:
        return pl.read_parquet(one.path).equals(pl.read_parquet(other.path))
    except pl.exceptions.PolarsError:
        return False


def _nearly_agree(released: Snapshot, built: Snapshot) -> bool:
    """Tell whether only numbers differ; how those that a model computed are distributed may differ altogether."""
    return _close(declared_facts(released.metadata), declared_facts(built.metadata), math.inf)


def _close(one: Any, other: Any, tolerance: float) -> bool:
    """Tell whether two JSON values are equal, apart from so much of each number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key], tolerance) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_close(*both, tolerance) for both in zip(one, other, strict=True))
    if is_number(one) and is_number(other):
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=NOISE)
    return one == other


def _is_computed(snapshot: Snapshot) -> bool:
    return any(feature.get("computed") for feature in snapshot.metadata["schema"]["features"].values())


def _differing_files(repository: Repository, released: Snapshot, scratch: Path) -> list[str]:
    """Return the data files that differ, came or went, as paths below data/<dataset>/."""
    name = released.provenance["data"]["path"]
    data = scratch / "data" / released.dataset / name
    if not data.is_dir():
        return [name]
    repository.store.fetch([released.data_md5])
    then = repository.store.listing(released.data_md5)
    now = {file.relative_to(data).as_posix(): dvc_digest(file) for file in data_files(data)}
    return [f"{name}/{file}" for file in sorted(_differing(then, now))]


def _hashes(provenance: dict[str, Any]) -> dict[str, str]:
    source = provenance["source"]
    return {file["file"]: file["sha256"] for file in source["files"]} | source.get("datasets", {})


def _differing(then: dict[str, str], now: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    names = dict.fromkeys([*then, *now])
    return {name: (then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)}
