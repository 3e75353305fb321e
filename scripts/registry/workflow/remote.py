"""What a cluster says of jobs that it ended or did not take, and what to do about it."""

import logging
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from registry.shown import shown
from registry.workflow.failures import members, says_why

LOG_TAIL = 1 << 16
"""Bytes of the end of a cluster's log that are looked at."""


class Reason(NamedTuple):
    """A reason why a cluster ends a job, or does not take it: how it says so, what that means, and what to do."""

    said: str
    meaning: str
    hint: str
    mends: bool = False
    """Whether it can go away when the job is tried again."""


DAEMON = re.compile(
    r"^(?:(?:slurm\w+|srun|sbatch)[^\s:]*: .*|\S*slurm_script: .*|\S*python\S*: No module named .*)", re.MULTILINE
)
"""A line of a cluster's log that tells why a job failed, among those of Snakemake."""
SHARED = "run this in a folder, and with an environment, that all nodes share"
TO_DO = "\n  what to do: "
"""What an error of ours has before its hint."""
AGAIN = "run the same command again: what was done stays"
MORE = "let its rule declare more, as in needs({0}={1}), or once: --set-resources <rule>:{0}={1}"
REASONS = [
    Reason(
        r"due to time limit|\btimeout\b|deadlineexceeded",
        "it took longer than its rules declare",
        MORE.format("runtime", "<minutes>"),
        mends=True,
    ),
    Reason(
        r"exceeded (?:job |step )?memory limit|oom[-_ ]?kill|out[ _]of[ _]memory",
        "it took more memory than its rules declare",
        MORE.format("mem_mb", "<megabytes>"),
        mends=True,
    ),
    Reason(r"due to node failure|node_fail|boot_fail|evicted", "its node failed", AGAIN, mends=True),
    Reason(
        r"invalid partition|no partition specified",
        "the cluster has no such partition",
        "name one in the profile, as slurm_partition: sinfo --summarize lists them",
    ),
    Reason(
        r"requested time limit is invalid|time limit exceeds",
        "no job may run there for as long as its rules declare",
        "choose another partition in the profile, as slurm_partition, or let the rules declare less: runtime",
    ),
    Reason(
        r"not permitted to use this partition|access/permission denied|invalid qos",
        "you may not use this partition, or this quality of service",
        "choose another in the profile, as slurm_partition or slurm-qos",
    ),
    Reason(
        r"invalid account|account\S* .*(?:invalid|not permitted)",
        "the cluster does not take this account",
        "name one in the profile, as slurm_account: sacctmgr show associations user=$USER lists them",
    ),
    Reason(
        r"node configuration is not available|memory specification can not|more processors requested",
        "no node, or not this partition, has as much as its rules declare",
        "choose another partition in the profile, as slurm_partition, or let the rules declare less",
    ),
    Reason(
        r"accounting/qos policy|job count limit|\bquota\b",
        "the quota of jobs is used up",
        "wait, or lower jobs in the profile",
    ),
    Reason(
        r"(?:sbatch|qsub|bsub)\S* (?:command )?not found|no such file or directory: '(?:sacct|sbatch|sinfo|sshare)",
        "the command that hands jobs to the cluster is not here",
        "run this where it is: on a login node",
    ),
    Reason(r"couldn't chdir to", "its node does not have this folder", SHARED),
    Reason(r"slurm_script: .*python\S*: .*(?:no such file|not found)", "its node does not have this Python", SHARED),
    Reason(r"no module named ", "its node has another Python, without what this one has", SHARED),
    Reason(
        r"could not establish a configuration source|failed to fetch config",
        "this machine belongs to no Slurm cluster",
        "run this where one is: on a login node",
    ),
    Reason(
        r"unable to contact slurm controller|socket timed out",
        "the controller of Slurm does not answer",
        AGAIN,
        mends=True,
    ),
    Reason(r"\bcancelled\b|preempted", "it was cancelled", AGAIN, mends=True),
]


@dataclass(frozen=True)
class Verdict:
    """What a cluster says of a job that failed: what happened, what to do, and where its log of it is."""

    what: str
    hint: str | None
    log: str | None
    mends: bool

    def __str__(self) -> str:
        return f"{self.what}{TO_DO + self.hint if self.hint else ''}" + (f"\n  see {self.log}" if self.log else "")


