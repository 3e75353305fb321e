"""Find where releases go: the DVC remote from which clients of a commit will read, and the way there from here."""

import io
from typing import Any

from registry.errors import RegistryError
from registry.gate import read_pointer
from registry.storage.connection import checked_url
from registry.storage.reached import VARIABLE, remote_from_here
from registry.storage.repository import Repository
from registry.storage.snapshot import MANIFEST
from registry.storage.tags import releases

ADDRESS = ("url", "endpointurl")
"""What says where a remote is."""


def release_remote(repository: Repository, base: str) -> str:
    """Return the remote that data goes to: the default one of the commit's own .dvc/config, where clients will look.

    Raises RegistryError when configuration disagrees about it.
    """
    config = _dvc_config(repository.git.read(base, [".dvc/config"]).get(".dvc/config", b""))
    name = config.get("core", {}).get("remote")
    if name is None:
        raise RegistryError(
            "names no default remote, so that clients would not know where to look",
            where=".dvc/config (as committed)",
            hint="dvc remote default <name>, and commit .dvc/config",
        )
    wanted = repository.settings.remote or name
    if wanted != name:
        raise RegistryError(
            f"releases go to remote {wanted}, but clients of this commit look in {name}",
            where=".dvc/config",
            hint="dvc remote default <name>, commit .dvc/config, and name the same (or null) in release.remote",
        )
    committed = _place(config, name)
    for file in (".dvc/config", ".dvc/config.local"):
        path = repository.root / file
        here = _dvc_config(path.read_bytes()) if path.is_file() else {}
        place = _place(here, name)
        if file == ".dvc/config":
            same = (here.get("core", {}).get("remote"), place) == (name, committed)
        else:
            # From here the same server may have another address.
            same = place.get("url", committed.get("url")) == committed.get("url")
        if not same:
            raise RegistryError(
                f"sends data elsewhere than clients of the last commit look: remote {name}, "
                f"{', '.join(committed.values())}",
                where=file,
                hint="commit it, or take it back; then run registry publish",
            )
    url = checked_url(_resolved(config, name), name)
    if repository.settings.push and "://" not in url:
        raise RegistryError(
            f"release.push is true, but remote {name} is a local folder that nobody else reaches",
            where=".dvc/config",
            hint="dvc remote default <a remote that others reach>, commit it; or set release.push to false",
        )
    return name


def way_to(repository: Repository, name: str, base: str) -> str:
    """Return the remote through which data gets to `name`, where releases of commit `base` go, from this machine.

    That is another one where the environment names it, if `release.reached_by` says that it is the same store, it has
    the same url, and it holds the manifests of all releases whose tags name this default remote: a copy would do so
    until the next release. Raises RegistryError where it is not.
    """
    way = remote_from_here()
    if way in (None, name):
        return name
    store = repository.store
    store.remote_url(way)
    if way not in repository.settings.reached_by:
        raise _elsewhere(way, name, "release.reached_by in config/config.yaml does not name it")
    here, there = store.remote_url(way), store.remote_url(name)
    if here.rstrip("/") != there.rstrip("/"):
        raise _elsewhere(way, name, f"its url is {here}, and that of {name} is {there}")
    manifests = _manifests_in(repository, name, base)
    absent = store.lacking(manifests, way)
    if absent:
        raise _elsewhere(way, name, f"it lacks data of {min(manifests[md5] for md5 in absent)}")
    return way


def _elsewhere(way: str, name: str, why: str) -> RegistryError:
    return RegistryError(
        f"releases go to remote {name}, and {way} is not known to be the same store: {why}",
        where=f"{VARIABLE} in the environment",
        hint=f"unset it, and release where {name} is reached; or, if data is to go to {way} from now on: "
        f"dvc remote default {way}, and commit .dvc/config",
    )


def _manifests_in(repository: Repository, name: str, base: str) -> dict[str, str]:
    """Return {md5 of its manifest: tag} of the releases whose own .dvc/config has the default remote of `base`."""
    place = _place(_dvc_config(repository.git.read(base, [".dvc/config"])[".dvc/config"]), name)
    those = [release for its in releases(repository.git).values() for release in its]
    pointers = {release: f"{release.commit}:data/{release.dataset}/{MANIFEST}.dvc" for release in those}
    configs = {release: f"{release.commit}:.dvc/config" for release in those}
    contents = repository.git.contents([*pointers.values(), *configs.values()])
    found = {}
    for release, pointer in pointers.items():
        try:
            config = _dvc_config(contents.get(configs[release], b""))
            if (config.get("core", {}).get("remote"), _place(config, name)) == (name, place):
                found[read_pointer(contents[pointer], MANIFEST, where=release.tag)] = release.tag
        except (RegistryError, KeyError):
            continue
    return found


def _resolved(config: dict[str, Any], remote: str) -> str:
    """Return a remote's URL; of the other one for remote://other/path, by which DVC means a path in that."""
    url = ""
    for _ in range(len(config)):
        url = _place(config, remote).get("url", "")
        scheme, _, rest = url.partition("://")
        if scheme != "remote":
            break
        remote = rest.partition("/")[0]
    return url


def _place(config: dict[str, Any], remote: str) -> dict[str, str]:
    """Return where a remote is, as far as a configuration says."""
    section = config.get(f'remote "{remote}"', {})
    return {key: section[key] for key in ADDRESS if key in section}


def _dvc_config(content: bytes) -> dict[str, Any]:
    from configobj import ConfigObj, ConfigObjError

    try:
        return ConfigObj(io.StringIO(content.decode()))
    except (ConfigObjError, UnicodeDecodeError) as error:
        raise RegistryError(f"cannot be read: {error}", where=".dvc/config", hint="git checkout .dvc/config") from None
