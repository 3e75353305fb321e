"""Draw one state of a dataset as a page that needs no other file."""

from collections.abc import Mapping
from typing import Any

from registry.catalog.dataset import DatasetPages, data_of, gather_one
from registry.catalog.pages import ODD, SECTIONS, odd, of_snapshot, page_alone
from registry.errors import RegistryError
from registry.storage.snapshot import Snapshot

NOT_HERE = ("versions", "use")
"""Sections that only a catalog has."""


def state_page(name: str, snapshot: Snapshot) -> bytes:
    """Return a page that shows one state of a dataset, under a name for it. What is not here is fetched."""
    found = gather_one(name, snapshot)
    sections = {id_: word for id_, word in SECTIONS.items() if id_ not in NOT_HERE}
    return drawn(found, snapshot, data_of(found), sections)


def drawn(
    found: DatasetPages, snapshot: Snapshot, data: Mapping[str, Any], sections: Mapping[str, str], **values: Any
) -> bytes:
    """Return the page of the only state in `found`, with these sections; `data` is for its script.

    Raises RegistryError where what the state says of itself is odd.
    """
    try:
        return page_alone(
            "state.html.jinja",
            data | {"state": True},
            found.values.pictures,
            name=found.name,
            this=found.newest,
            snapshot=snapshot,
            without_values=found.without_values.get(found.newest.version, ""),
            sections=sections.items(),
            moved=[],
            children=(),
            runs=(),
            aliases=(),
            **of_snapshot(snapshot, found.newest),
            **values,
        )
    except odd() as error:
        raise RegistryError(ODD.format(type(error).__name__), where=snapshot.name) from None
