"""Search the embeddings for a question, after loading them into the embedded database if needed."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from registry.config.embeddings import document_columns
from registry.embedding.model import Encoder, find_model
from registry.storage.repository import Repository
from registry.storage.states import NotReady
from registry.vectors.database import connected
from registry.vectors.load import load
from registry.vectors.search import Hit, search, serving
from registry.vectors.settings import Embedded, Settings
from registry.vectors.tables import find_table, our_tables
from registry.vectors.versions import MODEL, built_version, find_version, released_version

if TYPE_CHECKING:
    from psycopg import Connection

Say = Callable[[str], None]


def ask(
    here: Repository,
    settings: Settings,
    params: Mapping[str, Any],
    question: str,
    version: str | None,
    top: int,
    say: Say,
) -> list[Hit]:
    """Return the chunks that answer a question best, the best first; `params` are the dataset's. Raises RegistryError.

    The embedded database is given the version that is asked for; a server has to have it.
    """
    model = find_model(params["model"])
    with connected(settings.place) as connection:
        if isinstance(settings.place, Embedded):
            _provide(connection, here, settings, version, say)
        if version == "latest":
            version = released_version(here, settings.dataset, version).name
        engine: dict[str, Any] = params["engine"]
        vector = Encoder(model, threads=engine["threads"], batch_size=1).encode([question])[0]
        expected = {key: getattr(model, key) for key in MODEL}
        columns = [*document_columns(params)]
        return search(connection, settings, version, question, vector, top, model=expected, columns=columns)


def _provide(connection: "Connection", here: Repository, settings: Settings, version: str | None, say: Say) -> None:
    """Load what is asked for into the embedded database.

    Without a version that is what lies in data/, unless a person let another one serve.
    """
    if version is not None:
        if version == "latest" or not find_table(our_tables(connection, settings.table, settings.dataset), version):
            load(connection, settings, released_version(here, settings.dataset, version), say=say, serve=False)
        return
    table = serving(connection, settings)
    if table and table.mark.chosen:
        return
    try:
        built = built_version(here, settings.dataset)
    except NotReady:
        if table is None:
            find_version(here, settings.dataset, None)
        return
    if table is None or not table.mark.same_content(built.name, built.content_hash):
        load(connection, settings, built, say=say)
