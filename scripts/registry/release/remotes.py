"""Know where releases go: the DVC remote in which clients of a commit will look."""

import io
from typing import Any

from registry.errors import RegistryError
from registry.release.repository import Repository

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
    for file, keys in ((".dvc/config", ADDRESS), (".dvc/config.local", ("url",))):
        path = repository.root / file
        here = _dvc_config(path.read_bytes()) if path.is_file() else {}
        if file == ".dvc/config" and here.get("core", {}).get("remote", name) != name:
            other = f"makes {here['core']['remote']} the default remote"
        else:
            place = _place(here, name)
            moved = [f"{key} {place[key]}" for key in keys if key in place and place[key] != committed.get(key)]
            other = f"sends the data of remote {name} to {', '.join(moved)}" if moved else None
        if other:
            raise RegistryError(
                f"{other}, but clients of the last commit look in {name} ({', '.join(committed.values())})",
                where=file,
                hint="commit it, or take it back; then run registry publish",
            )
    url = committed.get("url", "")
    if repository.settings.push and "://" not in url:
        raise RegistryError(
            f"release.push is true, but remote {name} is a local folder that nobody else reaches",
            where=".dvc/config",
            hint="dvc remote default <a remote that others reach>, commit it; or set release.push to false",
        )
    return name


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
