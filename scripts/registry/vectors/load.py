"""Bring a version into the database and give it the name that readers ask for, in one transaction.

    1  loaders of one name wait for each other
    2  the version gets a table of its own: COPY, then indexes, then checks
    3  the table that served and the new one change names, and the transaction is committed
    4  what is older than the versions to keep is dropped
Until the commit the old version serves, and a crash leaves nothing behind: in PostgreSQL tables come and go with their
transaction.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.config.embeddings import FIRST, OF_VERSION, RUN
from registry.errors import RegistryError
from registry.storage.snapshot import Snapshot
from registry.vectors.database import SERVES, ensure_extension
from registry.vectors.settings import Settings
from registry.vectors.tables import Mark, Table, current_schema, find_table, identifier, kept_name, our_tables, set_mark
from registry.vectors.versions import MODEL, model_of, vectors_file

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Identifier

BATCH = 1000
LEFT_OUT = ("char_start", "char_end", "content_sha256")
"""Columns of the file that the table does not have; all but these and FIRST go into `metadata`."""
LOCK_MS, PAUSE_S, ATTEMPTS = 500, 0.5, 120
"""To change names takes a lock that new readers queue behind: so it is asked for shortly, and again."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Loaded:
    """What became of a version: `state` is loaded, switched (it was there) or unchanged (it is as it was)."""

    version: str
    state: str
    table: str
    rows: int
    serves: bool


def load(
    connection: "Connection",
    settings: Settings,
    version: Snapshot,
    *,
    say: Say,
    serve: bool = True,
    chosen: bool = False,
    overrule: bool = True,
) -> Loaded:
    """Load a version, where it is not there yet, and let it serve unless told not to. Raises RegistryError.

    `chosen` marks it as what a person asked for, so that `registry search` stays with it. Unless it is to `overrule`, a
    version that was there already leaves one that was chosen to serve.
    """
    with connection.transaction():
        tables = _begin(connection, settings, say)
        serving = next((one for one in tables if one.serves), None)
        found = next((one for one in tables if one.mark.same_content(version.name, version.content_hash)), None)
        if found and serving and serving.mark.chosen and not overrule:
            serve = False
        state = "unchanged" if found and (found.serves or not serve) else "switched" if found else "loaded"
        if found is None:
            if serve:
                _check_dimension(serving, model_of(version)["dimension"])
            ensure_extension(connection, settings.place)
            say(f"loading {version.name}: {version.rows:,} chunks")
            found = _create(connection, settings.table, version)
        if serve:
            found = _serve(connection, settings, serving, found, say=say, chosen=chosen)
    _drop_old(connection, settings, say)
    return Loaded(found.mark.version, state, found.name, found.mark.rows, found.serves)


def use(connection: "Connection", settings: Settings, version: str, *, say: Say) -> Loaded:
    """Let a version that is loaded serve again. Raises RegistryError where it is not there."""
    with connection.transaction():
        tables = _begin(connection, settings, say)
        found = find_table(tables, version)
        if found is None:
            there = ", ".join(one.mark.version for one in tables) or "none"
            raise RegistryError(
                f"version {version} is not loaded into {settings.table}; loaded are: {there}",
                where=settings.place,
                hint=f"name one of these, or load it: {settings.command('load', version)}",
            )
        state = "unchanged" if found.serves else "switched"
        serving = next((one for one in tables if one.serves), None)
        found = _serve(connection, settings, serving, found, say=say, chosen=True)
    return Loaded(found.mark.version, state, found.name, found.mark.rows, found.serves)


def _begin(connection: "Connection", settings: Settings, say: Say) -> list[Table]:
    """Wait until no one else loads this table, and return the tables of ours."""
    connection.execute("SET LOCAL lock_timeout = 0")
    connection.execute("SET LOCAL statement_timeout = 0")
    if connection.info.server_version >= 140000:
        # So that the server soon notices, and lets go, when this process is killed.
        connection.execute("SET LOCAL client_connection_check_interval = '1s'")
    key = f"data-registry: {current_schema(connection)}.{settings.table}"
    if connection.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (key,)).fetchone() != (True,):
        say(f"waiting for another process that loads {settings.table}")
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (key,))
    return our_tables(connection, settings.table, settings.dataset)


