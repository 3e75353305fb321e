"""Versions of a dataset that is not there, to make cards of."""

from datetime import date
from types import SimpleNamespace

from registry.cards.card import Occasion
from registry.files import Hashed
from registry.storage.snapshot import Snapshot


def version(files=("data/x/processed/x.csv",), **facts):
    """A version of a dataset `x` that has a column, and what `facts` say."""
    metadata = {
        "dataset": {"name": "x", "title": "X", "description": "Some x.", "license": "MIT"},
        "schema": {"features": {"value": {"dtype": "int64"}}},
        "splits": {"all": {"num_samples": 3}},
        "content_hash": "sha256:00",
    }
    provenance = {
        "source": {"mode": "samples", "files": []},
        "config": {},
        "code": {"x/process.py": "00"},
        "libraries": {"python": "3.11"},
        "data": {"path": "processed", "files": 1, "bytes": 2, "md5": "00.dir"},
    }
    provenance |= facts.pop("provenance", {})
    return Snapshot(
        "x",
        "what is built",
        metadata | facts,
        provenance,
        {},
        local=lambda path, fetch=True: SimpleNamespace(stat=lambda: SimpleNamespace(st_size=7)),
        listed=lambda fetch=True: list(files),
        hashed=lambda: {path: Hashed(7, f"{number:064x}") for number, path in enumerate(files)},
    )


def occasion(**others):
    return Occasion(
        **({"version": "1.0.0", "tag": "x-v1.0.0", "date": date(2026, 1, 1), "changes": ["first release"]} | others)
    )
