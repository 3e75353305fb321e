"""Read any version of a dataset from anywhere: with the git repository's address, and access to its DVC remote."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from registry.errors import RegistryError
from registry.extras import needed
from registry.shown import redacted
from registry.storage.elsewhere import list_tags, read_tags
from registry.storage.released import Released
from registry.storage.remote_data import RemoteData
from registry.storage.snapshot import Snapshot
from registry.storage.tags import check_alias, tag_name
from registry.storage.versions import LATEST, choose, describe_choices

if TYPE_CHECKING:
    import datasets
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    import ray.data
    from fsspec import AbstractFileSystem

    from registry.reading.rows import Rows
    from registry.reading.torch_data import ImageType, MapSamples, StreamedSamples

STATISTICS = ("metrics", "statistics")
"""Keys of metadata.json that hold what models normalise by."""
TABLES = ("parquet", "csv")
"""The kinds of files that are tables."""


@dataclass(frozen=True)
class ListedVersion:
    """A version of a dataset, how many rows it has, and how many files and bytes its data is.

    `dataset` may be an alias; `alias_of` is then the dataset itself.
    """

    dataset: str
    version: str
    tag: str
    rows: int
    files: int
    bytes: int
    alias_of: str | None = None


@dataclass(frozen=True)
class Listing:
    """The versions in a registry, of each dataset the newest first, and {tag: why it is left out} of odd ones."""

    versions: list[ListedVersion]
    left_out: dict[str, str]


def list_datasets(repo: str | os.PathLike[str] = ".") -> Listing:
    """Return every version of every dataset in the git repository at a path or URL. No clone of it is kept.

    Raises RegistryError where git cannot read it.
    """
    address = os.fspath(repo)
    tags = list_tags(address)
    names = {tag_name(name, one): (name, str(one)) for name, those in tags.versions.items() for one in reversed(those)}
    contents = read_tags(address, {tag: name for tag, (name, _) in names.items()}) if names else {}
    found = Listing([], dict(tags.left_out))
    for tag, (name, version) in names.items():
        try:
            snapshot = _snapshot(name, tag, tags.aliases, contents)
        except RegistryError as error:
            found.left_out[tag] = error.what
            continue
        data = snapshot.provenance["data"]
        found.versions.append(
            ListedVersion(name, version, tag, snapshot.rows, data["files"], data["bytes"], tags.aliases.get(tag))
        )
    return found


def _own_tag(name: str, tag: str, aliases: Mapping[str, str]) -> tuple[str, str]:
    """Return the dataset, and the tag of its own, for which a tag under a name stands; `aliases` as in Tags."""
    dataset = aliases.get(tag, name)
    return dataset, dataset + tag.removeprefix(name)


def _snapshot(name: str, tag: str, aliases: Mapping[str, str], contents: Mapping[str, Mapping[str, bytes]]) -> Snapshot:
    """Return what a tag under a name stands for, of {tag: {path: content}}. Raises RegistryError where it is not so."""
    dataset, own = _own_tag(name, tag, aliases)
    snapshot = Snapshot.of(dataset, own, contents[own])
    if own != tag:
        check_alias(tag, contents[tag], own, contents[own])
    return snapshot


def open_dataset(
    name: str,
    version: str = LATEST,
    repo: str | os.PathLike[str] = ".",
    *,
    remote: str | None = None,
    remote_config: dict[str, Any] | None = None,
) -> "Dataset":
    """Return a version of a dataset, as its tag has it. Nothing but git is read until data is asked for.

    `version` is a number such as 1.0.0, or latest, or a range whose highest version is taken, such as ^1, ~1.2 or
    >=1.1,<2 (all are in `registry.storage.versions.choose`). `repo` is the path or the URL of the git repository, a
    bare one too. `remote` names a DVC remote other than the default one, `remote_config` adds to its configuration
    (access_key_id, secret_access_key, endpointurl, ...); where neither is given, DVC_REMOTE in the environment may name
    the remote. By an alias you get the dataset that it stands for.
    RegistryError, which names those that come near, if there is no such dataset or version.
    """
    address = os.fspath(repo)
    tags = list_tags(address)
    known = tags.versions.get(name, [])
    found = choose(known, version)
    if found is None:
        what = f"no version {version} of {name}" if known else f"no dataset {name}"
        odd = [f"; {tag} is left out: {why}" for tag, why in tags.left_out.items() if tag.startswith(f"{name}-v")]
        others = f"choose from: {', '.join(tags.versions) or 'none, it has no release'}"
        choices = describe_choices(known, version) if known else others
        raise RegistryError(f"{what}{''.join(odd)}", where=redacted(address), hint=choices)
    tag = tag_name(name, found)
    dataset, own = _own_tag(name, tag, tags.aliases)
    try:
        snapshot = _snapshot(name, tag, tags.aliases, read_tags(address, {tag: name, own: dataset}))
    except RegistryError as error:
        raise RegistryError(error.what, where=f"{redacted(address)} at {tag}", hint="choose another version") from None
    return Dataset(str(found), redacted(address), snapshot, RemoteData(address, own, remote, remote_config))


class Dataset(Released):
    """One version of a dataset: what is known of it, and its data wherever it is wanted, as files or as rows."""

    def lazy_frame(self, split: str | None = None, *, verify: bool = False) -> "pl.LazyFrame":
        """Return the table of a split, or of all splits one after the other; only what a query needs is read.

        So the bytes are not held against their md5, as those of `fetch` are: the remote is only asked whether it has as
        many files and bytes as were released. `verify` reads and hashes each file first. RegistryError for damaged
        data, if there is no such split, or no table, and for a column of a type that polars does not have.
        """
        from pyarrow.dataset import dataset

        pl = needed("polars")
        from registry.reading.frames import check_in_polars

        kind, paths, filesystem = self._places(split, verify)
        with self._remote.reading():
            found = dataset(paths, format=kind, filesystem=filesystem)
            check_in_polars(found.schema)
            return pl.scan_pyarrow_dataset(found)

    def ray_dataset(self, split: str | None = None, *, verify: bool = False) -> "ray.data.Dataset":
        """Return the same as `lazy_frame`, as a Ray Dataset; its workers read the remote themselves."""
        data = needed("ray.data")
        kind, paths, filesystem = self._places(split, verify)
        read = data.read_parquet if kind == "parquet" else data.read_csv
        # Objects of a remote have no suffix, and Ray's newer reader takes None for its default, [".parquet"].
        context = data.DataContext.get_current()
        newer, context.use_datasource_v2 = getattr(context, "use_datasource_v2", False), False
        try:
            with self._remote.reading():
                return read(paths, filesystem=filesystem, file_extensions=None)
        finally:
            context.use_datasource_v2 = newer

    def iter_batches(
        self, split: str | None = None, batch_size: int = 1000, *, columns: Sequence[str] | None = None
    ) -> "Iterator[pa.RecordBatch]":
        """Return Arrow batches of `batch_size` rows, the last one of fewer, in order; no more is in memory at once.

        Rows are those of a split, or of all splits one after the other, with these columns, or all. Pictures beside a
        table that has their `file_name` are its column `image`, of bytes. A folder of pictures with an annotations.json
        has the columns file_name, image and messages ({role, content} each). The files of the split are downloaded
        first, into the cache that `fetch` uses, and held against their md5. RegistryError, at once or while it is read,
        for damaged data, if there is no such split or column, and for data that has no rows.
        """
        if batch_size < 1:
            raise RegistryError(f"no batch has {batch_size} rows", hint="name a batch_size of at least 1")
        return self._rows(split, columns).batches(batch_size)

    def to_polars(self, split: str | None = None, *, columns: Sequence[str] | None = None) -> "pl.DataFrame":
        """Return the same rows as one polars DataFrame.

        Raises RegistryError as `iter_batches` does, and for a column of a type that polars does not have.
        """
        needed("polars")
        from registry.reading.frames import as_polars

        return as_polars(self._table(split, columns))

    def to_pandas(self, split: str | None = None, *, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """Return the same rows as one pandas DataFrame; integers and booleans stay such where some are null.

        Raises RegistryError as `iter_batches` does.
        """
        needed("pandas")
        from registry.reading.frames import as_pandas

        return as_pandas(self._table(split, columns))

    def to_hf(
        self,
        split: str | None = None,
        *,
        columns: Sequence[str] | None = None,
        image_columns: Sequence[str] | None = None,
    ) -> "datasets.Dataset | datasets.DatasetDict":
        """Return a split as a Dataset of Hugging Face, or without one all splits as a DatasetDict, in memory.

        Pictures are Image: columns `image` of bytes and {bytes, path}, unless `image_columns` names others. Labels are
        ClassLabel where metadata.json names the classes. RegistryError as by `iter_batches`, and for a column of a type
        that datasets does not have.
        """
        datasets = needed("datasets")
        from registry.reading.frames import as_hugging_face

        features = self.metadata["schema"]["features"]
        classes = {name: feature["classes"] for name, feature in features.items() if "classes" in feature}
        names = list(self.metadata["splits"]) if split is None else [split]
        found = {name: as_hugging_face(self._table(name, columns), classes, image_columns) for name in names}
        return datasets.DatasetDict(found) if split is None else found[split]

    def to_torch(
        self,
        split: str | None = None,
        *,
        columns: Sequence[str] | None = None,
        streaming: bool = False,
        image_type: "ImageType" = "tensor",
        image_columns: Sequence[str] | None = None,
    ) -> "MapSamples | StreamedSamples":
        """Return the same rows as a PyTorch dataset of dicts: map-style in memory, or iterable with `streaming`.

        Numbers, and lists of them of one shape, are tensors of the column's own type; texts are str; other values, and
        nulls, are what Python has for them. Pictures, found as by `to_hf`, are decoded when a sample is taken: as uint8
        tensors (channels, height, width) of one channel or three, or as PIL pictures (`image_type` "pil"); or they stay
        "bytes". A streamed dataset is read in order, by each worker of a DataLoader its share. RegistryError as by
        `iter_batches`, and for a picture that does not decode.
        """
        for package in ("torch", "PIL", "numpy"):
            needed(package)
        from registry.reading.torch_data import samples_of

        return samples_of(self._rows(split, columns), image_type, image_columns, streaming=streaming)

    def _table(self, split: str | None, columns: Sequence[str] | None) -> "pa.Table":
        from registry.reading.rows import table_of

        return table_of(self._rows(split, columns))

    def _rows(self, split: str | None, columns: Sequence[str] | None) -> "Rows":
        """Return the rows of a split, whose files are in the cache by then."""
        from registry.reading.columns import IMAGE
        from registry.reading.folders import ANNOTATIONS
        from registry.reading.rows import SUFFIXES, names_pictures, rows_of
        from registry.reading.tables import File

        files = [path for path in self._files if not path.endswith(".json") or path.endswith(ANNOTATIONS)]
        kind, paths = self._found(split, files, (*TABLES, "json"))

        def local(wanted: Sequence[str]) -> dict[str, File]:
            return {path: File(place, f"{self.tag}: {path}") for path, place in self._local(wanted).items()}

        here = local(paths)
        if (columns is None or IMAGE in columns) and names_pictures(kind, here.values()):
            folders = tuple(f"{PurePosixPath(path).parent}/" for path in paths)
            here |= local([path for path in files if path.startswith(folders) and path.lower().endswith(SUFFIXES)])
        return rows_of(kind, paths, here, columns, self.metadata["schema"]["features"])

    def log_to_mlflow(self) -> None:
        """Record the dataset in the active MLflow run: as an input, and the statistics to normalise by as params.

        The input has name, digest, source (repository, tag, path and URL), and its version as a tag. Params are
        `<name>.version` and each number, such as `<name>.metrics.train.pixel_mean`. RegistryError if no run is active,
        or if MLflow refuses.
        """
        mlflow, entities = needed("mlflow"), needed("mlflow.entities")
        run = mlflow.active_run()
        if run is None:
            raise RegistryError("no MLflow run is active", where=self.tag, hint="call it inside mlflow.start_run()")
        source = {"repo": self.repo, "rev": self.tag, "path": self.path, "url": self._remote.place(self.digest).url}
        data = entities.Dataset(self.name, self.digest, source_type="dvc", source=json.dumps(source))
        numbers = _numbers({key: self.metadata.get(key, {}) for key in STATISTICS})
        params = {f"{self.name}.{key}": value for key, value in {"version": self.version, **numbers}.items()}
        try:
            tags = [entities.InputTag("version", self.version)]
            mlflow.MlflowClient().log_inputs(run.info.run_id, [entities.DatasetInput(data, tags)])
            mlflow.log_params(params)
        except mlflow.MlflowException as error:
            reason = redacted(error.message.partition("\n")[0])
            raise RegistryError(f"MLflow rejected it: {reason}", where=self.tag) from None

    def _found(self, split: str | None, files: Iterable[str], kinds: Sequence[str]) -> tuple[str, list[str]]:
        """Return of which of these kinds the tables of a split are, or of all splits, and their paths in order."""
        splits = list(self.metadata["splits"])
        if split is not None and split not in splits:
            raise RegistryError(f"no split {split}", where=self.tag, hint=f"choose from: {', '.join(splits)}")
        found = self.snapshot.tables(files, kinds)
        tables = [table for name in splits if split in (None, name) for table in found.get(name, [])]
        if not tables:
            raise RegistryError("the data is not a table", where=self.tag, hint="fetch() it, and read its files")
        kind, *others = dict.fromkeys(table.rpartition(".")[2] for table in tables)
        if others:
            raise RegistryError(f"its splits are {kind} and {others[0]} files", where=self.tag, hint="name one split")
        return kind, tables

    def _places(self, split: str | None, verify: bool) -> tuple[str, list[str], "AbstractFileSystem"]:
        """Return the format of the tables, their paths in the remote's file system, and that file system."""
        kind, tables = self._found(split, self._files, TABLES)
        md5s = [self._files[table] for table in tables]
        if verify:
            self._remote.check(md5s)
        self._check_sizes()
        places = [self._remote.place(md5) for md5 in md5s]
        return kind, [place.path for place in places], places[0].filesystem


def _numbers(value: Any, *path: str) -> dict[str, int | float]:
    if isinstance(value, dict):
        return {key: number for name, inner in value.items() for key, number in _numbers(inner, *path, name).items()}
    return {".".join(path): value} if isinstance(value, int | float) else {}
