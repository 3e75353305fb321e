"""A real MLflow server on loopback, from an environment of its own: its pins disagree with ours."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START = 300
"""Seconds that the server may take to answer."""


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Run the executable that the variable MLFLOW_BIN names and yield the server's address; without it, skip."""
    executable = os.environ.get("MLFLOW_BIN")
    if not executable:
        pytest.skip("needs a real MLflow server: set MLFLOW_BIN to an mlflow executable of another environment")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [shutil.which(executable), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder)]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command + stores, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START
        while not _answers(address):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"no MLflow server:\n{(folder / 'log').read_text()}")
            time.sleep(0.2)
        yield address
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
