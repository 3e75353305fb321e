"""Judge whether a run of this checkout, with its sources, configuration and code, would make the data that is here."""

import json
import os
from typing import Any

from registry.config import Datasets, load_datasets, read_yaml, source_files, upstream
from registry.corpus import sample_readmes
from registry.prompts import prompt_reference
from registry.release.readiness import Built, NotReady, read_built, rule_of, up_to_date
from registry.release.repository import Repository, read_config

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
    changed = changed_sources(repository, datasets[name], built.snapshot.provenance["source"])
    if changed:
        raise NotReady("skipped", f"its sources changed since it was built ({', '.join(changed[:3])})", build)
    wanted = datasets[name]["params"].get("prompt")
    if wanted:
        reference = prompt_reference(wanted, os.environ, repository.root)
        used = built.snapshot.metadata.get("prompt", {})
        if any(used.get(key) != value for key, value in reference.items()):
            raise NotReady("skipped", f"its prompt changed since it was built ({reference['prompt_uri']})", build)


def _content_hashes(repository: Repository, name: str) -> list[str]:
    """Return the content_hash of a dataset as it lies here; none where it is not here."""
    path = repository.root / "data" / name / "metadata.json"
    try:
        return [json.loads(path.read_text(encoding="utf-8"))["content_hash"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []


def changed_sources(repository: Repository, dataset: dict[str, Any], source: dict[str, Any]) -> list[str]:
    """Return the source files and datasets whose recorded hash is not, or no longer, one that the checkout accepts."""
    found = {file["file"]: file["sha256"] for file in source["files"]} | source.get("datasets", {})
    if "files" in dataset.get("sources", {}):
        accepted = {file["file"]: file["sha256"] for file in source_files(dataset, repository.root)}
        lock = repository.root / "config" / "locks" / f"{dataset['name']}.yaml"
        locked = (read_yaml(lock) or {}).get(source["mode"], {}) if lock.is_file() else {}
        for file, hashes in accepted.items():
            accepted[file] = hashes or ([locked[file]] if file in locked else [])
    elif "github" in dataset.get("sources", {}):
        readmes = sample_readmes(dataset, repository.root)
        # A living source is recorded, not enforced; only samples stay as they are.
        accepted = {f"{name}.md": [sha256] for name, sha256 in readmes.items()} or {file: [] for file in found}
    else:
        accepted = {name: _content_hashes(repository, name) for name in upstream(dataset)}
    return sorted(
        file
        for file in {*found, *accepted}
        if file not in accepted or file not in found or (accepted[file] and found[file] not in accepted[file])
    )
