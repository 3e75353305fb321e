"""
Tabular: a synthetic table, drawn from its params, to try versions and rollback on.

inputs:  none
outputs: data/tabular/raw/dataset.csv, data/tabular/processed/tabular.parquet
         data/tabular/{manifest.parquet,metadata.json,provenance.json}
         reports/tabular/profile.json
         reports/tabular/overview.svg: its distributions
"""


localrules:
    tabular,


rule tabular_generate:
    output:
        table="data/tabular/raw/dataset.csv",
        sources="data/tabular/raw/sources.json",
    log:
        "logs/tabular/generate.log",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        options=DATASETS["tabular"]["params"],
        code=code("tabular/generate.py"),
    message:
        "tabular: drawing {params.options[n_samples]} samples"
    script:
        "../../scripts/tabular/generate.py"


rule tabular_process:
    input:
        table="data/tabular/raw/dataset.csv",
    output:
        folder=directory("data/tabular/processed"),
        table="data/tabular/processed/tabular.parquet",
    log:
        "logs/tabular/process.log",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        n_features=DATASETS["tabular"]["params"]["n_features"],
        code=code("tabular/process.py"),
    message:
        "tabular: turning CSV into Parquet"
    script:
        "../../scripts/tabular/process.py"


rule tabular_analyze:
    input:
        sources="data/tabular/raw/sources.json",
        folder="data/tabular/processed",
        table="data/tabular/processed/tabular.parquet",
    output:
        manifest="data/tabular/manifest.parquet",
        metadata=report(
            "data/tabular/metadata.json",
            caption="../report/metadata.rst",
            category="tabular",
            labels={"what": "metadata"},
        ),
        provenance="data/tabular/provenance.json",
        overview=report(
            "reports/tabular/overview.svg",
            caption="../report/overview.rst",
            category="tabular",
            labels={"what": "distributions"},
        ),
        profile=report(
            "reports/tabular/profile.json",
            caption="../report/profile.rst",
            category="tabular",
            labels={"what": "profile"},
        ),
    log:
        "logs/tabular/analyze.log",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        dataset=DATASETS["tabular"],
        code=code("tabular/generate.py", "tabular/process.py", "tabular/analyze.py"),
    message:
        "tabular: profiling every column, checking the contract"
    script:
        "../../scripts/tabular/analyze.py"


rule tabular:
    input:
        complete("tabular"),
    message:
        "tabular is complete"
