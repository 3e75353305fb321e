"""Any scheduler, through a submit, a status and a cancel script: here they use Slurm."""

import json
import signal
import subprocess

import pytest

from support import wait_until

GENERIC = (
    *("--workflow-profile", "workflow/profiles/cluster-generic", "--latency-wait", "10"),
    *("--seconds-between-status-checks", "1"),
)


def ended(run: subprocess.Popen, code: int = 0) -> str:
    printed, _ = run.communicate()
    assert run.returncode == code, printed
    return printed


def test_jobs_go_through_the_three_scripts(slurm, bare):
    before = len(slurm.jobs())
    printed = ended(bare.start(*GENERIC, "tabular", "wine_quality"))
    assert bare.complete("tabular")
    assert bare.complete("wine-quality")
    assert [(job.state, job.cpus) for job in slurm.jobs()[before:]] == [("COMPLETED", "1")] * 2
    assert "tabular: handed over as one job" in printed
    assert len([*(bare.folder / "logs" / "cluster").glob("*.log")]) == 2
    [told] = (bare.folder / "logs" / "openlineage").glob("*.jsonl")
    events = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]
    assert sorted((event["eventType"], event["job"]["name"]) for event in events) == [
        (kind, name) for kind in ("COMPLETE", "START") for name in ("tabular", "wine-quality")
    ]


def test_a_job_that_the_scheduler_ended_is_reported(slurm, bare):
    little = [f"tabular_{step}:mem_mb=60" for step in ("generate", "process", "analyze")]
    printed = ended(bare.start(*GENERIC, "--retries", "0", "--set-resources", *little, "--", "tabular"), code=1)
    assert "\ntabular_generate failed" in printed


@pytest.mark.parametrize("script", ["submit", "status"])
def test_a_script_that_fails_is_named(slurm, bare, script):
    path = bare.folder / "workflow" / "profiles" / "cluster-generic" / f"{script}.sh"
    path.write_text("#!/bin/sh\necho no scheduler here >&2\nexit 3\n", encoding="utf-8")
    printed = ended(bare.start(*GENERIC, "tabular"), code=1)
    assert "no scheduler here" in printed
    assert f"{script}" in printed
    wait_until(lambda: not slurm.queue())


def test_a_run_that_is_stopped_cancels_its_jobs(slurm, bare):
    bare.edit(
        "scripts/tabular/generate.py",
        "    with job(snakemake):\n",
        "    with job(snakemake):\n        __import__('time').sleep(600)\n",
    )
    running = bare.start(*GENERIC, "tabular")
    wait_until(lambda: [job for job in slurm.queue() if job.state == "RUNNING"])
    running.send_signal(signal.SIGINT)
    ended(running, code=1)
    wait_until(lambda: not slurm.queue())
