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
    params:
        code=code("shared/overview.py"),
    log:
        "logs/{dataset}/overview.log",
    resources:
        mem_mb=300,
        runtime=10,
    conda:
        "../../envs/plots.yaml"
    message:
        "{wildcards.dataset}: drawing its distributions"
    script:
        "../../scripts/shared/overview.py"