class Verdicts:
    """Listens to an executor, and remembers what it says of the last try of each job that fails.

    A job is not tried again that says itself what is wrong, or that the cluster would refuse again.
    """

    def __init__(self, *, since: float, logger: logging.Logger) -> None:
        self._since = since
        self._logger = logger
        self._of: dict[Any, Verdict] = {}

    def listen_to(self, executor: Any) -> None:
        """Hear from now on what an executor of Snakemake's says."""
        tell = executor.print_job_error

        def listen(job_info: Any, msg: str | None = None, **more: Any) -> None:
            tell(job_info, msg, **more)
            self._judge(job_info.job, msg or "", more.get("aux_logs") or [])

        executor.print_job_error = listen
        executor.run_job = _told(executor)
        executor.cancel = _of_all(executor)
        _name_states_plainly(executor)

    def of(self, job: Any) -> Verdict | None:
        """Return what was said of a job of Snakemake's, or a group of them; None if nothing was."""
        return self._of.get(job)

    def _judge(self, job: Any, message: str, logs: Iterable[Any]) -> None:
        verdict = judged(message, next((str(log) for log in logs if log), None))
        self._of[job] = verdict
        if not verdict.mends or any(says_why(one, since=self._since) for one in members(job)):
            job.attempt = job.restart_times + 1
        elif job.attempt <= job.restart_times:
            name = job.groupid if job.is_group() else job.rule.name
            self._logger.warning(f"{name}: {verdict.what}; it is tried again, with more memory and time")


def _told(executor: Any) -> Callable[[Any], None]:
    """Return how an executor hands over a job: where it cannot, that job has failed.

    Threads that hand over jobs die of an error without a word, most of all those of groups, and the run waits for ever.
    """
    hand_over = executor.run_job

    def told(job: Any) -> None:
        try:
            hand_over(job)
        except Exception as error:
            # Who reports an error of a group as that of a rule makes another of it.
            cause = error.__context__ if isinstance(error, AttributeError) else error
            executor.report_job_error(SubmittedJobInfo(job), msg=f"{cause}")

    return told


def _of_all(executor: Any) -> Callable[[], None]:
    """Return how an executor cancels all that was handed over: it alone forgets jobs that it asks after just then.

    What waits to be handed over is not.
    """
    going: dict[str, Any] = {}
    submitted, succeeded, failed = (
        getattr(executor, f"report_job_{what}") for what in ("submission", "success", "error")
    )
    cancel = executor.cancel

    def report_job_submission(job_info: Any) -> None:
        going[job_info.external_jobid] = job_info
        submitted(job_info)

    def report_job_success(job_info: Any) -> None:
        going.pop(job_info.external_jobid, None)
        succeeded(job_info)

    def report_job_error(job_info: Any, *said: Any, **more: Any) -> None:
        going.pop(job_info.external_jobid, None)
        failed(job_info, *said, **more)

    def cancel_all() -> None:
        if pool := getattr(executor, "_job_submission_executor", None):
            pool.shutdown(wait=True, cancel_futures=True)
        if jobs := [job_info for name, job_info in going.items() if name]:
            executor.cancel_jobs(jobs)
        cancel()

    executor.report_job_submission = report_job_submission
    executor.report_job_success = report_job_success
    executor.report_job_error = report_job_error
    return cancel_all


def _name_states_plainly(executor: Any) -> None:
    """Let Slurm's executor see that a job was cancelled where `sacct` says by whom, too: it would wait for ever."""
    module = sys.modules[type(executor).__module__]
    ask = getattr(module, "query_job_status", None)

    async def query_job_status(*arguments: Any) -> Any:
        states, took = await ask(*arguments)
        return states and {job: state.partition(" ")[0] for job, state in states.items()}, took

    if ask is not None:
        module.query_job_status = query_job_status


def judged(message: str, log: str | None) -> Verdict:
    """Return what follows from a message of an executor, which may be empty, and the cluster's log at path `log`.

    The log of a node that cannot write it, because it does not have its folder, is not there.
    """
    what, ours, hint = message.partition(TO_DO)
    if ours:
        return Verdict(shown(what), shown(hint), None, mends=False)
    message = message.partition("sbatch call:")[0]
    written = log is not None and Path(log).is_file()
    told = [*(DAEMON.findall(_end_of(log)) if written else []), *message.strip().splitlines()]
    for reason in REASONS:
        for line in told:
            if re.search(reason.said, line, re.IGNORECASE):
                what = f"{reason.meaning} ({shown(line.strip())})"
                return Verdict(what, reason.hint, log if written else None, mends=reason.mends)
    what = shown("\n".join(told)) or "it failed, and says nothing of why"
    if log is not None and not written:
        return Verdict(f"its node wrote no log of it, and may not have this folder ({what})", SHARED, None, mends=True)
    return Verdict(what, None, log, mends=True)


def _end_of(log: str) -> str:
    with Path(log).open("rb") as stream:
        stream.seek(max(0, Path(log).stat().st_size - LOG_TAIL))
        return stream.read().decode(errors="replace")
