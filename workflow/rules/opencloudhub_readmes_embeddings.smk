"""
OpenCloudHub READMEs, embeddings: chunks of the READMEs and their vectors, for retrieval.

inputs:  data/opencloudhub-readmes/processed/documents.parquet
         data/opencloudhub-readmes-rag-evaluation/questions.csv, to measure retrieval
outputs: data/opencloudhub-readmes-embeddings/raw/chunks.parquet, raw/sources.json
         data/opencloudhub-readmes-embeddings/processed/embeddings.parquet, one row per chunk
         data/opencloudhub-readmes-embeddings/{manifest.parquet,metadata.json,provenance.json}
         reports/opencloudhub-readmes-embeddings/cleaning.json
         reports/opencloudhub-readmes-embeddings/overview.svg: its distributions
"""


rule opencloudhub_readmes_embeddings_chunk:
    input:
        documents="data/opencloudhub-readmes/processed/documents.parquet",
        made_of=expand("data/{name}/metadata.json", name=parents(DATASETS["opencloudhub-readmes-embeddings"])),
    output:
        chunks="data/opencloudhub-readmes-embeddings/raw/chunks.parquet",
        sources="data/opencloudhub-readmes-embeddings/raw/sources.json",
        # Snakemake removes what a job makes before it starts; until then texts that stayed can have their vectors.
        last=temp("data/opencloudhub-readmes-embeddings/.last.parquet"),
        cleaning="reports/opencloudhub-readmes-embeddings/cleaning.json",
    log:
        "logs/opencloudhub-readmes-embeddings/chunk.log",
    # What takes longest starts first.
    priority: 1
    conda:
        "../../envs/embeddings.yaml"
    resources:
        **needs(runtime=15),
    params:
        last="data/opencloudhub-readmes-embeddings/processed",
        source=DATASETS["opencloudhub-readmes-embeddings"]["source"],
        options=DATASETS["opencloudhub-readmes-embeddings"]["params"]["chunks"],
    message:
        "opencloudhub-readmes-embeddings: cutting READMEs into chunks"
    script:
        "../../scripts/opencloudhub_readmes_embeddings/chunk.py"


rule opencloudhub_readmes_embeddings_shard:
    input:
        chunks="data/opencloudhub-readmes-embeddings/raw/chunks.parquet",
        last="data/opencloudhub-readmes-embeddings/.last.parquet",
    output:
        part=temp("data/opencloudhub-readmes-embeddings/.shards/{scatteritem}.parquet"),
    log:
        "logs/opencloudhub-readmes-embeddings/shard-{scatteritem}.log",
    conda:
        "../../envs/embeddings.yaml"
    threads: DATASETS["opencloudhub-readmes-embeddings"]["params"]["engine"]["threads"] or os.cpu_count()
    resources:
        **needs(mem_mb=750, runtime=lambda size: 60 + 10 * size),
    params:
        options=DATASETS["opencloudhub-readmes-embeddings"]["params"],
    message:
        "opencloudhub-readmes-embeddings: computing the vectors of chunks that are new, part {wildcards.scatteritem}"
    script:
        "../../scripts/opencloudhub_readmes_embeddings/shard.py"


rule opencloudhub_readmes_embeddings_embed:
    input:
        chunks="data/opencloudhub-readmes-embeddings/raw/chunks.parquet",
        last="data/opencloudhub-readmes-embeddings/.last.parquet",
        # The engine ray has a cluster that shares the work.
        parts=(
            parts_of(rules.opencloudhub_readmes_embeddings_shard)
            if DATASETS["opencloudhub-readmes-embeddings"]["params"]["engine"]["name"] == "local"
            else []
        ),
    output:
        folder=directory("data/opencloudhub-readmes-embeddings/processed"),
        checksum="data/opencloudhub-readmes-embeddings/.processed.md5",
        embeddings="data/opencloudhub-readmes-embeddings/processed/embeddings.parquet",
    log:
        "logs/opencloudhub-readmes-embeddings/embed.log",
    benchmark:
        "logs/opencloudhub-readmes-embeddings/embed.tsv"
    priority: 1
    conda:
        "../../envs/embeddings.yaml"
    threads: DATASETS["opencloudhub-readmes-embeddings"]["params"]["engine"]["threads"] or os.cpu_count()
    resources:
        **needs(mem_mb=750, runtime=lambda size: 60 + 10 * size),
    params:
        options=DATASETS["opencloudhub-readmes-embeddings"]["params"],
    message:
        "opencloudhub-readmes-embeddings: computing the vectors of chunks that are new"
    script:
        "../../scripts/opencloudhub_readmes_embeddings/embed.py"


rule opencloudhub_readmes_embeddings_analyze:
    input:
        **outputs_of(rules.opencloudhub_readmes_embeddings_embed),
        sources="data/opencloudhub-readmes-embeddings/raw/sources.json",
        cleaning="reports/opencloudhub-readmes-embeddings/cleaning.json",
        questions="data/opencloudhub-readmes-rag-evaluation/questions.csv",
    output:
        **described("opencloudhub-readmes-embeddings", overview="overview.svg"),
    log:
        "logs/opencloudhub-readmes-embeddings/analyze.log",
    benchmark:
        "logs/opencloudhub-readmes-embeddings/analyze.tsv"
    priority: 1
    conda:
        "../../envs/embeddings.yaml"
    resources:
        **needs(mem_mb=lambda size: 750 + 2 * size, runtime=15),
    params:
        dataset=DATASETS["opencloudhub-readmes-embeddings"],
    message:
        "opencloudhub-readmes-embeddings: asking the evaluation's questions, checking the contract"
    script:
        "../../scripts/opencloudhub_readmes_embeddings/analyze.py"
