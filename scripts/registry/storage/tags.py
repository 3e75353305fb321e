"""Releases are annotated tags `<dataset>-v<major>.<minor>.<patch>`; nothing else is kept about them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from semver import Version

from registry.config.load import NAME
from registry.errors import RegistryError
from registry.storage.git import Git
from registry.storage.snapshot import Snapshot

TAG = re.compile(rf"(?P<dataset>{NAME})-v(?P<version>(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*))")
CONTENT = "content: "
RESTORED = "content of "
"""Begins the line of a tag's message that names the older version whose content was released again."""
_FIELDS = (
    "refname:strip=2", "objecttype", "objectname", "*objecttype", "*objectname", "creatordate:iso-strict", "contents"
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
        """The hash of its schema and samples, as its message has it; None where it is no message of a publish."""
        found = [line.removeprefix(CONTENT) for line in self.message.splitlines() if line.startswith(CONTENT)]
        return found[0] if found else None


def tag_name(dataset: str, version: Version) -> str:
    """Return the tag of a dataset's version."""
    return f"{dataset}-v{version}"


def tag_message(version: Version | str, changes: Sequence[str], snapshot: Snapshot) -> str:
    """Return the message of a release's tag: a small changelog."""
    sizes = ", ".join(f"{split} {about['num_samples']:,}" for split, about in snapshot.metadata["splits"].items())
    about = [f"rows: {sizes}", f"{CONTENT}{snapshot.content_hash}"]
    return "\n".join([f"{snapshot.dataset} {version}", "", *changes, "", *about])


def releases(git: Git, merged: str | None = None) -> dict[str, list[Release]]:
    """Return {dataset: its releases, oldest version first}: all, or those that the commit `merged` contains."""
    only = ("--merged", merged) if merged else ()
    form = "%00".join(f"%({name})" for name in _FIELDS) + "%00%00"
    found: dict[str, list[Release]] = {}
    for record in git.run("for-each-ref", *only, f"--format={form}", "refs/tags").split(_END):
        name, kind, target, peeled_kind, peeled, date, message = (record.rstrip("\0").split("\0") + [""] * 7)[:7]
        match = TAG.fullmatch(name)
        if match and (peeled_kind or kind) == "commit":
            release = Release(
                match["dataset"],
                Version.parse(match["version"]),
                peeled or target,
                datetime.fromisoformat(date),
                message,
            )
            found.setdefault(release.dataset, []).append(release)
    return {dataset: sorted(those, key=lambda release: release.version) for dataset, those in sorted(found.items())}


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
        restored = next((line.removeprefix(RESTORED) for line in lines if line.startswith(RESTORED)), None)
        if restored and not taken_back:
            superseding = Version.parse(restored), release.version
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
        raise RegistryError(f"{tag} is no release", hint="name a tag such as NAME-v1.0.0; `registry log` lists them")
    return find_release(git, match["dataset"], match["version"])


def named_release(git: Git, name: str) -> Release:
    """Return the release that a tag names, or the newest of a dataset. Raises RegistryError."""
    return find_release(git, name, "latest") if name in releases(git) else parse_tag(git, name)


def _others(git: Git) -> str:
    datasets = ", ".join(releases(git))
    return f"released are: {datasets}" if datasets else "nothing is released here yet; `git fetch --tags`, or publish"
