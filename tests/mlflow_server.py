"""A real MLflow server on loopback, from an environment of its own: its pins disagree with ours."""

import os
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from filelock import FileLock

from support import free_ports

START = 300
"""Seconds that the server may take to answer."""


class MLflowServer:
    """A server of the executable that the variable MLFLOW_BIN names. Data and address stay with its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        port = folder / "port"
        with FileLock(folder / "port.lock"):
            if not port.exists():
                port.write_text(str(free_ports(1)[0]), encoding="utf-8")
        self._port = port.read_text(encoding="utf-8")
        self.address = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [shutil.which(os.environ["MLFLOW_BIN"]), "server", "--host", "127.0.0.1", "--port", self._port]
        stores = ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db", "--artifacts-destination", self.folder]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        log = self.folder / "log"
        with log.open("w") as stream:
            self._process = subprocess.Popen(
                [*command, "--workers", "1", *stores],
                stdout=stream,
                stderr=stream,
                env=environment,
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + START
        while not self.ready():
            assert self._process.poll() is None and time.monotonic() < deadline, f"no server:\n{log.read_text()}"
            time.sleep(0.2)

    def ready(self) -> bool:
        """Tell whether the server answers."""
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """End the server as its user would."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait()
