"""
OpenCloudHub READMEs: the README of every public repository of an organisation, a living corpus.

inputs:  the GitHub REST API, or <root>/opencloudhub-readmes/HEAD/<repository>/README.md as <root>/SHA256SUMS lists them
outputs: data/opencloudhub-readmes/raw/<repository>.md, raw/index.json, raw/sources.json
         data/opencloudhub-readmes/processed/documents.parquet, one row per README
         data/opencloudhub-readmes/{manifest.parquet,metadata.json,provenance.json}
         reports/opencloudhub-readmes/cleaning.json
         reports/opencloudhub-readmes/overview.svg: its distributions
"""

from registry.sources.readmes import sample_readmes


rule opencloudhub_readmes_download:
    output:
        folder=directory("data/opencloudhub-readmes/raw"),
        index="data/opencloudhub-readmes/raw/index.json",
        sources="data/opencloudhub-readmes/raw/sources.json",
    log:
        "logs/opencloudhub-readmes/download.log",
    # What takes longest starts first.
    priority: 1
    conda:
        "../../envs/fetch.yaml"
    resources:
        **needs(mem_mb=300, runtime=30),
    params:
        dataset="opencloudhub-readmes",
        source=DATASETS["opencloudhub-readmes"]["source"],
        github=DATASETS["opencloudhub-readmes"]["sources"]["github"],
        samples=sample_readmes(DATASETS["opencloudhub-readmes"]),
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
        checksum="data/opencloudhub-readmes/.processed.md5",
        documents="data/opencloudhub-readmes/processed/documents.parquet",
        cleaning="reports/opencloudhub-readmes/cleaning.json",
    log:
        "logs/opencloudhub-readmes/process.log",
    benchmark:
        "logs/opencloudhub-readmes/process.tsv"
    priority: 1
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(mem_mb=600, runtime=15),
    params:
        options=DATASETS["opencloudhub-readmes"]["params"],
    message:
        "opencloudhub-readmes: turning READMEs into a table"
    script:
        "../../scripts/opencloudhub_readmes/process.py"


rule opencloudhub_readmes_analyze:
    input:
        **outputs_of(rules.opencloudhub_readmes_process),
        index="data/opencloudhub-readmes/raw/index.json",
        sources="data/opencloudhub-readmes/raw/sources.json",
    output:
        **described("opencloudhub-readmes", overview="overview.svg"),
    log:
        "logs/opencloudhub-readmes/analyze.log",
    benchmark:
        "logs/opencloudhub-readmes/analyze.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(mem_mb=600, runtime=15),
    params:
        dataset=DATASETS["opencloudhub-readmes"],
    message:
        "opencloudhub-readmes: measuring sizes and lines, checking the contract"
    script:
        "../../scripts/opencloudhub_readmes/analyze.py"
