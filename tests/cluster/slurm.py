"""A real Slurm on this machine: a controller and two nodes, in a folder of its own."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import psutil

import accounting
from accounting import Accounting
from support import PATIENCE, free_ports, wait_until

CONFIG = Path("/etc/slurm/slurm.conf")
"""Where every part of Slurm looks for its configuration: no variable of the environment reaches the steps of jobs."""
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue", "scancel", "scontrol", *accounting.PROGRAMS)
PACKAGES = "slurm-wlm slurmdbd mariadb-server munge"
NODES = ("n1", "n2")
MEMORY = 4000
"""Megabytes of each node, which jobs are held to: see OverMemoryKill."""


def missing() -> str | None:
    """Return what this machine lacks for a Slurm of its own; None if nothing."""
    if absent := [program for program in PROGRAMS if not shutil.which(program)]:
        return (
            f"needs Slurm and its accounting ({', '.join(absent)}): apt-get install --no-install-recommends {PACKAGES}"
        )
    if os.geteuid():
        return "needs to be root, to start a Slurm"
    if CONFIG.exists() and not _is_left_over(CONFIG):
        return f"this machine has a Slurm of its own: {CONFIG}"
    return None


def _is_left_over(config: Path) -> bool:
    """Tell whether a configuration is that of one of ours whose tests were killed."""
    pid = config.resolve().with_name("controller.pid")
    return config.is_symlink() and not (pid.exists() and psutil.pid_exists(int(pid.read_text())))


class Job(NamedTuple):
    """A job as squeue tells it, all as text: `memory` and `time` are what it asked for."""

    id: str
    state: str
    node: str
    memory: str
    time: str
    cpus: str
    comment: str


class Slurm:
    """Accounting, controller and nodes on loopback; each of the last can be stopped, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._accounting = Accounting(folder)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        for name in ("ctld", "log", *(f"d/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "slurm.conf").write_text(self._config(), encoding="utf-8")
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        CONFIG.parent.mkdir(exist_ok=True)
        CONFIG.unlink(missing_ok=True)
        CONFIG.symlink_to(self.folder / "slurm.conf")
        try:
            self._start_munge()
            self._accounting.start()
            self.start("controller")
            for node in NODES:
                self.start(node)
            self.wait_for_nodes()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["scancel", "--quiet", "--user=root"], check=False, timeout=60)
        for name in reversed([*self._processes]):
            if name == "munge":
                self._accounting.stop()
            self.stop(name, signal.SIGKILL if name in NODES else signal.SIGTERM)
        CONFIG.unlink()

    def _config(self) -> str:
        """Return slurm.conf.

        OverMemoryKill holds jobs to the memory that they asked for. It looks at them each second, and needs no cgroups.
        """
        host = socket.gethostname().partition(".")[0]
        controller, *ports = free_ports(1 + len(NODES))
        nodes = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory={MEMORY}"
            for node, port in zip(NODES, ports, strict=True)
        ]
        return "\n".join(
            [
                f"ClusterName={accounting.CLUSTER}",
                f"SlurmctldHost={host}(127.0.0.1)",
                f"SlurmctldPort={controller}",
                "SlurmUser=root",
                "SlurmdUser=root",
                "AuthType=auth/munge",
                "CryptoType=crypto/munge",
                f"AuthInfo=socket={self.folder}/munge.socket",
                "CommunicationParameters=NoCtldInAddrAny,NoInAddrAny",
                f"StateSaveLocation={self.folder}/ctld",
                f"SlurmdSpoolDir={self.folder}/d/%n",
                f"SlurmctldPidFile={self.folder}/controller.pid",
                f"SlurmdPidFile={self.folder}/%n.pid",
                f"SlurmctldLogFile={self.folder}/log/controller.log",
                f"SlurmdLogFile={self.folder}/log/%n.log",
                "ProctrackType=proctrack/linuxproc",
                "TaskPlugin=task/none",
                "JobAcctGatherType=jobacct_gather/linux",
                "JobAcctGatherParams=OverMemoryKill",
                "JobAcctGatherFrequency=task=1",
                *self._accounting.settings(),
                "SelectType=select/cons_tres",
                "SelectTypeParameters=CR_Core_Memory",
                "SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1",
                "MpiDefault=none",
                "ReturnToService=2",
                "SlurmdTimeout=15",
                "KillWait=3",
                "OverTimeLimit=0",
                "SlurmdParameters=config_overrides",
                "MinJobAge=3600",
                *nodes,
                f"PartitionName=main Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP",
                "",
            ]
        )

    def _start_munge(self) -> None:
        places = {name: self.folder / f"munge.{name}" for name in ("key", "socket", "seed", "log", "pid")}
        options = [
            f"--{option}={places[option.partition('-')[0]]}"
            for option in ("key-file", "socket", "seed-file", "log-file", "pid-file")
        ]
        self._processes["munge"] = subprocess.Popen(["munged", "--force", "--foreground", *options])
        wait_until(places["socket"].exists)

    def start(self, name: str, *, hidden: Path | None = None) -> None:
        """Start the controller, or a node, on which nothing is to be seen of a folder `hidden`."""
        command = ["slurmctld", "-D"] if name == "controller" else ["slurmd", "-D", "-N", name]
        if hidden:
            mount = f"mount --types tmpfs none {shlex.quote(str(hidden.parent))} && exec {shlex.join(command)}"
            command = ["unshare", "--mount", "sh", "-c", mount]
        with (self.folder / "log" / f"{name}.out").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the controller or a node. What runs on a node that is killed is killed with it, as without power."""
        process = self._processes.pop(name)
        process.send_signal(how)
        process.wait(PATIENCE)
        for child in _processes_on(name) if how == signal.SIGKILL else ():
            with suppress(psutil.Error):
                child.kill()

    def wait_for_nodes(self) -> None:
        """Wait until both nodes take jobs."""
        wait_until(lambda: _printed("sinfo", "--noheader", "--format=%T").split() == ["idle"])

    def queue(self) -> list[Job]:
        """Return the jobs that wait or run."""
        return [job for job in self.jobs() if job.state in ("PENDING", "RUNNING", "COMPLETING", "SUSPENDED")]

    def jobs(self) -> list[Job]:
        """Return all jobs that the controller remembers, in their order."""
        lines = _printed(
            "squeue", "--noheader", "--states=all", "--sort=i", "--format=%i|%T|%N|%m|%l|%c|%k"
        ).splitlines()
        return [Job(*line.split("|")) for line in lines]


def _processes_on(node: str) -> list[psutil.Process]:
    """Return the processes of jobs on a node, and those of Slurm that watch over them."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("SLURMD_NODENAME") == node:
                found |= {process, *(parent for parent in process.parents() if parent.name().startswith("slurmstepd"))}
    return [*found]


def _printed(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE).stdout
