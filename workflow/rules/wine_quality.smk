"""
Wine quality: measurements of 6,497 red and white wines, and how experts rated them.

inputs:  the red and the white wines as semicolon-separated CSV
outputs: data/wine-quality/processed/wine-quality.{csv,parquet}
         data/wine-quality/{manifest.parquet,metadata.json,provenance.json}
         reports/wine-quality/overview.svg: its distributions
"""


localrules:
    wine_quality,


rule wine_quality_download:
    output:
        raw_files("wine-quality"),
        sources="data/wine-quality/raw/sources.json",
    log:
        "logs/wine-quality/download.log",
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        mem_mb=300,
        runtime=30,
    params:
        **download_params("wine-quality"),
        code=code("shared/download.py"),
    message:
        "wine-quality: fetching red and white wines ({params.source})"
    script:
        "../../scripts/shared/download.py"


rule wine_quality_process:
    input:
        raw_files("wine-quality"),
    output:
        folder=directory("data/wine-quality/processed"),
        csv="data/wine-quality/processed/wine-quality.csv",
        table="data/wine-quality/processed/wine-quality.parquet",
    log:
        "logs/wine-quality/process.log",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        code=code("wine_quality/process.py"),
    message:
        "wine-quality: joining red and white"
    script:
        "../../scripts/wine_quality/process.py"


rule wine_quality_analyze:
    input:
        sources="data/wine-quality/raw/sources.json",
        folder="data/wine-quality/processed",
        table="data/wine-quality/processed/wine-quality.parquet",
    output:
        manifest="data/wine-quality/manifest.parquet",
        metadata=report(
            "data/wine-quality/metadata.json",
            caption="../report/metadata.rst",
            category="wine-quality",
            labels={"what": "metadata"},
        ),
        provenance="data/wine-quality/provenance.json",
        overview=report(
            "reports/wine-quality/overview.svg",
            caption="../report/overview.rst",
            category="wine-quality",
            labels={"what": "distributions"},
        ),
    log:
        "logs/wine-quality/analyze.log",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        dataset=DATASETS["wine-quality"],
        code=code("shared/download.py", "wine_quality/process.py", "wine_quality/analyze.py"),
    message:
        "wine-quality: measuring every column, checking the contract"
    script:
        "../../scripts/wine_quality/analyze.py"


rule wine_quality:
    input:
        complete("wine-quality"),
    message:
        "wine-quality is complete"
