"""The versions by which an orchestrator sees what is out of date: what a dataset is made of, and what it was made of.

The data version is the content hash. The code version is a digest of all by which Snakemake decides to build: the
fingerprints of the scripts, the effective configuration, the samples or the batches of its stream, the prompt, and the
same of what it is made of.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from registry.config.fingerprint import fingerprint
from registry.config.load import source_files
from registry.errors import RegistryError
from registry.orchestrate.checkout import Checkout
from registry.orchestrate.scripts_of import scripts_of
from registry.sources.prompts import prompt_reference
from registry.sources.readmes import sample_readmes
from registry.sources.samples import edited_samples
from registry.sources.stream import MODE, accepted_batches, is_of_stream
from registry.storage.snapshot import PROVENANCE, Snapshot

DIGITS = 32
"""Hexadecimal digits of a version, as many as a tag of an event can hold."""
DATA, CODE = "dagster/data_version", "dagster/code_version"
INPUT, POINTER = "dagster/input_data_version", "dagster/input_event_pointer"
BY_USER = "dagster/data_version_is_user_provided"
SEEN = "registry/provenance"
"""Tag of an event that says which provenance.json, and which release, it tells of."""
ASSUMED, NO_EVENT = "INITIAL", "NULL"
"""The data version that Dagster gives to sources, and how it says that an input has no event."""
OF_MLFLOW = "prompts:/"


def digest(value: Any) -> str:
    """Return a short digest of a value of JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:DIGITS]


def code_version(checkout: Checkout, name: str) -> str:
    """Return what a dataset would be built from now; of one that is pinned, what it was built from."""
    if checkout.is_pinned(name):
        snapshot = checkout.built(name)
        return recorded_version(checkout, snapshot) if snapshot else digest(f"{name} is pinned, and not here")
    if name not in checkout.datasets:
        return digest(f"{name} is broken")
    dataset, root = checkout.datasets[name], checkout.root
    try:
        prompt = dataset.get("params", {}).get("prompt")
        reference = prompt_reference(prompt, os.environ, root) if prompt else {}
        edited = sorted(edited_samples(dataset, root))
        code = {script: fingerprint(script, root / "scripts") for script in scripts_of(dataset, root)}
        files = _files(checkout, dataset)
    except (RegistryError, FileNotFoundError) as error:
        return digest(f"{name}: {error}")
    return _version(checkout, name, code, dataset, files, _prompt(reference), edited, code_version)


def recorded_version(checkout: Checkout, snapshot: Snapshot) -> str:
    """Return what a dataset was built from, as its provenance.json says."""
    provenance = snapshot.provenance
    source, prompt = provenance["source"], snapshot.metadata.get("prompt", {})
    asked = provenance["config"].get("params", {}).get("prompt")

    def recorded(checkout: Checkout, other: str) -> str:
        built = checkout.built(other)
        return recorded_version(checkout, built) if built else "not here"

    return _version(
        checkout,
        snapshot.dataset,
        provenance["code"],
        provenance["config"],
        _recorded_files(source),
        _prompt(prompt) if asked else {},
        [],
        recorded,
    )


def _version(
    checkout: Checkout,
    name: str,
    code: Mapping[str, str],
    config: Mapping[str, Any],
    files: Mapping[str, str],
    prompt: Mapping[str, Any],
    edited: list[str],
    version_of: Any,
) -> str:
    needs = {other: version_of(checkout, other) for other in checkout.needs(name)}
    return digest([code, config, files, prompt, edited, needs])


def _files(checkout: Checkout, dataset: Mapping[str, Any]) -> dict[str, str]:
    """Return {sample or batch of a stream: its sha256}; of other sources the configuration has the hashes."""
    sources = dataset.get("sources", {})
    if is_of_stream(dataset):
        batches = accepted_batches(dataset, checkout.root)
        if batches is None:
            # A clone that has read nothing builds nothing again either.
            return _recorded_files(built.provenance["source"]) if (built := checkout.built(dataset["name"])) else {}
        return {file: hashes[0] if hashes else "not listed" for file, hashes in batches.items()}
    if dataset["source"] != "samples":
        return {}
    if "github" in sources:
        return {f"{name}.md": sha256 for name, sha256 in sample_readmes(dataset, checkout.root).items()}
    if "files" in sources:
        return {file["file"]: file["sha256"][0] for file in source_files(dataset, checkout.root)}
    return {}


def _recorded_files(source: Mapping[str, Any]) -> dict[str, str]:
    """Return the same of what a build has recorded."""
    listed = source["files"] if source["mode"] in ("samples", MODE) else []
    return {file["file"]: file["sha256"] for file in listed}


def _prompt(reference: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a prompt its dataset is built again for: its text only where it is a file."""
    text = () if str(reference.get("prompt_uri", "")).startswith(OF_MLFLOW) else ("prompt_text",)
    keys = ("prompt_name", "prompt_version", "prompt_uri", *text)
    return {key: reference[key] for key in keys if key in reference}


def event_tags(checkout: Checkout, snapshot: Snapshot, sources: list[str]) -> dict[str, str]:
    """Return the tags of the event that tells of what is built: its versions, and those of what it was made of.

    `sources` are the keys of its sources, as Dagster writes them.
    """
    made_of = snapshot.provenance["source"].get("datasets", {})
    inputs = dict.fromkeys(sources, ASSUMED)
    for other in checkout.needs(snapshot.dataset):
        built = checkout.built(other)
        inputs[other] = made_of.get(other) or (built.content_hash if built else NO_EVENT)
    return {
        DATA: snapshot.content_hash,
        CODE: recorded_version(checkout, snapshot),
        BY_USER: "true",
        SEEN: seen(checkout, snapshot),
        **{f"{INPUT}/{key}": version for key, version in inputs.items()},
        **{f"{POINTER}/{key}": NO_EVENT for key in inputs},
    }


def seen(checkout: Checkout, snapshot: Snapshot) -> str:
    """Return which state of a dataset an event tells of: its provenance.json, and the release that it is."""
    release = checkout.release_of(snapshot)
    provenance = (checkout.root / snapshot.folder / PROVENANCE).read_bytes()
    return digest([hashlib.sha256(provenance).hexdigest(), release.tag if release else None])
