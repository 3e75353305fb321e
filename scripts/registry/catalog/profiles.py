"""The profile of a version: what it says of itself, or, where it comes from before versions did, that of its rows."""

from typing import Any

import numpy as np

from registry.compare.manifests import manifest_of, rows_of_splits
from registry.compare.tables import batches_of, tables_of
from registry.describe.metadata import profile_of as profile_said
from registry.describe.profile import Profile
from registry.describe.repeated import heads_of
from registry.storage.snapshot import Snapshot

MAX_ROWS = 200_000
"""Rows that are read for a profile; a version with more has none."""


def profile_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return how the columns of a version are distributed, as `registry.describe.profile` says.

    Raises RegistryError where it is no profile, or where it has to be read from rows, and these cannot be.
    """
    if said := profile_said(snapshot.metadata, where=snapshot.name):
        return said
    if not 0 < snapshot.rows <= MAX_ROWS:
        return {}
    manifest, profile = manifest_of(snapshot), None
    places = rows_of_splits(snapshot.sizes)
    for split, tables in tables_of(snapshot).items():
        heads = [heads_of(ids) for _, ids in manifest.column("sample_id", places[split])]
        joined = np.concatenate(heads) if heads else np.empty(0, np.uint64)
        for batch in batches_of(snapshot, tables):
            profile = profile or Profile(batch.rows.schema)
            profile.add(split, batch.rows, joined[batch.start : batch.start + batch.rows.num_rows])
    return profile.figures() if profile else {}
