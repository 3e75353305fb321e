"""
A picture of each dataset's distributions, for `snakemake --report`.

inputs:  data/{dataset}/metadata.json
outputs: reports/{dataset}/overview.svg
"""


rule overview:
    input:
        metadata="data/{dataset}/metadata.json",
    output:
        figure=report(
            "reports/{dataset}/overview.svg",
            caption="../report/overview.rst",
            category="{dataset}",
            labels={"what": "distributions"},
        ),
    log:
        "logs/{dataset}/overview.log",
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=300,
        runtime=10,
    params:
        code=code("shared/overview.py"),
    message:
        "{wildcards.dataset}: drawing its distributions"
    script:
        "../../scripts/shared/overview.py"
