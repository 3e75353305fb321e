"""Judge whether a run of this checkout, with its sources, configuration and code, would make the data that is here."""

import os

from registry.config.load import Datasets, load_datasets
from registry.release.assess import Built, NotReady, read_built, rule_of, up_to_date
from registry.sources.accepted import changed_prompt, changed_sources
from registry.storage.repository import Repository, read_config

SOMEWHERE = "somewhere"
"""Stands for a mirror that only a run needs; where it lies does not show in the data."""


def configured(repository: Repository) -> Datasets:
    """Return every dataset as a run without overrides would take it from the working tree."""
    config = read_config(repository.root)
    return load_datasets(config | {"mirror": config.get("mirror") or SOMEWHERE}, repository.root)


def check_bytes(repository: Repository, name: str, outs: dict[str, str]) -> Built:
    """Check a dataset on disk: it is complete, and its bytes are those that {path: md5} says. Raises NotReady."""
    built = read_built(repository.root, name)
    # What is not here, such as raw/, can be made again; what is here must be right.
    wrong = [out for out, md5 in outs.items() if (repository.root / out).exists() and built.outs.get(out) != md5]
    if wrong:
        raise NotReady("damaged", f"{wrong[0]} is not what was released", f"run registry pull --force {name}")
    return built


def check_current(repository: Repository, built: Built, datasets: Datasets) -> None:
    """Check that the checkout would make a dataset as it lies here: configuration, code, sources. Raises NotReady."""
    name = built.name
    up_to_date(repository, built.snapshot, datasets)
    build = f"run snakemake --cores all {rule_of(name)}"
    raw = f"{built.folder}/raw"
    if (repository.root / raw).exists() and raw not in built.outs:
        raise NotReady("skipped", f"{raw} is not what it was made from", build)
    changed = changed_sources(datasets[name], built.snapshot.provenance["source"], repository.root)
    if changed:
        raise NotReady("skipped", f"its sources changed since it was built ({', '.join(changed[:3])})", build)
    prompt = changed_prompt(datasets[name], built.snapshot.metadata, os.environ, repository.root)
    if prompt:
        raise NotReady("skipped", f"its prompt changed since it was built ({prompt})", build)
