"""
Radiology mini: pictures with captions, as conversations for a model that reads pictures.

inputs:  the hub's Parquet file, and the prompt in config/prompts/ (or in MLflow)
outputs: data/radiology-mini/raw/{images/,captions.json,prompt.json}
         data/radiology-mini/processed/{train,test}/images/*.jpg and .../annotations.json
         data/radiology-mini/{manifest.parquet,metadata.json,provenance.json}
         reports/radiology-mini/cleaning.json: what was found, dropped, and looks alike
         reports/radiology-mini/samples.png
"""

from registry.sources.prompts import prompt_reference

try:
    RADIOLOGY_PROMPT = prompt_reference(DATASETS["radiology-mini"]["params"]["prompt"], os.environ)
except RegistryError as error:
    raise WorkflowError(str(error))


localrules:
    radiology_mini,
    radiology_mini_prompt,


rule radiology_mini_download:
    output:
        images=directory("data/radiology-mini/raw/images"),
        captions="data/radiology-mini/raw/captions.json",
        sources="data/radiology-mini/raw/sources.json",
    log:
        "logs/radiology-mini/download.log",
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        mem_mb=600,
        runtime=60,
    params:
        **download_params("radiology-mini"),
        code=code("radiology_mini/download.py"),
    message:
        "radiology-mini: fetching and unpacking pictures and captions ({params.source})"
    script:
        "../../scripts/radiology_mini/download.py"


rule radiology_mini_prompt:
    output:
        prompt="data/radiology-mini/raw/prompt.json",
    log:
        "logs/radiology-mini/prompt.log",
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        mem_mb=300,
        runtime=5,
    params:
        prompt=RADIOLOGY_PROMPT,
        code=code("radiology_mini/prompt.py"),
    message:
        "radiology-mini: taking the prompt from {params.prompt[prompt_uri]}"
    script:
        "../../scripts/radiology_mini/prompt.py"


rule radiology_mini_process:
    input:
        images="data/radiology-mini/raw/images",
        captions="data/radiology-mini/raw/captions.json",
        prompt="data/radiology-mini/raw/prompt.json",
    output:
        folder=directory("data/radiology-mini/processed"),
        train="data/radiology-mini/processed/train/annotations.json",
        test="data/radiology-mini/processed/test/annotations.json",
        cleaning="reports/radiology-mini/cleaning.json",
    log:
        "logs/radiology-mini/process.log",
    benchmark:
        "logs/radiology-mini/process.tsv"
    conda:
        "../../envs/images.yaml"
    threads: 2
    resources:
        mem_mb=1500,
        runtime=30,
    params:
        options=DATASETS["radiology-mini"]["params"],
        code=code("radiology_mini/process.py"),
    message:
        "radiology-mini: decoding and checking every picture, splitting them into train and test"
    script:
        "../../scripts/radiology_mini/process.py"


rule radiology_mini_analyze:
    input:
        images="data/radiology-mini/raw/images",
        captions="data/radiology-mini/raw/captions.json",
        sources="data/radiology-mini/raw/sources.json",
        prompt="data/radiology-mini/raw/prompt.json",
        folder="data/radiology-mini/processed",
        train="data/radiology-mini/processed/train/annotations.json",
        test="data/radiology-mini/processed/test/annotations.json",
        cleaning="reports/radiology-mini/cleaning.json",
    output:
        manifest="data/radiology-mini/manifest.parquet",
        metadata=report(
            "data/radiology-mini/metadata.json",
            caption="../report/metadata.rst",
            category="radiology-mini",
            labels={"what": "metadata"},
        ),
        provenance="data/radiology-mini/provenance.json",
        samples=report(
            "reports/radiology-mini/samples.png",
            caption="../report/samples.rst",
            category="radiology-mini",
            labels={"what": "samples"},
        ),
    log:
        "logs/radiology-mini/analyze.log",
    benchmark:
        "logs/radiology-mini/analyze.tsv"
    conda:
        "../../envs/images.yaml"
    threads: 1
    resources:
        mem_mb=600,
        runtime=15,
    params:
        dataset=DATASETS["radiology-mini"],
        code=code(
            "radiology_mini/download.py",
            "radiology_mini/prompt.py",
            "radiology_mini/process.py",
            "radiology_mini/analyze.py",
        ),
    message:
        "radiology-mini: measuring pictures and captions, checking the contract"
    script:
        "../../scripts/radiology_mini/analyze.py"


rule radiology_mini:
    input:
        complete("radiology-mini"),
    message:
        "radiology-mini is complete"
