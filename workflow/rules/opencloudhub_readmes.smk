"""
OpenCloudHub READMEs: the README of every public repository of an organisation, a living corpus.

inputs:  the GitHub REST API, or <root>/opencloudhub-readmes/HEAD/<repository>/README.md as <root>/SHA256SUMS lists them
outputs: data/opencloudhub-readmes/raw/<repository>.md, raw/index.json, raw/sources.json
         data/opencloudhub-readmes/processed/documents.parquet, one row a README
         data/opencloudhub-readmes/{manifest.parquet,metadata.json,provenance.json}
         reports/opencloudhub-readmes/cleaning.json
         reports/opencloudhub-readmes/overview.svg: its distributions
"""

from registry.sources.readmes import sample_readmes


localrules:
    opencloudhub_readmes,


rule opencloudhub_readmes_download:
    output:
        folder=directory("data/opencloudhub-readmes/raw"),
        index="data/opencloudhub-readmes/raw/index.json",
        sources="data/opencloudhub-readmes/raw/sources.json",
    log:
        "logs/opencloudhub-readmes/download.log",
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        mem_mb=300,
        runtime=30,
    params:
        dataset="opencloudhub-readmes",
        source=DATASETS["opencloudhub-readmes"]["source"],
        github=DATASETS["opencloudhub-readmes"]["sources"]["github"],
        samples=sample_readmes(DATASETS["opencloudhub-readmes"]),
        code=code("opencloudhub_readmes/download.py"),
    message:
        "opencloudhub-readmes: fetching the README of every repository ({params.source})"
    script:
        "../../scripts/opencloudhub_readmes/download.py"


rule opencloudhub_readmes_process:
    input:
        folder="data/opencloudhub-readmes/raw",
        index="data/opencloudhub-readmes/raw/index.json",
    output:
        folder=directory("data/opencloudhub-readmes/processed"),
        documents="data/opencloudhub-readmes/processed/documents.parquet",
        cleaning="reports/opencloudhub-readmes/cleaning.json",
    log:
        "logs/opencloudhub-readmes/process.log",
    benchmark:
        "logs/opencloudhub-readmes/process.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=600,
        runtime=15,
    params:
        options=DATASETS["opencloudhub-readmes"]["params"],
        code=code("opencloudhub_readmes/process.py"),
    message:
        "opencloudhub-readmes: turning READMEs into a table"
    script:
        "../../scripts/opencloudhub_readmes/process.py"


rule opencloudhub_readmes_analyze:
    input:
        index="data/opencloudhub-readmes/raw/index.json",
        sources="data/opencloudhub-readmes/raw/sources.json",
        folder="data/opencloudhub-readmes/processed",
        documents="data/opencloudhub-readmes/processed/documents.parquet",
        cleaning="reports/opencloudhub-readmes/cleaning.json",
    output:
        manifest="data/opencloudhub-readmes/manifest.parquet",
        metadata=report(
            "data/opencloudhub-readmes/metadata.json",
            caption="../report/metadata.rst",
            category="opencloudhub-readmes",
            labels={"what": "metadata"},
        ),
        provenance="data/opencloudhub-readmes/provenance.json",
        overview=report(
            "reports/opencloudhub-readmes/overview.svg",
            caption="../report/overview.rst",
            category="opencloudhub-readmes",
            labels={"what": "distributions"},
        ),
    log:
        "logs/opencloudhub-readmes/analyze.log",
    benchmark:
        "logs/opencloudhub-readmes/analyze.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=600,
        runtime=15,
    params:
        dataset=DATASETS["opencloudhub-readmes"],
        code=code(
            "opencloudhub_readmes/download.py", "opencloudhub_readmes/process.py", "opencloudhub_readmes/analyze.py"
        ),
    message:
        "opencloudhub-readmes: measuring sizes and lines, checking the contract"
    script:
        "../../scripts/opencloudhub_readmes/analyze.py"


rule opencloudhub_readmes:
    input:
        complete("opencloudhub-readmes"),
    message:
        "opencloudhub-readmes is complete"
