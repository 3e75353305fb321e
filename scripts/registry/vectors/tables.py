"""The tables that are the registry's own: each carries a mark in its comment, and no other is ever touched."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, get_origin

from registry.errors import RegistryError
from registry.gate import GateError, read_json
from registry.vectors.settings import DATASET, MAX_BYTES, SHORT

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Identifier

MARK = "data-registry"
"""The one key of the JSON object that is the comment of a table of ours."""
MAX_COMMENT = 10_000
"""Characters of a comment that are read; a mark has some hundreds."""


@dataclass(frozen=True)
class Mark:
    """What a table of ours holds.

    `table` is the name that readers ask for; `version` the tag, or `unreleased-<hash>`; `model` what decides vectors;
    `since` when it was loaded or began to serve, as ISO 8601; `chosen` whether a person asked for this version rather
    than for the current one; `dataset` whose vectors they are.
    """

    table: str
    version: str
    content_hash: str
    model: dict[str, Any]
    dimension: int
    rows: int
    since: str
    chosen: bool
    dataset: str = DATASET

    def same_content(self, version: str, content_hash: str) -> bool:
        """Tell whether it holds this version."""
        return (self.version, self.content_hash) == (version, content_hash)


@dataclass(frozen=True)
class Table:
    """A table of ours; `serves` where it has the name that readers ask for."""

    name: str
    schema: str
    mark: Mark
    serves: bool

    @property
    def identifier(self) -> "Identifier":
        """Its quoted name."""
        return identifier(self.schema, self.name)


def identifier(schema: str, name: str) -> "Identifier":
    """Return the quoted name of a table."""
    from psycopg.sql import Identifier

    return Identifier(schema, name)


def short_name(version: str) -> str:
    """Return a version as people write it: `1.0.0` of a tag, anything else as it is."""
    return re.sub(r"^(?:.*-)?v(?=\d+\.\d+\.\d+$)", "", version)


def kept_name(table: str, version: str, content_hash: str) -> str:
    """Return the name of a version's table while it does not serve; at most 63 bytes, one for each content."""
    name = short_name(version)
    digits = content_hash.partition(":")[2][:SHORT]
    suffix = f"_{name.replace('-', '_')}" if version == name else f"_v{name.replace('.', '_')}_{digits}"
    if len((table + suffix).encode()) > MAX_BYTES:
        suffix = f"_{hashlib.sha256(table.encode()).hexdigest()[:SHORT]}{suffix}"
        table = table.encode()[: MAX_BYTES - len(suffix.encode())].decode(errors="ignore")
    return table + suffix


def set_mark(connection: "psycopg.Connection", name: "Identifier", mark: Mark) -> None:
    """Write the mark of a table."""
    from psycopg.sql import SQL, Literal

    # Those of DATASET are as they were when there was no other.
    told = {key: value for key, value in asdict(mark).items() if (key, value) != ("dataset", DATASET)}
    text = json.dumps({MARK: told})
    connection.execute(SQL("COMMENT ON TABLE {} IS {}").format(name, Literal(text)))


def _mark(comment: str | None) -> Mark | None:
    """Return the mark in a comment; None where it is none that `set_mark` writes: other roles write comments, too."""
    try:
        mark = Mark(**read_json((comment or "").encode(), where="comment")[MARK])
    except (GateError, KeyError, TypeError):
        return None
    typed = all(type(getattr(mark, one.name)) is (get_origin(one.type) or one.type) for one in fields(Mark))
    named = typed and all(isinstance(mark.model.get(key), str) for key in ("name", "sha256"))
    return mark if named else None


def current_schema(connection: "psycopg.Connection") -> str:
    """Return the schema that tables are created in. Raises RegistryError where there is none."""
    (schema,) = connection.execute("SELECT current_schema()").fetchone()
    if schema is None:
        raise RegistryError("this user's search_path names no schema that exists", hint="create the schema, or fix it")
    return schema


def our_tables(connection: "psycopg.Connection", table: str, dataset: str = DATASET) -> list[Table]:
    """Return the tables of a dataset for the name `table`: the one that serves first, then the newest.

    Raises RegistryError where something that is not ours has that name, or another dataset.
    """
    schema = current_schema(connection)
    rows = connection.execute(
        "SELECT relname, left(obj_description(pg_class.oid, 'pg_class'), %(most)s) FROM pg_class"
        " JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname = %(schema)s AND (relname = %(table)s"
        " OR relkind = 'r' AND obj_description(pg_class.oid, 'pg_class') LIKE %(mark)s)",
        {"schema": schema, "table": table, "mark": f'{{"{MARK}"%', "most": MAX_COMMENT},
    ).fetchall()
    found = []
    for name, comment in rows:
        mark = _mark(comment)
        if name == table and (mark is None or (mark.table, mark.dataset) != (table, dataset)):
            other = f"holds {mark.dataset}" if mark and mark.table == table else "was not made by this registry"
            raise RegistryError(
                f"{schema}.{table} {other}, which is left alone",
                where=f"{connection.info.host}:{connection.info.port}/{connection.info.dbname}",
                hint="set PGVECTOR_TABLE_NAME to another name, or give that table one",
            )
        if mark is None or (mark.table, mark.dataset) != (table, dataset):
            continue
        if name in (table, kept_name(table, mark.version, mark.content_hash)):
            found.append(Table(name, schema, mark, serves=name == table))
    return sorted(found, key=lambda one: (one.serves, one.mark.since), reverse=True)


def find_table(tables: list[Table], version: str) -> Table | None:
    """Return the table of a version, as people or tags name it; None where it is not loaded."""
    short = version.removeprefix("v")
    return next((one for one in tables if one.mark.version == version or short_name(one.mark.version) == short), None)
