"""
Steps that datasets share. A module takes one over, and says what is its own:

    use rule download from steps as emotion_download with: ...

inputs:  the source files of a dataset, from its samples, a mirror or their publishers
outputs: data/<dataset>/raw/: the files, and sources.json, which tells what was fetched
"""


rule download:
    log:
        "logs/download.log",
    conda:
        "../../envs/fetch.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 800 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    script:
        "../../scripts/shared/download.py"
