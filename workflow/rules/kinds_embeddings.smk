"""
Datasets of the kind embeddings: the documents of another dataset in chunks, and the vector of each, for retrieval.

inputs:  the documents of another dataset; of a third one questions, to measure retrieval
outputs: data/<dataset>/raw/chunks.parquet, raw/sources.json
         data/<dataset>/processed/embeddings.parquet, one row per chunk
         data/<dataset>/{manifest.parquet,metadata.json,provenance.json}
         reports/<dataset>/cleaning.json
         reports/<dataset>/overview.svg: its distributions
"""

from registry.config.embeddings import document_columns, owner

for dataset in embedded():

    rule:
        name:
            f"{rule_of(dataset)}_chunk"
        input:
            documents=tables_named(dataset, "of"),
            made_of=expand("data/{name}/metadata.json", name=parents(DATASETS[dataset])),
        output:
            chunks=f"data/{dataset}/raw/chunks.parquet",
            sources=f"data/{dataset}/raw/sources.json",
            # Snakemake removes what a job makes before it starts; until then texts that stayed can have their vectors.
            last=temp(f"data/{dataset}/.last.parquet"),
            cleaning=f"reports/{dataset}/cleaning.json",
        log:
            f"logs/{dataset}/chunk.log",
        # What takes longest starts first.
        priority: 1
        conda:
            "../../envs/embeddings.yaml"
        resources:
            **needs(runtime=15),
        params:
            dataset=dataset,
            last=f"data/{dataset}/processed",
            source=DATASETS[dataset]["source"],
            columns=document_columns(DATASETS[dataset]["params"]),
            context=DATASETS[dataset]["params"].get("context", []),
            options=DATASETS[dataset]["params"]["chunks"],
        message:
            f"{dataset}: cutting documents into chunks"
        script:
            "../../scripts/kinds/embeddings/chunk.py"

    rule:
        name:
            f"{rule_of(dataset)}_shard"
        input:
            chunks=f"data/{dataset}/raw/chunks.parquet",
            last=f"data/{dataset}/.last.parquet",
        output:
            part=temp(f"data/{dataset}/.shards/{{scatteritem}}.parquet"),
        log:
            f"logs/{dataset}/shard-{{scatteritem}}.log",
        conda:
            "../../envs/embeddings.yaml"
        threads: engine_of(dataset)["threads"] or os.cpu_count()
        resources:
            **needs(mem_mb=750, runtime=lambda size: 60 + 10 * size),
        params:
            options=DATASETS[dataset]["params"],
        message:
            f"{dataset}: computing the vectors of chunks that are new, part {{wildcards.scatteritem}}"
        script:
            "../../scripts/kinds/embeddings/shard.py"

    rule:
        name:
            f"{rule_of(dataset)}_embed"
        input:
            chunks=f"data/{dataset}/raw/chunks.parquet",
            last=f"data/{dataset}/.last.parquet",
            # The engine ray has a cluster that shares the work.
            parts=parts_of(getattr(rules, f"{rule_of(dataset)}_shard")) if engine_of(dataset)["name"] == "local" else [],
        output:
            folder=directory(f"data/{dataset}/processed"),
            checksum=f"data/{dataset}/.processed.md5",
            embeddings=f"data/{dataset}/processed/embeddings.parquet",
        log:
            f"logs/{dataset}/embed.log",
        benchmark:
            f"logs/{dataset}/embed.tsv"
        priority: 1
        conda:
            "../../envs/embeddings.yaml"
        threads: engine_of(dataset)["threads"] or os.cpu_count()
        resources:
            **needs(mem_mb=750, runtime=lambda size: 60 + 10 * size),
        params:
            options=DATASETS[dataset]["params"],
        message:
            f"{dataset}: computing the vectors of chunks that are new"
        script:
            "../../scripts/kinds/embeddings/embed.py"

    rule:
        name:
            f"{rule_of(dataset)}_analyze"
        input:
            **outputs_of(getattr(rules, f"{rule_of(dataset)}_embed")),
            sources=f"data/{dataset}/raw/sources.json",
            cleaning=f"reports/{dataset}/cleaning.json",
            questions=tables_named(dataset, "questions"),
        output:
            **described(dataset, overview="overview.svg"),
        log:
            f"logs/{dataset}/analyze.log",
        benchmark:
            f"logs/{dataset}/analyze.tsv"
        priority: 1
        conda:
            "../../envs/embeddings.yaml"
        resources:
            **needs(mem_mb=lambda size: 750 + 2 * size, runtime=15),
        params:
            dataset=DATASETS[dataset],
            columns=document_columns(DATASETS[dataset]["params"]),
            of=owner(DATASETS[dataset]["params"]["of"]),
        message:
            f"{dataset}: measuring chunks and retrieval, checking the contract"
        script:
            "../../scripts/kinds/embeddings/analyze.py"
