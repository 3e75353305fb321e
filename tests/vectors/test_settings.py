"""Where the database is: from the configuration and the environment."""

from pathlib import Path

import pytest

from postgres import PASSWORD
from registry.errors import RegistryError
from registry.vectors.settings import Embedded, Server, Settings, read_settings
from registry.vectors.tables import kept_name, short_name

SERVER = {
    "PGVECTOR_HOST": "db.example.org",
    "PGVECTOR_DATABASE": "rag",
    "PGVECTOR_USER": "loader",
    "PGVECTOR_PASSWORD": PASSWORD,
}
ON_SERVER = {"vector_store": "server", "vector_versions": 3}
EMBEDDED = {"vector_store": "embedded", "vector_versions": 2}


def test_a_server_comes_from_the_environment():
    place = Server("db.example.org", 5432, "rag", "loader", PASSWORD)
    assert read_settings(ON_SERVER, Path(), SERVER) == Settings(place, "readme_embeddings", 3)
    more = {"PGVECTOR_PORT": "6543", "PGVECTOR_TABLE_NAME": "chunks"}
    settings = read_settings(ON_SERVER, Path(), SERVER | more)
    assert (settings.place.port, settings.table) == (6543, "chunks")
    assert PASSWORD not in f"{settings} {settings!r} {settings.place}"


@pytest.mark.parametrize("name", SERVER)
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_missing_is_named(name, value):
    environ = {key: entry for key, entry in SERVER.items() if key != name} | ({} if value is None else {name: value})
    with pytest.raises(RegistryError, match=f"the environment lacks {name}\n") as raised:
        read_settings(ON_SERVER, Path(), environ)
    assert PASSWORD not in str(raised.value)


def test_all_that_is_missing_is_named_at_once():
    with pytest.raises(RegistryError, match=f"lacks {', '.join(SERVER)}\n"):
        read_settings(ON_SERVER, Path(), {})


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "54 32", "5432.0", "²"])
def test_a_port_that_is_none_is_named(port):
    with pytest.raises(RegistryError, match="PGVECTOR_PORT: not a port number: "):
        read_settings(ON_SERVER, Path(), SERVER | {"PGVECTOR_PORT": port})


@pytest.mark.parametrize("table", ["x" * 64, "ü" * 32])
def test_a_name_that_postgresql_would_cut_is_refused(table):
    with pytest.raises(RegistryError, match="PGVECTOR_TABLE_NAME: longer than the 63 bytes"):
        read_settings(EMBEDDED, Path(), {"PGVECTOR_TABLE_NAME": table})


def test_the_embedded_database_lies_in_the_checkout_or_where_the_environment_says():
    assert read_settings(EMBEDDED, Path("/r"), {}).place == Embedded(Path("/r/.vectors"))
    assert read_settings(EMBEDDED, Path("/r"), {"PGVECTOR_FOLDER": "/d"}).place == Embedded(Path("/d"))


@pytest.mark.parametrize(
    ("version", "kept"),
    [
        ("opencloudhub-readmes-embeddings-v1.20.3", "t_v1_20_3_abcdef01"),
        ("unreleased-abcdef012345", "t_unreleased_abcdef012345"),
    ],
)
def test_a_kept_version_is_named_after_it(version, kept):
    assert kept_name("t", version, "sha256:abcdef0123456789") == kept


def test_names_that_are_cut_stay_apart():
    names = {kept_name("ü" * 30 + end, version, "sha256:" + "a" * 64)
             for end in "xyz" for version in ("unreleased-a", "opencloudhub-readmes-embeddings-v1.0.0")}  # fmt: skip
    assert len(names) == 6
    assert all(len(name.encode()) <= 63 for name in names)


@pytest.mark.parametrize("name", ["1.0.0", "v1.0.0", "opencloudhub-readmes-embeddings-v1.0.0"])
def test_a_version_has_several_spellings(name):
    assert short_name(name) == "1.0.0"
