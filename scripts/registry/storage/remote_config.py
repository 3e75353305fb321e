"""Find where the data behind a tag is, from the .dvc/config in its repository, which somebody else wrote.

By what may stand in such a file, DVC runs commands, asks for passwords, takes other credentials and writes to other
places. So it only says where the data is; the rest is up to the user's own environment and configuration of DVC.
"""

import io
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from registry.errors import RegistryError
from registry.gate import MAX_POINTER, GateError
from registry.shown import redacted
from registry.storage.elsewhere import read_file
from registry.storage.reached import remote_from_here

FILE = ".dvc/config"
_HTTP = {"ssl_verify", "read_timeout", "connect_timeout"}
_KEYS = {"access_key_id", "secret_access_key", "session_token"}
TAKEN = {
    "": set(),
    "file": set(),
    "http": _HTTP,
    "https": _HTTP,
    "s3": {"endpointurl", "region", "use_ssl", "allow_anonymous_login"} | _HTTP | _KEYS,
    "ssh": {"port", "user"},
    "gs": set(),
    "azure": set(),
}
"""The settings that are taken, beside the url, by its scheme. Keys that the file itself holds open nothing else."""
LEFT_OUT = {
    *("jobs", "checksum_jobs", "max_sessions", "timeout", "no_traverse", "listobjects", "cache_regions", "verify"),
    *("sse", "sse_kms_key_id", "acl", "grant_read", "grant_read_acp", "grant_write_acp", "grant_full_control"),
    *("method", "type", "shared", "protected", "slow_link_warning"),
}
"""Settings that do not matter: they are about writing, about speed, or about links in a cache."""
_REMOTE = re.compile(r'\s*remote\s*"(.*)"\s*')


def configured_remotes(
    address: str, tag: str, remote: str | None, remote_config: Mapping[str, Any]
) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the name of a remote, by default that of the tag's default one, and {name: settings} of all for DVC.

    The remote that the environment names comes before that, where there is one of this name, unless settings are given,
    which are meant for the default one. In a checkout, its own files add to that of the tag, and its relative paths are
    known. Raises RegistryError.
    """
    where = f"{redacted(address)} at {tag}"
    folder = _dvc_folder(Path(address))
    read = [_parsed(read_file(address, tag, FILE) or b"", f"{where}: {FILE}"), *_settings_in(folder)]
    if remote is None and not remote_config and (named := remote_from_here()) and _is_known(named, read):
        remote = named
    return _chosen(read, remote or read[0].get("core", {}).get("remote"), folder, remote_config, where)


def _is_known(remote: str, read: list[dict[str, dict[str, Any]]]) -> bool:
    """Tell whether a configuration that was read, or the user's own, has a remote."""
    from dvc.config import Config

    name = remote.lower()
    return any(f'remote "{name}"' in sections for sections in read) or name in Config(validate=False)["remote"]


def default_remote_of(checkout: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the name of the default remote of somebody's checkout, and {name: settings} of all for DVC.

    Raises RegistryError.
    """
    folder = _dvc_folder(checkout)
    read = _settings_in(folder)
    names = [sections.get("core", {}).get("remote") for sections in read]
    return _chosen(read, next(filter(None, reversed(names)), None), folder, {}, str(checkout))


def _settings_in(folder: Path | None) -> list[dict[str, dict[str, Any]]]:
    """Return the sections of each of the configuration files in a .dvc folder, the stronger ones last."""
    found = []
    for path in (folder / "config", folder / "config.local") if folder else ():
        if path.is_file():
            with path.open("rb") as stream:
                found.append(_parsed(stream.read(MAX_POINTER + 1), str(path)))
    return found


def _chosen(
    read: list[dict[str, dict[str, Any]]],
    remote: Any,
    folder: Path | None,
    remote_config: Mapping[str, Any],
    where: str,
) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return a remote's name, by default that of the user's own default one, and what is taken of all that `read` has.

    Relative paths are those of `folder`.
    """
    from dvc.config import Config

    own = Config(validate=False)
    name = str(remote or own["core"].get("remote") or "").lower()
    given = {key: value for sections in read for key, value in sections.get(f'remote "{name}"', {}).items()}
    mine = {**own["remote"].get(name, {}), **remote_config}
    if not given and "url" not in mine:
        names = {match[1] for sections in read for section in sections if (match := _REMOTE.fullmatch(section))}
        raise RegistryError(
            f"there is no remote {name}" if name else "no default remote",
            where=f"{where}: {FILE}",
            hint=f"choose from: {', '.join(sorted(names | own['remote'].keys())) or 'none, it has no remote'}",
        )
    url = remote_config.get("url") or given.get("url") or mine.get("url") or ""
    taken = _taken(given, mine.keys(), str(url), f"{where}: remote {name}")
    if "url" in taken:
        taken["url"] = _placed(taken["url"], folder, f"{where}: remote {name}")
    return name, {**own["remote"], name: {**mine, **taken, **remote_config}}


def _dvc_folder(place: Path) -> Path | None:
    """Return the .dvc folder of the checkout that is at a path, or whose .git is; None where there is no checkout."""
    folder = (place.parent if place.name == ".git" else place) / ".dvc"
    return folder.resolve() if folder.is_dir() else None


def _parsed(content: bytes, where: str) -> dict[str, dict[str, Any]]:
    """Return the sections of a configuration, with keys in lower case as DVC takes them. Raises GateError."""
    from configobj import ConfigObj, ConfigObjError

    try:
        if len(content) > MAX_POINTER:
            raise ValueError(f"more than {MAX_POINTER:,} bytes")
        found = ConfigObj(io.StringIO(content.decode()), interpolation=False).dict()
    except (ConfigObjError, ValueError, RecursionError) as error:
        raise GateError(f"cannot be read as a configuration of DVC: {error}", where=where) from None
    return {
        name.lower(): {key.lower(): value for key, value in section.items()}
        for name, section in found.items()
        if isinstance(section, dict)
    }


def _taken(given: Mapping[str, Any], mine: Collection[str], url: str, where: str) -> dict[str, Any]:
    """Return what is taken of a remote's settings. Raises GateError for others that matter, and are not in `mine`."""
    scheme = urlsplit(url).scheme
    if scheme not in TAKEN and url == given.get("url"):
        raise GateError(f"its url has the scheme {scheme}, from which nothing is read", where=where)
    known = {"url", *TAKEN.get(scheme, ())}
    taken = {key: value for key, value in given.items() if key in known}
    odd = sorted(given.keys() - known - LEFT_OUT - set(mine))
    odd += [key for key, value in taken.items() if not isinstance(value, str) or "\0" in value]
    if taken.get("ssl_verify", "true") not in ("true", "false"):
        odd.append("ssl_verify")
    if odd:
        raise GateError(
            f"its {FILE} sets {', '.join(odd)}, which is not taken from somebody else's configuration",
            where=where,
            hint="if you need it, set it yourself: dvc remote add --global NAME URL, "
            "dvc remote modify --global NAME KEY VALUE; or with remote_config",
        )
    return taken


def _placed(url: str, folder: Path | None, where: str) -> str:
    """Return a URL, or the absolute path that a relative one is in a checkout. Raises GateError outside of one."""
    if urlsplit(url).scheme or Path(url).expanduser().is_absolute():
        return str(Path(url).expanduser()) if not urlsplit(url).scheme else url
    if folder is None:
        raise GateError(
            f"its data is in {url}, a folder beside it, which cannot be reached from here",
            where=where,
            hint="name the path of a checkout instead, or ask whoever published it to push to a remote that you reach",
        )
    return str(folder / url)
