"""
Wine quality: measurements of 6,497 red and white wines, and how experts rated them.

inputs:  the red and the white wines as semicolon-separated CSV
outputs: data/wine-quality/processed/wine-quality.{csv,parquet}
         data/wine-quality/{manifest.parquet,metadata.json,provenance.json}
         reports/wine-quality/overview.svg: its distributions
"""


use rule download from steps as wine_quality_download with:
    output:
        raw_files("wine-quality"),
        sources="data/wine-quality/raw/sources.json",
    log:
        "logs/wine-quality/download.log",
    params:
        **download_params("wine-quality"),
    message:
        "wine-quality: fetching red and white wines ({params.source})"


rule wine_quality_process:
    input:
        raw_files("wine-quality"),
    output:
        folder=directory("data/wine-quality/processed"),
        checksum="data/wine-quality/.processed.md5",
        csv="data/wine-quality/processed/wine-quality.csv",
        table="data/wine-quality/processed/wine-quality.parquet",
    log:
        "logs/wine-quality/process.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(),
    message:
        "wine-quality: joining red and white"
    script:
        "../../scripts/wine_quality/process.py"


rule wine_quality_analyze:
    input:
        **outputs_of(rules.wine_quality_process),
        sources="data/wine-quality/raw/sources.json",
    output:
        **described("wine-quality", overview="overview.svg"),
    log:
        "logs/wine-quality/analyze.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(),
    params:
        dataset=DATASETS["wine-quality"],
    message:
        "wine-quality: measuring every column, checking the contract"
    script:
        "../../scripts/wine_quality/analyze.py"
