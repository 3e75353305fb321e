"""One state of a dataset: a version that was released, or what is built.

Everything in it has passed the gate, and its parts agree: the .dvc files, metadata.json and provenance.json of a
version name the same data, the same manifest and the same content.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.config.names import rule_of
from registry.config.pins import PIN
from registry.config.schema import breaches
from registry.describe.metadata import metadata_digest
from registry.errors import RegistryError
from registry.files import (
    Hashed,
    content_sha256,
    data_files,
    dvc_digest,
    dvc_digest_and_hashes,
    hashed,
    read_regular,
    sealed,
)
from registry.gate import MAX_DESCRIPTION, GateError, checked_md5, checked_path, read_json, read_pointer
from registry.sources.in_place import changed_in_place
from registry.sources.raw import changed_raw, without_served_by
from registry.storage.damage import MissingDataError
from registry.storage.states import NotReady, State

if TYPE_CHECKING:
    from registry.storage.git import Git
    from registry.storage.repository import Repository

METADATA, PROVENANCE, MANIFEST, RAW = "metadata.json", "provenance.json", "manifest.parquet", "raw"
DESCRIPTIONS = (MANIFEST, METADATA, PROVENANCE)
"""What stands beside the data of every dataset."""
CARD, CROISSANT = "README.md", "croissant.json"
ADDED = (CARD, CROISSANT)
"""What a release adds for people, and for programs: it is no data, and makes no version."""
SHOWN = 160
"""Characters of what is wrong that a message shows."""
MAX_FILES = 1000
"""Files that git may track of a version: their names together must fit into a command."""
MAX_VERSION = 64 << 20
"""Bytes that these may have in all."""
AT_ONCE = 10
"""Files that are read before their sizes are added up."""


class NoReleaseError(RegistryError):
    """A commit or tag holds no release of a dataset."""


def _out_of_reach(*_: Any, **__: Any) -> Any:
    raise NotImplementedError("only what describes this state was read")


@dataclass(frozen=True)
class Snapshot:
    """A state of a dataset.

    `name` is the tag or commit, or says that it is built; `outs` maps what DVC tracks of it (paths in the repository)
    to its md5; `local(path)` returns where one of these, or a file in one, can be read, and `listed()` the paths of the
    files of its data: both fetch what is not here, or raise MissingDataError with `fetch=False`. `places(paths)`
    returns {path: where it can be read} of those of these files that are there, fetched together, and `hashed()`
    {path: size and SHA-256} of all, which are read unless they just were. `files` are those that git tracks of it
    {path: content}, where they were read from git.
    """

    dataset: str
    name: str
    metadata: dict[str, Any] = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)
    outs: dict[str, str] = field(repr=False)
    local: Callable[..., Path] = field(default=_out_of_reach, repr=False, compare=False)
    listed: Callable[..., list[str]] = field(default=_out_of_reach, repr=False, compare=False)
    places: Callable[[Iterable[str]], dict[str, Path]] = field(default=_out_of_reach, repr=False, compare=False)
    hashed: Callable[[], dict[str, Hashed]] = field(default=_out_of_reach, repr=False, compare=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def folder(self) -> str:
        """Its folder in the repository."""
        return f"data/{self.dataset}"

    @property
    def data(self) -> str:
        """Where its data is in the repository: a folder, or a file."""
        return f"{self.folder}/{self.provenance['data']['path']}"

    @property
    def added(self) -> list[str]:
        """Where its card and its like are in the repository, but for one that its data is called as, in any case."""
        paths = [f"{self.folder}/{name}" for name in ADDED]
        return [path for path in paths if path.casefold() != self.data.casefold()]

    @property
    def raw(self) -> str:
        """Where its sources are in the repository."""
        return f"{self.folder}/{RAW}"

    @property
    def content_hash(self) -> str:
        """The hash of schema and samples."""
        return self.metadata["content_hash"]

    @property
    def data_md5(self) -> str:
        """DVC's digest of the data's bytes."""
        return self.provenance["data"]["md5"]

    @property
    def sizes(self) -> dict[str, int]:
        """How many samples each of its splits has, in their order."""
        return {split: about["num_samples"] for split, about in self.metadata["splits"].items()}

    @property
    def rows(self) -> int:
        """How many samples it has."""
        return sum(self.sizes.values())

    @property
    def described(self) -> dict[str, str]:
        """Its data and its manifest: `outs` without the sources."""
        return {out: md5 for out, md5 in self.outs.items() if out != self.raw}

    def manifest(self) -> Path:
        """Return where its manifest can be read, and fetch it at need. Raises RegistryError."""
        try:
            return self.local(f"{self.folder}/{MANIFEST}")
        except MissingDataError as error:
            raise MissingDataError(error.what, where=self.name, hint=error.hint, public=error.public) from None

    @classmethod
    def of(cls, dataset: str, name: str, files: Mapping[str, bytes]) -> "Snapshot":
        """Return the state that these files {path: content} describe: both descriptions and the .dvc files.

        Its data and its manifest cannot be read.

        Raises NoReleaseError where one is missing, and GateError where one is not what it should be or they disagree.
        """
        folder = f"data/{dataset}"
        missing = [file for file in (METADATA, PROVENANCE, f"{MANIFEST}.dvc") if f"{folder}/{file}" not in files]
        if missing:
            raise NoReleaseError(
                f"{name} holds no release of {dataset}: it lacks {folder}/{missing[0]}",
                hint="`registry log` lists the versions",
            )
        for path in files:
            # Of `..dvc`, DVC takes all of the folder for the output.
            checked_path(path.removesuffix(".dvc"), where=name)
        metadata, provenance = _descriptions(dataset, name, files)
        data = provenance["data"]["path"]
        pointers = {f"{folder}/{out}": f"{folder}/{out}.dvc" for out in (data, MANIFEST, RAW)}
        outs = {
            out: read_pointer(files[pointer], out.rpartition("/")[2], where=f"{name}: {pointer}")
            for out, pointer in pointers.items()
            if pointer in files
        }
        own = {
            path: content for path, content in files.items() if not path.endswith(".dvc") or path in pointers.values()
        }
        _check_agreement(name, metadata["content_hash"], METADATA, provenance["content_hash"], "content")
        _check_agreement(name, metadata_digest(metadata), METADATA, provenance["metadata"]["sha256"], "metadata")
        _check_agreement(name, outs.get(f"{folder}/{data}"), f"{data}.dvc", provenance["data"]["md5"], "data")
        _check_agreement(
            name, outs[f"{folder}/{MANIFEST}"], f"{MANIFEST}.dvc", provenance["manifest"]["md5"], "manifest"
        )
        return cls(dataset, name, metadata, provenance, outs, files=own)

    def in_tree(self, root: Path) -> "Snapshot":
        """Return the same, whose files are read from the working tree at `root`."""
        return replace(
            self,
            local=lambda path, fetch=True: root / path,
            listed=lambda fetch=True: [file.relative_to(root).as_posix() for file in data_files(root / self.data)],
            places=lambda paths: {path: root / path for path in paths if (root / path).is_file()},
            hashed=lambda: {file.relative_to(root).as_posix(): hashed(file) for file in data_files(root / self.data)},
        )

    def tables(self, files: Iterable[str], kinds: Sequence[str]) -> dict[str, list[str]]:
        """Return {split: its tables}, in order: those `files` of its data of the first of these kinds that it has.

        The tables of a split are in the folder of its name; those of a dataset that has one split may be anywhere, but
        one that is called as the dataset is all that there is: others are files that lie beside it.
        """
        splits, files = list(self.metadata["splits"]), sorted(files)
        found = {}
        for name in splits:
            its = [file for file in files if file.startswith(f"{self.data}/{name}/")] if len(splits) > 1 else files
            by_kind = ([file for file in its if file.endswith(f".{kind}")] for kind in kinds)
            if tables := next(filter(None, by_kind), []):
                own = f"{self.data}/{self.dataset}.{tables[0].rpartition('.')[2]}"
                found[name] = [own] if own in tables else tables
        return found

    @classmethod
    def at(
        cls, repository: "Repository", dataset: str, revision: str, name: str | None = None, *, reports: bool = False
    ) -> "Snapshot":
        """Return the state of a dataset that a commit or tag holds, under `name`, else the revision. Raises as `of`.

        `reports` reads what is in reports/<dataset>/, too.
        """
        files = described(repository.git, dataset, revision, name, reports=reports)
        return cls.read(repository, dataset, name or revision, files)

    @classmethod
    def read(cls, repository: "Repository", dataset: str, name: str, files: Mapping[str, bytes]) -> "Snapshot":
        """Return the state that files of a repository describe. Raises as `of`."""
        snapshot = cls.of(dataset, name, files)
        return replace(
            snapshot,
            local=lambda path, fetch=True: repository.store.local(path, snapshot.outs, fetch=fetch),
            listed=lambda fetch=True: list(repository.store.listed(snapshot.data, snapshot.data_md5, fetch=fetch)),
            places=lambda paths: repository.store.places(snapshot.data, snapshot.data_md5, paths),
            hashed=lambda: repository.store.hashed(snapshot.data, snapshot.data_md5),
        )

    @classmethod
    def checked_out(cls, repository: "Repository", dataset: str) -> "Snapshot":
        """Return the state that the .dvc files and descriptions of the working tree name. Raises as `of`."""
        root, folder = repository.root, f"data/{dataset}"
        here = {f"{folder}/{path.name}": path for path in (root / folder).glob("*") if path.is_file()}
        files = {name: _read(path) for name, path in here.items() if is_description(name, dataset)}
        return cls.of(dataset, "the working tree", files).in_tree(root)

    @classmethod
    def on_disk(cls, root: Path, dataset: str, *, quick: bool = False, hashes: bool = False) -> "Snapshot":
        """Return what is built, checked by content: data, manifest and metadata must be what provenance.json says.

        The .dvc files are not looked at: they are older than a build that is not published. `quick` compares the number
        and the size of the files, and hashes none; `hashes` keeps the SHA-256 of each, of the same reading. Raises
        NotReady with the state not built, incomplete or damaged.
        """
        folder, build = root / "data" / dataset, f"run snakemake --cores all {rule_of(dataset)}"
        try:
            files = {f"data/{dataset}/{file}": _read(folder / file) for file in (METADATA, PROVENANCE)}
            metadata, provenance = _descriptions(dataset, "what is built", files)
        except FileNotFoundError:
            begun = (folder / RAW).exists() or any(folder.glob("processed*"))
            state, reason = (
                (State.INCOMPLETE, "not all of it is built") if begun else (State.NOT_BUILT, "nothing is built")
            )
            raise NotReady(state, reason, build) from None
        except (GateError, OSError) as error:
            reason = f"metadata.json or provenance.json is not what a build writes ({error})"
            raise NotReady(State.DAMAGED, reason, build) from None
        recorded = provenance["content_hash"], provenance["metadata"]["sha256"]
        if (metadata["content_hash"], metadata_digest(metadata)) != recorded:
            raise _damaged(dataset, METADATA, "is not what was built")
        data = provenance["data"]["path"]
        missing = [path for path in (data, MANIFEST) if not (folder / path).exists()]
        if missing:
            raise NotReady(
                State.INCOMPLETE, f"data/{dataset}/{missing[0]} is not here", f"run registry pull {dataset}, or {build}"
            )
        found: dict[Path, Hashed] = {}
        if quick:
            outs = _outs_by_size(root, dataset, provenance)
        elif hashes:
            digest, found = dvc_digest_and_hashes(folder / data)
            outs = _outs_by_content(root, dataset, provenance, digest)
        else:
            outs = _outs_by_content(root, dataset, provenance, dvc_digest(folder / data))
        built = cls(dataset, "what is built", metadata, provenance, outs).in_tree(root)
        if not hashes:
            return built
        return replace(built, hashed=lambda: {path.relative_to(root).as_posix(): its for path, its in found.items()})


def described(
    git: "Git", dataset: str, revision: str, name: str | None = None, *, reports: bool = False
) -> dict[str, bytes]:
    """Return {path: content} of what git has of a dataset at a commit or tag; arguments as for Snapshot.at.

    Raises GateError for more than a version may have, and for odd paths.
    """
    folder = f"data/{dataset}"
    tops = [folder, f"reports/{dataset}"] if reports else [folder]
    paths = [path for top in tops for path in git.listed(revision, top) if is_description(path, dataset)]
    return _read_bounded(git, revision, paths, where=f"{name or revision}: {folder}")


def same_files(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> bool:
    """Tell whether files {path: content} in the folders of two names are the same, but for what releases add."""
    named = ({path.rpartition("/")[2]: content for path, content in files.items()} for files in (one, other))
    first, second = ({name: content for name, content in files.items() if name not in ADDED} for files in named)
    return bool(first) and first == second


def is_description(path: str, dataset: str) -> bool:
    """Tell whether git tracks a file as part of a dataset's version: its .dvc files, descriptions and reports."""
    folder, _, file = path.rpartition("/")
    if folder == f"data/{dataset}":
        return file in (METADATA, PROVENANCE, *ADDED) or file.endswith(".dvc")
    return path.startswith(f"reports/{dataset}/")


