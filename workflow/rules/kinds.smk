"""
Datasets that are made of files by configuration alone: those with a `kind` in their files, but embeddings.

inputs:  source files
outputs: data/<dataset>/processed/<dataset>.parquet, or <split>/<split>.parquet for each split
         data/<dataset>/{manifest.parquet,metadata.json,provenance.json}
         reports/<dataset>/cleaning.json: what was left out
         reports/<dataset>/overview.svg: its distributions
         reports/<dataset>/{samples.png,near_duplicates.json}: of pictures
         data/<dataset>/processed/files/: what stays as it is
"""

from registry.sources.prompts import prompt_param

for dataset in of_a_kind():

    rule:
        name:
            f"{rule_of(dataset)}_download"
        output:
            fetched_files(dataset),
            sources=f"data/{dataset}/raw/sources.json",
        log:
            f"logs/{dataset}/download.log",
        conda:
            "../../envs/fetch.yaml"
        resources:
            **needs(mem_mb=300, runtime=60),
        params:
            **download_params(dataset),
        message:
            f"{dataset}: fetching its files ({{params.source}})"
        script:
            "../../scripts/shared/download.py"

    if prompt_of(dataset):

        rule:
            name:
                f"{rule_of(dataset)}_prompt"
            output:
                prompt=f"data/{dataset}/raw/prompt.json",
            log:
                f"logs/{dataset}/prompt.log",
            localrule: True
            conda:
                "../../envs/fetch.yaml"
            resources:
                **needs(mem_mb=300, runtime=5),
            params:
                prompt=prompt_param(DATASETS[dataset]["params"]["prompt"], os.environ),
            message:
                f"{dataset}: taking the prompt from {{params.prompt[prompt_uri]}}"
            script:
                "../../scripts/shared/prompt.py"

    rule:
        name:
            f"{rule_of(dataset)}_process"
        input:
            files=raw_files(dataset),
            prompt=prompt_of(dataset),
        output:
            folder=directory(f"data/{dataset}/processed"),
            checksum=f"data/{dataset}/.processed.md5",
            tables=[*tables_of(DATASETS[dataset]).values()],
            row_keys=temp(f"data/{dataset}/.keys.parquet"),
            cleaning=f"reports/{dataset}/cleaning.json",
        log:
            f"logs/{dataset}/process.log",
        conda:
            environment_of(dataset)
        threads: 2 if has_pictures(dataset) and DATASETS[dataset]["source"] != "samples" else 1
        resources:
            **needs(mem_mb=1000 if has_pictures(dataset) else 500, runtime=60),
        params:
            kind=DATASETS[dataset]["kind"],
            files=sources_of(dataset),
            splits=[*tables_of(DATASETS[dataset])],
            columns=DATASETS[dataset]["contract"]["columns"],
            options=options_of(dataset),
        message:
            f"{dataset}: making its data from its files"
        script:
            "../../scripts/kinds/{params.kind}.py"

    rule:
        name:
            f"{rule_of(dataset)}_analyze"
        input:
            **outputs_of(getattr(rules, f"{rule_of(dataset)}_process")),
            sources=f"data/{dataset}/raw/sources.json",
            prompt=prompt_of(dataset),
        output:
            **described_kind(dataset),
        log:
            f"logs/{dataset}/analyze.log",
        conda:
            environment_of(dataset)
        threads: threads_to_analyze(dataset)
        resources:
            **needs(mem_mb=700, runtime=30),
        params:
            analysis="analyze_pictures" if has_pictures(dataset) else "analyze",
            dataset=DATASETS[dataset],
            splits=[*tables_of(DATASETS[dataset])],
        message:
            f"{dataset}: measuring every column, checking the contract"
        script:
            "../../scripts/kinds/{params.analysis}.py"
