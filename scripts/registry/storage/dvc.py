"""Put data into DVC's cache and remotes, and get it back. The only module that talks to DVC."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import RegistryError
from registry.files import Hashed, dvc_digest, hashed, private_place, remove
from registry.gate import FOLDER, MAX_LISTING, GateError, checked_inside, checked_md5, read_listing, read_yaml
from registry.storage.connection import bounded, checked_url, open_remote
from registry.storage.damage import Fault, MissingDataError, faults, faulty
from registry.storage.explain import explained, hint_for
from registry.storage.git import Git
from registry.storage.reached import VARIABLE, remote_from_here
from registry.storage.remote_config import default_remote_of

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc_data.hashfile.db import HashFileDB
    from dvc_data.hashfile.hash_info import HashInfo

ATTEMPTS = 3
"""How often data is added: a damaged list of a folder's files hides damaged files, and once more to be sure."""
BATCH = 256
"""Objects that are copied before an error among them ends it: each may have waited for a server until it gave up."""


class Store:
    """DVC's cache and remotes of the repository at `root`."""

    def __init__(self, root: Path, git: Git) -> None:
        self.root = root
        self._git = git

    @cached_property
    def _repo(self) -> "Repo":
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        self._share_embedded_store()
        try:
            repo = Repo(str(self.root), config={"core": {"autostage": False}}, _wait_for_lock=True)
        except DvcException as error:
            raise _not_opened(error, self.root, "check .dvc/config") from None
        except (OSError, sqlite3.Error) as error:
            raise _not_opened(error, self.root, hint_for(error)) from None
        repo.scm_context.quiet = True
        return repo

    def _share_embedded_store(self) -> None:
        """Let a linked working tree use the embedded store of the main one, so that both see the same releases."""
        main, here = self._git.main_worktree / ".dvc" / "storage", self.root / ".dvc" / "storage"
        if main.parent.is_dir() and not here.exists() and main.resolve() != here.resolve():
            main.mkdir(exist_ok=True)
            here.symlink_to(main)

    @property
    def default_remote(self) -> str:
        """Return the name of the remote that is read from here unless another is named. Raises RegistryError.

        It is the one that the environment names, or DVC's own.
        """
        name = remote_from_here() or self._repo.config["core"].get("remote")
        if not name:
            raise RegistryError(
                "no default remote",
                where=".dvc/config",
                hint="choose one: dvc remote default <name>; commit .dvc/config",
            )
        return name

    def remote_url(self, name: str) -> str:
        """Return a remote's URL as configured. Raises RegistryError where it is unknown, or not what it seems."""
        remotes = self._repo.config["remote"]
        if name not in remotes:
            named = f", which {VARIABLE} names" if name == remote_from_here() else ""
            choices = f"choose from: {', '.join(sorted(remotes))}"
            raise RegistryError(f"there is no remote {name}{named}", where=".dvc/config", hint=choices)
        return checked_url(remotes[name]["url"], name)

    def _cache(self) -> "HashFileDB":
        return self._repo.cache.local

    def path(self, md5: str) -> Path:
        """Return where the cache keeps an object, or would."""
        return Path(self._cache().oid_to_path(checked_md5(md5, where="DVC's cache")))

    def local(self, path: str, outs: Mapping[str, str], *, fetch: bool = True) -> Path:
        """Return where the cache keeps one of `outs` {path: md5} that is a file, or a file in one that is a folder.

        Fetches that file if it is not there, or raises MissingDataError, as `fetch` says. Raises RegistryError where
        nothing of `outs` has this path.
        """
        for out, md5 in outs.items():
            if path == out or path.startswith(f"{out}/"):
                file = self.listed(out, md5, fetch=fetch).get(path)
                if file is not None:
                    return self._here(file) if not fetch else self.files([file])[file]
        raise RegistryError("is not a part of this version", where=path)

    def listed(self, out: str, md5: str, *, fetch: bool = True) -> dict[str, str]:
        """Return {path: md5} of an output that is a file, or of the files of one that is a folder.

        Of these only the list is fetched if it is not there, or MissingDataError raised, as `fetch` says.
        """
        if not md5.endswith(FOLDER):
            return {out: md5}
        if not fetch:
            self._here(md5)
        elif self._damaged(self.path(md5)):
            name = self.default_remote
            with self._explained("fetching from", name):
                self._bring_listings(self._odb(name), [md5])
            if self._damaged(self.path(md5)):
                self._bring_from_origin([md5], self._bring_listings)
            if self._damaged(self.path(md5)):
                self.fetch([md5])
        return {f"{out}/{file}": digest for file, digest in self.listing(md5).items()}

    def places(self, out: str, md5: str, paths: Iterable[str] | None = None) -> dict[str, Path]:
        """Return {path: where the cache keeps it} of some files of an output, or all, which are fetched together.

        Paths that are not there are left out. Raises RegistryError.
        """
        listed = self.listed(out, md5)
        wanted = listed if paths is None else {path: listed[path] for path in paths if path in listed}
        found = self.files(wanted.values())
        return {path: found[digest] for path, digest in wanted.items()}

    def hashed(self, out: str, md5: str) -> dict[str, Hashed]:
        """Return {path: size and SHA-256} of an output that is a file, or of the files of one that is a folder.

        Fetches what is not there. Raises RegistryError.
        """
        return {path: hashed(place) for path, place in self.places(out, md5).items()}

    def _here(self, md5: str) -> Path:
        """Return where the cache keeps an object that it has undamaged. Raises MissingDataError."""
        if self._damaged(self.path(md5)):
            raise MissingDataError("DVC's cache does not have it", where=md5)
        return self.path(md5)

    def files(self, md5s: Iterable[str]) -> dict[str, Path]:
        """Return {md5: where the cache keeps that file}, undamaged, fetching what is not there. Raises RegistryError.

        What lies in the usual place is found without DVC, which takes half a second to open.
        """
        checked = [checked_md5(md5, where="DVC's cache") for md5 in md5s]
        places = {md5: self.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:] for md5 in checked}
        found = {md5: path for md5, path in places.items() if not self._damaged(path)}
        others = [md5 for md5 in places if md5 not in found]
        for path in [self.path(md5) for md5 in others]:
            if self._damaged(path):
                path.unlink(missing_ok=True)
        self.fetch(others)
        return found | {md5: self.path(md5) for md5 in others}

    def add(self, paths: Iterable[str]) -> dict[str, str]:
        """Put files and folders into the cache, write their .dvc files, and return {path: md5}.

        Objects that were in the cache already are checked, and replaced where they are damaged. Raises RegistryError.
        """
        paths = list(paths)
        self._fix()
        for _ in range(ATTEMPTS):
            added = self._add(paths)
            if not self._incomplete(added.values()):
                return added
        raise RegistryError("files written to the cache are damaged", where=self._cache().path, hint="check that disk")

    def _fix(self) -> None:
        """Take away what a DVC that was killed, or met a full disk, left half-written: it stops every other DVC."""
        from dvc.lock import make_lock

        for path in (self.root / "data").glob("*/*.dvc"):
            name = path.relative_to(self.root).as_posix()
            if _is_in_place(self.root, name) and not _is_dvc_file(path.read_bytes()):
                committed = self._git.read("HEAD", [name]).get(name)
                if committed is None:
                    path.unlink()
                else:
                    path.write_bytes(committed)
        folder = Path(self._repo.tmp_dir)
        with self._explained("waiting for another DVC"), make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder)):
            try:
                json.loads((folder / "rwlock").read_bytes())
            except FileNotFoundError:
                pass
            except (ValueError, RecursionError):
                (folder / "rwlock").unlink()

    def _add(self, paths: list[str]) -> dict[str, str]:
        with self._explained("adding to DVC's cache"):
            stages = self._repo.add([str(self.root / path) for path in paths], relink=False)
        return {path: stage.outs[0].hash_info.value for path, stage in zip(paths, stages, strict=True)}

    @staticmethod
    def _damaged(path: Path) -> bool:
        return not path.is_file() or dvc_digest(path) != path.parent.name + path.name.removesuffix(FOLDER)

    def _objects(self, md5s: Iterable[str]) -> list[str]:
        """Return these objects and, for folders (`.dir`), the objects of their files, from the cache."""
        found = dict.fromkeys(md5s)
        for md5 in [md5 for md5 in found if md5.endswith(FOLDER)]:
            found |= dict.fromkeys(self.listing(md5).values())
        return list(found)

    def listing(self, md5: str) -> dict[str, str]:
        """Return {relative path: md5} of a folder in the cache. Raises GateError for a list that cannot be one."""
        with self.path(md5).open("rb") as stream:
            return read_listing(stream.read(MAX_LISTING + 1), where=f"the list of files {md5}")

    def list_of(self, md5: str) -> dict[str, str]:
        """Return {relative path: md5} of a folder; nothing where the cache does not have its list undamaged."""
        return {} if self._damaged(self.path(md5)) else self.listing(md5)

    def push(self, md5s: Iterable[str], remote: str) -> None:
        """Copy objects (folders with all their files) to a remote, all or an error; what is there already stays.

        What the remote holds is asked of the remote itself, not of DVC's notes about it; in a local folder every object
        is hashed and a damaged one replaced. Raises RegistryError.
        """
        with self._explained("pushing to", remote):
            target, md5s = self._odb(remote), self._objects(md5s)
            if target.fs.protocol == "local":
                there = {md5 for md5 in md5s if not self._damaged(Path(target.oid_to_path(md5)))}
            else:
                there = set(target.list_oids_exists(md5s))
            self._write([md5 for md5 in md5s if md5 not in there], target)
            absent = set(md5s) - set(target.list_oids_exists(md5s))
        if absent:
            raise RegistryError(
                f"{len(absent)} objects did not reach remote {remote}", hint="run `registry publish` again"
            )

    def lacking(self, md5s: Iterable[str], remote: str) -> set[str]:
        """Return those objects that a remote does not have, however it holds the others. Raises RegistryError."""
        with self._explained("reading", remote):
            wanted = list(md5s)
            return set(wanted) - set(self._odb(remote).list_oids_exists(wanted))

    def repair(self, md5s: Iterable[str], remote: str) -> dict[str, Fault]:
        """Write these objects to a remote in the place of what it has, as far as the cache has them undamaged.

        Returns {md5: what is wrong} of those that the remote still lacks or holds damaged. Raises RegistryError.
        """
        md5s = list(md5s)
        with self._explained("repairing", remote):
            self._write([md5 for md5 in md5s if self._sound(md5)], self._odb(remote))
        return self.faults(md5s, remote)

    def _write(self, md5s: list[str], target: "HashFileDB") -> None:
        """Put objects of the cache into a remote, over what it has: folders' lists last, for they vouch for files."""
        if target.fs.protocol == "local":
            for md5 in md5s:
                Path(target.oid_to_path(md5)).unlink(missing_ok=True)
        self._transfer(self._cache(), target, sorted(md5s, key=lambda md5: md5.endswith(FOLDER)))

    def faults(self, md5s: Iterable[str], remote: str) -> dict[str, Fault]:
        """Return {md5: what is wrong} of those objects that a remote lacks or holds damaged. Raises RegistryError."""
        with self._explained("reading", remote):
            source = self._odb(remote)
            return faults(source.fs, {md5: source.oid_to_path(md5) for md5 in md5s})

    def listing_in(self, md5: str, remote: str) -> dict[str, str]:
        """Return {relative path: md5} of a folder whose list a remote holds. Raises RegistryError."""
        with self._explained("reading", remote):
            source = self._odb(remote)
            with source.fs.open(source.oid_to_path(md5), "rb") as stream:
                return read_listing(stream.read(MAX_LISTING + 1), where=f"the list of files {md5}")

    def _odb(self, remote: str) -> "HashFileDB":
        """Return where a remote has its objects."""
        found = self._repo.cloud.get_remote_odb(remote)
        bounded(found.fs)
        return found

    def fetch(self, md5s: Iterable[str], remote: str | None = None) -> None:
        """Bring objects into the cache: from a remote, else from the default one, else from the folder that was cloned.

        Raises MissingDataError when one of them is nowhere undamaged, and RegistryError for a remote that is unknown.
        """
        if named := remote or remote_from_here():
            self.remote_url(named)
        wanted = self._incomplete(md5s)
        if not wanted:
            return
        name = remote or self.default_remote
        with self._explained("fetching from", name):
            self._bring(self._odb(name), wanted)
        wanted = self._incomplete(wanted)
        if wanted and not remote:
            self._bring_from_origin(wanted, self._bring)
            wanted = self._incomplete(wanted)
        if wanted:
            url, lacking = self.remote_url(name), set(self._lacking(wanted))
            found = self.faults(lacking, name)
            if Fault.DAMAGED in found.values():
                raise faulty(found, name, url)
            what = f"lacks files of this data: {len(lacking):,}"
            raise MissingDataError(
                f"remote {name} ({url}) {what}",
                public=f"remote {name} {what}",
                hint="ask whoever published it to push it to a remote that you reach (registry pull --remote NAME)",
            )

    def _bring_from_origin(self, md5s: list[str], bring: Callable[["HashFileDB", list[str]], None]) -> None:
        """Bring what the default remote of the checkout that this is a clone of has, if it is one."""
        from dvc.data_cloud import Remote

        origin = self.root / (self._git.origin() or "").removeprefix("file://")
        if origin == self.root or not (origin / ".dvc").is_dir():
            return
        try:
            name, remotes = default_remote_of(origin)
        except GateError:
            raise
        except RegistryError:
            return
        with explained("fetching from the store of the repository that this is a clone of", remotes.values()):
            filesystem, path = open_remote(name, remotes)
            bring(Remote(name, path, filesystem).odb, md5s)

    def _incomplete(self, md5s: Iterable[str]) -> list[str]:
        """Return those objects that the cache lacks, or of whose folder it lacks a file. What is damaged is removed."""
        return [md5 for md5 in dict.fromkeys(md5s) if list(self._lacking([md5]))]

    def _lacking(self, md5s: Iterable[str]) -> Iterator[str]:
        """Yield those objects, and files of their folders, that the cache lacks. What is damaged is removed."""
        for md5 in md5s:
            if not self._sound(md5):
                yield md5
            elif md5.endswith(FOLDER):
                yield from (file for file in self.listing(md5).values() if not self._sound(file))

    def _sound(self, md5: str) -> bool:
        """Tell whether the cache has an object; one that is damaged is removed, for DVC would take it for good."""
        if self._damaged(self.path(md5)):
            self.path(md5).unlink(missing_ok=True)
            return False
        return True

    def _bring(self, source: "HashFileDB", md5s: list[str]) -> None:
        """Copy objects into the cache as far as `source` has them: lists of folders first, then what they list."""
        absent = [md5 for md5 in md5s if not self._sound(md5)]
        self._bring_listings(source, [md5 for md5 in absent if md5.endswith(FOLDER)])
        self._transfer(source, self._cache(), [md5 for md5 in absent if not md5.endswith(FOLDER)], missing_ok=True)
        lacking = list(dict.fromkeys(self._lacking(filter(self._sound, md5s))))
        self._transfer(source, self._cache(), lacking, missing_ok=True)

    def _bring_listings(self, source: "HashFileDB", md5s: list[str]) -> None:
        """Copy lists of folders into the cache, as they are: DVC would act on what one says before it is checked."""
        for md5 in md5s:
            path = source.oid_to_path(md5)
            try:
                size = source.fs.info(path)["size"]
            except FileNotFoundError:
                continue
            if size > MAX_LISTING:
                raise GateError(f"{size:,} bytes, more than {MAX_LISTING:,}", where=f"the list of files {md5}")
            self._cache().add(path, source.fs, md5)

    def _transfer(self, source: "HashFileDB", target: "HashFileDB", md5s: list[str], missing_ok: bool = False) -> None:
        """Copy objects, in this order. After the first error no more are begun; what `source` lacks may be none."""
        failed: list[BaseException] = []
        for some in (md5s[start : start + BATCH] for start in range(0, len(md5s), BATCH)):
            paths = [source.oid_to_path(md5) for md5 in some]
            target.add(paths, source.fs, some, check_exists=False, on_error=lambda _, error: failed.append(error))
            for error in failed:
                if not (missing_ok and isinstance(error, FileNotFoundError)):
                    raise error

    def holds(self, path: Path) -> bool:
        """Tell whether the cache has this file's bytes."""
        return self.path(dvc_digest(path)).is_file()

    def checkout(self, outs: Mapping[str, str]) -> None:
        """Make files and folders of the working tree what {path: md5} says, each at once, from the cache.

        Whatever else is in place of the paths is lost, so look first. Raises RegistryError.
        """
        for out, md5 in outs.items():
            path = self.root / out
            # In a folder of its own, for DVC leaves files beside what it lays out when it is killed.
            with self._explained(f"checking {out} out"), private_place(path) as new:
                self._lay_out(md5, new)
                if dvc_digest(new) != md5:
                    raise RegistryError("the cache's data is not what was released", where=out, hint="run it again")
                if path.exists() or path.is_symlink():
                    path.rename(new.with_name(f"{new.name}.old"))
                new.rename(path)

    def _lay_out(self, md5: str, path: Path) -> None:
        """Put an object, or a folder with its files, at `path`, linked or copied as DVC is configured."""
        from dvc.fs import LocalFileSystem
        from dvc_data.hashfile import load
        from dvc_data.hashfile.checkout import CheckoutError, checkout

        try:
            checkout(str(path), LocalFileSystem(), load(self._cache(), _hash(md5)), self._cache(), force=True)
        except CheckoutError as error:
            raise OSError(f"{len(error.paths)} files are not in the cache") from None

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files and folders from the working tree; look first at what is lost."""
        for path in paths:
            remove(self.root / path)

    def _explained(self, doing: str, remote: str | None = None) -> AbstractContextManager[None]:
        """Turn what goes wrong in the block, with a remote if one is named, into one RegistryError."""
        remotes = self._repo.config["remote"].values()
        if remote is None:
            return explained(doing, remotes)
        return explained(f"{doing} remote {remote}", remotes, self.remote_url(remote))


def _not_opened(error: Exception, root: Path, hint: str) -> RegistryError:
    what = "DVC cannot open this repository"
    return RegistryError(f"{what}: {error}", where=root, hint=hint, public=what)


def _is_in_place(root: Path, name: str) -> bool:
    """Tell whether a file below `root` is no link, and behind none."""
    try:
        return not checked_inside(root, name).is_symlink()
    except GateError:
        return False


def _is_dvc_file(content: bytes) -> bool:
    """Tell whether this is a whole .dvc file of an output."""
    try:
        return {"path", "md5"} <= read_yaml(content, where=".dvc file")["outs"][0].keys()
    except (GateError, KeyError, IndexError, TypeError, AttributeError):
        return False


def _hash(md5: str) -> "HashInfo":
    from dvc_data.hashfile.hash_info import HashInfo

    return HashInfo("md5", md5)
