"""
Radiology mini: pictures with captions, as conversations for a model that reads pictures.

inputs:  the hub's Parquet file, and the prompt in config/prompts/ (or in MLflow)
outputs: data/radiology-mini/raw/{images/,captions.json,prompt.json}
         data/radiology-mini/processed/{train,test}/images/*.jpg and .../annotations.json
         data/radiology-mini/{manifest.parquet,metadata.json,provenance.json}
         reports/radiology-mini/cleaning.json: what was found, dropped, and looks alike
         reports/radiology-mini/samples.png
"""

from registry.sources.prompts import prompt_param


rule radiology_mini_download:
    output:
        images=directory("data/radiology-mini/raw/images"),
        captions="data/radiology-mini/raw/captions.json",
        sources="data/radiology-mini/raw/sources.json",
    log:
        "logs/radiology-mini/download.log",
    # What takes longest starts first.
    priority: 1
    conda:
        "../../envs/fetch.yaml"
    resources:
        **needs(mem_mb=600, runtime=60),
    params:
        **download_params("radiology-mini"),
    message:
        "radiology-mini: fetching and unpacking pictures and captions ({params.source})"
    script:
        "../../scripts/radiology_mini/download.py"


rule radiology_mini_prompt:
    output:
        prompt="data/radiology-mini/raw/prompt.json",
    log:
        "logs/radiology-mini/prompt.log",
    localrule: True
    conda:
        "../../envs/fetch.yaml"
    resources:
        **needs(mem_mb=300, runtime=5),
    params:
        prompt=prompt_param(DATASETS["radiology-mini"]["params"]["prompt"], os.environ),
    message:
        "radiology-mini: taking the prompt from {params.prompt[prompt_uri]}"
    script:
        "../../scripts/shared/prompt.py"


rule radiology_mini_shard:
    input:
        images="data/radiology-mini/raw/images",
        captions="data/radiology-mini/raw/captions.json",
    output:
        part=temp(directory("data/radiology-mini/.shards/{scatteritem}")),
    log:
        "logs/radiology-mini/shard-{scatteritem}.log",
    conda:
        "../../envs/images.yaml"
    resources:
        **needs(mem_mb=600, runtime=30),
    params:
        options=DATASETS["radiology-mini"]["params"],
    message:
        "radiology-mini: decoding and checking every picture, part {wildcards.scatteritem}"
    script:
        "../../scripts/radiology_mini/shard.py"


rule radiology_mini_process:
    input:
        images="data/radiology-mini/raw/images",
        captions="data/radiology-mini/raw/captions.json",
        prompt="data/radiology-mini/raw/prompt.json",
        parts=parts_of(rules.radiology_mini_shard),
    output:
        folder=directory("data/radiology-mini/processed"),
        checksum="data/radiology-mini/.processed.md5",
        train="data/radiology-mini/processed/train/annotations.json",
        test="data/radiology-mini/processed/test/annotations.json",
        cleaning="reports/radiology-mini/cleaning.json",
    log:
        "logs/radiology-mini/process.log",
    benchmark:
        "logs/radiology-mini/process.tsv"
    priority: 1
    conda:
        "../../envs/images.yaml"
    threads: 1 if DATASETS["radiology-mini"]["source"] == "samples" else 2
    resources:
        **needs(mem_mb=600, runtime=30),
    params:
        options=DATASETS["radiology-mini"]["params"],
    message:
        "radiology-mini: decoding and checking every picture, splitting them into train and test"
    script:
        "../../scripts/radiology_mini/process.py"


rule radiology_mini_analyze:
    input:
        **outputs_of(rules.radiology_mini_process),
        images="data/radiology-mini/raw/images",
        captions="data/radiology-mini/raw/captions.json",
        sources="data/radiology-mini/raw/sources.json",
        prompt="data/radiology-mini/raw/prompt.json",
    output:
        **described("radiology-mini", samples="samples.png"),
    log:
        "logs/radiology-mini/analyze.log",
    benchmark:
        "logs/radiology-mini/analyze.tsv"
    priority: 1
    conda:
        "../../envs/images.yaml"
    threads: threads_to_analyze("radiology-mini")
    resources:
        **needs(mem_mb=600, runtime=15),
    params:
        dataset=DATASETS["radiology-mini"],
    message:
        "radiology-mini: measuring pictures and captions, checking the contract"
    script:
        "../../scripts/radiology_mini/analyze.py"
