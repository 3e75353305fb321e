"""
Tabular: a synthetic table, drawn from its params, to try versions and rollback on.

inputs:  none
outputs: data/tabular/raw/dataset.csv, data/tabular/processed/tabular.parquet
         data/tabular/{manifest.parquet,metadata.json,provenance.json}
         reports/tabular/profile.json
         reports/tabular/overview.svg: its distributions
"""


rule tabular_generate:
    output:
        table="data/tabular/raw/dataset.csv",
        sources="data/tabular/raw/sources.json",
    log:
        "logs/tabular/generate.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(mem_mb=300),
    params:
        options=DATASETS["tabular"]["params"],
    message:
        "tabular: drawing {params.options[n_samples]} samples"
    script:
        "../../scripts/tabular/generate.py"


rule tabular_shard:
    input:
        table="data/tabular/raw/dataset.csv",
    output:
        part=temp("data/tabular/.shards/{scatteritem}.parquet"),
    log:
        "logs/tabular/shard-{scatteritem}.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(),
    params:
        n_features=DATASETS["tabular"]["params"]["n_features"],
    message:
        "tabular: turning CSV into Parquet, part {wildcards.scatteritem}"
    script:
        "../../scripts/tabular/shard.py"


rule tabular_process:
    input:
        table="data/tabular/raw/dataset.csv",
        parts=parts_of(rules.tabular_shard),
    output:
        folder=directory("data/tabular/processed"),
        checksum="data/tabular/.processed.md5",
        table="data/tabular/processed/tabular.parquet",
    log:
        "logs/tabular/process.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(mem_mb=300),
    params:
        n_features=DATASETS["tabular"]["params"]["n_features"],
    message:
        "tabular: turning CSV into Parquet"
    script:
        "../../scripts/tabular/process.py"


rule tabular_analyze:
    input:
        **outputs_of(rules.tabular_process),
        sources="data/tabular/raw/sources.json",
    output:
        **described("tabular", overview="overview.svg", profile="profile.json"),
    log:
        "logs/tabular/analyze.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(mem_mb=700),
    params:
        dataset=DATASETS["tabular"],
    message:
        "tabular: profiling every column, checking the contract"
    script:
        "../../scripts/tabular/analyze.py"
