"""The pages on datasets that Snakemake's report holds: what the catalog shows of a version, of what is here."""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from registry.errors import RegistryError
from registry.files import atomic_file
from registry.shown import shown
from registry.storage.repository import NoRepositoryError, Repository
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady
from registry.storage.tags import Release, releases, with_content

PAGE = "dataset.html"
"""Its name in reports/<dataset>/."""
MOST = 25
"""Datasets that a report has pages of: each takes a megabyte, and all of a report is one file."""
NOT_RELEASED = "not released"


class Reporting:
    """Draws the pages of a report, once Snakemake has begun to make one: only then are they asked for."""

    def __init__(self, workflow: Any) -> None:
        self._begun = False
        self._drawn: dict[str, str | None] = {}
        create = workflow.create_report

        def create_with_pages(*arguments: Any, **named: Any) -> None:
            self._begun = True
            with warnings.catch_warnings():
                # Snakemake begins to ask for the sizes of files that resources follow from, and drops the answer.
                warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
                create(*arguments, **named)

        workflow.create_report = create_with_pages

    def page_of(self, dataset: str) -> str | None:
        """Return the path of the page of a dataset; None where no report is made, or nothing can be shown of it."""
        if self._begun and dataset not in self._drawn:
            if len(self._drawn) == MOST:
                _say(f"the pages of all datasets but {MOST}: they would take too much; registry catalog draws all")
            self._drawn[dataset] = _drawn(dataset) if len(self._drawn) < MOST else None
        return self._drawn.get(dataset)


def _drawn(dataset: str) -> str | None:
    # What draws takes longer to load than all of the rules.
    from registry.catalog.state import state_page

    page = Path("reports", dataset, PAGE)
    try:
        snapshot = Snapshot.on_disk(Path(), dataset, quick=True)
        content = state_page(_version_of(snapshot), snapshot)
        page.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(page) as partial:
            partial.write_bytes(content)
    except (NotReady, RegistryError, OSError) as error:
        _say(f"{page}: {error}")
        return None
    return str(page)


def _say(what: str) -> None:
    print(shown(f"the report leaves out {what}"), file=sys.stderr)


def _version_of(snapshot: Snapshot) -> str:
    """Return the version that a state of a dataset is."""
    try:
        repository = Repository.open(Path())
    except NoRepositoryError:
        return NOT_RELEASED
    those: Sequence[Release] = releases(repository.git).get(snapshot.dataset, [])
    release = with_content(repository, those, snapshot.content_hash)
    return str(release.version) if release else NOT_RELEASED
