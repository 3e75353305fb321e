"""Find where releases go: the DVC remote from which clients of a commit will read."""

import io
from typing import Any

from registry.errors import RegistryError
from registry.storage.connection import checked_url
from registry.storage.repository import Repository

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
