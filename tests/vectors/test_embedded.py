"""The embedded database: it starts when it is needed, ends with the last process, and changes no one's permissions."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from postgres import make_version, open_folder, tag
from registry.errors import RegistryError
from registry.vectors import embedded
from registry.vectors.database import connected
from registry.vectors.postgres import Postgres, PostgresServer
from registry.vectors.settings import Embedded
from support import ROOT, wait_until

USER = """
import sys
from pathlib import Path
from registry.vectors.database import connected
from registry.vectors.settings import Embedded
with connected(Embedded(Path(sys.argv[1]))) as connection:
    print(connection.execute("SELECT 40 + 2").fetchone()[0], flush=True)
    sys.stdin.readline()
    print(connection.execute("SELECT 40 + 3").fetchone()[0], flush=True)
"""
"""Uses the database, waits for a line, and uses it again."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root could change the permissions")


@pytest.fixture
def folder():
    above = open_folder()
    yield above / "vectors"
    shutil.rmtree(above)


@pytest.fixture(scope="module")
def empty():
    """A folder with an empty database that does not run; to be copied."""
    above = open_folder()
    User(above / "vectors").begun().ended()
    yield above / "vectors"
    shutil.rmtree(above)


@pytest.fixture
def made(folder, empty):
    """A folder with an empty database that does not run."""
    subprocess.run(["cp", "-a", empty, folder], check=True)
    return folder


class User:
    """A process that uses the database."""

    def __init__(self, folder, **env):
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(folder)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), **env},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def begun(self):
        assert self.process.stdout.readline() == "42\n", self.process.stderr.read()
        return self

    def ended(self):
        printed, errors = self.process.communicate("\n")
        assert (printed, errors, self.process.returncode) == ("43\n", "", 0)


def servers(folder):
    """Return the processes of servers that run in a folder."""
    found = psutil.process_iter(["cmdline"])
    return [one for one in found if str(folder / "database") in (one.info["cmdline"] or [])]


def gone(folder):
    return wait_until(lambda: not servers(folder))


def test_two_processes_share_it_and_it_ends_with_the_last(folder):
    first, second = User(folder), User(folder)
    first.begun()
    second.begun()
    assert len(servers(folder)) == 1
    first.ended()
    assert len(servers(folder)) == 1
    second.ended()
    assert gone(folder)


@pytest.mark.parametrize(
    "env", [{"PGPORT": "6543"}, {"PGHOSTADDR": "127.0.0.1"}, {"PGSERVICE": "none"}, {"PGSERVER_POSTGRES_VERSION": "16"}]
)
def test_what_points_at_another_server_is_not_heeded(made, env):
    first, second = User(made).begun(), User(made, **env).begun()
    first.ended()
    second.ended()
    User(made, **env).begun().ended()
    assert gone(made)


@pytest.mark.parametrize("locale", ["xx_XX.UTF-8", "de_DE.ISO-8859-1", "C"])
def test_it_is_made_in_any_locale_and_folds_every_case(folder, locale):
    user = User(folder, LC_ALL=locale).begun()
    with connected(Embedded(folder)) as connection:
        (folded,) = connection.execute("SELECT to_tsvector('english', 'ÜBER')::text").fetchone()
    assert folded == "'über':1"
    user.ended()
    Postgres.at(folder / "database").cleanup()
    assert gone(folder)


def test_a_process_that_ends_meanwhile_is_not_taken_for_one_that_is_there(made, monkeypatch):
    user, pid_exists = User(made).begun(), psutil.pid_exists

    def ends_meanwhile(pid):
        found = pid_exists(pid)
        user.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            user.process.wait(2)
        return found

    monkeypatch.setattr(psutil, "pid_exists", ends_meanwhile)
    with connected(Embedded(made)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    Postgres.at(made / "database").cleanup()
    assert gone(made)


def test_what_a_killed_process_left_behind_is_cleared_by_the_next(made):
    folder = made
    killed = User(folder).begun()
    os.kill(killed.process.pid, signal.SIGKILL)
    killed.process.communicate()
    User(folder).begun().ended()
    assert gone(folder)


def test_a_server_that_was_killed_starts_again(made):
    folder = made
    (folder / "database" / "postmaster.pid").write_text(f"{os.getpid()}\nanother process has this number by now\n")
    (folder / "database" / ".handle_pids.json").write_text("[1")
    (folder / "database.partial").mkdir()
    User(folder).begun().ended()
    assert gone(folder)


def refused(folder, words):
    with pytest.raises(RegistryError, match=words) as raised, connected(Embedded(folder)):
        pass
    return str(raised.value)


@as_root
@pytest.mark.parametrize("mode", [0o700, 0o750, 0o711])
def test_as_root_it_is_refused_where_a_folder_above_would_be_opened_to_all(folder, mode):
    folder.parent.chmod(mode)
    message = refused(folder, f"as root, the embedded database would make {folder.parent} readable by all users")
    assert "PGVECTOR_FOLDER" in message
    assert stat.S_IMODE(folder.parent.stat().st_mode) == mode
    assert not folder.exists()


@as_root
def test_as_root_it_is_refused_where_a_folder_above_the_wheel_would_be_opened_to_all(folder, monkeypatch):
    private = folder.parent / "private"
    (private / "wheel" / "pginstall18" / "bin").mkdir(parents=True)
    private.chmod(0o700)
    spec = SimpleNamespace(submodule_search_locations=[str(private / "wheel")])
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda name: spec)
    message = refused(folder, f"would make {private} readable by all users")
    assert "use a server" in message
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["with blank", 'with"quote', "with$(touch x)", "with;semicolon"])
def test_a_path_that_a_shell_would_read_otherwise_is_refused(folder, name):
    refused(folder / name, "takes no folder with blanks, quotes or brackets in its path")
    assert not folder.exists()


