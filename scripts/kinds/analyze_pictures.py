"""Describe a dataset of any kind, and its pictures: its manifest, and what there is to know of every column."""

from functools import partial

from registry.describe.pictures import Pictures
from registry.files import write_json
from registry.kinds.columns import arrow_schema
from registry.kinds.gallery import MAX_DISTANCE
from registry.kinds.inputs import classes_of, with_roles
from registry.kinds.measured import measured
from registry.kinds.stored import with_files
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        dataset, output = snakemake.params.dataset, snakemake.output
        columns = dataset["contract"]["columns"]
        options = with_roles(dataset["kind"], columns, dataset["params"])
        files = {"read": partial(with_files, contract=columns), "schema": arrow_schema(columns)}
        pictures = Pictures(classes_of(columns, options))
        with measured(
            snakemake, dataset["kind"], pictures=pictures, **(files if options.get("files") else {})
        ) as about:
            alike = pictures.alike(options.get("near_duplicates", {}).get("max_distance", MAX_DISTANCE))
            first = alike.pop("first")
            about.facts["summary"]["near_duplicates"] = alike
        write_json(output.near_duplicates, first)
        pictures.draw(output.samples)
