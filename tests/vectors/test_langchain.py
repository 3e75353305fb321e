"""LangChain's PGVectorStore reads the table as it is."""

import json

import pytest

from postgres import make_version, tag
from registry.vectors.database import connected
from registry.vectors.load import load

pytest.importorskip("langchain_postgres", reason="langchain-postgres is not installed")


class Embeddings:
    """Gives every question the vector of the second chunk."""

    def __init__(self, vector):
        self.vector = vector

    def embed_query(self, text):
        return self.vector

    def embed_documents(self, texts):
        return [self.vector for _ in texts]


def test_hybrid_search_reads_the_table_and_goes_on_after_a_swap(database, tmp_path):
    from langchain_core.embeddings import Embeddings as Base
    from langchain_postgres import PGEngine, PGVectorStore
    from langchain_postgres.v2.hybrid_search_config import HybridSearchConfig, reciprocal_rank_fusion

    class Fixed(Embeddings, Base):
        pass

    texts = ["about nothing at all", "the nearest by meaning", "only this one says MinIO", "filler", "more filler"]
    versions = [
        make_version(tmp_path, tag(version), rows=len(texts), content=[f"{text} ({version})" for text in texts])
        for version in ("1.0.0", "1.1.0")
    ]
    with connected(database.server) as connection:
        load(connection, database.settings, versions[0], say=print)
        (vector,) = connection.execute(
            "SELECT embedding::text FROM readme_embeddings WHERE metadata->>'chunk_index' = '1'"
        ).fetchone()
    place = database.server
    engine = PGEngine.from_connection_string(
        f"postgresql+psycopg://{place.user}:{place.password}@{place.host}:{place.port}/{place.database}"
    )
    store = PGVectorStore.create_sync(
        engine=engine,
        table_name="readme_embeddings",
        embedding_service=Fixed(json.loads(vector)),
        id_column="id",
        content_column="content",
        embedding_column="embedding",
        metadata_columns=[],
        metadata_json_column="metadata",
        hybrid_search_config=HybridSearchConfig(
            tsv_column="content_tsv", tsv_lang="pg_catalog.english", fusion_function=reciprocal_rank_fusion
        ),
    )
    for version in versions:
        with connected(place) as connection:
            load(connection, database.settings, version, say=print)
        found = store.similarity_search("MinIO", k=2)
        short = version.name.rpartition("v")[2]
        assert {document.page_content for document in found} == {f"{texts[1]} ({short})", f"{texts[2]} ({short})"}
        assert {document.metadata["data_version"] for document in found} == {version.name}
        assert {document.metadata["source_repo"] for document in found} == {"repo"}
