"""
Emotion: short English texts with one of six emotions.

inputs:  train, validation and test as the hub's Parquet files
outputs: data/emotion/processed/{train,val,test}/{train,val,test}.parquet
         data/emotion/{manifest.parquet,metadata.json,provenance.json}
         reports/emotion/cleaning.json: which rows had a problem, and which were dropped
         reports/emotion/overview.svg: its distributions
"""


use rule download from steps as emotion_download with:
    output:
        raw_files("emotion"),
        sources="data/emotion/raw/sources.json",
    log:
        "logs/emotion/download.log",
    params:
        **download_params("emotion"),
    message:
        "emotion: fetching texts ({params.source})"


rule emotion_process:
    input:
        raw_files("emotion"),
    output:
        folder=directory("data/emotion/processed"),
        checksum="data/emotion/.processed.md5",
        train="data/emotion/processed/train/train.parquet",
        val="data/emotion/processed/val/val.parquet",
        test="data/emotion/processed/test/test.parquet",
        cleaning="reports/emotion/cleaning.json",
    log:
        "logs/emotion/process.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(),
    params:
        options=DATASETS["emotion"]["params"],
    message:
        "emotion: cleaning texts, naming classes"
    script:
        "../../scripts/emotion/process.py"


rule emotion_analyze:
    input:
        **outputs_of(rules.emotion_process),
        sources="data/emotion/raw/sources.json",
    output:
        **described("emotion", overview="overview.svg"),
    log:
        "logs/emotion/analyze.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(),
    params:
        dataset=DATASETS["emotion"],
    message:
        "emotion: measuring texts and classes, checking the contract"
    script:
        "../../scripts/emotion/analyze.py"
