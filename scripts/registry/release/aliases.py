"""Make the tags that releases have under the other names of their datasets, for clients that know no other name.

The commit of such a tag is a child of the release's, and on no branch: there every clone would have two datasets. It
adds a folder of that name with the same descriptions and .dvc files, so that no data is stored twice. All of it follows
from the release: whoever makes it makes the same, to the last bit, and no two clones disagree.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from semver import Version

from registry.errors import RegistryError
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot, described
from registry.storage.tags import TAG, TAGS, Numbers, Release, alias_message, tag_name


def alias_tags(tag: str, aliases: Iterable[str]) -> dict[str, str]:
    """Return {tag under another name: the tag of the release, for which it stands}."""
    return {tag_name(alias, TAG.fullmatch(tag)["version"]): tag for alias in aliases}


def lacking(
    repository: Repository,
    names: Iterable[str],
    newest: Mapping[str, Release],
    aliases: Mapping[str, Sequence[str]],
    numbers: Numbers,
) -> dict[str, str]:
    """Return {tag under another name: tag} of what the newest releases of these datasets lack.

    These releases were made before their dataset got the alias. One goes without where the tag is taken, where the
    release cannot be read, or where the alias has a newer version already, as the name of an earlier dataset has.
    """
    there = repository.git.references(TAGS)
    found: dict[str, str] = {}
    for release in (newest[name] for name in names if name in newest):
        wanted = alias_tags(release.tag, aliases.get(release.dataset, []))
        missing = {
            alias: tag for alias, tag in wanted.items() if f"{TAGS}{alias}" not in there and not _newer(numbers, alias)
        }
        if missing:
            with suppress(RegistryError):
                Snapshot.at(repository, release.dataset, release.commit, release.tag)
                found |= missing
    return found


def _newer(numbers: Numbers, tag: str) -> bool:
    """Tell whether something newer can be read by the name in a tag."""
    found = TAG.fullmatch(tag)
    return any(version > Version.parse(found["version"]) for version in numbers.called.get(found["dataset"], []))


def alias_object(repository: Repository, alias: str, tag: str, commit: str) -> str:
    """Make the tag `alias`, which stands for the release `tag` at a commit, as an object, and return its id."""
    git = repository.git
    name, dataset = (TAG.fullmatch(one)["dataset"] for one in (alias, tag))
    copies = {path.rpartition("/")[2]: path for path in described(git, dataset, commit, tag)}
    signature = git.signature(commit)
    child = git.copying_commit_object(commit, f"data/{name}", copies, f"Name {tag} {alias}, too\n", signature)
    return git.tag_object(alias, child, alias_message(alias, tag), signature)
