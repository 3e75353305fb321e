"""The workflow on a Slurm with two nodes, and what can happen to its jobs there."""

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from accounting import ACCOUNT, USER, manage
from clone import under_git
from project import DATASETS, Project, copy_folder, copy_repository
from slurm import NODES
from support import wait_until

# Jobs of the tests take seconds, so they are asked after each second.
SLURM = (
    *("--workflow-profile", "workflow/profiles/slurm", "--latency-wait", "10"),
    *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
)
GATE = """
        from pathlib import Path
        from time import sleep

        Path("started").touch()
        while not Path("go").exists():
            sleep(0.1)
"""


def ended(run: subprocess.Popen, code: int = 0) -> str:
    """Wait for a run to end, and return what it printed."""
    printed, _ = run.communicate()
    assert run.returncode == code, printed
    return printed


def run(project: Project, *arguments: str, code: int = 0) -> str:
    """Run the workflow on Slurm, and return what it printed."""
    return ended(project.start(*SLURM, *arguments), code)


@pytest.fixture
def gated(slurm, bare) -> Project:
    """A repository whose job tabular_generate makes a file `started`, and waits for a file `go`."""
    bare.edit("scripts/tabular/generate.py", "    with job(snakemake):\n", f"    with job(snakemake):{GATE}")
    return bare


def started(project: Project, *arguments: str) -> subprocess.Popen:
    """Start a build of tabular, and return when its first job is at work."""
    running = project.start(*SLURM, *arguments, "--", "tabular")
    wait_until(lambda: (project.folder / "started").exists() or running.poll() is not None)
    assert running.poll() is None, running.communicate()
    return running


def go_on(project: Project) -> None:
    (project.folder / "go").touch()


def products(project: Project, *datasets: str) -> dict[str, bytes]:
    """Return {path: bytes} of what a build makes of these datasets; of all, if none is named."""
    wanted = datasets or DATASETS
    return {path: content for path, content in project.products().items() if path.split("/")[1] in wanted}


def test_a_build_on_slurm_is_the_build_of_one_machine_and_is_released_once(slurm, released_once, tmp_path):
    clone = under_git(copy_repository(tmp_path / "registry"))
    printed = run(clone)
    assert products(clone) == products(released_once)
    assert [line for line in clone.git("tag").splitlines() if line] == released_once.git("tag").splitlines()
    assert clone.git("rev-parse", "HEAD^{tree}") == released_once.git("rev-parse", "HEAD^{tree}")
    assert clone.git("rev-list", "--count", "HEAD") == released_once.git("rev-list", "--count", "HEAD")
    assert "emotion: handed over as one job (emotion_analyze, emotion_download, emotion_process)" in printed
    assert {*NODES} == {job.node for job in slurm.jobs()}
    # Where a job succeeded, Slurm's log of it is of no use.
    assert [*(clone.folder / "logs" / "slurm").rglob("*.log")] == []
    assert "Nothing to be done" in clone.run("snakemake", "-n")
    assert "Nothing to be done" in run(clone)


@pytest.mark.mirror
def test_the_full_sources_build_on_slurm_as_on_one_machine(slurm, released_once, mirror, tmp_path):
    options = ("--config", "source=mirror", f"mirror={mirror}", "publish=false")
    for name in ("here", "there"):
        copy_repository(tmp_path / name).take_vectors(released_once)
    here, there = Project(tmp_path / "here"), Project(tmp_path / "there")
    here.snakemake("--cores", "2", *options)
    run(there, *options)
    assert products(there) == products(here)


def test_several_nodes_share_the_work_on_a_dataset(slurm, bare, built_once):
    before = len(slurm.jobs())
    run(bare, "--config", "shards=3", "--", "tabular")
    assert products(bare, "tabular") == products(built_once, "tabular")
    # generate, three parts, process, analyze
    assert len(slurm.jobs()) == before + 6


def test_a_job_that_takes_too_much_memory_gets_more(slurm, bare):
    bare.edit("workflow/rules/common.smk", "SNAKEMAKE_MB = 500", "SNAKEMAKE_MB = -500")
    before = len(slurm.jobs())
    printed = run(bare, "tabular")
    assert "tabular: it took more memory than its rules declare" in printed
    assert "it is tried again, with more memory and time" in printed
    first, *_, last = slurm.jobs()[before:]
    assert (first.state, last.state) == ("FAILED", "COMPLETED")
    assert bare.complete("tabular")


def test_a_job_that_takes_too_much_memory_every_time_is_reported(slurm, bare):
    little = [f"tabular_{step}:mem_mb=60" for step in ("generate", "process", "analyze")]
    before = len(slurm.jobs())
    printed = run(bare, "--set-resources", *little, "--", "tabular", code=1)
    assert [job.state for job in slurm.jobs()[before:]] == ["FAILED"] * 3
    assert (
        "\ntabular_generate failed (logs/tabular/generate.log):\nit took more memory than its rules declare" in printed
    )
    assert "what to do: let its rule declare more, as in needs(mem_mb=<megabytes>)" in printed
    log = next(line for line in printed.splitlines() if line.startswith("  see ")).removeprefix("  see ")
    assert "exceeded memory limit" in Path(log).read_text()


def test_a_job_that_takes_too_long_gets_more_time(slurm, gated):
    gated.edit("workflow/rules/common.smk", '"runtime": grown(runtime)', '"runtime": grown(1)')
    before = len(slurm.jobs())
    running = gated.start(*SLURM, "data/tabular/raw/dataset.csv")
    wait_until(lambda: len(slurm.jobs()) == before + 2)
    go_on(gated)
    printed = ended(running)
    assert "tabular: it took longer than its rules declare" in printed
    assert [(job.state, job.time) for job in slurm.jobs()[before:]] == [("TIMEOUT", "1:00"), ("COMPLETED", "2:00")]


