"""
Events: what people do in a shop, message by message, a dataset that grows from a Kafka topic.

inputs:  <folder>/<topic>/<partition>/<first>-<last>.parquet, the batches of messages as they were sent: committed samples
         in data/samples/events, or in data/events/raw what `registry ingest events` has read; no rule makes or removes them
outputs: data/events/.stream/sources.json, which batches the build was made from
         data/events/processed/<day>.parquet, the events of a day
         data/events/{manifest.parquet,metadata.json,provenance.json}
         reports/events/cleaning.json
         reports/events/overview.svg: its distributions
"""

from registry.sources.stream import batch_files, batch_folder

# Listed once, so that all rules of a run have the same.
EVENT_BATCHES = batch_files(DATASETS["events"])


rule events_download:
    input:
        batches=EVENT_BATCHES,
    output:
        sources="data/events/.stream/sources.json",
    log:
        "logs/events/download.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(mem_mb=300),
    params:
        mode=DATASETS["events"]["source"],
        folder=lambda wildcards: batch_folder(DATASETS["events"]).as_posix(),
    message:
        "events: checking that no message is missing between batches ({params.mode})"
    script:
        "../../scripts/events/download.py"


rule events_process:
    input:
        batches=EVENT_BATCHES,
        sources=rules.events_download.output.sources,
    output:
        folder=directory("data/events/processed"),
        checksum="data/events/.processed.md5",
        cleaning="reports/events/cleaning.json",
    log:
        "logs/events/process.log",
    benchmark:
        "logs/events/process.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(mem_mb=700, runtime=30),
    params:
        folder=lambda wildcards: batch_folder(DATASETS["events"]).as_posix(),
        columns=DATASETS["events"]["contract"]["columns"],
        options=DATASETS["events"]["params"],
    message:
        "events: compacting messages into days"
    script:
        "../../scripts/events/process.py"


rule events_analyze:
    input:
        **outputs_of(rules.events_process),
        sources=rules.events_download.output.sources,
    output:
        **described("events", overview="overview.svg"),
    log:
        "logs/events/analyze.log",
    benchmark:
        "logs/events/analyze.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **needs(mem_mb=700, runtime=15),
    params:
        dataset=DATASETS["events"],
        folder=lambda wildcards: batch_folder(DATASETS["events"]).as_posix(),
    message:
        "events: counting kinds and days, checking the contract"
    script:
        "../../scripts/events/analyze.py"
