"""Search the chunks by meaning and by words, and fuse both rankings."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from registry.config.embeddings import HEADINGS, INDEX, OF_VERSION
from registry.errors import RegistryError
from registry.vectors.settings import Settings
from registry.vectors.tables import Mark, Table, current_schema, find_table, our_tables

if TYPE_CHECKING:
    import numpy as np
    from psycopg import Connection

RANK_CONSTANT = 60
"""k of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009, https://doi.org/10.1145/1571941.1572114)."""
CANDIDATES = 100
"""How far down each ranking is looked at, unless more results are asked for."""
MAX_CANDIDATES = 1000
"""What hnsw.ef_search may be at most."""
MAX_TERMS = 100
TERM = re.compile(r'"[^"]+"|[^\s"()\[\]{}<>,;!?]+')

QUERY = """
WITH question AS (
    SELECT string_agg(term::text, ' | ')::tsquery AS words
    FROM (SELECT phraseto_tsquery('english', text) AS term FROM unnest(%(terms)s::text[]) AS text) AS terms
    WHERE numnode(term) > 0
), near AS (
    SELECT id, row_number() OVER (ORDER BY distance, id) AS place FROM (
        SELECT id, embedding <=> %(vector)s AS distance FROM {table} ORDER BY distance LIMIT %(candidates)s
    ) AS nearest
), said AS (
    SELECT id, row_number() OVER (ORDER BY weight DESC, id) AS place FROM (
        SELECT id, ts_rank_cd(content_tsv, words) AS weight FROM {table}, question
        WHERE content_tsv @@ words ORDER BY weight DESC, id LIMIT %(candidates)s
    ) AS best
), fused AS (
    SELECT id, coalesce(1.0 / (%(k)s + near.place), 0) + coalesce(1.0 / (%(k)s + said.place), 0) AS score
    FROM near FULL JOIN said USING (id) ORDER BY score DESC, id LIMIT %(top)s
)
SELECT id, score::float8, 1 - (embedding <=> %(vector)s), content, metadata
FROM fused JOIN {table} USING (id) ORDER BY score DESC, id
"""
EXCERPT = 280


@dataclass(frozen=True)
class Hit:
    """A chunk that was found.

    `document` has the columns that name its document, `section` its headings from the highest; `score` is the sum of
    reciprocal ranks, `cosine` that of its vector and the question's.
    """

    document: dict[str, Any]
    section: list[str]
    score: float
    cosine: float
    excerpt: str
    id: str
    data_version: str
    content: str = field(repr=False)


def terms_of(question: str) -> list[str]:
    """Return the words of a question, and the phrases in quotation marks as one each."""
    found = (term.strip('"').replace("\0", " ") for term in TERM.findall(question))
    return list(dict.fromkeys(found))[:MAX_TERMS]


def excerpt_of(text: str, terms: list[str]) -> str:
    """Return a text on one line, without what would steer a terminal: where it is long, what has most of the terms."""
    words = "".join(char if char.isprintable() else " " for char in text).split()
    wanted = {stem for term in terms for stem in re.findall(r"\w{4,}", term.casefold())}
    best, most = "", -1
    for start in range(len(words)):
        part = textwrap.shorten(" ".join(words[start:]), EXCERPT, placeholder=" …")
        found = sum(word in part.casefold() for word in wanted)
        if found > most:
            best, most = ("… " if start else "") + part, found
        if part.endswith(words[-1]):
            break
    return best


def search(
    connection: "Connection",
    settings: Settings,
    version: str | None,
    question: str,
    vector: "np.ndarray",
    top: int,
    *,
    model: dict[str, Any] | None = None,
    columns: Sequence[str] = (),
) -> list[Hit]:
    """Return the chunks that answer a question best, from the version that serves or a loaded one.

    `vector` is the question's, made by `model`; of the columns that name a chunk's document, `columns` come first.
    Raises RegistryError where the version is not loaded, or where a model is given and another one made the version's
    vectors.
    """
    from psycopg.sql import SQL, Literal

    terms = terms_of(question)
    candidates = min(max(CANDIDATES, top), MAX_CANDIDATES)
    with connection.transaction():
        table = locked_table(connection, settings, version)
        if model is not None:
            check_model(table.mark, model, settings.dataset)
        connection.execute(SQL("SET LOCAL hnsw.ef_search = {}").format(Literal(candidates)))
        rows = connection.execute(
            SQL(QUERY).format(table=table.identifier),
            {
                "terms": terms,
                "vector": vector,
                "candidates": candidates,
                "k": RANK_CONSTANT,
                "top": top,
            },
        ).fetchall()
    try:
        return [_hit(terms, columns, *row) for row in rows]
    except (KeyError, TypeError, AttributeError, ValueError):
        what, hint = f"somebody has changed rows of {table.mark.version}", "drop the table, and load it again"
        raise RegistryError(what, where=f"{settings.place}, {table.schema}.{table.name}", hint=hint) from None


def _hit(
    terms: list[str],
    columns: Sequence[str],
    name: Any,
    score: float,
    cosine: float,
    content: str,
    metadata: dict[str, Any],
) -> Hit:
    document = {key: value for key, value in metadata.items() if key not in (*HEADINGS, INDEX, *OF_VERSION)}
    return Hit(
        document={key: document[key] for key in columns if key in document} | document,
        section=[metadata[heading] for heading in HEADINGS if metadata.get(heading)],
        score=round(score, 6),
        cosine=round(cosine, 3),
        excerpt=excerpt_of(content, terms),
        id=str(name),
        data_version=metadata["data_version"],
        content=content,
    )


def locked_table(connection: "Connection", settings: Settings, version: str | None) -> Table:
    """Return the table of a version, or the one that serves, which keeps its name until the transaction ends.

    Raises RegistryError where it is not loaded.
    """
    import psycopg
    from pgvector.psycopg import register_vector
    from psycopg.sql import SQL

    # Between looking it up and holding it, another version may take its name.
    for _ in range(5):
        table = serving(connection, settings) if version is None else _loaded(connection, settings, version)
        if table is None:
            break
        try:
            with connection.transaction():
                connection.execute(SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(table.identifier))
        except psycopg.errors.UndefinedTable:
            continue
        if table in our_tables(connection, settings.table, settings.dataset):
            register_vector(connection)
            return table
    raise RegistryError(
        "no version of the embeddings is loaded" if version is None else f"version {version} is not loaded",
        where=f"{settings.place}, {current_schema(connection)}.{settings.table}",
        hint=settings.command("load", *([] if version is None else [version])),
    )


def serving(connection: "Connection", settings: Settings) -> Table | None:
    """Return the table that serves."""
    return next((one for one in our_tables(connection, settings.table, settings.dataset) if one.serves), None)


def _loaded(connection: "Connection", settings: Settings, version: str) -> Table | None:
    return find_table(our_tables(connection, settings.table, settings.dataset), version)


def check_model(mark: Mark, model: dict[str, Any], dataset: str) -> None:
    """Check that the model which reads questions made the table's vectors. Raises RegistryError."""
    different = [key for key in model if mark.model.get(key) != model[key]]
    if different:
        key = different[0]
        raise RegistryError(
            f"{mark.version} was embedded by another model ({key}: {mark.model.get(key)}, here {model[key]})",
            hint=f"set params.model in config/datasets/{dataset}.yaml to that of the version, or "
            "search another one (registry vectors list)",
        )
