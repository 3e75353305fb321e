"""
OpenCloudHub READMEs, evaluation of retrieval: questions with the concepts that a good answer names.

inputs:  questions.csv, written by hand
outputs: data/opencloudhub-readmes-rag-evaluation/questions.csv, as it is
         data/opencloudhub-readmes-rag-evaluation/{manifest.parquet,metadata.json,provenance.json}
         reports/opencloudhub-readmes-rag-evaluation/overview.svg: its distributions
"""


use rule download from steps as opencloudhub_readmes_rag_evaluation_download with:
    output:
        raw_files("opencloudhub-readmes-rag-evaluation"),
        sources="data/opencloudhub-readmes-rag-evaluation/raw/sources.json",
    log:
        "logs/opencloudhub-readmes-rag-evaluation/download.log",
    params:
        **download_params("opencloudhub-readmes-rag-evaluation"),
    message:
        "opencloudhub-readmes-rag-evaluation: fetching the questions ({params.source})"


rule opencloudhub_readmes_rag_evaluation_process:
    input:
        questions="data/opencloudhub-readmes-rag-evaluation/raw/questions.csv",
    output:
        questions="data/opencloudhub-readmes-rag-evaluation/questions.csv",
        checksum="data/opencloudhub-readmes-rag-evaluation/.questions.csv.md5",
    log:
        "logs/opencloudhub-readmes-rag-evaluation/process.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(),
    message:
        "opencloudhub-readmes-rag-evaluation: checking the questions"
    script:
        "../../scripts/opencloudhub_readmes_rag_evaluation/process.py"


rule opencloudhub_readmes_rag_evaluation_analyze:
    input:
        **outputs_of(rules.opencloudhub_readmes_rag_evaluation_process),
        sources="data/opencloudhub-readmes-rag-evaluation/raw/sources.json",
    output:
        **described("opencloudhub-readmes-rag-evaluation", overview="overview.svg"),
    log:
        "logs/opencloudhub-readmes-rag-evaluation/analyze.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(),
    params:
        dataset=DATASETS["opencloudhub-readmes-rag-evaluation"],
    message:
        "opencloudhub-readmes-rag-evaluation: counting categories, checking the contract"
    script:
        "../../scripts/opencloudhub_readmes_rag_evaluation/analyze.py"
