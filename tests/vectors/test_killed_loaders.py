"""A loader that is killed at any point, or whose server dies, leaves the old version serving and nothing else."""

import os
import signal
import threading

import pytest

from postgres import make_version, running_postgres, tag
from registry.errors import RegistryError
from registry.vectors import load as loading
from registry.vectors.database import connected
from registry.vectors.load import load
from support import wait_until

KEEP = 3


def put(database, version):
    with connected(database.server) as connection:
        return load(connection, database.settings, version, say=lambda line: None)


def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)


def killed_before(name):
    """Die instead of calling a function of the loader."""
    setattr(loading, name, die)


def killed_after(name):
    """Die after calling a function of the loader."""
    original = getattr(loading, name)

    def wrapper(*arguments):
        original(*arguments)
        die()

    setattr(loading, name, wrapper)


def killed_in_the_rows():
    """Die when half of the rows were sent."""
    original = loading._rows

    def rows(*arguments):
        for number, row in enumerate(original(*arguments)):
            if number == 20:
                die()
            yield row

    loading._rows = rows


def killed_between_the_names():
    """Die when the old table has lost its name, and the new one has not got it yet."""
    original = loading._swap

    def swap(connection, settings, serving, found, say):
        found = type(found)("no such table", found.schema, found.mark, serves=False)
        try:
            original(connection, settings, serving, found, say)
        finally:
            die()

    loading._swap = swap


PLACES = {
    "before the table": lambda: killed_before("_create"),
    "in the rows": killed_in_the_rows,
    "after the rows": lambda: killed_after("_copy"),
    "before the check": lambda: killed_before("_check"),
    "before the names": lambda: killed_before("_swap"),
    "between the names": killed_between_the_names,
    "before the commit": lambda: killed_after("_swap"),
}


def in_a_process_of_its_own(work):
    """Run `work` in a fork, and return the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def wait_for_the_server_to_notice(database):
    ours = "SELECT pid FROM pg_stat_activity WHERE application_name = 'data-registry'"
    wait_until(lambda: not database.run(ours))


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_loader_leaves_the_old_version_and_no_litter(database, one, two, place):
    put(database, one)
    before = database.tables()

    def work():
        PLACES[place]()
        put(database, two)

    assert in_a_process_of_its_own(work) == -signal.SIGKILL
    assert database.serves() == {(tag("1.0.0"), 40)}
    wait_for_the_server_to_notice(database)
    assert database.tables() == before
    assert put(database, two).state == "loaded"
    assert database.serves() == {(tag("1.1.0"), 55)}


def test_the_server_soon_gives_up_what_a_killed_loader_asked_of_it(database, one):
    def die_when_it_works():
        wait_until(lambda: database.run("SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"))
        die()

    def work():
        threading.Thread(target=die_when_it_works).start()
        with connected(database.server) as connection, connection.transaction():
            loading._begin(connection, database.settings, print)
            connection.execute("SELECT pg_sleep(600)")

    assert in_a_process_of_its_own(work) == -signal.SIGKILL
    wait_for_the_server_to_notice(database)
    assert put(database, one).state == "loaded"


def test_a_loader_killed_before_it_drops_old_versions_is_completed_by_the_next(database, tmp_path):
    versions = [make_version(tmp_path, tag(f"1.{number}.0"), rows=4) for number in range(KEEP + 2)]
    for version in versions[:KEEP]:
        put(database, version)

    def work():
        killed_before("_drop_old")
        put(database, versions[KEEP])

    assert in_a_process_of_its_own(work) == -signal.SIGKILL
    assert database.serves() == {(versions[KEEP].name, 4)}
    wait_for_the_server_to_notice(database)
    put(database, versions[KEEP + 1])
    assert len(database.tables()) == KEEP


def test_a_server_that_dies_in_the_middle_is_one_message_and_comes_back_with_the_old_version(one, two, monkeypatch):
    from postgres import Database

    with running_postgres() as postgres:
        database = Database(postgres.server("postgres"))
        put(database, one)
        before = database.tables()
        check = loading._check
        monkeypatch.setattr(loading, "_check", lambda *arguments: postgres.control("-m", "immediate", "stop"))
        with pytest.raises(RegistryError, match="the database gave up: .*the version that serves still does"):
            put(database, two)
        with pytest.raises(RegistryError, match="cannot connect: .*refused"):
            put(database, two)
        monkeypatch.setattr(loading, "_check", check)
        postgres.start()
        assert database.serves() == {(tag("1.0.0"), 40)}
        assert database.tables() == before
        assert put(database, two).state == "loaded"
