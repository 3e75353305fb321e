"""What the jobs of a run exchange where they share no files: objects in Snakemake's default storage.

The rules name files as ever. A job finds each where the rule names it, below the folder it runs in. The Snakemake that
submits jobs has only logs there, and keeps copies of the rest apart: data/ holds what was brought whole (bring.py).
"""

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from registry.errors import RegistryError
from registry.gate import checked_path
from registry.sources.raw import LOOKS, REMEMBERED, SERVED
from registry.workflow.job import BREACHES

SOURCES = ("config", "data/samples", "envs", "scripts", "workflow")
"""The folders of a checkout from which data is made."""
LIBRARIES = ("boto3", "botocore", "s3transfer")
"""Packages whose errors are those of the storage."""
MISSING = ("404", "NoSuchKey")
"""What S3 answers where there is no such object."""
HINTS = {
    "404": "make it, or set default-storage-prefix in the profile to what is there",
    "403": "see envvars in the profile: these credentials may not use default-storage-prefix",
}
"""What to do about what S3 answers."""
LOGS = "logs/"
STORED = "storage_object"
"""The flag by which Snakemake marks a file that is in a storage."""


def exchange(workflow: Any) -> None:
    """Let the objects of the default storage, if there is one, be `Exchanged`; call it before there are rules.

    Raises RegistryError where it is no S3, or cannot be reached.
    """
    provider, settings = workflow.storage_registry.default_storage_provider, workflow.storage_settings
    if provider is None:
        return
    if settings.default_storage_provider != "s3":
        where, hint = "default-storage-provider", "set s3, of which jobs exchange what they make"
        raise RegistryError(f"{settings.default_storage_provider} is not known here", where=where, hint=hint)
    from boto3.s3.transfer import TransferConfig
    from snakemake.dag import DAG

    # The interpreter may be about to end, when it starts no more threads.
    one_by_one = TransferConfig(use_threads=False)
    prefix = f"{settings.default_storage_prefix.rstrip('/')}/"
    anything = provider.object(f"{prefix}x")
    copies = anything.local_path().parent
    if workflow.is_main_process:
        with reaching(prefix):
            provider.s3c.meta.client.head_bucket(Bucket=anything.bucket)
    theirs = provider.get_storage_object_cls()

    class Exchanged(theirs):
        """An object whose `place` is the path that rules name it by."""

        @property
        def place(self) -> str:
            return self.query.removeprefix(prefix)

        def local_path(self) -> Path:
            path = super().local_path()
            # Where jobs are submitted, what is in data/ would be taken for a copy, and be removed as one.
            in_place = not workflow.is_main_process or self.place.startswith(LOGS)
            return path.relative_to(copies) if in_place and path.is_relative_to(copies) else path

        def is_dir(self) -> bool:
            """Tell whether there is a folder now: a job may have stored it since it was looked for."""
            return any(self.get_subkeys())

        def store_object(self) -> None:
            """Store a file or a folder, of which nothing older stays."""
            here = self.local_path()
            if here.is_dir():
                for item in self.get_subkeys():
                    if not (here / item.key.removeprefix(f"{self.key}/")).is_file():
                        item.delete()
            super().store_object()
            for path, note in self._notes():
                note.upload_file(str(path)) if path.is_file() else note.delete()

        def retrieve_object(self) -> None:
            """Fetch a file or a folder with its notes; raises GateError where a name in it leads out of that."""
            here, items = self.local_path(), [*self.get_subkeys()]
            names = [checked_path(item.key.removeprefix(f"{self.key}/"), where=self.query) for item in items]
            for name, item in zip(names, items, strict=True):
                (here / name).parent.mkdir(parents=True, exist_ok=True)
                item.Object().download_file(str(here / name), Config=one_by_one)
            if not items:
                self.s3obj().download_file(str(here), Config=one_by_one)
            for path, note in self._notes():
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    note.download_file(str(path), Config=one_by_one)
                except self.provider.s3c.meta.client.exceptions.ClientError as error:
                    if error.response["Error"]["Code"] not in MISSING:
                        raise

        def _notes(self) -> Iterator[tuple[Path, Any]]:
            """Yield the path and the object of each note that there may be about this."""
            root = Path(str(self.local_path()).removesuffix(self.place))
            for note in _notes_about(self.place):
                yield root / note, self.provider.s3c.Object(self.bucket, self.key.removesuffix(self.place) + note)

        def remove(self) -> None:
            """Remove an object, or all of a folder, and leave the bucket, which is not ours."""
            for item in [*self.get_subkeys()]:
                item.delete()
            self.s3obj().delete()

    provider.get_storage_object_cls = lambda: Exchanged
    DAG.get_sources = _sources
    _store_in_place()


