"""Write provenance.json: how a dataset was made. It decides whether data is up to date, never a version."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry.config.fingerprint import SCRIPTS
from registry.describe.libraries import libraries_behind
from registry.describe.manifest import Manifest
from registry.describe.metadata import metadata_digest
from registry.errors import RegistryError
from registry.files import data_files, dvc_digest, sealed, write_json
from registry.sources.raw import read_sources


def provenance_of(
    dataset: dict[str, Any],
    manifest: Manifest,
    metadata: dict[str, Any],
    *,
    data: str | Path,
    sources: str | Path,
    code: dict[str, str],
    run: Mapping[str, str] | None = None,
    scripts: Path = SCRIPTS,
) -> dict[str, Any]:
    """Return what provenance.json says of a dataset.

    `data` is the folder or file that gets published, `sources` the record that its download or generation left, and
    `code` maps each script (relative to `scripts`) to its fingerprint. `run` is what is said of the run, if anything.
    Raises RegistryError where the data is not, byte for byte, what was sealed when it was made.
    """
    data, digest = Path(data), dvc_digest(data)
    if sealed(data) not in (None, digest):
        name = dataset["name"]
        rebuild = f"snakemake --cores all --forcerun data/{name}/{data.name} -- {name.replace('-', '_')}"
        raise RegistryError(
            "changed by hand since it was made",
            where=data,
            hint=f"to make it again: {rebuild}; to have what was released: registry pull --force {name}",
        )
    files = data_files(data)
    return {
        "source": read_sources(sources),
        "config": dataset,
        "code": code,
        "libraries": libraries_behind(code, scripts),
        "content_hash": manifest.content_hash,
        "data": {
            "path": data.name,
            "files": len(files),
            "bytes": sum(file.stat().st_size for file in files),
            "md5": digest,
        },
        "manifest": {"md5": manifest.md5},
        "metadata": {"sha256": metadata_digest(metadata)},
        "contract": manifest.verdict,
        **({"run": run} if run else {}),
    }


def write_provenance(path: str | Path, *about: Any, **made: Any) -> None:
    """Write a dataset's provenance.json; arguments and errors as for `provenance_of`."""
    write_json(path, provenance_of(*about, **made))