def _read(path: Path) -> bytes:
    return read_regular(path, MAX_DESCRIPTION + 1)


def _read_bounded(git: "Git", revision: str, paths: list[str], *, where: str) -> dict[str, bytes]:
    """Return {path: content} of files in a revision, some at a time, while they are no more than a version may have.

    Raises GateError.
    """
    if len(paths) > MAX_FILES:
        raise GateError(f"{len(paths):,} files, more than {MAX_FILES:,}", where=where)
    wanted = [checked_path(path, where=where) for path in paths]
    files: dict[str, bytes] = {}
    for start in range(0, len(wanted), AT_ONCE):
        files |= git.read(revision, wanted[start : start + AT_ONCE], max_bytes=MAX_DESCRIPTION)
        if sum(map(len, files.values())) > MAX_VERSION:
            raise GateError(f"more than {MAX_VERSION:,} bytes in all", where=where)
    return files


def _descriptions(dataset: str, name: str, files: Mapping[str, bytes]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return metadata and provenance, which have the shape that readers rely on. Raises GateError."""
    paths = [f"data/{dataset}/{file}" for file in (METADATA, PROVENANCE)]
    metadata, provenance = (read_json(files[path], where=f"{name}: {path}") for path in paths)
    wrong = breaches({"metadata": metadata, "provenance": provenance}, "version")
    if wrong:
        raise GateError(f"not what a release writes: {wrong[0][:SHOWN]}", where=f"{name}: data/{dataset}")
    for part in ("data", "manifest"):
        checked_md5(provenance[part]["md5"], where=f"{name}: {paths[1]}")
    data = provenance["data"]["path"]
    # File systems may take names in any case for one.
    if data.casefold() in (*DESCRIPTIONS, RAW, PIN) or data.casefold().endswith(".dvc"):
        raise GateError(f"its data cannot be called {data}", where=f"{name}: {paths[1]}")
    named = metadata["dataset"]["name"], provenance["config"].get("name", dataset)
    if named != (dataset, dataset):
        raise GateError(f"it is a version of {' and '.join(dict.fromkeys(named))}", where=f"{name}: data/{dataset}")
    return metadata, provenance


def _check_agreement(name: str, found: str | None, file: str, recorded: str, what: str) -> None:
    if found != recorded:
        raise GateError(
            f"its parts disagree: {file} has {found or 'nothing'}, provenance.json records the {what} {recorded}",
            where=name,
            hint="it was changed after it was made: choose another version, or restore it from where it was released",
        )


def _outs_by_size(root: Path, dataset: str, provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return what DVC is to track, as recorded, if the files are as many and as long as they were. Raises NotReady."""
    folder, data = f"data/{dataset}", provenance["data"]
    sizes = [file.stat().st_size for file in data_files(root / folder / data["path"])]
    if sealed(root / folder / data["path"]) not in (None, data["md5"]):
        raise _made_again(dataset, data["path"])
    if (len(sizes), sum(sizes)) != (data["files"], data["bytes"]):
        raise _damaged(dataset, data["path"], "has other files or other sizes than what was built")
    return {f"{folder}/{data['path']}": data["md5"], f"{folder}/{MANIFEST}": provenance["manifest"]["md5"]}


def _outs_by_content(root: Path, dataset: str, provenance: Mapping[str, Any], found: str) -> dict[str, str]:
    """Return what DVC is to track, if its bytes are what provenance.json says. Raises NotReady.

    `found` is the digest of the data.
    """
    folder, data = root / "data" / dataset, provenance["data"]
    if found != data["md5"] and sealed(folder / data["path"]) == found:
        raise _made_again(dataset, data["path"])
    if found != data["md5"]:
        raise _damaged(dataset, data["path"], f"is not what was built (its digest is {found}, not {data['md5']})")
    manifest = dvc_digest(folder / MANIFEST)
    if manifest != provenance["manifest"]["md5"]:
        raise _damaged(dataset, MANIFEST, "is not what was built")
    for path in changed_raw(folder):
        hint = f"remove it, and run snakemake --cores all {rule_of(dataset)}, which brings it back"
        raise NotReady(State.DAMAGED, f"{path.relative_to(root)} changed since it was fetched or made", hint)
    for place in changed_in_place(folder, root):
        rule = rule_of(dataset)
        hint = (
            f"run snakemake --cores all --forcerun {rule}_download -- {rule}, which makes the data of what is there now"
        )
        raise NotReady(State.DAMAGED, f"{place}, which was not copied, changed since it was hashed", hint)
    outs = {f"data/{dataset}/{data['path']}": found, f"data/{dataset}/{MANIFEST}": manifest}
    if came_from(folder / RAW, provenance):
        outs[f"data/{dataset}/{RAW}"] = dvc_digest(folder / RAW)
    return outs


def _made_again(dataset: str, path: str) -> NotReady:
    reason = f"data/{dataset}/{path} is whole, and not what is described: it was made again, or others were checked out"
    hint = f"registry pull {dataset} brings what is described, snakemake --cores all {rule_of(dataset)} describes it"
    return NotReady(State.INCOMPLETE, reason, hint)


def _damaged(dataset: str, file: str, reason: str) -> NotReady:
    rule = rule_of(dataset)
    forced = f"{rule}_analyze" if file in (METADATA, MANIFEST) else f"data/{dataset}/{file}"
    hint = f"run registry pull --force {dataset}, or snakemake --cores all --forcerun {forced} -- {rule}"
    return NotReady(State.DAMAGED, f"data/{dataset}/{file} {reason}", hint)


def came_from(raw: Path, provenance: Mapping[str, Any]) -> bool:
    """Tell whether raw/ is there and is what the data was made from: a restore does not bring it back by itself.

    What it says of itself and the sources that it holds must be as recorded. A download may keep a source in another
    form, as it unpacks it; that one is not there to be checked, nor is one that was not copied.
    """
    try:
        if read_json(_read(raw / "sources.json"), where=raw) != without_served_by(provenance["source"]):
            return False
        copied = [file for file in provenance["source"]["files"] if file.get("copied", True)]
        recorded = {raw / checked_path(file["file"], where=raw): file for file in copied}
        return all(content_sha256(path) == file["sha256"] for path, file in recorded.items() if path.exists())
    except (OSError, GateError):
        return False
