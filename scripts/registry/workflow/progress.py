"""Say in one line when a job starts or ends, with a bar at a terminal, where Snakemake would say it in ten."""

import logging
import re
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake_interface_logger_plugins.common import LogEvent

from registry.shown import one_line
from registry.workflow.hook import LEFT_OUT

if TYPE_CHECKING:
    from tqdm import tqdm

LOGGER = logging.getLogger("snakemake.logging")
"""All that Snakemake says goes through it."""
STREAM = "DefaultStreamHandler"
"""The name of the handler that prints it; there is none where the user chose a logger plugin."""
SILENT = {
    LogEvent.WORKFLOW_STARTED,
    LogEvent.RESOURCES_INFO,
    LogEvent.JOB_STARTED,
    LogEvent.PROGRESS,
}
NOISE = (
    "Assuming unrestricted shared filesystem usage.",
    "Building DAG of jobs...",
    "Using shell: ",
    "Conda environments: ignored",
    "Select jobs to execute...",
    "Removing temporary output ",
    "Uploading source archive to storage provider...",
    "Storing in storage: ",
    "Finished upload.",
    "Shutting down, this might take some time.",
    "Exiting because a job execution failed.",
    "WorkflowError:\nAt least one job did not complete successfully.",
    "Complete log(s): ",
    "Trying to restart job ",
    "Elapsed time: ",
)
"""How that begins which says nothing new. What is not known here is shown."""
CLUSTER_NOISE = re.compile(
    r"SLURM run ID: |No SLURM account given, trying to guess|No account was given, not able to get a SLURM account|"
    r"Unable to guess SLURM account|Job \S+ has been submitted with SLURM jobid |Cleaning up SLURM log files |"
    r"Submitted (group )?job |Get status with: kubectl "
)
"""The same of the plugins for clusters. A run says itself when a cluster refuses a job or ends it."""
EXPLAINED = "returned non-zero exit status 1."
"""In what Snakemake says of a script that failed, and has written why into its log; see registry.workflow.job."""
REFUSED = re.compile(r"InputFunctionException in rule .*?\nError:\n  WorkflowError:\n(.*?)\nWildcards:\n", re.DOTALL)
"""How Snakemake reports an error that an input function of ours raises for whoever asked for it."""
BAR = "{n_fmt} of {total_fmt} jobs |{bar}| {elapsed}"


def say_refusals_plainly(record: logging.LogRecord) -> bool:
    """Leave of such an error what was said, without the function that said it; a filter that drops no record."""
    if refused := REFUSED.match(record.getMessage()):
        record.msg, record.args = f"error: {textwrap.dedent(refused[1])}", ()
    return True


def show_progress(workflow: Any) -> "Progress | None":
    """Print lines of our own in place of Snakemake's from now on; None where a logger plugin prints instead."""
    theirs = next((handler for handler in LOGGER.handlers if handler.name == STREAM), None)
    if theirs is None:
        return None
    LOGGER.removeHandler(theirs)
    ours = Progress(theirs, workflow)
    LOGGER.addHandler(ours)
    return ours