@pytest.mark.parametrize("broken", ["PG_VERSION", "global/pg_control"])
def test_a_database_that_is_broken_is_one_message(made, broken):
    (made / "database" / broken).write_text("12")
    message = refused(made, "the embedded database does not start: ")
    assert "that folder may be removed" in message
    assert not servers(made)


def test_a_folder_that_cannot_be_made_is_one_message(folder):
    folder.write_text("a file")
    assert "may be removed" not in refused(folder, "not a folder")
    refused(folder / "below", "the embedded database does not start: ")


def test_the_wheel_that_is_not_there_is_named(folder, monkeypatch):
    monkeypatch.setattr(embedded, "WHEEL", "no_such_wheel")
    refused(folder, "no_such_wheel is not installed")


def test_a_path_that_is_too_long_for_a_socket_still_works(made):
    deep = made.parent / ("d" * 80)
    made.rename(deep)
    User(deep).begun().ended()
    assert gone(deep)


def answer_to(user, database, short):
    """Return what psql of another user of this system is told by the server of `database`, wherever its socket is."""
    short.symlink_to(database / (database / "postmaster.pid").read_text().splitlines()[4])
    psql = Postgres.at(database).bin_path / "psql"
    done = subprocess.run(
        ["setpriv", f"--reuid={user}", "--clear-groups", psql, "-h", short, "-U", "postgres", "-c", "SELECT 1"],
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


@as_root
@pytest.mark.parametrize("name", ["vectors", "v" * 80])
def test_no_other_user_of_this_system_can_connect(made, name):
    folder = made.rename(made.with_name(name))
    user = User(folder).begun()
    assert "Permission denied" in answer_to("nobody", folder / "database", folder.parent / "one")
    assert "Peer authentication failed" in answer_to("pgserver", folder / "database", folder.parent / "two")
    user.ended()
    assert gone(folder)


@as_root
@pytest.mark.parametrize("runs", [True, False])
def test_a_database_that_was_open_to_others_is_closed(made, runs, monkeypatch):
    folder = made.rename(made.with_name("v" * 80))
    (folder / "database" / "pg_hba.conf").write_text("local all all trust\n")
    if runs:
        runtime = open_folder()
        monkeypatch.setattr(PostgresServer, "runtime_path", runtime)
        PostgresServer(folder / "database").ensure_postgres_running()
        assert "1 row" in answer_to("nobody", folder / "database", folder.parent / "before")
        shutil.rmtree(runtime)
    user = User(folder).begun()
    assert "Peer authentication failed" in answer_to("pgserver", folder / "database", folder.parent / "after")
    user.ended()
    assert gone(folder)


def test_what_others_left_in_the_folder_for_all_does_not_keep_it_from_starting(made, tmp_path):
    (tmp_path / ".lockfile").mkdir()
    User(made, TMPDIR=str(tmp_path), XDG_RUNTIME_DIR=str(tmp_path)).begun().ended()
    assert gone(made)


@as_root
def test_a_folder_of_another_user_is_refused(folder):
    folder.mkdir()
    shutil.chown(folder, "nobody")
    refused(folder, "belongs to another user")
    assert list(folder.iterdir()) == []


def test_a_version_is_loaded_into_it(made, tmp_path):
    from registry.vectors.load import load
    from registry.vectors.settings import Settings

    settings = Settings(Embedded(made), "readme_embeddings", 3)
    with connected(settings.place) as connection:
        done = load(connection, settings, make_version(tmp_path, tag("1.0.0")), say=print)
        assert (done.state, done.rows) == ("loaded", 40)
    Postgres.at(made / "database").cleanup()
