"""
OpenCloudHub READMEs, embeddings: chunks of the READMEs and their vectors, for retrieval.

inputs:  data/opencloudhub-readmes/processed/documents.parquet
         data/opencloudhub-readmes-rag-evaluation/questions.csv, to measure retrieval
outputs: data/opencloudhub-readmes-embeddings/raw/chunks.parquet, raw/sources.json
         data/opencloudhub-readmes-embeddings/processed/embeddings.parquet, one row a chunk
         data/opencloudhub-readmes-embeddings/{manifest.parquet,metadata.json,provenance.json}
         reports/opencloudhub-readmes-embeddings/cleaning.json
         reports/opencloudhub-readmes-embeddings/overview.svg: its distributions
"""


localrules:
    opencloudhub_readmes_embeddings,


rule opencloudhub_readmes_embeddings_chunk:
    input:
        documents="data/opencloudhub-readmes/processed/documents.parquet",
        made_of=expand("data/{name}/metadata.json", name=upstream(DATASETS["opencloudhub-readmes-embeddings"])),
    output:
        chunks="data/opencloudhub-readmes-embeddings/raw/chunks.parquet",
        sources="data/opencloudhub-readmes-embeddings/raw/sources.json",
        # Snakemake removes what a job makes before it starts; until then texts that stayed can have their vectors.
        last=temp("data/opencloudhub-readmes-embeddings/.last.parquet"),
        cleaning="reports/opencloudhub-readmes-embeddings/cleaning.json",
    log:
        "logs/opencloudhub-readmes-embeddings/chunk.log",
    conda:
        "../../envs/embeddings.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=15,
    params:
        last="data/opencloudhub-readmes-embeddings/processed",
        source=DATASETS["opencloudhub-readmes-embeddings"]["source"],
        options=DATASETS["opencloudhub-readmes-embeddings"]["params"]["chunks"],
        code=code("opencloudhub_readmes_embeddings/chunk.py"),
    message:
        "opencloudhub-readmes-embeddings: cutting READMEs into chunks"
    script:
        "../../scripts/opencloudhub_readmes_embeddings/chunk.py"


rule opencloudhub_readmes_embeddings_embed:
    input:
        chunks="data/opencloudhub-readmes-embeddings/raw/chunks.parquet",
        last="data/opencloudhub-readmes-embeddings/.last.parquet",
    output:
        folder=directory("data/opencloudhub-readmes-embeddings/processed"),
        embeddings="data/opencloudhub-readmes-embeddings/processed/embeddings.parquet",
    log:
        "logs/opencloudhub-readmes-embeddings/embed.log",
    benchmark:
        "logs/opencloudhub-readmes-embeddings/embed.tsv"
    conda:
        "../../envs/embeddings.yaml"
    threads: DATASETS["opencloudhub-readmes-embeddings"]["params"]["engine"]["threads"] or os.cpu_count()
    resources:
        mem_mb=750,
        runtime=60,
    params:
        options=DATASETS["opencloudhub-readmes-embeddings"]["params"],
        code=code("opencloudhub_readmes_embeddings/embed.py"),
    message:
        "opencloudhub-readmes-embeddings: computing the vectors of chunks that are new"
    script:
        "../../scripts/opencloudhub_readmes_embeddings/embed.py"


rule opencloudhub_readmes_embeddings_analyze:
    input:
        sources="data/opencloudhub-readmes-embeddings/raw/sources.json",
        folder="data/opencloudhub-readmes-embeddings/processed",
        embeddings="data/opencloudhub-readmes-embeddings/processed/embeddings.parquet",
        cleaning="reports/opencloudhub-readmes-embeddings/cleaning.json",
        questions="data/opencloudhub-readmes-rag-evaluation/questions.csv",
    output:
        manifest="data/opencloudhub-readmes-embeddings/manifest.parquet",
        metadata=report(
            "data/opencloudhub-readmes-embeddings/metadata.json",
            caption="../report/metadata.rst",
            category="opencloudhub-readmes-embeddings",
            labels={"what": "metadata"},
        ),
        provenance="data/opencloudhub-readmes-embeddings/provenance.json",
        overview=report(
            "reports/opencloudhub-readmes-embeddings/overview.svg",
            caption="../report/overview.rst",
            category="opencloudhub-readmes-embeddings",
            labels={"what": "distributions"},
        ),
    log:
        "logs/opencloudhub-readmes-embeddings/analyze.log",
    benchmark:
        "logs/opencloudhub-readmes-embeddings/analyze.tsv"
    conda:
        "../../envs/embeddings.yaml"
    threads: 1
    resources:
        mem_mb=750,
        runtime=15,
    params:
        dataset=DATASETS["opencloudhub-readmes-embeddings"],
        code=code(
            "opencloudhub_readmes_embeddings/chunk.py",
            "opencloudhub_readmes_embeddings/embed.py",
            "opencloudhub_readmes_embeddings/analyze.py",
        ),
    message:
        "opencloudhub-readmes-embeddings: asking the evaluation's questions, checking the contract"
    script:
        "../../scripts/opencloudhub_readmes_embeddings/analyze.py"


rule opencloudhub_readmes_embeddings:
    input:
        complete("opencloudhub-readmes-embeddings"),
    message:
        "opencloudhub-readmes-embeddings is complete"