def _check_dimension(serving: Table | None, dimension: int) -> None:
    if serving and serving.mark.dimension != dimension:
        raise RegistryError(
            f"{serving.name} has vectors of {serving.mark.dimension} numbers, these have {dimension}: "
            f"its readers would fail; {SERVES}",
            hint="load them under another PGVECTOR_TABLE_NAME, and move the readers there",
        )


def _now(connection: "Connection") -> str:
    form = """SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    return connection.execute(form).fetchone()[0]


def _create(connection: "Connection", table: str, version: Snapshot) -> Table:
    """Create the table of a version, with its rows, indexes and mark, under the name that it has while kept."""
    from psycopg.sql import SQL, Literal

    schema, kept, model = (
        current_schema(connection),
        kept_name(table, version.name, version.content_hash),
        model_of(version),
    )
    name = identifier(schema, kept)
    connection.execute(
        SQL(
            "CREATE TABLE {} (id uuid PRIMARY KEY, content text NOT NULL, embedding vector({}) NOT NULL,"
            " metadata jsonb NOT NULL,"
            " content_tsv tsvector GENERATED ALWAYS AS (to_tsvector('english', content)) STORED)"
        ).format(name, Literal(model["dimension"]))
    )
    _copy(connection, name, version)
    connection.execute(SQL("CREATE INDEX ON {} USING gin (content_tsv)").format(name))
    connection.execute(SQL("CREATE INDEX ON {} USING hnsw (embedding vector_cosine_ops)").format(name))
    connection.execute(SQL("ANALYZE {}").format(name))
    _check(connection, name, version)
    mark = Mark(
        table=table,
        version=version.name,
        content_hash=version.content_hash,
        model={key: model[key] for key in MODEL},
        dimension=model["dimension"],
        rows=version.rows,
        since=_now(connection),
        chosen=False,
        dataset=version.dataset,
    )
    set_mark(connection, name, mark)
    return Table(kept, schema, mark, serves=False)


def _copy(connection: "Connection", name: "Identifier", version: Snapshot) -> None:
    from psycopg.sql import SQL

    # Frozen, so that a reader whose snapshot is older than the commit finds the rows, and not an empty table.
    command = SQL("COPY {} (id, content, embedding, metadata) FROM STDIN (FORMAT BINARY, FREEZE)").format(name)
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        copy.set_types(("uuid", "text", "vector", "jsonb"))
        for row in _rows(version.local(vectors_file(version)), version):
            copy.write_row(row)


def _rows(path: Path, version: Snapshot) -> Iterator[tuple[Any, ...]]:
    import uuid

    import pyarrow as pa
    import pyarrow.parquet as pq
    from psycopg.types.json import Jsonb

    from registry.embedding.table import vectors_of

    facts = dict(zip(OF_VERSION, (version.name, version.name, model_of(version)["name"]), strict=True))
    if run := version.provenance.get("run"):
        facts[RUN] = run
    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in file.schema_arrow.names if name not in (*FIRST, *LEFT_OUT)]
            for batch in file.iter_batches(BATCH, columns=[*FIRST, *columns]):
                vectors = vectors_of(pa.Table.from_batches([batch]))
                for row, vector in zip(batch.drop_columns(["embedding"]).to_pylist(), vectors, strict=True):
                    metadata = {column: _storable(row[column]) for column in columns}
                    yield uuid.UUID(row["id"]), _storable(row["content"]), vector, Jsonb(metadata | facts)
    except (pa.ArrowException, OSError, ValueError, KeyError, AttributeError) as error:
        raise RegistryError(
            f"not the embeddings of {version.name}: {str(error).partition(chr(10))[0]}; {SERVES}",
            where=path,
            hint="registry pull --force, or build them again",
        ) from None


def _storable(value: Any) -> Any:
    """Return a value as JSON can have it, without NUL, which PostgreSQL's texts cannot hold."""
    if value is None or isinstance(value, int):
        return value
    return str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")


