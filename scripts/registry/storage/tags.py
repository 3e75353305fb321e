"""Releases are annotated tags `<dataset>-v<major>.<minor>.<patch>`; nothing else is kept about them.

Under another name of the dataset, an alias, a release has a second tag. Its commit is a child of the release's which
holds the same files in the folder of that name, for clients that know no other; here it stands for the release itself.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from semver import Version

from registry.config.names import NAME, VERSION, closest
from registry.errors import RegistryError
from registry.gate import GateError
from registry.shown import printable, shown
from registry.storage.git import Git
from registry.storage.snapshot import NoReleaseError, Snapshot, described, same_files
from registry.storage.tag_object import MAX_TAG, NOT_OF_A_COMMIT, TagObject, read_tag
from registry.storage.versions import LATEST, choose, describe_choices

if TYPE_CHECKING:
    from registry.storage.repository import Repository

TAG = re.compile(rf"(?P<dataset>{NAME})-v(?P<version>{VERSION.pattern})")
NAMED = re.compile(TAG.pattern.replace("{0,8}", "*"))
"""The name of a release, whose numbers may be longer than any publish makes them."""
CONTENT = re.compile(r"content: (sha256:[0-9a-f]{64})")
"""The line of a tag's message that holds the hash of schema and samples."""
RESTORED = re.compile(rf"content of (?P<version>{VERSION.pattern})")
"""The line of a tag's message that names the older version whose content was released again."""
ALIAS = re.compile(rf"alias of (?P<tag>{TAG.pattern})")
"""The line of a tag's message that names the tag of the release for which it stands."""
_PARENT = re.compile(rb"tree [0-9a-f]+\nparent ([0-9a-f]+)\n(?!parent )")
"""Begins a commit that has one parent."""
TAGS = "refs/tags/"
"""Where git keeps tags."""


@dataclass(frozen=True)
class Release:
    """One version of one dataset."""

    dataset: str
    version: Version
    commit: str = field(repr=False)
    date: datetime = field(repr=False)
    message: str = field(repr=False)

    @property
    def tag(self) -> str:
        """The name of its tag."""
        return tag_name(self.dataset, self.version)

    @property
    def content_hash(self) -> str | None:
        """The hash of its schema and samples, as its message has it; None where no publish wrote the message."""
        return self._line(CONTENT)

    @property
    def restored(self) -> Version | None:
        """The older version whose content it has; None where its content is its own."""
        found = self._line(RESTORED)
        version = Version.parse(found) if found else None
        return version if version and version < self.version else None

    @property
    def alias_of(self) -> str | None:
        """The tag that it says it stands for; None where it stands for itself."""
        return self._line(ALIAS)

    def _line(self, pattern: re.Pattern[str]) -> str | None:
        found = [match[1] for line in self.message.split("\n") if (match := pattern.fullmatch(line))]
        return found[0] if found else None


@dataclass(frozen=True)
class Alias:
    """A tag of a release under another name, and its commit."""

    name: str
    release: Release
    commit: str

    @property
    def version(self) -> Version:
        """The version of the release, and its own."""
        return self.release.version

    @property
    def tag(self) -> str:
        """The name of the tag."""
        return tag_name(self.name, self.version)


def tag_name(dataset: str, version: Version) -> str:
    """Return the tag of a dataset's version."""
    return f"{dataset}-v{version}"


def tag_message(version: Version | str, changes: Sequence[str], snapshot: Snapshot) -> str:
    """Return the message of a release's tag: a small changelog."""
    sizes = ", ".join(f"{split} {about['num_samples']:,}" for split, about in snapshot.metadata["splits"].items())
    about = [f"rows: {sizes}", f"content: {snapshot.content_hash}"]
    lines = [shown(" ".join(change.splitlines())) for change in changes]
    return "\n".join([f"{snapshot.dataset} {version}", "", *lines, "", *about])


def alias_message(tag: str, of: str) -> str:
    """Return the message of the tag `tag`, which stands for the tag `of`."""
    name, version = TAG.fullmatch(tag).group("dataset", "version")
    return f"{name} {version}\n\nalias of {of}"


def releases(git: Git, merged: str | None = None) -> dict[str, list[Release]]:
    """Return {dataset: its releases, oldest version first}: all, or those that the commit `merged` contains.

    Tags that no publish can have made are left out; `odd_tags` names them.
    """
    found = [one for one in _all(git) if isinstance(one, Release)]
    if merged is None:
        return by_dataset(found)
    commits = git.contained(merged)
    return by_dataset(one for one in found if one.commit in commits)


def by_dataset(found: Iterable[Release]) -> dict[str, list[Release]]:
    """Return {dataset: its releases, oldest version first}."""
    ordered: dict[str, list[Release]] = {}
    for one in sorted(found, key=lambda release: (release.dataset, release.version.to_tuple())):
        ordered.setdefault(one.dataset, []).append(one)
    return ordered