class Progress(logging.Handler):
    """Prints what Snakemake logs where `theirs`, its own handler, would, and only what that would not leave out.

    Jobs without a log are not spoken of, nor counted: they do nothing but ask for files.
    """

    def __init__(self, theirs: logging.StreamHandler, workflow: Any) -> None:
        super().__init__()
        self._theirs = theirs
        self._workflow = workflow
        self._names: dict[int, str] = {}
        self._since: dict[int | str, float] = {}
        self._group_of: dict[int, str] = {}
        self._unfinished: dict[str, int] = {}
        self._done = self._total = 0
        self._bar: tqdm | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line, or nothing, for a record of a known kind; hand on every other."""
        try:
            self._show(record, getattr(record, "event", None))
        except Exception:
            self.handleError(record)

    def _show(self, record: logging.LogRecord, event: LogEvent | None) -> None:
        shown = self._theirs.filter(record)
        match event:
            case LogEvent.RUN_INFO:
                logged = {rule.name for rule in self._workflow.rules if rule.log}
                self._total = sum(number for rule, number in record.stats.items() if rule in logged)
                if shown:
                    self._start_bar()
            case LogEvent.GROUP_INFO:
                self._start_group(record, shown=shown)
            case LogEvent.GROUP_ERROR:
                if shown:
                    after = f"failed after {self._seconds(record.groupid)}"
                    self._say(record.groupid, f"{after}{_places(record.aux_logs, {})}")
            case LogEvent.JOB_INFO:
                self._start_job(record, shown=shown)
            case LogEvent.JOB_FINISHED:
                self._finish_job(record.job_id, shown=shown)
            case LogEvent.JOB_ERROR:
                if record.jobid not in self._names:
                    if record.rule_name != LEFT_OUT:
                        self._hand_on(record)
                elif shown and record.jobid not in self._group_of:
                    after = f"failed after {self._seconds(record.jobid)}"
                    self._say(self._names[record.jobid], f"{after}{_places(record.log, record.aux)}")
            case _ if event in SILENT or _is_noise(record):
                pass
            case _:
                self._hand_on(record)

    def _hand_on(self, record: logging.LogRecord) -> None:
        with self._beside_bar():
            self._theirs.handle(record)

    def flush(self) -> None:
        """Write out what is buffered."""
        self._theirs.flush()

    def close(self) -> None:
        """Take the bar away, if there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        super().close()

    def _start_bar(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=self._total, file=self._theirs.stream, disable=None, leave=False, bar_format=BAR)

    def _start_job(self, record: logging.LogRecord, *, shown: bool) -> None:
        """Note a job's name, and say that it starts."""
        if not record.log:
            return
        path = Path(record.log[0])
        below = path.parts[0] == "logs" and len(path.parts) > 2
        self._names[record.jobid] = f"{path.parent.name} {path.stem}" if below else record.rule_name
        self._since[record.jobid] = time.monotonic()
        if shown and record.jobid not in self._group_of:
            message = record.rule_msg or "started"
            self._say(self._names[record.jobid], message.removeprefix(f"{path.parent.name}: "))

    def _start_group(self, record: logging.LogRecord, *, shown: bool) -> None:
        """Note the jobs of a group, which a cluster runs as one, and say that it is handed over."""
        jobs = [*record.jobs]
        self._since[record.group_id] = time.monotonic()
        self._unfinished[record.group_id] = len(jobs)
        self._group_of |= {job.jobid: record.group_id for job in jobs}
        if shown:
            rules = ", ".join(sorted(job.rule.name for job in jobs))
            self._say(record.group_id, f"handed over as one job ({rules})")

    def _finish_job(self, job: int, *, shown: bool) -> None:
        """Count a job as done, and say so; of a group when all of it is done."""
        if job not in self._names:
            return
        self._done += 1
        if shown and self._bar is not None:
            self._bar.update()
        group = self._group_of.get(job)
        if group is not None:
            self._unfinished[group] -= 1
        if shown and not (group is not None and self._unfinished[group]):
            took = self._seconds(job if group is None else group)
            self._say(self._names[job] if group is None else group, f"done in {took} ({self._done} of {self._total})")

    def _seconds(self, job: int | str) -> str:
        return f"{time.monotonic() - self._since.get(job, time.monotonic()):.1f} s"

    def _say(self, name: str, what: str) -> None:
        with self._beside_bar():
            print(time.strftime("%H:%M:%S"), one_line(f"{name}: {what}"), file=self._theirs.stream)

    @contextmanager
    def _beside_bar(self) -> Iterator[None]:
        """Take the bar away while the block prints."""
        if self._bar is None:
            yield
        else:
            with self._bar.external_write_mode(file=self._theirs.stream):
                yield


def _is_noise(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return (
        text.startswith(NOISE)
        or CLUSTER_NOISE.match(text)
        or (record.levelno >= logging.ERROR and text.endswith(EXPLAINED))
    )


def _places(logs: Iterable[Any], aux: Mapping[str, Any]) -> str:
    """Return where to read more of a job that failed: its logs, and what a cluster says of it."""
    places = [*map(str, logs), *(f"{name} {value}" for name, value in aux.items())]
    return f", see {', '.join(places)}" if places else ""