def _notes_about(place: str) -> list[str]:
    """Return the paths of what a job may write about a file that it has made, and no rule names."""
    top, dataset, raw, *inside = (*Path(place).parts, "", "", "")
    if place.startswith(LOGS):
        return [str(Path(place).with_suffix(BREACHES))]
    if (top, raw) != ("data", "raw"):
        return []
    notes = Path(top, dataset, REMEMBERED)
    of_all = [SERVED, LOOKS] if inside[0] == "sources.json" else []
    return [str(notes / f"{Path(*inside)}.md5"), *(str(notes / name) for name in of_all)]


@contextmanager
def reaching(query: str) -> Iterator[None]:
    """Turn what the libraries of S3 raise in the block into one RegistryError, about what `query` names."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.split(".")[0] not in LIBRARIES:
            raise
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        hint = HINTS.get(code, "see storage-s3-endpoint-url and envvars in the profile: where it is, and who asks")
        raise RegistryError(str(error), where=query, hint=hint) from None


def _sources(dag: Any) -> set[str]:
    """Return the files that jobs get a copy of: as they are here, in git or not, and nothing that rules have made."""
    found = {path for top in SOURCES for path in Path(top).rglob("*") if path.is_file()}
    found |= {Path(os.path.relpath(path)) for path in dag.workflow.configfiles}
    return {str(path) for path in found if "__pycache__" not in path.parts}


def mind_pods(workflow: Any) -> None:
    """Let jobs be run by PodExecutor where Snakemake's own executor for Kubernetes would run them.

    Pods install nothing: their image has the plugin of the storage, as it has all that jobs import.
    """
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    plugin = ExecutorPluginRegistry().plugins.get("kubernetes")
    if plugin is not None and workflow.storage_registry.default_storage_provider is not None:
        from registry.workflow.pods import PodExecutor

        plugin.executor = PodExecutor
        plugin.common_settings = replace(plugin.common_settings, auto_deploy_default_storage_provider=False)


def _store_in_place() -> None:
    """Let Snakemake store files, too, whose copies are where the rules name them: it takes them for local ones."""
    from snakemake.path_modifier import PathModifier

    modify = PathModifier.modify

    def modify_and_store(self: PathModifier, *arguments: Any, **named: Any) -> Any:
        return self.apply_default_storage(modify(self, *arguments, **named))

    PathModifier.modify = modify_and_store


def place_of(file: Any) -> str:
    """Return the path that a rule names a file by, wherever Snakemake keeps it."""
    stored = stored_as(file)
    return str(file) if stored is None else stored.place


def stored_as(file: Any) -> Any:
    """Return the object of the storage that a file of a rule stands for; None for one that is here."""
    return getattr(file, "flags", {}).get(STORED)


def unfetched(file: Any) -> Any:
    """Return a file for a rule that only asks for it: it must be there, and need not be brought here."""
    from snakemake.io import flag

    stored = stored_as(file)
    if stored is None:
        return file
    there = copy.copy(stored)
    there.retrieve = False
    return flag(str(file), STORED, there)