def other_names(git: Git) -> list[Alias]:
    """Return the tags that releases have under other names."""
    return [one for one in _all(git) if isinstance(one, Alias)]


@dataclass(frozen=True)
class OddTag:
    """A tag that has the name of a release, and was not made by a publish: why.

    It has no `version` where its number is too long for one.
    """

    tag: str
    dataset: str
    version: Version | None
    reason: str


def odd_tags(git: Git) -> list[OddTag]:
    """Return the tags that have the name of a release, and cannot be one."""
    return [one for one in _all(git) if isinstance(one, OddTag)]


@dataclass(frozen=True)
class Numbers:
    """The numbers that are not free: {name: those that can be read by it}, and {name: those of its odd tags}."""

    called: dict[str, list[Version]]
    odd: dict[str, list[Version]]


def numbers(git: Git) -> Numbers:
    """Return the numbers that releases, their aliases and odd tags have."""
    found = Numbers({}, {})
    for one in _all(git):
        if isinstance(one, OddTag):
            found.odd.setdefault(one.dataset, []).extend([one.version] if one.version else [])
        else:
            name = one.dataset if isinstance(one, Release) else one.name
            found.called.setdefault(name, []).append(one.version)
    return found


def _all(git: Git) -> tuple[Release | Alias | OddTag, ...]:
    """Return all tags that have the name of a release, each as what it is; they are judged again when they changed."""
    return _judged(git, frozenset((name.removeprefix(TAGS), target) for name, target in git.references(TAGS).items()))


@lru_cache(maxsize=2)
def _judged(git: Git, tags: frozenset[tuple[str, str]]) -> tuple[Release | Alias | OddTag, ...]:
    return tuple(judged(git, dict(sorted(tags))))


def judged(git: Git, tags: Mapping[str, str]) -> Iterator[Release | Alias | OddTag]:
    """Yield of {tag: object that it names} those that have the name of a release, each as what it is."""
    found = list(_named(git, tags))
    own = {one.tag: one for one in found if isinstance(one, Release) and not one.alias_of}
    parents = _parents(git, frozenset(one.commit for one in found if isinstance(one, Release) and one.alias_of))
    for one in found:
        if isinstance(one, OddTag) or not one.alias_of:
            yield one
            continue
        release = own.get(one.alias_of)
        if release and (release.version, release.commit) == (one.version, parents.get(one.commit)):
            yield Alias(one.dataset, release, one.commit)
        else:
            yield OddTag(one.tag, one.dataset, one.version, f"it was not made for {one.alias_of}, as it says")


def _named(git: Git, tags: Mapping[str, str]) -> Iterator[Release | OddTag]:
    """Yield of {tag: object that it names} those that have the name of a release, by what they say themselves."""
    named = {match: target for tag, target in tags.items() if (match := NAMED.fullmatch(tag))}
    read = _read(git, frozenset(named.values()))
    for match, target in named.items():
        dataset, number, found = match["dataset"], match["version"], read[target]
        version = Version.parse(number) if VERSION.fullmatch(number) else None
        if version is None:
            yield OddTag(match[0], dataset, None, "its number is too long")
        elif isinstance(found, str):
            yield OddTag(match[0], dataset, version, found)
        else:
            yield Release(dataset, version, found.commit, found.date, found.message)


@lru_cache(maxsize=2)
def _read(git: Git, targets: frozenset[str]) -> Mapping[str, TagObject | str]:
    """Return {object that a tag names: what it says, or why no publish can have made it}, which never changes."""
    known = git.kinds(targets)
    found: dict[str, TagObject | str] = dict.fromkeys(targets, NOT_OF_A_COMMIT)
    sizes = {target: size for target, (kind, size) in known.items() if kind == "tag"}
    found |= {target: f"it has {size:,} bytes, more than {MAX_TAG:,}" for target, size in sizes.items()}
    contents = git.contents(target for target, size in sizes.items() if size <= MAX_TAG)
    found |= {target: read_tag(content) for target, content in contents.items()}
    tagged = {target: tag.commit for target, tag in found.items() if isinstance(tag, TagObject)}
    kinds = git.kinds(set(tagged.values()))
    odd = [target for target, commit in tagged.items() if kinds.get(commit, ("",))[0] != "commit"]
    return found | dict.fromkeys(odd, NOT_OF_A_COMMIT)


@lru_cache(maxsize=2)
def _parents(git: Git, commits: frozenset[str]) -> Mapping[str, str]:
    """Return {commit: its parent} of those that have one, and are no longer than a publish makes them."""
    short = [commit for commit, (_, size) in git.kinds(commits).items() if size <= MAX_TAG] if commits else []
    found = {commit: _PARENT.match(content) for commit, content in git.contents(short).items()} if short else {}
    return {commit: match[1].decode() for commit, match in found.items() if match}