def _check(connection: "Connection", name: "Identifier", version: Snapshot) -> None:
    from psycopg.sql import SQL

    query = SQL("SELECT count(*), min(vector_dims(embedding)), max(vector_dims(embedding)) FROM {}").format(name)
    found = connection.execute(query).fetchone()
    dimension = model_of(version)["dimension"]
    if found != (version.rows, dimension, dimension):
        raise RegistryError(
            f"{version.name} should have {version.rows:,} chunks with vectors of {dimension} numbers, "
            f"but {found[0]:,} with {found[1]} arrived; {SERVES}",
            hint="registry pull --force, or build them again",
        )


def _serve(
    connection: "Connection", settings: Settings, serving: Table | None, found: Table, *, say: Say, chosen: bool
) -> Table:
    """Give a table the name that readers ask for, and the one that had it its own; return it as it is then."""
    if found.serves:
        if found.mark.chosen != chosen:
            set_mark(connection, found.identifier, replace(found.mark, chosen=chosen))
        return found
    _check_dimension(serving, found.mark.dimension)
    if serving:
        if serving.mark.model["sha256"] != found.mark.model["sha256"]:
            model = found.mark.model["name"]
            say(f"{found.mark.version} is of another model: readers must embed questions with {model} from now on")
        _grant_alike(connection, serving, found)
    _swap(connection, settings, serving, found, say)
    mark = replace(found.mark, since=_now(connection), chosen=chosen)
    served = Table(settings.table, found.schema, mark, serves=True)
    set_mark(connection, served.identifier, mark)
    return served


def _grant_alike(connection: "Connection", serving: Table, found: Table) -> None:
    """Let all who may read the table that serves read the next one."""
    from psycopg.sql import SQL, Identifier

    readers = connection.execute(
        "SELECT DISTINCT rolname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace,"
        " aclexplode(relacl) AS acl LEFT JOIN pg_roles ON pg_roles.oid = acl.grantee"
        " WHERE nspname = %s AND relname = %s AND privilege_type = 'SELECT' AND acl.grantee <> relowner",
        (serving.schema, serving.name),
    ).fetchall()
    for (role,) in readers:
        reader = SQL("PUBLIC") if role is None else Identifier(role)
        connection.execute(SQL("GRANT SELECT ON {} TO {}").format(found.identifier, reader))


def _swap(connection: "Connection", settings: Settings, serving: Table | None, found: Table, say: Say) -> None:
    """Change the names; where a reader keeps the table busy, give way to those behind it, and try again."""
    import psycopg
    from psycopg.sql import SQL, Identifier, Literal

    rename = SQL("ALTER TABLE {} RENAME TO {}")
    for attempt in range(ATTEMPTS):
        try:
            with connection.transaction():
                connection.execute(SQL("SET LOCAL lock_timeout = {}").format(Literal(LOCK_MS)))
                if serving:
                    kept = kept_name(settings.table, serving.mark.version, serving.mark.content_hash)
                    connection.execute(rename.format(serving.identifier, Identifier(kept)))
                connection.execute(rename.format(found.identifier, Identifier(settings.table)))
            return
        except psycopg.errors.LockNotAvailable:
            if attempt == 0:
                say(f"waiting for a transaction that reads {settings.table}")
            time.sleep(PAUSE_S)
    raise RegistryError(
        f"another transaction keeps {settings.table} busy, and does not end; {SERVES}",
        where=settings.place,
        hint="end it (pg_stat_activity shows it), then run the same command again",
    )


def _drop_old(connection: "Connection", settings: Settings, say: Say) -> None:
    """Drop the versions beyond those to keep; what is busy, or has a view, stays until the next load."""
    import psycopg
    from psycopg.sql import SQL, Literal

    with connection.transaction():
        tables = _begin(connection, settings, say)
        connection.execute(SQL("SET LOCAL lock_timeout = {}").format(Literal(LOCK_MS)))
        for old in tables[settings.keep :]:
            try:
                with connection.transaction():
                    connection.execute(SQL("DROP TABLE {}").format(old.identifier))
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DependentObjectsStillExist) as error:
                say(f"{old.mark.version} stays until the next load: {error.diag.message_primary}")
