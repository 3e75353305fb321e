"""Describe a dataset: what a script finds out about it becomes its manifest, metadata and provenance."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from registry.config import leakage
from registry.config.columns import FOR_PEOPLE, Spec
from registry.describe.leakage import Leakage
from registry.describe.manifest import Manifest, write_manifest
from registry.describe.measures import Measure
from registry.describe.metadata import is_number, leaves, metadata_of, write_metadata
from registry.describe.profile import Profile
from registry.describe.provenance import provenance_of, write_provenance
from registry.describe.quality import quality
from registry.describe.referenced import read_referenced
from registry.describe.repeated import heads_of
from registry.describe.run import run_of
from registry.errors import ContractError, RegistryError
from registry.files import sealed_path


@dataclass
class Description:
    """What a script has found out about its dataset so far.

    `features` adds to what is known of each column, and `splits` of each split. `facts` are the further keys of
    metadata.json, in their order: summary, metrics, statistics, and those that the dataset has for itself. `metadata`
    is all that metadata.json holds, once it is written.
    """

    schema: pa.Schema
    manifest: Manifest
    profile: Profile
    leakage: Leakage | None = None
    features: dict[str, dict[str, Any]] = field(default_factory=dict)
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    def add(
        self, split: str, batch: pa.RecordBatch, *, inputs: Sequence[str], keys: Sequence[str] | pa.StringArray
    ) -> None:
        """Append the samples of a batch to manifest and profile, and check them by the contract; see Manifest.add."""
        ids = self.manifest.add(split, batch, inputs=inputs, keys=keys)
        self.profile.add(split, batch, heads_of(ids))
        if self.leakage:
            self.leakage.add(split, batch.select(inputs), keys)

    def num_samples(self, split: str) -> int:
        """Return how many samples of a split were added so far."""
        return self.manifest.num_samples.get(split, 0)

    def counted(self) -> dict[str, Any]:
        """Return what metadata.json has for every dataset: its profile, and what is odd about its rows."""
        profile = self.profile.figures()
        duplicates = {"samples": self.manifest.duplicates(), "inputs": self.manifest.repeated_inputs()}
        dtypes = {column["name"]: column["type"] for column in self.manifest.schema}
        return {"profile": profile, "quality": quality(profile, dtypes, duplicates)}


@contextmanager
def describe(
    snakemake: Any,
    schema: pa.Schema,
    *,
    computed: Mapping[str, str] | None = None,
    pictures: Mapping[str, Measure] | None = None,
) -> Iterator[Description]:
    """Collect what the block finds out about a dataset, and write it down when the block ends well.

    Of the rule it takes the inputs `sources`, `checksum` (of what is published) and, where the contract refers to other
    datasets, `references` (their data, a file or a folder each, in the order of `leakage.referred`), the outputs
    `manifest`, `metadata` and `provenance`, and the params `dataset` (its configuration) and `code`. `schema` is that
    of the samples; `computed` as for write_manifest, `pictures` says of columns of encoded pictures what measures them
    (registry.describe.encoded). All breaches of the contract come in one RegistryError, and nothing is written.
    """
    dataset, output = snakemake.params.dataset, snakemake.output
    data = _published(snakemake)
    others = _others(snakemake)
    made = {"data": data, "sources": snakemake.input.sources, "code": snakemake.params.code, "run": run_of(os.environ)}
    try:
        with write_manifest(output.manifest, dataset, schema, computed, read_referenced(dataset, others)) as manifest:
            leaks = _leakage(dataset["contract"], others, snakemake.threads)
            about = Description(schema, manifest, Profile(schema, pictures), leaks)
            try:
                yield about
            except Exception:
                # Statistics fail on values that the contract forbids; the breach is what has to be read.
                manifest.check_samples()
                raise
            features = _features(dataset["contract"]["columns"], about.features)
            about.facts |= about.counted()
            if about.leakage:
                about.facts["leakage"] = about.leakage.figures()
            about.metadata = metadata_of(dataset, manifest, features=features, splits=about.splits, **about.facts)
            cases = about.leakage.cases if about.leakage else {}
            manifest.check_figures(about.metadata, about.profile.examples, cases)
    except ContractError as error:
        error.state = _unwritten(dataset, about, made, others)
        _print(about.manifest.warnings)
        raise
    _print(manifest.warnings)
    write_metadata(output.metadata, about.metadata, kind=dataset.get("kind"))
    write_provenance(output.provenance, dataset, manifest, about.metadata, **made)


def _print(warnings: Sequence[str]) -> None:
    for line in warnings:
        print(f"warning: {line}")


def _unwritten(
    dataset: dict[str, Any], about: Description, made: Mapping[str, Any], others: Mapping[str, Path]
) -> dict[str, Any]:
    """Return what is known of a dataset that breaks its contract, for the page that shows how."""
    # Values that the contract forbids, such as infinity, may have made figures that JSON has no numbers for.
    finite = all(math.isfinite(value) for value in leaves(about.metadata).values() if is_number(value))
    metadata = about.metadata if about.metadata and finite else metadata_of(dataset, about.manifest)
    try:
        provenance = provenance_of(dataset, about.manifest, metadata, **made)
    except RegistryError:
        return {}
    references = {name: str(path) for name, path in others.items()}
    return {"metadata": metadata, "provenance": provenance, "references": references}


def _features(columns: Mapping[str, Spec], found: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what the contract says of columns for people, and what was found out of them, which comes first."""
    said = {name: {key: spec[key] for key in FOR_PEOPLE if key in spec} for name, spec in columns.items()}
    return {name: said.get(name, {}) | found.get(name, {}) for name in said | found}


def _others(snakemake: Any) -> dict[str, Path]:
    """Return the data of the datasets to which the contract refers."""
    names = leakage.referred(snakemake.params.dataset["contract"])
    data = map(Path, snakemake.input.references) if names else []
    return dict(zip(names, data, strict=True))


def _leakage(contract: Mapping[str, Any], others: Mapping[str, Path], threads: int) -> Leakage | None:
    """Return what finds duplicates, if the contract asks for that."""
    said = leakage.leakage(contract)
    against = {name: (others[name], one.get("column")) for name, one in leakage.others(contract).items()}
    return Leakage(said, against, threads) if said else None


def _published(snakemake: Any) -> Path:
    checksum = getattr(snakemake.input, "checksum", None)
    if checksum is None:
        raise RegistryError(
            "its rule has no input `checksum`",
            where=snakemake.params.dataset["name"],
            hint="let the rule that makes the data name, among its outputs, the checksum that output_folder() writes, "
            "and hand all of them over: **outputs_of(rules.<rule>)",
        )
    return sealed_path(checksum)
