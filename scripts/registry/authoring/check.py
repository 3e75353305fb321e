"""Check datasets without building them: configuration, sources, and, where rows are made by a kind, the contract."""

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from registry.config.kinds import splits_of
from registry.config.load import SAMPLES, Datasets, source_files, source_name
from registry.describe.manifest import write_manifest
from registry.errors import RegistryError
from registry.kinds.columns import arrow_schema
from registry.kinds.inputs import inputs_of, with_roles
from registry.kinds.keys import check_keys
from registry.kinds.rows import Cleaning
from registry.sources.prompts import FOLDER, prompt_reference
from registry.sources.samples import edited_samples


def check(root: Path, name: str, datasets: Datasets) -> str:
    """Return in words what of a dataset was found to hold; RegistryError for the first thing that does not."""
    dataset = datasets[name]
    if "files" not in dataset.get("sources", {}):
        return "its configuration"
    sampled = {**dataset, "source": "samples"}
    listed = [file for file in dataset["sources"]["files"] if (root / SAMPLES / name / source_name(file)).exists()]
    if not listed:
        source_files(dataset, root)
        return "its configuration; it has no samples"
    source_files(sampled, root)
    for edited, accept in edited_samples(sampled, root).items():
        raise RegistryError("not what data/samples/SHA256SUMS says", where=edited, hint=accept)
    if "kind" not in dataset:
        return "its configuration and the sums of its samples"
    rows = _checked(root, sampled)
    return f"its configuration, the sums of its samples, and the contract of their {rows:,} rows"


def _checked(root: Path, dataset: Mapping[str, Any]) -> int:
    """Return how many rows the samples of a dataset have, all of which keep its contract. Raises RegistryError."""
    kind = import_module(f"registry.kinds.{dataset['kind']}")
    columns, params = dataset["contract"]["columns"], dataset["params"]
    inputs = inputs_of(columns, with_roles(dataset["kind"], columns, params))
    prompt = {"prompt": _prompt(root, params["prompt"])} if "prompt" in params else {}
    files = {
        source_name(one): root / SAMPLES / dataset["name"] / source_name(one) for one in dataset["sources"]["files"]
    }
    policies = kind.POLICIES | params.get("problems", {})
    cleaning = Cleaning(policies)
    parts = [*cleaning.cleaned(partial(kind.read, files, columns, params, **prompt))]
    cleaning.check(dataset["name"])
    if "key" in params:
        unnamed = {name: value for name, value in params.items() if name != "key"}
        placed = partial(Cleaning(policies).cleaned, partial(kind.read, files, columns, unnamed, **prompt))
        check_keys(lambda: (its.keys for its in parts), lambda: parts, placed, dataset["name"])
    schema = arrow_schema(columns)
    with TemporaryDirectory() as folder, write_manifest(Path(folder, "manifest.parquet"), dataset, schema) as manifest:
        for split in splits_of(params):
            for its in parts:
                kept = its.only(its.splits == split)
                for batch in kept.samples.to_arrow().cast(schema).combine_chunks().to_batches():
                    manifest.add(split, batch, inputs=inputs, keys=kept.keys.to_list())
    return cleaning.rows - cleaning.dropped


def _prompt(root: Path, options: Mapping[str, Any]) -> str:
    """Return the prompt that a dataset's params ask for, from its file; of one that MLflow alone has, its name."""
    if options["registry"] == "mlflow" and not (root / FOLDER / f"{options['name']}.yaml").exists():
        return options["name"]
    return str(prompt_reference(options, {}, root)["prompt_text"])
