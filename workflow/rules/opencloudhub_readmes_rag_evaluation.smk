"""
OpenCloudHub READMEs, evaluation of retrieval: questions with the concepts that a good answer names.

inputs:  questions.csv, written by hand
outputs: data/opencloudhub-readmes-rag-evaluation/questions.csv, as it is
         data/opencloudhub-readmes-rag-evaluation/{manifest.parquet,metadata.json,provenance.json}
         reports/opencloudhub-readmes-rag-evaluation/overview.svg: its distributions
"""


localrules:
    opencloudhub_readmes_rag_evaluation,


rule opencloudhub_readmes_rag_evaluation_download:
    output:
        raw_files("opencloudhub-readmes-rag-evaluation"),
        sources="data/opencloudhub-readmes-rag-evaluation/raw/sources.json",
    log:
        "logs/opencloudhub-readmes-rag-evaluation/download.log",
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        mem_mb=300,
        runtime=30,
    params:
        **download_params("opencloudhub-readmes-rag-evaluation"),
        code=code("shared/download.py"),
    message:
        "opencloudhub-readmes-rag-evaluation: fetching the questions ({params.source})"
    script:
        "../../scripts/shared/download.py"


rule opencloudhub_readmes_rag_evaluation_process:
    input:
        questions="data/opencloudhub-readmes-rag-evaluation/raw/questions.csv",
    output:
        questions="data/opencloudhub-readmes-rag-evaluation/questions.csv",
    log:
        "logs/opencloudhub-readmes-rag-evaluation/process.log",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        code=code("opencloudhub_readmes_rag_evaluation/process.py"),
    message:
        "opencloudhub-readmes-rag-evaluation: checking the questions"
    script:
        "../../scripts/opencloudhub_readmes_rag_evaluation/process.py"


rule opencloudhub_readmes_rag_evaluation_analyze:
    input:
        sources="data/opencloudhub-readmes-rag-evaluation/raw/sources.json",
        questions="data/opencloudhub-readmes-rag-evaluation/questions.csv",
    output:
        manifest="data/opencloudhub-readmes-rag-evaluation/manifest.parquet",
        metadata=report(
            "data/opencloudhub-readmes-rag-evaluation/metadata.json",
            caption="../report/metadata.rst",
            category="opencloudhub-readmes-rag-evaluation",
            labels={"what": "metadata"},
        ),
        provenance="data/opencloudhub-readmes-rag-evaluation/provenance.json",
        overview=report(
            "reports/opencloudhub-readmes-rag-evaluation/overview.svg",
            caption="../report/overview.rst",
            category="opencloudhub-readmes-rag-evaluation",
            labels={"what": "distributions"},
        ),
    log:
        "logs/opencloudhub-readmes-rag-evaluation/analyze.log",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        dataset=DATASETS["opencloudhub-readmes-rag-evaluation"],
        code=code(
            "shared/download.py",
            "opencloudhub_readmes_rag_evaluation/process.py",
            "opencloudhub_readmes_rag_evaluation/analyze.py",
        ),
    message:
        "opencloudhub-readmes-rag-evaluation: counting categories, checking the contract"
    script:
        "../../scripts/opencloudhub_readmes_rag_evaluation/analyze.py"


rule opencloudhub_readmes_rag_evaluation:
    input:
        complete("opencloudhub-readmes-rag-evaluation"),
    message:
        "opencloudhub-readmes-rag-evaluation is complete"
