"""Find which sources a checkout accepts for a dataset, from its configuration, locks, samples and prompts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry.config.load import parents, source_files
from registry.sources.locks import read_lock
from registry.sources.prompts import prompt_file, prompt_reference
from registry.sources.readmes import sample_readmes
from registry.sources.stream import accepted_batches, is_of_stream


def changed_sources(dataset: Mapping[str, Any], source: Mapping[str, Any], root: Path = Path()) -> list[str]:
    """Return the files and datasets in `source` (of a provenance) that the checkout at `root` does not accept, sorted.

    Those that it asks for and `source` lacks are among them.
    """
    found = {file["file"]: file["sha256"] for file in source["files"]} | source.get("datasets", {})
    accepted = _accepted(dataset, source["mode"], root)
    if accepted is None:
        return []
    return sorted(
        file
        for file in {*found, *accepted}
        if file not in accepted or file not in found or (accepted[file] and found[file] not in accepted[file])
    )


def _accepted(dataset: Mapping[str, Any], mode: str, root: Path) -> dict[str, list[str]] | None:
    """Return {file or dataset: its accepted hashes, none where any is}; None for a living source, which is recorded."""
    sources = dataset.get("sources", {})
    if is_of_stream(dataset):
        return accepted_batches(dataset, root)
    if "files" in sources:
        locked = read_lock(root / "config" / "locks" / f"{dataset['name']}.yaml").get(mode, {})
        return {
            file["file"]: file["sha256"] or [sha256 for name, sha256 in locked.items() if name == file["file"]]
            for file in source_files(dataset, root)
        }
    if "github" in sources:
        readmes = sample_readmes(dataset, root)
        return {f"{name}.md": [sha256] for name, sha256 in readmes.items()} or None
    return {name: _content_hashes(name, root) for name in parents(dataset)}


def _content_hashes(name: str, root: Path) -> list[str]:
    """Return the content_hash of a dataset as it is on disk; none where it is not there."""
    try:
        return [json.loads((root / "data" / name / "metadata.json").read_text(encoding="utf-8"))["content_hash"]]
    except (FileNotFoundError, ValueError, RecursionError, KeyError, TypeError):
        return []


def changed_prompt(
    dataset: Mapping[str, Any], metadata: Mapping[str, Any], environment: Mapping[str, str], root: Path = Path()
) -> str | None:
    """Return the address of the dataset's prompt if it is not the one that metadata.json records; None if it is."""
    wanted = dataset["params"].get("prompt")
    if not wanted:
        return None
    reference = prompt_reference(wanted, environment, root)
    used = metadata.get("prompt", {})
    return str(reference["prompt_uri"]) if any(used.get(key) != value for key, value in reference.items()) else None


def own_files(name: str, dataset: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Return the paths of a dataset's own configuration: its file, its part of the card, its source lock, its prompt.

    The prompt is among them if it is a file.
    """
    wanted = dataset.get("params", {}).get("prompt")
    prompt = prompt_file(wanted, environment) if wanted else None
    own = [f"config/datasets/{name}.yaml", f"config/datasets/{name}.md", f"config/locks/{name}.yaml"]
    return [*own, *filter(None, [prompt])]
