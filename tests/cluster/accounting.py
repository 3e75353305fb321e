"""Slurm's accounting: the database of jobs, accounts and quotas that most clusters have, in a folder of its own."""

import shutil
import signal
import subprocess
from pathlib import Path

from support import PATIENCE, free_ports, wait_until

PROGRAMS = ("slurmdbd", "sacctmgr", "mariadbd", "mariadb-install-db")
CLUSTER, ACCOUNT = "registry", "lab"
USER = "root"
"""Who runs the tests' jobs, on ACCOUNT where nothing else is said."""


class Accounting:
    """A MariaDB and the daemon that keeps Slurm's records in it, both on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._database_port = free_ports(2)
        self._processes: list[subprocess.Popen[bytes]] = []

    def settings(self) -> list[str]:
        """Return the lines of slurm.conf with which a controller keeps its records here, and holds users to them."""
        return [
            "AccountingStorageType=accounting_storage/slurmdbd",
            "AccountingStorageHost=127.0.0.1",
            f"AccountingStoragePort={self.port}",
            f"AccountingStoragePass={self.folder}/munge.socket",
            "AccountingStorageEnforce=associations,limits,qos",
        ]

    def start(self) -> None:
        """Start both, once munge is there, with one account and one user of it."""
        data, log, socket = self.folder / "mariadb", self.folder / "log", self.folder / "mariadb.socket"
        install = ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal"]
        subprocess.run([*install, f"--datadir={data}", "--user=root"], check=True, stdout=subprocess.DEVNULL)
        first = self.folder / "first.sql"
        first.write_text("CREATE USER slurm@127.0.0.1;\nGRANT ALL ON *.* TO slurm@127.0.0.1;\n", encoding="utf-8")
        self._run(
            *("mariadbd", "--no-defaults", f"--datadir={data}", "--user=root", f"--init-file={first}"),
            *(f"--socket={socket}", "--bind-address=127.0.0.1", f"--port={self._database_port}"),
            *("--skip-name-resolve", "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0"),
        )
        wait_until(socket.exists)
        config = self.folder / "slurmdbd.conf"
        config.write_text(
            "\n".join(
                [
                    "AuthType=auth/munge",
                    f"AuthInfo=socket={self.folder}/munge.socket",
                    "DbdHost=localhost",
                    "DbdAddr=127.0.0.1",
                    f"DbdPort={self.port}",
                    "SlurmUser=root",
                    f"LogFile={log}/slurmdbd.log",
                    f"PidFile={self.folder}/slurmdbd.pid",
                    "StorageType=accounting_storage/mysql",
                    "StorageHost=127.0.0.1",
                    f"StoragePort={self._database_port}",
                    "StorageUser=slurm",
                    "StorageLoc=slurm",
                    "",
                ]
            ),
            encoding="utf-8",
        )
        config.chmod(0o600)
        self._run("slurmdbd", "-D", env={"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": "/usr/sbin:/usr/bin"})
        wait_until(
            lambda: not subprocess.run(["sacctmgr", "--noheader", "show", "cluster"], capture_output=True).returncode
        )
        manage("add", "cluster", CLUSTER)
        manage("add", "account", ACCOUNT)
        manage("add", "user", USER, f"account={ACCOUNT}")

    def stop(self) -> None:
        """Stop both."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        shutil.rmtree(self.folder / "mariadb")

    def _run(self, *command: str, env: dict[str, str] | None = None) -> None:
        with (self.folder / "log" / f"{command[0]}.out").open("ab") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=env))


def manage(*what: str) -> str:
    """Change what Slurm knows of clusters, accounts, users and quotas."""
    command = ["sacctmgr", "--immediate", "--quiet", *what]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout
