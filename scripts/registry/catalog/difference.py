"""Write the difference between two versions as one page: `registry diff --html`."""

from pathlib import Path

from registry.catalog.dataset import data_of, gather_two
from registry.catalog.pages import page_alone
from registry.files import atomic_file
from registry.storage.snapshot import Snapshot


def write_difference(file: Path, old: tuple[str, Snapshot], new: tuple[str, Snapshot]) -> None:
    """Write a page that shows what differs between two states of a dataset, each with its name, to a file.

    What it shows of the rows' values is fetched where it is not here.
    """
    found = gather_two(old, new)
    data = data_of(found) | {"title": new[1].metadata["dataset"].get("title", found.name), "alone": [old[0], new[0]]}
    with atomic_file(file) as partial:
        partial.write_bytes(page_alone("diff.html.jinja", data, found.values.pictures))
