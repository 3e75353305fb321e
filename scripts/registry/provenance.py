"""Write provenance.json: how a dataset was made. It decides whether data is up to date, never a version."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from registry.files import data_files, dvc_digest, write_json
from registry.manifest import Manifest

LIBRARIES = ("numpy", "pandera", "pillow", "polars", "pyarrow")


def write_provenance(
    path: str | Path,
    dataset: dict[str, Any],
    manifest: Manifest,
    *,
    data: str | Path,
    sources: str | Path | None,
    code: dict[str, str],
) -> None:
    """Write a dataset's provenance.json.

    `data` is the folder or file that gets published, `sources` the record that its download left (None for generated
    data), and `code` maps each script (relative to scripts/) to its fingerprint.
    """
    data = Path(data)
    files = data_files(data)
    record = json.loads(Path(sources).read_text(encoding="utf-8")) if sources else {"mode": "generated", "files": []}
    write_json(
        path,
        {
            "source": record,
            "config": {key: value for key, value in dataset.items() if key != "source"},
            "code": code,
            "libraries": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
            "content_hash": manifest.content_hash,
            "data": {
                "path": data.name,
                "files": len(files),
                "bytes": sum(file.stat().st_size for file in files),
                "md5": dvc_digest(data),
            },
            "contract": manifest.verdict,
        },
    )
