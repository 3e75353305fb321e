"""What a cluster says of a job that it ended or did not take."""

import logging
from types import SimpleNamespace

import pytest

from registry.errors import RegistryError
from registry.workflow.remote import Verdict, Verdicts, judged

SBATCH = (
    "SLURM sbatch failed. The error message was 'sbatch: error: Batch job submission failed: {}'.\n    sbatch call:\n"
)
TIME = "slurmstepd-n1: error: *** JOB 16 ON n1 CANCELLED AT 2026-11-26T14:52:43 DUE TO TIME LIMIT ***"
MEMORY = "slurmstepd-n2: error: StepId=13.0 exceeded memory limit (791375872 > 786432000), being killed"


@pytest.mark.parametrize(
    ("message", "log", "what", "hint", "mends"),
    [
        ("", MEMORY, "it took more memory than its rules declare", "mem_mb", True),
        ("", "slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch.", "it took more memory", "mem_mb", True),
        ("", f"slurmstepd-n1: error: Exceeded job memory limit\n{TIME}", "it took longer", "runtime", True),
        ("Pod ...: reason: DeadlineExceeded", None, "it took longer", "runtime", True),
        ("SLURM-job '5' failed, SLURM status is: 'NODE_FAIL'", None, "its node failed", "again", True),
        ("SLURM-job '5' failed, SLURM status is: 'CANCELLED'", None, "it was cancelled", "again", True),
        (SBATCH.format("Invalid partition name specified"), None, "no such partition", "slurm_partition", False),
        ("sbatch: error: invalid partition specified: nope", None, "no such partition", "slurm_partition", False),
        (
            SBATCH.format("Invalid account or account/partition combination specified"),
            None,
            "does not take this account",
            "slurm_account",
            False,
        ),
        (
            SBATCH.format("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"),
            None,
            "quota",
            "jobs in the profile",
            False,
        ),
        (
            SBATCH.format("Requested time limit is invalid (missing or exceeds some limit)"),
            None,
            "as long",
            "runtime",
            False,
        ),
        (
            SBATCH.format("User's group not permitted to use this partition"),
            None,
            "may not use",
            "slurm_partition",
            False,
        ),
        ("sinfo: fatal: Could not establish a configuration source", None, "no Slurm cluster", "login node", False),
        (SBATCH.format("Invalid qos specification"), None, "quality of service", "slurm-qos", False),
        ("nothing known\n    sbatch call:\n sbatch --wrap=/home/quota/timeout", "x", "nothing known", "", True),
        (SBATCH.format("Requested node configuration is not available"), None, "no node", "slurm_partition", False),
        ("/bin/sh: 1: sbatch: not found", None, "hands jobs to the cluster is not here", "login node", False),
        ("", "slurmstepd-n1: error: couldn't chdir to `/a': No such file or directory", "folder", "share", False),
        ("", "/d/n1/job00031/slurm_script: line 4: /a/bin/python: No such file or directory", "Python", "share", False),
        ("", "/a/bin/python: No module named snakemake", "another Python", "share", False),
    ],
)
def test_a_reason_is_known(tmp_path, message, log, what, hint, mends):
    (tmp_path / "log").write_text(f"Select jobs to execute...\n{log}\nExiting because a job execution failed.\n")
    verdict = judged(message, str(tmp_path / "log") if log else None)
    assert what in verdict.what
    assert hint in (verdict.hint or "")
    assert verdict.mends == mends
    assert (f"see {tmp_path}" in str(verdict)) == bool(log)


def test_a_log_that_is_not_there_was_to_be_in_a_folder_that_the_node_lacks(tmp_path):
    verdict = judged("SLURM-job '5' failed, SLURM status is: 'FAILED'.", str(tmp_path / "log"))
    assert "may not have this folder (SLURM-job '5' failed" in verdict.what
    assert "share" in verdict.hint


def test_what_jobs_print_is_no_word_of_the_cluster(tmp_path):
    (tmp_path / "log").write_text("error: timeout: out of memory: quota\nsource: evicted\n")
    verdict = judged("", str(tmp_path / "log"))
    assert (verdict.what, verdict.hint) == ("it failed, and says nothing of why", None)


