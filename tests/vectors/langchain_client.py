"""An application that reads the table through LangChain, run by a Python that has langchain-postgres.

python langchain_client.py, with a JSON line {"uri", "vector"} on standard input; every line after that is a question,
and is answered by a JSON line of what the hybrid search found. All questions are embedded as `vector`.
"""

import json
import sys

from langchain_core.embeddings import Embeddings
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.hybrid_search_config import HybridSearchConfig, reciprocal_rank_fusion


class Fixed(Embeddings):
    def __init__(self, vector):
        self.vector = vector

    def embed_query(self, text):
        return self.vector

    def embed_documents(self, texts):
        return [self.vector for _ in texts]


about = json.loads(sys.stdin.readline())
store = PGVectorStore.create_sync(
    engine=PGEngine.from_connection_string(about["uri"]),
    table_name="readme_embeddings",
    embedding_service=Fixed(about["vector"]),
    id_column="id",
    content_column="content",
    embedding_column="embedding",
    metadata_columns=[],
    metadata_json_column="metadata",
    hybrid_search_config=HybridSearchConfig(
        tsv_column="content_tsv", tsv_lang="pg_catalog.english", fusion_function=reciprocal_rank_fusion
    ),
)
for question in sys.stdin:
    found = store.similarity_search(question.strip(), k=2)
    print(json.dumps([{"text": one.page_content, **one.metadata} for one in found]), flush=True)