def test_a_job_that_says_what_is_wrong_is_not_tried_again(slurm, bare):
    bare.edit("config/datasets/tabular.yaml", "min: 100,", "min: 5_000,")
    before = len(slurm.jobs())
    printed = run(bare, "tabular", code=1)
    assert len(slurm.jobs()) == before + 1
    assert "\ntabular_analyze failed (logs/tabular/analyze.log):\nerror: " in printed


@pytest.mark.parametrize("command", ["squeue", "sacct"])
def test_a_job_that_somebody_cancels_is_tried_again(slurm, gated, command):
    running = started(gated, "--slurm-status-command", command)
    [job] = slurm.queue()
    subprocess.run(["scancel", job.id], check=True)
    wait_until(lambda: [other for other in slurm.queue() if other.id != job.id])
    go_on(gated)
    assert "tabular: it was cancelled" in ended(running)
    assert gated.complete("tabular")


def test_a_node_that_dies_costs_only_time(slurm, gated):
    running = started(gated)
    [job] = slurm.queue()
    slurm.stop(job.node, signal.SIGKILL)
    go_on(gated)
    ended(running)
    assert gated.complete("tabular")
    slurm.start(job.node)
    slurm.wait_for_nodes()


def test_a_controller_that_starts_again_costs_only_time(slurm, gated):
    running = started(gated)
    slurm.stop("controller")
    go_on(gated)
    wait_until((gated.folder / "data" / "tabular" / "provenance.json").exists)
    slurm.start("controller")
    ended(running)
    assert gated.complete("tabular")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_no_job_in_the_queue(slurm, gated, how):
    running = started(gated)
    running.send_signal(how)
    ended(running, code=1)
    wait_until(lambda: not slurm.queue())
    go_on(gated)
    run(gated, "tabular")
    assert gated.complete("tabular")


def test_a_run_that_is_killed_is_completed_by_the_next(slurm, gated):
    running = started(gated)
    running.kill()
    running.wait()
    next_run = subprocess.Popen(
        ["registry", "run", "tabular", "--", *SLURM],
        cwd=gated.folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    go_on(gated)
    ended(next_run)
    assert gated.complete("tabular")
    assert slurm.queue() == []


def test_two_runs_share_a_controller(slurm, bare, tmp_path):
    other = copy_folder(bare.folder, tmp_path / "other") or Project(tmp_path / "other")
    runs = [(project, project.start(*SLURM, "tabular", "wine_quality")) for project in (bare, other)]
    for _, running in runs:
        ended(running)
    datasets = ("tabular", "wine-quality")
    assert products(bare, *datasets) == products(other, *datasets) != {}


@pytest.mark.parametrize(
    ("options", "what", "hint"),
    [
        (
            ("--default-resources", "slurm_partition=nowhere"),
            "the cluster has no such partition",
            "name one in the profile, as slurm_partition",
        ),
        (
            ("--set-resources", "tabular_process:mem_mb=100000"),
            "no node, or not this partition, has as much as its rules declare",
            "choose another partition in the profile, as slurm_partition",
        ),
        (
            ("--default-resources", "slurm_account=nobodys"),
            "the cluster does not take this account",
            "name one in the profile, as slurm_account",
        ),
        (
            ("--slurm-qos", "nobodys"),
            "you may not use this partition, or this quality of service",
            "choose another in the profile, as slurm_partition or slurm-qos",
        ),
    ],
)
def test_what_slurm_refuses_is_said_once(slurm, bare, options, what, hint):
    printed = run(bare, *options, "--", "tabular", code=1)
    assert printed.count(what) == 1
    assert f"\n  what to do: {hint}" in printed
    assert slurm.queue() == []


def test_an_account_that_is_due_and_not_named_is_asked_for(slurm, bare):
    manage("delete", "user", USER)
    printed = run(bare, "tabular", code=1)
    manage("add", "user", USER, f"account={ACCOUNT}")
    assert printed.count("the cluster does not take this account") == 1
    assert "\n  what to do: name one in the profile, as slurm_account" in printed


def test_a_quota_that_is_used_up_is_said_once(slurm, bare):
    manage("modify", "qos", "normal", "set", "maxsubmitjobsperuser=0")
    printed = run(bare, "tabular", code=1)
    manage("modify", "qos", "normal", "set", "maxsubmitjobsperuser=-1")
    assert printed.count("the quota of jobs is used up") == 1
    assert slurm.queue() == []


def test_a_node_without_the_folder_is_named(slurm, bare):
    """On the node, something else is where the folder of the run is."""
    for node in NODES:
        slurm.stop(node)
        slurm.start(node, hidden=bare.folder)
    printed = run(bare, "--retries", "0", "tabular", code=1)
    for node in NODES:
        slurm.stop(node)
        slurm.start(node)
    slurm.wait_for_nodes()
    assert "its node wrote no log of it, and may not have this folder" in printed
    assert "\n  what to do: run this in a folder, and with an environment, that all nodes share" in printed


def test_without_sbatch_nothing_is_tried(slurm, bare, tmp_path, monkeypatch):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "bash", "git", "env", "uname", "which"):
        (tools / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tools))
    printed = run(bare, "tabular", code=1)
    assert printed.count("the command that hands jobs to the cluster is not here") == 1
    assert "\n  what to do: run this where it is: on a login node" in printed
