"""One run of Snakemake, from its start to what is left of it: what it shows, what it releases, what it writes down."""

import atexit
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent

from registry.config.load import Datasets
from registry.errors import RegistryError
from registry.release.waiting import waiting
from registry.shown import shown, some
from registry.storage.repository import NoRepositoryError, Repository
from registry.workflow.bring import bring
from registry.workflow.exchange import mind_pods
from registry.workflow.failures import failed_jobs, print_failures
from registry.workflow.hook import release_after_run, touch_at_once
from registry.workflow.lineage import Lineage
from registry.workflow.pages import remove_pages, with_pages
from registry.workflow.progress import LOGGER, say_refusals_plainly, show_progress
from registry.workflow.record import RECORD, Ending, write_record
from registry.workflow.remote import Verdicts
from registry.workflow.reporting import Reporting
from registry.workflow.running import others_run, time_of_files
from registry.workflow.stopping import TERMINATED, Stop
from registry.workflow.summary import outcomes_of, print_summary

LOCKED = "LockException"
"""What Snakemake raises where another run is at work here, whose record logs/run.json then is."""
STOPPED = "it was stopped before all jobs were done"
NAMED = 5
"""As many datasets are named in one line."""


class Run:
    """The run that a Snakefile is read for; in jobs and dry runs it does nothing, and without jobs little."""

    def __init__(self, workflow: Any) -> None:
        self.started = time_of_files() if workflow.is_main_process else time.time()
        self._workflow = workflow
        self._config: Mapping[str, Any] = {}
        self._datasets = Datasets()
        self._pinned: Mapping[str, Any] = {}
        self._witness = _Witness()
        self._verdicts = Verdicts(since=self.started, logger=LOGGER)
        self._progress = None
        self._stop = Stop()
        self._lineage = Lineage(os.environ)
        self._reporting = Reporting(workflow)
        # Snakemake sets it itself, later, for --report and its like.
        self._asked = workflow.resource_settings.cores, workflow.resource_settings.nodes
        self._ended = False
        # On a full disk, each line that cannot be added to Snakemake's log would be a traceback.
        logging.raiseExceptions = False
        if workflow.is_main_process and not workflow.output_settings.verbose:
            LOGGER.addFilter(say_refusals_plainly)
        if workflow.is_main_process and not workflow.output_settings.dryrun:
            if not workflow.output_settings.verbose:
                self._progress = show_progress(workflow)
            touch_at_once()
            mind_pods(workflow)
            LOGGER.addHandler(self._witness)
            atexit.register(self._at_exit)

    def configure(self, config: Mapping[str, Any], datasets: Datasets, pinned: Mapping[str, Any]) -> None:
        """Take the configuration of the run, the datasets, and {dataset: pin}, once they are known to be valid."""
        self._config, self._datasets, self._pinned = config, datasets, pinned

    def page_of(self, dataset: str) -> str | None:
        """Return the page of a dataset for the report, while one is made; see Reporting."""
        return self._reporting.page_of(dataset)

    def begin(self) -> None:
        """Write down that jobs are about to start: a run that is killed leaves this."""
        if self._workflow.local_exec:
            self._stop.listen(self._workflow.scheduler)
        else:
            self._verdicts.listen_to(self._workflow.scheduler._executor)
            # Snakemake would wait for the jobs, and whoever sent it would end Snakemake alone.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        remove_pages(self._workflow.dag.needrun_jobs())
        self._write(Ending.RUNNING)
        if not self._workflow.touch:
            self._lineage.begin(self._workflow.dag.needrun_jobs(), self._datasets, since=self.started)

    def end(self, *, succeeded: bool) -> None:
        """Say what failed and how every dataset stands, release, and write it all down.

        Raises SystemExit where the data was built and could not be released.
        """
        self._ended = True
        if self._progress is not None:
            self._progress.close()
        scheduler = self._workflow.scheduler
        unbrought = self._bring()
        failed = (
            [] if self._stop.told else failed_jobs(scheduler.failed, since=self.started, verdict_of=self._verdicts.of)
        )
        failed = with_pages(failed, since=self.started)
        print_failures(failed)
        outcomes = print_summary(self._datasets, since=self.started)
        ending, reason = Ending.SUCCEEDED, None
        if not succeeded:
            ended = scheduler.failed and not self._stop.told
            ending = Ending.FAILED if ended else Ending.INTERRUPTED
            reason = f"jobs that failed: {len(failed)}" if failed else STOPPED
            if ended and not failed and self._datasets.broken:
                reason = f"left out, since they are broken: {', '.join(sorted(self._datasets.broken))}"
        release = release_after_run(self._workflow, self._config, self._datasets, stopped=self._stop.told)
        left = release.left or unbrought
        if left:
            ending = Ending.INTERRUPTED if self._stop.told else Ending.FAILED
            reason = "\n".join(filter(None, [reason, release.reason or left]))
        if self._stop.told and ending == Ending.INTERRUPTED:
            next_time = "" if left else "; what is done stays: run the same command again"
            print(f"it was told to stop (SIGTERM){next_time}", file=sys.stderr)
        self._write(ending, reason=reason, outcomes=outcomes, failed=failed, publication=release.publication)
        self._lineage.end(
            self._workflow.dag.needrun_jobs(),
            since=self.started,
            failed=failed,
            publication=release.publication,
        )
        if left:
            print(left, file=sys.stderr)
        if ending == Ending.INTERRUPTED and self._stop.told:
            sys.exit(TERMINATED)
        if left:
            sys.exit(1)

    def _bring(self) -> str | None:
        """Bring what was made where no files are shared; returns what could not be brought, and why."""
        try:
            bring(self._workflow)
        except RegistryError as error:
            return str(error)
        return None

    def _at_exit(self) -> None:
        """Complete what a run leaves that had nothing to do, or failed before its jobs could."""
        workflow, error = self._workflow, self._witness.error
        if self._ended or self._witness.exception == LOCKED or not self._was_a_run():
            return
        if not self._witness.executing and others_run():
            return
        idle = error is None and workflow.scheduler is not None and not len(workflow.dag)
        unbrought = self._bring() if idle else None
        try:
            unreleased = self._unreleased() if idle else []
            outcomes = outcomes_of(self._datasets, since=self.started)
        except RegistryError as problem:
            print(f"no record of this run: {problem}", file=sys.stderr)
            return
        ending = Ending.NOTHING_TO_DO if idle and not unbrought else Ending.FAILED
        self._write(ending, reason=error or unbrought, outcomes=outcomes, unreleased=unreleased)
        if unbrought:
            print(unbrought, file=sys.stderr)
        for name, pin in self._pinned.items() if idle else ():
            print(f"{name} is pinned at {pin['version']}: registry unpin {name} lets it be built", file=sys.stderr)
        if unreleased:
            print(f"built and not released: {some(unreleased, NAMED)}; to release: registry publish", file=sys.stderr)

    def _was_a_run(self) -> bool:
        """Tell whether jobs were to run here, with the hooks: not --report and its like, nor --touch.

        Of a Snakefile that cannot be read nobody can tell what for; whoever says how much to run at once wants a run.
        """
        if self._witness.executing:
            return not (self._workflow.execution_settings.no_hooks or self._workflow.touch)
        return self._witness.error is not None and self._asked != (None, None)

    def _unreleased(self) -> list[str]:
        """Return the datasets that were built by a run which ended before it could release them."""
        if not self._config["publish"]:
            return []
        try:
            return waiting(Repository.open(Path()), self._datasets)
        except NoRepositoryError:
            return []

    def _write(self, ending: Ending, **found: Any) -> None:
        if self._workflow.touch:
            return
        try:
            write_record(ending, since=self.started, **found)
        except OSError as error:
            # What it says of an earlier run would be taken for this one's.
            with suppress(OSError):
                RECORD.unlink()
            print(f"{RECORD} is not written: {error.strerror}", file=sys.stderr)


class _Witness(logging.Handler):
    """Remembers whether Snakemake began to execute, and the last error that it spoke of."""

    def __init__(self) -> None:
        super().__init__()
        self.executing = False
        self.error: str | None = None
        self.exception: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a record."""
        if getattr(record, "event", None) == LogEvent.WORKFLOW_STARTED:
            self.executing = True
        if record.levelno >= logging.ERROR:
            self.error = shown(record.getMessage())
            self.exception = getattr(record, "exception", None)
