"""Write the difference between two versions as one page: `registry diff --html`, and a release that a gate refuses."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from registry.catalog.dataset import data_of, gather_two
from registry.catalog.pages import page_alone
from registry.files import atomic_file
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.tags import TAG, find_release


def write_difference(
    file: Path,
    old: tuple[str, Snapshot],
    new: tuple[str, Snapshot],
    alike: Sequence[Mapping[str, Any]] = (),
    verdict: str = "",
) -> None:
    """Write a page that shows what differs between two states of a dataset, each with its name, to a file.

    `alike` are rows of the new state that are like one of the old one, as run.schema.yaml has them, to be shown side by
    side; `verdict` says on top why the new one is not released. What it shows of the rows' values, and is not here, is
    fetched.
    """
    found = gather_two(old, new, alike)
    title = new[1].metadata["dataset"].get("title", found.name)
    data = data_of(found) | {"title": title, "alone": [old[0], new[0]], "verdict": verdict}
    for case, one in zip(found.alike, alike, strict=False):
        data["names"] |= {
            row: f"{its['key']} of {its['split']}" for row, its in zip(case["rows"], (one, one["like"]), strict=True)
        }
    data["alike"] = found.alike
    with atomic_file(file) as partial:
        partial.write_bytes(page_alone("diff.html.jinja", data, found.values.pictures))


def write_what_is_built(
    file: Path,
    repository: Repository,
    dataset: str,
    tag: str,
    alike: Sequence[Mapping[str, Any]],
    verdict: str,
) -> None:
    """Write a page that shows what differs between the release of a tag and what is built. Nothing is fetched.

    `alike` and `verdict` as for write_difference. Raises NotReady where nothing is built.
    """
    release = find_release(repository.git, *TAG.fullmatch(tag).group("dataset", "version"))
    old = Snapshot.at(repository, release.dataset, release.commit, release.tag)
    old = replace(old, local=partial(old.local, fetch=False), listed=partial(old.listed, fetch=False))
    file.parent.mkdir(parents=True, exist_ok=True)
    built = Snapshot.on_disk(repository.root, dataset, quick=True)
    write_difference(file, (tag.removeprefix(f"{dataset}-v"), old), ("what is built", built), alike, verdict)
