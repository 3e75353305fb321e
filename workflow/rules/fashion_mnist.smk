"""
Fashion-MNIST: 70,000 grey pictures of clothing, 28x28, in ten classes.

inputs:  train-images, train-labels, t10k-images, t10k-labels as gzipped IDX files
outputs: data/fashion-mnist/processed/{train,val}/{train,val}.parquet (val is the t10k files)
         data/fashion-mnist/{manifest.parquet,metadata.json,provenance.json}
         reports/fashion-mnist/samples.png
"""


localrules:
    fashion_mnist,


rule fashion_mnist_download:
    output:
        raw_files("fashion-mnist"),
        sources="data/fashion-mnist/raw/sources.json",
    log:
        "logs/fashion-mnist/download.log",
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        mem_mb=300,
        runtime=30,
    params:
        **download_params("fashion-mnist"),
        code=code("shared/download.py"),
    message:
        "fashion-mnist: fetching pictures and labels ({params.source})"
    script:
        "../../scripts/shared/download.py"


rule fashion_mnist_process:
    input:
        raw_files("fashion-mnist"),
    output:
        folder=directory("data/fashion-mnist/processed"),
        train="data/fashion-mnist/processed/train/train.parquet",
        val="data/fashion-mnist/processed/val/val.parquet",
    log:
        "logs/fashion-mnist/process.log",
    benchmark:
        "logs/fashion-mnist/process.tsv"
    conda:
        "../../envs/images.yaml"
    threads: 1
    resources:
        mem_mb=600,
        runtime=15,
    params:
        options=DATASETS["fashion-mnist"]["params"],
        code=code("fashion_mnist/process.py"),
    message:
        "fashion-mnist: turning IDX into Parquet"
    script:
        "../../scripts/fashion_mnist/process.py"


rule fashion_mnist_analyze:
    input:
        sources="data/fashion-mnist/raw/sources.json",
        folder="data/fashion-mnist/processed",
        train="data/fashion-mnist/processed/train/train.parquet",
        val="data/fashion-mnist/processed/val/val.parquet",
    output:
        manifest="data/fashion-mnist/manifest.parquet",
        metadata=report(
            "data/fashion-mnist/metadata.json",
            caption="../report/metadata.rst",
            category="fashion-mnist",
            labels={"what": "metadata"},
        ),
        provenance="data/fashion-mnist/provenance.json",
        samples=report(
            "reports/fashion-mnist/samples.png",
            caption="../report/samples.rst",
            category="fashion-mnist",
            labels={"what": "samples"},
        ),
    log:
        "logs/fashion-mnist/analyze.log",
    benchmark:
        "logs/fashion-mnist/analyze.tsv"
    conda:
        "../../envs/images.yaml"
    threads: 1
    resources:
        mem_mb=600,
        runtime=15,
    params:
        dataset=DATASETS["fashion-mnist"],
        code=code("shared/download.py", "fashion_mnist/process.py", "fashion_mnist/analyze.py"),
    message:
        "fashion-mnist: measuring pixels and classes, checking the contract"
    script:
        "../../scripts/fashion_mnist/analyze.py"


rule fashion_mnist:
    input:
        complete("fashion-mnist"),
    message:
        "fashion-mnist is complete"
