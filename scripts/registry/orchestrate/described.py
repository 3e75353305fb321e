"""What an event tells of a dataset that was built: its sizes, statistics, columns, version, commit and picture."""

import base64
from pathlib import Path
from typing import Any

import dagster as dg

from registry.orchestrate.checkout import Checkout
from registry.shown import one_line, shown
from registry.storage.snapshot import METADATA, Snapshot
from registry.storage.tags import Release

PICTURES = {"overview.svg": "svg+xml", "samples.png": "png"}
"""What a build draws in reports/<dataset>/, and of which type it is."""
MAX_PICTURE = 400 << 10
"""Bytes of a picture that an event carries: it is kept with each of them."""
STATISTICS = ("metrics", "statistics", "summary")


def metadata_of(checkout: Checkout, snapshot: Snapshot) -> dict[str, Any]:
    """Return what an event tells of a dataset as it stands on disk."""
    metadata, reports = snapshot.metadata, checkout.root / "reports" / snapshot.dataset
    release = checkout.release_of(snapshot)
    return {
        "dagster/row_count": dg.MetadataValue.int(snapshot.rows),
        "dagster/column_schema": _columns(metadata),
        "bytes": dg.MetadataValue.int(snapshot.provenance["data"]["bytes"]),
        "content_hash": snapshot.content_hash,
        "splits": dg.MetadataValue.json(snapshot.sizes),
        **{part: dg.MetadataValue.json(metadata[part]) for part in STATISTICS if part in metadata},
        "metadata": dg.MetadataValue.path(str(checkout.root / snapshot.folder / METADATA)),
        **(_release(checkout, release) if release else {"version": "not released"}),
        **({"report": dg.MetadataValue.path(str(reports))} if reports.is_dir() else {}),
        **_picture(reports),
    }


def _columns(metadata: dict[str, Any]) -> dg.TableSchemaMetadataValue:
    features = metadata["schema"].get("features", {})
    columns = [
        dg.TableColumn(one_line(name), _type(about), description=shown(about.get("description", "")) or None)
        for name, about in features.items()
        if isinstance(about, dict)
    ]
    return dg.MetadataValue.table_schema(dg.TableSchema(columns))


def _type(about: dict[str, Any]) -> str:
    return one_line(about.get("dtype") or ("list" if "list" in about else "struct"))


def _release(checkout: Checkout, release: Release) -> dict[str, Any]:
    lines = [line for line in shown(release.message).split("\n")[1:] if line.strip()]
    return {
        "version": str(release.version),
        "tag": release.tag,
        "released": dg.MetadataValue.timestamp(release.date),
        "commit": release.commit,
        "reason": "\n".join(lines),
    }


def _picture(reports: Path) -> dict[str, Any]:
    for name, kind in PICTURES.items():
        path = reports / name
        if path.is_file() and path.stat().st_size <= MAX_PICTURE:
            encoded = base64.b64encode(path.read_bytes()).decode()
            return {"picture": dg.MetadataValue.md(f"![{name}](data:image/{kind};base64,{encoded})")}
    return {}
