"""Fetch the README of every repository into raw/, from the samples, a mirror or the GitHub API."""

import os
from pathlib import Path

from registry.config.load import SAMPLES
from registry.sources.github import GitHub
from registry.sources.readmes import Listing, Source, write_corpus
from registry.workflow.job import job

CACHE = Path(".cache/github")


def open_source(mode: str, *, dataset: str, mirror: str | None, api: str, organisation: str) -> Source:
    """Return where READMEs come from in a source mode; for the GitHub API, GITHUB_TOKEN is used if it is set."""
    match mode:
        case "samples":
            return Listing(SAMPLES, dataset)
        case "mirror":
            return Listing(str(mirror), dataset)
    token = os.environ.get("GITHUB_TOKEN", "").strip()
    return GitHub(api, organisation, cache=CACHE, token=token or None)


if __name__ == "__main__":
    with job(snakemake):
        params, mirror = snakemake.params, snakemake.config["mirror"]
        place = {key: params.github[key] for key in ("api", "organisation")}
        source = open_source(params.source, dataset=params.dataset, mirror=mirror, **place)
        write_corpus(Path(snakemake.output.folder), source, mode=params.source, **params.github)
