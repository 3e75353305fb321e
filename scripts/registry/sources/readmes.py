"""Gather one README per repository into raw/, from whichever source. Light on purpose: a rule module imports it."""

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from registry.config.reading import SAMPLES, parse_checksums, read_checksums
from registry.errors import RegistryError
from registry.files import atomic_folder, sha256_of, write_json
from registry.shown import public_url
from registry.sources.limits import PATIENT, Patience
from registry.sources.raw import note_served_by, without_served_by
from registry.sources.retrieve import is_url, retrieve

log = logging.getLogger(__name__)

MAX_BYTES = 10_000_000
"""A README larger than this is not downloaded."""
MAX_LISTING = 10_000_000
"""A SHA256SUMS larger than this is not downloaded."""


@dataclass(frozen=True)
class Readme:
    """A README: its path in its repository and its bytes."""

    path: str
    content: bytes


class Source(Protocol):
    """Where READMEs come from."""

    def repositories(self) -> list[str]:
        """Return the names of all repositories."""

    def readme(self, repository: str) -> Readme | None:
        """Return the README of a repository, None if it has none."""


def blob_sha(content: bytes) -> str:
    """Return the hex SHA-1 under which git stores these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def check_names(repositories: Iterable[str], *, where: object) -> list[str]:
    """Return names of repositories sorted; RegistryError unless each can be a file name and no two are the same one."""
    names = sorted(repositories)
    spellings: dict[str, str] = {}
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", name) or name in (".", ".."):
            raise RegistryError(f"{name[:120]!r} is not the name of a repository", where=where)
        other = spellings.setdefault(name.lower(), name)
        if other != name:
            raise RegistryError(f"the repositories {other} and {name} differ only in case", where=where)
    return names


def included(repositories: Iterable[str], exclude: Iterable[str]) -> list[str]:
    """Return the names of repositories but those to exclude, in whichever case: to GitHub they are the same."""
    lower = {name.lower() for name in exclude}
    return [name for name in repositories if name.lower() not in lower]


def excluded(dataset: Mapping[str, Any]) -> list[str]:
    """Return the names of the repositories that a corpus leaves out."""
    return dataset["sources"]["github"].get("exclude", [])


def listed_readmes(checksums: dict[str, str], dataset: str, *, where: object) -> dict[str, str]:
    """Return {repository: sha256} of the files `<dataset>/HEAD/<repository>/README.md` in a SHA256SUMS."""
    folder = f"{dataset}/HEAD/"
    listed = {}
    for file, sha256 in checksums.items():
        if file.startswith(folder):
            repository, slash, name = file.removeprefix(folder).partition("/")
            if slash + name != "/README.md":
                raise RegistryError(f"{file} is not {folder}<repository>/README.md", where=where)
            listed[repository] = sha256
    if not listed:
        raise RegistryError(
            f"empty corpus: it lists no {folder}<repository>/README.md",
            where=where,
            hint="add a line for each README there, as sha256sum writes it",
        )
    check_names(listed, where=where)
    return listed


def sample_readmes(dataset: Mapping[str, Any], root: Path = Path()) -> dict[str, str]:
    """Return {repository: sha256} of the samples if they are this dataset's source, so that a changed one rebuilds.

    Those that it excludes are left out.
    """
    if dataset["source"] != "samples":
        return {}
    path = root / SAMPLES / "SHA256SUMS"
    listed = listed_readmes(read_checksums(path), dataset["name"], where=path)
    return {name: listed[name] for name in included(listed, excluded(dataset))}


class Listing:
    """READMEs below a folder or base URL (`root`): what its SHA256SUMS lists, each held to its hash."""

    def __init__(self, root: str, dataset: str, *, patience: Patience = PATIENT) -> None:
        self._root, self._dataset, self._patience = root.rstrip("/"), dataset, patience
        sums = self._read("SHA256SUMS", name="SHA256SUMS", sha256=None, max_bytes=MAX_LISTING)
        where = f"{public_url(self._root) if is_url(self._root) else self._root}/SHA256SUMS"
        try:
            text = sums.decode()
        except UnicodeDecodeError:
            raise RegistryError("not UTF-8", where=where) from None
        self._sha256 = listed_readmes(parse_checksums(text, where=where), dataset, where=where)

    def _read(self, file: str, *, name: str, sha256: str | None, max_bytes: int) -> bytes:
        def check(path: Path) -> None:
            if sha256 and (found := sha256_of(path)) != sha256:
                raise RegistryError(f"expected sha256 {sha256} (SHA256SUMS), found {found}")

        with TemporaryDirectory() as folder:
            target = Path(folder) / name
            retrieve([f"{self._root}/{file}"], target, check, max_bytes=max_bytes, patience=self._patience)
            return target.read_bytes()

    def repositories(self) -> list[str]:
        """Return the names of all repositories that are listed."""
        return list(self._sha256)

    def readme(self, repository: str) -> Readme:
        """Return the README of a listed repository; RegistryError if it is missing or has another hash."""
        file = f"{self._dataset}/HEAD/{repository}/README.md"
        content = self._read(file, name=f"{repository}.md", sha256=self._sha256[repository], max_bytes=MAX_BYTES)
        return Readme("README.md", content)


def write_corpus(
    raw: Path, source: Source, *, mode: str, api: str, organisation: str, exclude: Iterable[str] = ()
) -> None:
    """Write the README of each repository but those in `exclude` to `<raw>/<repository>.md`.

    Beside them stand index.json and sources.json.

    index.json has `organisation`, `documents` (`repository`, `path`, `sha` of the git blob and `size` in bytes, by
    repository) and `without_readme`; sources.json is as `write_sources` writes it, where the `url` of a file is
    the README's at `api`, whichever place it came from. `raw` appears whole or, on any error, not at all.
    """
    documents, files, without = [], [], []
    with atomic_folder(raw) as partial:
        for repository in check_names(included(source.repositories(), exclude), where=organisation):
            readme = source.readme(repository)
            if readme is None:
                without.append(repository)
                continue
            path = partial / f"{repository}.md"
            path.write_bytes(readme.content)
            size = len(readme.content)
            documents.append(
                {"repository": repository, "path": readme.path, "sha": blob_sha(readme.content), "size": size}
            )
            url = public_url(f"{api}/repos/{organisation}/{repository}/readme")
            served_by = url if mode == "upstream" else mode
            files.append(
                {"file": path.name, "url": url, "bytes": size, "sha256": sha256_of(path), "served_by": served_by}
            )
        index = {"organisation": organisation, "documents": documents, "without_readme": without}
        write_json(partial / "index.json", index)
        write_json(partial / "sources.json", without_served_by({"mode": mode, "files": files}))
    note_served_by(raw, {"files": files})
    log.info("%d READMEs; without one: %s", len(documents), ", ".join(without) or "none")
