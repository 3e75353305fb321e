"""Read any version of a dataset from anywhere: with the git repository's address, and access to its DVC remote."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, Any

from semver import Version

from registry.errors import RegistryError
from registry.files import atomic_folder
from registry.storage.git import Git, GitError
from registry.storage.tags import TAG

if TYPE_CHECKING:
    import polars as pl
    import ray.data
    from dvc.api import DVCFileSystem
    from fsspec import AbstractFileSystem

STATISTICS = ("metrics", "statistics")
"""Keys of metadata.json that hold what models normalise by."""


def open_dataset(
    name: str,
    version: str = "latest",
    repo: str | os.PathLike[str] = ".",
    *,
    remote: str | None = None,
    remote_config: dict[str, Any] | None = None,
) -> "Dataset":
    """Return a version of a dataset, as its tag has it. Nothing but git is read until data is asked for.

    `version` is a number such as 1.0.0, or latest, the highest. `repo` is the path or the URL of the git repository, a
    bare one too. `remote` names a DVC remote other than the default one, `remote_config` adds to its configuration
    (access_key_id, secret_access_key, endpointurl, ...). RegistryError, which names those that exist, if there is no
    such dataset or version.
    """
    repo = os.fspath(repo)
    versions = _versions(repo)
    if name not in versions:
        known = ", ".join(sorted(versions)) or "none, it has no release"
        raise RegistryError(f"no dataset {name}", where=_public(repo), hint=f"choose from: {known}")
    numbers = [str(number) for number in sorted(versions[name])]
    if version not in ("latest", *numbers):
        known = ", ".join(["latest", *numbers])
        raise RegistryError(f"no version {version} of {name}", where=_public(repo), hint=f"choose from: {known}")

    from dvc.api import DVCFileSystem

    number = numbers[-1] if version == "latest" else version
    tag = f"{name}-v{number}"
    files = DVCFileSystem(repo, rev=tag, remote=remote, remote_config=remote_config)
    try:
        metadata, provenance = (
            json.loads(files.read_text(f"data/{name}/{file}", encoding="utf-8"))
            for file in ("metadata.json", "provenance.json")
        )
    except FileNotFoundError as error:
        raise RegistryError(f"no release: it lacks {error.filename}", where=f"{_public(repo)} at {tag}") from None
    return Dataset(name, number, tag, _public(repo), metadata, provenance, files)


@dataclass(frozen=True)
class Dataset:
    """One version of a dataset: what is known of it, and its data wherever it is wanted."""

    name: str
    version: str
    tag: str
    repo: str
    metadata: dict[str, Any] = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)
    _files: "DVCFileSystem" = field(repr=False, compare=False)

    @property
    def path(self) -> str:
        """Return where the data is in the repository: a folder, or a file."""
        return f"data/{self.name}/{self.provenance['data']['path']}"

    @property
    def digest(self) -> str:
        """Return the md5 by which DVC knows the data."""
        return self.provenance["data"]["md5"]

    @cached_property
    def urls(self) -> dict[str, str]:
        """Return {path in the repository: URL in the remote} of every file of the data."""
        return {path: self._stored(path)[2] for path in self._list()}

    def fetch(self, folder: str | os.PathLike[str]) -> Path:
        """Download the data into a new folder and return its path there: processed/, or the file that it is.

        RegistryError if `folder` is there already; it appears only when all of the data is in it.
        """
        folder = Path(folder)
        if folder.exists():
            raise RegistryError("is there already", where=folder, hint="name a folder that is not")
        with atomic_folder(folder) as partial, self._remote():
            self._files.get(self.path, str(partial), recursive=True)
        return folder / PurePosixPath(self.path).name

    def lazy_frame(self, split: str | None = None) -> "pl.LazyFrame":
        """Return the table of a split, or of all splits one after the other; only what a query needs is read.

        RegistryError if there is no such split, or if the data is no table.
        """
        import polars as pl
        from pyarrow.dataset import dataset

        kind, paths, filesystem = self._table(split)
        with self._remote():
            return pl.scan_pyarrow_dataset(dataset(paths, format=kind, filesystem=filesystem))

    def ray_dataset(self, split: str | None = None) -> "ray.data.Dataset":
        """Return the same as `lazy_frame`, as a Ray Dataset; its workers read the remote themselves."""
        data = _extra("ray.data", "ray")
        kind, paths, filesystem = self._table(split)
        read = data.read_parquet if kind == "parquet" else data.read_csv
        # Objects of a remote have no suffix, and Ray's newer reader takes None for its default, [".parquet"].
        context = data.DataContext.get_current()
        newer, context.use_datasource_v2 = getattr(context, "use_datasource_v2", False), False
        try:
            with self._remote():
                return read(paths, filesystem=filesystem, file_extensions=None)
        finally:
            context.use_datasource_v2 = newer

    def log_to_mlflow(self) -> None:
        """Record the dataset in the active MLflow run: as an input, and the statistics to normalise by as params.

        The input has name, digest, source (repository, tag, path and URL), and its version as a tag. Params are
        `<name>.version` and each number, such as `<name>.metrics.train.pixel_mean`. RegistryError if no run is active,
        or if MLflow refuses.
        """
        mlflow = _extra("mlflow", "mlflow")
        entities = import_module("mlflow.entities")
        run = mlflow.active_run()
        if run is None:
            raise RegistryError("no MLflow run is active", where=self.tag, hint="call it inside mlflow.start_run()")
        source = {"repo": self.repo, "rev": self.tag, "path": self.path, "url": self._stored(self.path)[2]}
        data = entities.Dataset(self.name, self.digest, source_type="dvc", source=json.dumps(source))
        numbers = _numbers({key: self.metadata.get(key, {}) for key in STATISTICS})
        params = {f"{self.name}.{key}": value for key, value in {"version": self.version, **numbers}.items()}
        try:
            tags = [entities.InputTag("version", self.version)]
            mlflow.MlflowClient().log_inputs(run.info.run_id, [entities.DatasetInput(data, tags)])
            mlflow.log_params(params)
        except mlflow.MlflowException as error:
            reason = _public(error.message.partition("\n")[0])
            raise RegistryError(f"MLflow does not take it: {reason}", where=self.tag) from None

    def _list(self) -> list[str]:
        with self._remote():
            return self._files.find(self.path)

    def _table(self, split: str | None) -> tuple[str, list[str], "AbstractFileSystem"]:
        """Return the format of the tables, their paths in the remote's file system, and that file system."""
        splits = list(self.metadata["splits"])
        if split is not None and split not in splits:
            raise RegistryError(f"no split {split}", where=self.tag, hint=f"choose from: {', '.join(splits)}")
        files = self._list()
        for kind in ("parquet", "csv"):
            tables = [file for file in files if file.endswith(f".{kind}")]
            if len(splits) > 1:
                wanted = splits if split is None else [split]
                tables = [f for name in wanted for f in tables if f.startswith(f"{self.path}/{name}/")]
            if tables:
                stored = [self._stored(table) for table in tables]
                return kind, [path for _, path, _ in stored], stored[0][0]
        raise RegistryError("the data is no table", where=self.tag, hint="fetch() it, and read its files")

    def _stored(self, path: str) -> tuple["AbstractFileSystem", str, str]:
        """Return the remote's file system, the path in it, and the URL of what the repository has at `path`."""
        with self._remote():
            index, entry = self._files.repo.get_data_index_entry(path)
            filesystem, stored = index.storage_map.get_remote(entry)
            return filesystem.fs, stored, filesystem.unstrip_protocol(stored)

    @contextmanager
    def _remote(self) -> Iterator[None]:
        """Turn whatever a remote of any kind raises into one message."""
        try:
            yield
        except Exception as error:
            raise RegistryError(
                f"its DVC remote does not give the data: {error.__cause__ or error}",
                where=f"{self.repo} at {self.tag}",
                hint="check the remote's address in .dvc/config of that tag, and your credentials for it",
            ) from error


def _versions(repo: str) -> dict[str, list[Version]]:
    try:
        listed = Git(Path()).run("ls-remote", "--tags", "--refs", "--", repo)
    except GitError as error:
        reason = _public(error.printed)
        raise RegistryError(
            f"git cannot read it: {reason}", where=_public(repo), hint="check repo, and your access"
        ) from None
    found: dict[str, list[Version]] = {}
    for line in listed.splitlines():
        if match := TAG.fullmatch(line.rpartition("refs/tags/")[2]):
            found.setdefault(match["dataset"], []).append(Version.parse(match["version"]))
    return found


def _public(text: str) -> str:
    """Return `text` without the password or token that an address in it may hold."""
    return re.sub(r"(https?://)[^/\s]*@", r"\1", text)


def _extra(module: str, extra: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        raise RegistryError(
            f"needs the package {error.name}", where=module, hint=f"install data-registry with its extra {extra}"
        ) from None


def _numbers(value: Any, *path: str) -> dict[str, int | float]:
    if isinstance(value, dict):
        return {key: number for name, inner in value.items() for key, number in _numbers(inner, *path, name).items()}
    return {".".join(path): value} if isinstance(value, int | float) else {}
