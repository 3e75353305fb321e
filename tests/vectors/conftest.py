"""A real PostgreSQL server for each worker, and a database of its own for each test."""

import itertools

import pytest

from postgres import PASSWORD, Database, make_version, running_postgres, tag

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres():
    with running_postgres() as server:
        yield server


@pytest.fixture
def database(postgres):
    """An empty database, as its superuser sees it."""
    name = f"test_{next(NUMBERS)}"
    admin = Database(postgres.server("postgres"))
    admin.run(f"CREATE DATABASE {name} STRATEGY file_copy")
    yield Database(postgres.server(name))
    admin.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def one(tmp_path):
    return make_version(tmp_path, tag("1.0.0"), rows=40)


@pytest.fixture
def two(tmp_path):
    return make_version(tmp_path, tag("1.1.0"), rows=55, seed=1)


@pytest.fixture
def user(database):
    """Create a user with a password, and return the database as that user sees it."""

    def created(name):
        role = f"{name}_{database.server.database}"
        database.run(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        return database.as_user(role)

    return created
