"""Read many versions with a few processes of git, however many they are."""

import re
from collections.abc import Iterable, Iterator, Mapping

from registry.errors import RegistryError
from registry.storage.git import Git
from registry.storage.git_text import decoded
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot, is_description
from registry.storage.tags import Entry, Release

FOLDER = b"40000"
"""What git writes before the name of a folder that is in another one."""
ORDINARY = 1 << 20
"""Bytes that the descriptions of a version seldom exceed; one that has more is read alone."""


def snapshots(
    repository: Repository, wanted: Iterable[tuple[str, Release | Entry]]
) -> dict[str, Snapshot | RegistryError]:
    """Return {tag: its state, or why it cannot be read} of versions, each with its dataset."""
    wanted = list(wanted)
    commits = {one.tag: (dataset, one.commit) for dataset, one in wanted}
    read, found = _ordinary(repository.git, commits), {}
    for tag, (dataset, commit) in commits.items():
        try:
            # What is odd in any way is read alone, which says what is wrong with it.
            found[tag] = (
                Snapshot.read(repository, dataset, tag, read[tag])
                if tag in read
                else Snapshot.at(repository, dataset, commit, tag)
            )
        except RegistryError as error:
            found[tag] = error
    return found


def _ordinary(git: Git, commits: Mapping[str, tuple[str, str]]) -> dict[str, dict[str, bytes]]:
    """Return {tag: {path: content}} of those of {tag: (dataset, commit)} whose descriptions are few and small."""
    trees = {tag: f"{commit}:data/{dataset}" for tag, (dataset, commit) in commits.items()}
    small = [name for name, (kind, size) in git.kinds(trees.values()).items() if kind == "tree" and size <= ORDINARY]
    listed = git.contents(small)
    names = {}
    for tag, (dataset, commit) in commits.items():
        paths = [f"data/{dataset}/{name}" for name in _files(listed.get(trees[tag], b""), len(commit) // 2)]
        names[tag] = {path: f"{commit}:{path}" for path in paths if is_description(path, dataset)}
    asked = {name for its in names.values() for name in its.values() if "\n" not in name}
    sizes = {name: size for name, (kind, size) in git.kinds(asked).items() if kind == "blob"}
    fit = {
        tag: its
        for tag, its in names.items()
        if its and sum(sizes.get(name, ORDINARY + 1) for name in its.values()) <= ORDINARY
    }
    contents = git.contents(dict.fromkeys(name for its in fit.values() for name in its.values()))
    return {tag: {path: contents[name] for path, name in its.items()} for tag, its in fit.items()}


def _files(tree: bytes, width: int) -> Iterator[str]:
    """Yield the names of the files in a folder as git stores it, each between its mode and `width` bytes of its id."""
    for mode, name in re.findall(rb"([0-7]+) ([^\0]+)\0(?s:.{%d})" % width, tree):
        if mode != FOLDER:
            yield decoded(name)
