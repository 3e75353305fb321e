"""The embeddings in PostgreSQL with pgvector: loaded, switched and searched while others read them."""

DATASET = "opencloudhub-readmes-embeddings"