def test_an_error_of_ours_is_taken_at_its_word():
    error = RegistryError("Kubernetes refuses (403): no", hint="ask for more quota")
    assert judged(str(error), None) == Verdict("Kubernetes refuses (403): no", "ask for more quota", None, mends=False)


def test_an_unknown_reason_is_shown_and_steers_no_terminal():
    assert judged("\x1b[31mthe moon is full", None).what == "\N{REPLACEMENT CHARACTER}[31mthe moon is full"


class Job(SimpleNamespace):
    """As much of a job of Snakemake's as is looked at; it is a key of dicts, as that is."""

    __hash__ = object.__hash__


class Executor:
    """As much of an executor as there is to listen to."""

    def __init__(self) -> None:
        self.told: list[str | None] = []
        self.going: list[str] = []
        self.cancelled: list[str] = []

    def run_job(self, job) -> None:
        pass

    def report_job_submission(self, job_info) -> None:
        self.going.append(job_info.external_jobid)

    def report_job_success(self, job_info) -> None:
        self.going.remove(job_info.external_jobid)

    def report_job_error(self, job_info, msg=None, **more) -> None:
        self.print_job_error(job_info, msg, **more)

    def cancel_jobs(self, jobs) -> None:
        self.cancelled += [job_info.external_jobid for job_info in jobs]

    def cancel(self) -> None:
        """Forget, as Snakemake's do while they ask after jobs."""

    def print_job_error(self, job_info, msg=None, **more) -> None:
        self.told.append(msg)


def failed(tmp_path, message, *, text=None, attempt=1):
    """Return a job with three tries, after one has failed, and what the executor had to say of it."""
    log = tmp_path / "tea.log"
    if text:
        log.write_text(text)
    rule = SimpleNamespace(name="tea_process")
    job = Job(rule=rule, log=[str(log)], is_group=lambda: False, restart_times=2, attempt=attempt)
    executor, verdicts = Executor(), Verdicts(since=0, logger=logging.getLogger("tea"))
    verdicts.listen_to(executor)
    executor.print_job_error(SimpleNamespace(job=job), message)
    assert executor.told == [message]
    return job, verdicts.of(job)


def test_a_job_that_cannot_be_handed_over_has_failed():
    def run_job(job):
        try:
            raise FileNotFoundError(2, "No such file or directory", "sacct")
        except OSError:
            raise AttributeError("a group has no rule") from None

    executor, verdicts = Executor(), Verdicts(since=0, logger=logging.getLogger("tea"))
    executor.run_job = run_job
    verdicts.listen_to(executor)
    job = Job(rule=SimpleNamespace(name="tea_process"), log=[], is_group=lambda: False, restart_times=2, attempt=1)
    executor.run_job(job)
    assert "the command that hands jobs to the cluster is not here" in verdicts.of(job).what
    assert job.attempt > job.restart_times


def test_what_was_handed_over_and_has_not_ended_is_cancelled():
    executor = Executor()
    Verdicts(since=0, logger=logging.getLogger("tea")).listen_to(executor)
    one, two = (SimpleNamespace(external_jobid=name, job=None) for name in ("1", "2"))
    executor.report_job_submission(one)
    executor.report_job_submission(two)
    executor.report_job_success(one)
    executor.cancel()
    assert executor.cancelled == ["2"]


def test_what_more_may_mend_is_tried_again(tmp_path, caplog):
    job, verdict = failed(tmp_path, MEMORY)
    assert job.attempt == 1
    assert "tea_process: it took more memory" in caplog.text
    assert "tried again" in caplog.text
    assert verdict.mends


def test_after_the_last_try_nothing_is_promised(tmp_path, caplog):
    failed(tmp_path, MEMORY, attempt=3)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("message", "text"),
    [("sbatch: error: invalid partition specified: nope", None), (None, "error: the contract is broken\n")],
)
def test_what_no_further_try_mends_is_not_tried(tmp_path, message, text):
    job, _ = failed(tmp_path, message, text=text)
    assert job.restart_times <= job.attempt - 1
