"""Worlds for nights: each test has its own, but for the servers."""

import shutil
from collections.abc import Iterator

import pytest

from clone import under_git
from fake_github import Api
from nights import CORPUS, FIRST, NAMES, SAMPLES, World
from postgres import Database, running_postgres
from project import copy_repository
from s3 import S3Server
from support import Server


@pytest.fixture(scope="session")
def github() -> Iterator[Api]:
    server = Server()
    yield Api(server, {path.name: (path / "README.md").read_bytes() for path in sorted(SAMPLES.iterdir())})
    server.close()


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres():
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def once(tmp_path_factory, github, store, postgres) -> World:
    """A world in which everything is released as 1.0.0."""
    folder = tmp_path_factory.mktemp("world")
    clone = under_git(copy_repository(folder / "registry"))
    clone.edit(f"config/datasets/{CORPUS}.yaml", "https://api.github.com", github.server.url)
    clone.edit(f"config/datasets/{CORPUS}.yaml", "# A living source", "source: upstream\n# A living source")
    clone.edit("config/config.yaml", "datasets: all", f"datasets: [{', '.join(NAMES)}]")
    clone.edit("config/config.yaml", "push: false", "push: true")
    clone.edit("config/config.yaml", "vector_store: embedded", "vector_store: server")
    clone.edit(".dvc/config", "remote = local", "remote = night")
    clone.write(
        ".dvc/config",
        (clone.folder / ".dvc/config").read_text()
        + f"['remote \"night\"']\n    url = s3://registry\n    endpointurl = {store.url}\n",
    )
    clone.commit()
    origin = folder / "origin.git"
    clone.git("init", "--quiet", "--bare", "--initial-branch", "main", str(origin))
    clone.git("remote", "add", "origin", str(origin))
    clone.git("push", "--quiet", "--set-upstream", "origin", "main")
    world = World(clone, origin, github, store, Database(postgres.server("postgres")))
    world.night()
    assert world.tags() == FIRST
    return world


@pytest.fixture
def world(once, postgres, tmp_path) -> Iterator[World]:
    """A world of its own, but for the servers."""
    clone, origin = once.clone.copied(tmp_path / "registry"), tmp_path / "origin.git"
    shutil.copytree(once.origin, origin)
    clone.git("remote", "set-url", "origin", str(origin))
    name = f"night_{tmp_path.name}".lower().replace("-", "_")[:60]
    once.database.run(f'CREATE DATABASE "{name}" TEMPLATE postgres STRATEGY file_copy')
    routes = dict(once.api.server.routes)
    once.api.answers.clear()
    yield World(clone, origin, once.api, once.store, Database(postgres.server(name)))
    once.api.server.routes.clear()
    once.api.server.routes.update(routes)
    once.database.run(f'DROP DATABASE "{name}" WITH (FORCE)')