def with_content(repository: "Repository", those: Sequence[Release], content_hash: str | None) -> Release | None:
    """Return the newest of these releases, oldest first, that has this content; None where there is no such release.

    The message of a tag only says where to look: anybody can write one. What the release itself holds decides.
    """
    for release in reversed(those):
        if release.content_hash != content_hash:
            continue
        with suppress(NoReleaseError, GateError):
            snapshot = Snapshot.at(repository, release.dataset, release.commit, release.tag)
            if snapshot.content_hash == content_hash:
                return release
    return None


@dataclass(frozen=True)
class Entry:
    """A version in a dataset's history; `superseded_by` names the version that took it back, if one did."""

    tag: str
    version: str
    date: datetime
    commit: str
    changes: list[str]
    superseded_by: str | None


def history(git: Git, dataset: str) -> list[Entry]:
    """Return the versions of a dataset, newest first. Raises RegistryError where there is none."""
    return entries_of(releases(git)[dataset_of(git, dataset)])


def entries_of(known: Sequence[Release]) -> list[Entry]:
    """Return the history of releases of a dataset, oldest first: newest first."""
    superseded = taken_back(known)
    entries: list[Entry] = []
    for release in reversed(known):
        lines = [line for line in printable(release.message).split("\n")[1:] if line.strip()]
        by = superseded.get(release.tag)
        version = str(release.version)
        entries.append(
            Entry(release.tag, version, release.date, release.commit, lines, None if by is None else str(by))
        )
    return entries


def taken_back(those: Sequence[Release]) -> dict[str, Version]:
    """Return {tag: the version that took it back} of these releases of a dataset, oldest first, that one took back.

    A version that holds the content of an older one takes back all between them.
    """
    found: dict[str, Version] = {}
    superseding: tuple[Version, Version] | None = None
    for release in reversed(those):
        if superseding and superseding[0] < release.version:
            found[release.tag] = superseding[1]
        elif release.restored:
            superseding = release.restored, release.version
    return found


def dataset_of(git: Git, name: str) -> str:
    """Return the dataset that a name stands for, if it has a release. Raises RegistryError."""
    return find_release(git, name, LATEST).dataset


def find_release(git: Git, dataset: str, version: str) -> Release:
    """Return a release by dataset and version: `v1.0.0`, the whole tag, or what `choose` takes, such as `^1`.

    By an alias it is found as what it is, a release of the dataset. Raises RegistryError with the versions that there
    are.
    """
    known = called(git, dataset)
    wanted = version.removeprefix(f"{dataset}-").removeprefix("v")
    versions = [one.version for one in known]
    found = choose(versions, wanted)
    if found is None:
        raise RegistryError(
            f"{dataset} has no version {version}" if known else f"{dataset} has no version",
            hint=describe_choices(versions, wanted) if known else _others(git, dataset),
        )
    return _meant(git, known[versions.index(found)])


def called(git: Git, name: str) -> list[Release | Alias]:
    """Return what can be read by a name: the releases of the dataset, or of those that it is an alias of, in order."""
    found = [*releases(git).get(name, []), *(alias for alias in other_names(git) if alias.name == name)]
    return sorted(found, key=lambda one: one.version)


def _meant(git: Git, one: Release | Alias) -> Release:
    """Return the release that a tag stands for. Raises GateError for an alias that holds something else."""
    if isinstance(one, Release):
        return one
    release = one.release
    others = described(git, one.name, one.commit, one.tag)
    check_alias(one.tag, others, release.tag, described(git, release.dataset, release.commit, release.tag))
    return release


def check_alias(tag: str, files: Mapping[str, bytes], of: str, those: Mapping[str, bytes]) -> None:
    """Check that a tag holds the same {path: content} as the one for which it stands. Raises GateError."""
    if not same_files(files, those):
        raise GateError(f"it does not hold what {of} does, for which it stands", where=tag, hint=f"name {of}")


def parse_tag(git: Git, tag: str) -> Release:
    """Return the release of a tag such as `name-v1.0.0`. Raises RegistryError."""
    match = TAG.fullmatch(tag)
    if not match:
        raise RegistryError(f"{tag} is not a release", hint="name a tag such as NAME-v1.0.0; `registry log` lists them")
    return find_release(git, match["dataset"], match["version"])


def named_release(git: Git, name: str) -> Release:
    """Return the release that a tag names, or the newest of a dataset. Raises RegistryError."""
    return find_release(git, name, LATEST) if called(git, name) else parse_tag(git, name)


def _others(git: Git, name: str) -> str:
    datasets = [*releases(git)]
    meant = closest(name, datasets)
    if not datasets:
        return "nothing is released here yet; `git fetch --tags`, or publish"
    return (f"perhaps you mean {meant}; " if meant else "") + f"released are: {', '.join(datasets)}"
