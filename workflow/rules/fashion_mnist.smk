"""
Fashion-MNIST: 70,000 grey pictures of clothing, 28x28, in ten classes.

inputs:  train-images, train-labels, t10k-images, t10k-labels as gzipped IDX files
outputs: data/fashion-mnist/processed/{train,val}/{train,val}.parquet (val is the t10k files)
         data/fashion-mnist/{manifest.parquet,metadata.json,provenance.json}
         reports/fashion-mnist/samples.png
"""


use rule download from steps as fashion_mnist_download with:
    output:
        raw_files("fashion-mnist"),
        sources="data/fashion-mnist/raw/sources.json",
    log:
        "logs/fashion-mnist/download.log",
    params:
        **download_params("fashion-mnist"),
    message:
        "fashion-mnist: fetching pictures and labels ({params.source})"


rule fashion_mnist_shard:
    input:
        files=raw_files("fashion-mnist"),
    output:
        part=temp(directory("data/fashion-mnist/.shards/{scatteritem}")),
    log:
        "logs/fashion-mnist/shard-{scatteritem}.log",
    conda:
        "../../envs/images.yaml"
    resources:
        **needs(mem_mb=600, runtime=15),
    params:
        options=DATASETS["fashion-mnist"]["params"],
    message:
        "fashion-mnist: turning IDX into Arrow, part {wildcards.scatteritem}"
    script:
        "../../scripts/fashion_mnist/shard.py"


rule fashion_mnist_process:
    input:
        files=raw_files("fashion-mnist"),
        parts=parts_of(rules.fashion_mnist_shard),
    output:
        folder=directory("data/fashion-mnist/processed"),
        checksum="data/fashion-mnist/.processed.md5",
        train="data/fashion-mnist/processed/train/train.parquet",
        val="data/fashion-mnist/processed/val/val.parquet",
    log:
        "logs/fashion-mnist/process.log",
    benchmark:
        "logs/fashion-mnist/process.tsv"
    conda:
        "../../envs/images.yaml"
    resources:
        **needs(mem_mb=600, runtime=15),
    params:
        options=DATASETS["fashion-mnist"]["params"],
    message:
        "fashion-mnist: turning IDX into Parquet"
    script:
        "../../scripts/fashion_mnist/process.py"


rule fashion_mnist_analyze:
    input:
        **outputs_of(rules.fashion_mnist_process),
        sources="data/fashion-mnist/raw/sources.json",
    output:
        **described("fashion-mnist", samples="samples.png"),
    log:
        "logs/fashion-mnist/analyze.log",
    benchmark:
        "logs/fashion-mnist/analyze.tsv"
    conda:
        "../../envs/images.yaml"
    threads: threads_to_analyze("fashion-mnist")
    resources:
        **needs(mem_mb=600, runtime=15),
    params:
        dataset=DATASETS["fashion-mnist"],
    message:
        "fashion-mnist: measuring pixels and classes, checking the contract"
    script:
        "../../scripts/fashion_mnist/analyze.py"
