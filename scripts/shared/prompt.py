"""Write the prompt that stands before every picture, with where it is from, into raw/prompt.json."""

from registry.files import write_json
from registry.sources.prompts import resolve
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        write_json(snakemake.output.prompt, resolve(snakemake.params.prompt))
