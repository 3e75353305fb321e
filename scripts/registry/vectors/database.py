"""Connect to the database, and turn what it raises into one message that people can act on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from registry.errors import RegistryError
from registry.vectors.settings import Embedded, Server

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT = 15
SERVES = "the version that serves still does"


@contextmanager
def connected(place: Server | Embedded) -> "Iterator[psycopg.Connection]":
    """Connect for the time of the block, outside any transaction; what the database raises is a RegistryError."""
    import psycopg

    with _explained(place):
        try:
            connection = _connect(place)
        except psycopg.Error as error:
            raise RegistryError(
                f"cannot connect: {_reason(error)}", where=place, hint=_hint_for_connecting(place, error)
            ) from None
        with connection:
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            yield connection


def _connect(place: Server | Embedded) -> "psycopg.Connection":
    import psycopg

    options = {"autocommit": True, "connect_timeout": CONNECT_TIMEOUT, "application_name": "data-registry"}
    if isinstance(place, Embedded):
        from registry.vectors.embedded import own_environment, start

        with own_environment():
            return psycopg.connect(start(place.folder), **options)
    return psycopg.connect(
        host=place.host,
        port=place.port,
        dbname=place.database,
        user=place.user,
        password=place.password,
        **options,
    )


def _hint_for_connecting(place: Server | Embedded, error: Exception) -> str:
    if isinstance(place, Embedded):
        return f"see {place.folder / 'database' / 'log'}; all in it can be loaded again, so that folder may be removed"
    text = str(error).lower()
    if "authentication" in text or "password" in text:
        return "check PGVECTOR_USER and PGVECTOR_PASSWORD"
    if "ssl" in text:
        return "check PGSSLMODE and its certificates, and whether the server speaks SSL"
    if "database" in text and "does not exist" in text:
        return "check PGVECTOR_DATABASE"
    return "check PGVECTOR_HOST and PGVECTOR_PORT, and that PostgreSQL runs there"


@contextmanager
def _explained(place: Server | Embedded) -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.errors.LockNotAvailable:
        raise RegistryError(
            f"other transactions keep a table busy; {SERVES}", where=place, hint="run the same command again later"
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise RegistryError(
            f"{_reason(error)}; {SERVES}",
            where=place,
            hint="let an administrator grant CREATE on the schema and the ownership of the registry's tables",
        ) from None
    except psycopg.OperationalError as error:
        raise RegistryError(
            f"the database gave up: {_reason(error)}; {SERVES}",
            where=place,
            hint="look at the server, then run the same command again",
        ) from None
    except psycopg.Error as error:
        raise RegistryError(
            f"the database refused: {_reason(error)}; {SERVES}",
            where=place,
            hint="fix that, then run the same command again",
        ) from None


def _reason(error: "psycopg.Error") -> str:
    """Return the first line of what the database says."""
    text = error.diag.message_primary or str(error) or type(error).__name__
    return text.strip().partition("\n")[0]


def ensure_extension(connection: "psycopg.Connection", place: Server | Embedded) -> None:
    """Create pgvector's extension where it is not there yet, in the transaction of the caller. Raises RegistryError."""
    import psycopg
    from pgvector.psycopg import register_vector

    if not connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone():
        # Two at once would both want to create it.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('data-registry: extension vector', 0))")
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except psycopg.errors.InsufficientPrivilege:
            raise RegistryError(
                f"the extension vector is not in this database, and this user may not create it; {SERVES}",
                where=place,
                hint="let an administrator run there: CREATE EXTENSION vector",
            ) from None
        except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile):
            raise RegistryError(
                f"this server has no extension vector; {SERVES}",
                where=place,
                hint="install pgvector (https://github.com/pgvector/pgvector) on the server",
            ) from None
    if connection.execute("SELECT to_regtype('vector')").fetchone() == (None,):
        raise RegistryError(
            f"the extension vector is in a schema that this user's search_path leaves out; {SERVES}",
            where=place,
            hint="add that schema to the search_path of the user",
        )
    register_vector(connection)
