"""The one command of a schedule: ask living sources again, build and release what changed, complete what was killed."""

import signal
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any

from registry.config.load import Datasets, load_datasets, selected
from registry.config.names import rule_of
from registry.config.pins import pin_of
from registry.errors import RegistryError
from registry.extras import check_installed
from registry.storage.repository import Repository, read_config
from registry.workflow.hook import release_built
from registry.workflow.record import RECORD, Ending, add_release, read_record
from registry.workflow.snakemake import run, turn
from registry.workflow.stopping import TERMINATED, stopping_what_it_starts
from registry.workflow.verdict import WELL

STOPPED = (TERMINATED, -signal.SIGTERM)
"""Exit codes of a Snakemake that was told to stop, by itself or before it could listen."""


def refresh_all(
    repository: Repository,
    *,
    cores: str = "all",
    output: IO[str] | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Ask all living sources again, build whatever is out of date, and release it. Returns what logs/run.json says.

    Living sources are those without known hashes that come from upstream. A dataset that fails holds up no other. What
    an earlier run had built, and was killed before it could release or load it, is released and loaded. Snakemake's
    standard output goes to `output` if given. Raises RegistryError where the run could not begin, and SystemExit where
    it was told to stop.
    """
    check_installed("snakemake")
    root = repository.root
    with turn(root, say) as mine, stopping_what_it_starts() as stop:
        config = read_config(root)
        datasets = load_datasets(config, root)
        downloads = [f"{rule_of(name)}_download" for name in _living(repository, config, datasets)]
        again = ["--forcerun", *downloads] if downloads else []
        before = _stamp(repository)
        code = run(root, ["--cores", cores, "--keep-going", *again, "--", "all"], say=say, mine=mine, stdout=output)
        stopped = code in STOPPED
        begun = _stamp(repository) != before
        if begun and not stopped and config["publish"] and read_record(root)["ending"] == Ending.NOTHING_TO_DO:
            # What this releases, or why not, `registry publish` adds to the record.
            if reason := release_built(config, datasets, root).reason:
                add_release(None, reason, root)
            stopped = stop.told
    if stopped:
        sys.exit(TERMINATED)
    record = read_record(root) if begun else {"ending": None}
    if not begun or (code and record["ending"] in WELL):
        hint = "fix what is said above, and run the same command again"
        raise RegistryError("Snakemake failed before its run began, or after it had ended", hint=hint)
    return record


def _living(repository: Repository, config: dict[str, Any], datasets: Datasets) -> Iterator[str]:
    wanted = selected(config, datasets)
    for name, dataset in datasets.items():
        follows = "github" in dataset.get("sources", {}) and dataset["source"] == "upstream"
        if follows and name in wanted and pin_of(repository.root, name) is None:
            yield name


def _stamp(repository: Repository) -> tuple[int, int] | None:
    """Return what tells one logs/run.json from the next, which replaces it; None where there is none."""
    try:
        found = (repository.root / RECORD).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
