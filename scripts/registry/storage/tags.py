"""Releases are annotated tags `<dataset>-v<major>.<minor>.<patch>`; nothing else is kept about them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from semver import Version

from registry.config.names import NAME
from registry.errors import RegistryError, printable
from registry.storage.git import Git
from registry.storage.snapshot import Snapshot

VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
TAG = re.compile(rf"(?P<dataset>{NAME})-v(?P<version>{VERSION.pattern})")
CONTENT = re.compile(r"content: (sha256:[0-9a-f]{64})")
"""The line of a tag's message that holds the hash of schema and samples."""
RESTORED = re.compile(rf"content of (?P<version>{VERSION.pattern})")
"""The line of a tag's message that names the older version whose content was released again."""
_FIELDS = (
    "refname:strip=2", "objecttype", "*objecttype", "*objectname", "taggerdate:iso-strict", "contents"
)  # fmt: skip
_END = "\0\0\n"


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

    def _line(self, pattern: re.Pattern[str]) -> str | None:
        found = [match[1] for line in self.message.splitlines() if (match := pattern.fullmatch(line))]
        return found[0] if found else None


def tag_name(dataset: str, version: Version) -> str:
    """Return the tag of a dataset's version."""
    return f"{dataset}-v{version}"


def tag_message(version: Version | str, changes: Sequence[str], snapshot: Snapshot) -> str:
    """Return the message of a release's tag: a small changelog."""
    sizes = ", ".join(f"{split} {about['num_samples']:,}" for split, about in snapshot.metadata["splits"].items())
    about = [f"rows: {sizes}", f"content: {snapshot.content_hash}"]
    return "\n".join([f"{snapshot.dataset} {version}", "", *changes, "", *about])


def releases(git: Git, merged: str | None = None) -> dict[str, list[Release]]:
    """Return {dataset: its releases, oldest version first}: all, or those that the commit `merged` contains.

    Tags that no publish can have made are left out; `odd_tags` names them.
    """
    found: dict[str, list[Release]] = {}
    for one in _tags(git, merged):
        if isinstance(one, Release):
            found.setdefault(one.dataset, []).append(one)
    return {dataset: sorted(those, key=lambda release: release.version) for dataset, those in sorted(found.items())}


@dataclass(frozen=True)
class OddTag:
    """A tag that has the name of a release, and was not made by a publish: why."""

    dataset: str
    version: Version
    reason: str

    @property
    def tag(self) -> str:
        """Its name."""
        return tag_name(self.dataset, self.version)


def odd_tags(git: Git) -> list[OddTag]:
    """Return the tags that have the name of a release, and cannot be one."""
    return [one for one in _tags(git) if isinstance(one, OddTag)]


def _tags(git: Git, merged: str | None = None) -> Iterator[Release | OddTag]:
    """Yield every tag that has the name of a release."""
    only = ("--merged", merged) if merged else ()
    form = "%00".join(f"%({name})" for name in _FIELDS) + "%00%00"
    for record in git.run("for-each-ref", *only, f"--format={form}", "refs/tags").split(_END):
        name, kind, peeled_kind, peeled, date, message = (record.rstrip("\0").split("\0") + [""] * 6)[:6]
        match = TAG.fullmatch(name)
        if not match:
            continue
        dataset, version = match["dataset"], Version.parse(match["version"])
        if kind != "tag" or peeled_kind != "commit":
            yield OddTag(dataset, version, "not an annotated tag of a commit")
            continue
        tagged = _date(date)
        if tagged is None:
            yield OddTag(dataset, version, "it has no tagger, or no valid date")
            continue
        readable = message.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
        yield Release(dataset, version, peeled, tagged, printable(readable))


def _date(text: str) -> datetime | None:
    """Return the date that git prints of a tag; None for none, and for 1970, which git prints where it reads none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.timestamp() else None


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
    find_release(git, dataset, "latest")
    entries: list[Entry] = []
    superseding: tuple[Version, Version] | None = None
    for release in reversed(releases(git)[dataset]):
        lines = [line for line in release.message.splitlines()[1:] if line.strip()]
        taken_back = superseding and superseding[0] < release.version
        entries.append(
            Entry(
                release.tag,
                str(release.version),
                release.date,
                release.commit,
                lines,
                str(superseding[1]) if taken_back else None,
            )
        )
        if release.restored and not taken_back:
            superseding = release.restored, release.version
    return entries


def find_release(git: Git, dataset: str, version: str) -> Release:
    """Return a release by dataset and version: `1.0.0`, `v1.0.0`, the whole tag, or `latest`.

    Raises RegistryError with the versions that there are.
    """
    known = releases(git).get(dataset, [])
    if version == "latest" and known:
        return known[-1]
    wanted = version.removeprefix(f"{dataset}-").removeprefix("v")
    for release in known:
        if str(release.version) == wanted:
            return release
    raise RegistryError(
        f"{dataset} has no version {version}",
        hint=f"choose from: {', '.join(str(release.version) for release in known)}" if known else _others(git),
    )


def parse_tag(git: Git, tag: str) -> Release:
    """Return the release of a tag such as `name-v1.0.0`. Raises RegistryError."""
    match = TAG.fullmatch(tag)
    if not match:
        raise RegistryError(f"{tag} is not a release", hint="name a tag such as NAME-v1.0.0; `registry log` lists them")
    return find_release(git, match["dataset"], match["version"])


def named_release(git: Git, name: str) -> Release:
    """Return the release that a tag names, or the newest of a dataset. Raises RegistryError."""
    return find_release(git, name, "latest") if name in releases(git) else parse_tag(git, name)


def _others(git: Git) -> str:
    datasets = ", ".join(releases(git))
    return f"released are: {datasets}" if datasets else "nothing is released here yet; `git fetch --tags`, or publish"
