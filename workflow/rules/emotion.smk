"""
Emotion: short English texts with one of six emotions.

inputs:  train, validation and test as the hub's Parquet files
outputs: data/emotion/processed/{train,val,test}/{train,val,test}.parquet
         data/emotion/{manifest.parquet,metadata.json,provenance.json}
         reports/emotion/cleaning.json: which rows had a problem, and which were dropped
         reports/emotion/overview.svg: its distributions
"""


localrules:
    emotion,


rule emotion_download:
    output:
        raw_files("emotion"),
        sources="data/emotion/raw/sources.json",
    log:
        "logs/emotion/download.log",
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        mem_mb=300,
        runtime=30,
    params:
        **download_params("emotion"),
        code=code("shared/download.py"),
    message:
        "emotion: fetching texts ({params.source})"
    script:
        "../../scripts/shared/download.py"


rule emotion_process:
    input:
        raw_files("emotion"),
    output:
        folder=directory("data/emotion/processed"),
        train="data/emotion/processed/train/train.parquet",
        val="data/emotion/processed/val/val.parquet",
        test="data/emotion/processed/test/test.parquet",
        cleaning="reports/emotion/cleaning.json",
    log:
        "logs/emotion/process.log",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        options=DATASETS["emotion"]["params"],
        code=code("emotion/process.py"),
    message:
        "emotion: cleaning texts, naming classes"
    script:
        "../../scripts/emotion/process.py"


rule emotion_analyze:
    input:
        sources="data/emotion/raw/sources.json",
        folder="data/emotion/processed",
        train="data/emotion/processed/train/train.parquet",
        val="data/emotion/processed/val/val.parquet",
        test="data/emotion/processed/test/test.parquet",
        cleaning="reports/emotion/cleaning.json",
    output:
        manifest="data/emotion/manifest.parquet",
        metadata=report(
            "data/emotion/metadata.json",
            caption="../report/metadata.rst",
            category="emotion",
            labels={"what": "metadata"},
        ),
        provenance="data/emotion/provenance.json",
        overview=report(
            "reports/emotion/overview.svg",
            caption="../report/overview.rst",
            category="emotion",
            labels={"what": "distributions"},
        ),
    log:
        "logs/emotion/analyze.log",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        dataset=DATASETS["emotion"],
        code=code("shared/download.py", "emotion/process.py", "emotion/analyze.py"),
    message:
        "emotion: measuring texts and classes, checking the contract"
    script:
        "../../scripts/emotion/analyze.py"


rule emotion:
    input:
        complete("emotion"),
    message:
        "emotion is complete"
