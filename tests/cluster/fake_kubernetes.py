"""A stand-in for Kubernetes on loopback: secrets, jobs, pods and their logs, as its API serves them.

The container of a pod is a process in a folder of its own, which sees of its maker's only the programs.
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate
import yaml

from support import wait_until

NAMESPACE = "registry"
SCHEMAS = "1.37"
"""The version of Kubernetes whose schemas everything sent here must keep."""
PIP = "#!/bin/sh\necho a pod installs what its image lacks: $@\nexit 1\n"


@dataclass
class Pod:
    """A pod of a job: its process, or what keeps it from starting."""

    name: str
    job: dict[str, Any]
    folder: Path
    process: subprocess.Popen | None = None
    waiting: dict[str, str] | None = None
    """Why its container does not start, as a container's state has it: reason and message."""
    condition: dict[str, str] | None = None
    """Why no node takes it, as the condition PodScheduled has it."""
    evicted: str | None = None
    gone: bool = False

    @property
    def code(self) -> int | None:
        """The exit code of its container; None while it runs, or where it never did."""
        return None if self.process is None else self.process.poll()

    def state(self) -> dict[str, Any]:
        """Return the object that the API has of it."""
        containers = []
        if self.waiting:
            containers = [{"waiting": self.waiting}]
        elif self.process is not None and not self.evicted:
            ended = {"exitCode": abs(self.code or 0), "reason": self.reason} if self.ended else None
            containers = [{"terminated": ended} if ended else {"running": {}}]
        phase = {None: "Running", 0: "Succeeded"}.get(self.code, "Failed") if self.process else "Pending"
        status = {"phase": "Failed" if self.evicted else phase}
        if self.evicted:
            status |= {"reason": "Evicted", "message": self.evicted}
        if self.condition:
            status["conditions"] = [{"type": "PodScheduled", "status": "False", **self.condition}]
        if containers:
            status["containerStatuses"] = [
                {
                    "name": "snakemake",
                    "image": "image",
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": state,
                }
                for state in containers
            ]
        labels = {"job-name": self.job["metadata"]["name"]}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name, "labels": labels},
            "spec": self.job["spec"]["template"]["spec"],
            "status": status,
        }

    @property
    def reason(self) -> str:
        """Why its container has ended."""
        return {0: "Completed", -signal.SIGKILL: "OOMKilled"}.get(self.code, "Error")

    @property
    def ended(self) -> bool:
        """Whether its container has run, and ended."""
        return self.code is not None


@dataclass
class FakeKubernetes:
    """The API on a free port of loopback, with one namespace.

    `fate` is called with each new pod before its container starts, and may set what keeps it from doing so; `refuses`
    with each request's method and path, and returns the status of a refusal, or None.
    """

    folder: Path
    fate: Callable[[Pod], None] = lambda pod: None
    refuses: Callable[[str, str], int | None] = lambda method, path: None
    pods: dict[str, Pod] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: list[dict[str, Any]] = field(default_factory=list)
    """All jobs that were ever asked for."""

    def __enter__(self) -> Self:
        self._lock = threading.RLock()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.programs = self.folder / "bin"
        self.programs.mkdir(exist_ok=True)
        (self.programs / "pip").write_text(PIP, encoding="utf-8")
        (self.programs / "pip").chmod(0o755)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        self.config = self.folder / "kubeconfig"
        server = {"server": f"http://127.0.0.1:{self._http.server_port}"}
        context = {"cluster": "fake", "user": "fake"}
        self.config.write_text(
            yaml.safe_dump(
                {
                    "clusters": [{"name": "fake", "cluster": server}],
                    "users": [{"name": "fake", "user": {}}],
                    "contexts": [{"name": "fake", "context": context}],
                    "current-context": "fake",
                }
            ),
            encoding="utf-8",
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        for pod in [*self.pods.values()]:
            _end(pod)

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Return the status and the value that the API answers a request with."""
        with self._lock:
            if status := self.refuses(method, path):
                return _refusal(status, "refused")
            found = re.fullmatch(r"/(?:api|apis/batch)/v1/namespaces/([^/]+)/(\w+)(?:/([^/]+))?(?:/(\w+))?", path)
            if not found:
                return _refusal(404, "the server could not find the requested resource")
            namespace, kind, name, part = found.groups()
            if namespace != NAMESPACE:
                return _refusal(404, f'namespaces "{namespace}" not found')
            match method, kind, part:
                case "POST", "secrets", None:
                    self.secrets[body["metadata"]["name"]] = body
                    return 201, body
                case "DELETE", "secrets", None if name in self.secrets:
                    del self.secrets[name]
                    return 200, {"kind": "Status", "status": "Success"}
                case "POST", "jobs", None:
                    return self._start(body)
                case "GET", "jobs", _ if name in self.jobs:
                    return 200, self._job(name)
                case "DELETE", "jobs", None if name in self.jobs:
                    del self.jobs[name]
                    for pod in self._pods_of(name):
                        self._remove(pod)
                    return 200, {"kind": "Status", "status": "Success"}
                case "GET", "pods", None if name is None:
                    job = query.get("labelSelector", "").removeprefix("job-name=")
                    return 200, {"kind": "PodList", "items": [pod.state() for pod in self._pods_of(job)]}
                case "DELETE", "pods", None if name in self.pods:
                    self._remove(self.pods[name])
                    return 200, {"kind": "Status", "status": "Success"}
                case "GET", "pods", "log" if name in self.pods:
                    if query.get("previous") == "true":
                        return _refusal(400, f'previous terminated container "snakemake" in pod "{name}" not found')
                    return 200, (self.pods[name].folder / "log").read_text(errors="replace")
            return _refusal(404, f'{kind} "{name}" not found')

    def left(self) -> list[str]:
        """Return the names of all jobs, pods and secrets that are still there."""
        with self._lock:
            return [*self.jobs, *(pod.name for pod in self.pods.values() if not pod.gone), *self.secrets]

    def _start(self, job: dict[str, Any]) -> tuple[int, Any]:
        try:
            kubernetes_validate.validate({"apiVersion": "batch/v1", "kind": "Job", **job}, SCHEMAS, strict=True)
        except kubernetes_validate.ValidationError as error:
            return _refusal(422, error.message)
        name = job["metadata"]["name"]
        self.sent.append(job)
        self.jobs[name] = job
        pod = Pod(f"{name}-pod", job, self.folder / "pods" / name)
        self.pods[pod.name] = pod
        (pod.folder / "workdir").mkdir(parents=True)
        self.fate(pod)
        if not (pod.waiting or pod.condition or pod.gone or pod.evicted):
            self._run(pod)
        return 201, job

    def _run(self, pod: Pod) -> None:
        container = pod.job["spec"]["template"]["spec"]["containers"][0]
        environment = {
            one["name"]: base64.b64decode(self.secrets[ref["name"]]["data"][ref["key"]]).decode()
            for one in container["env"]
            for ref in [one["valueFrom"]["secretKeyRef"]]
        }
        path = f"{self.programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        with (pod.folder / "log").open("wb") as log:
            pod.process = subprocess.Popen(
                [*container["command"], *container["args"]],
                cwd=pod.folder / "workdir",
                env={"PATH": path, "HOME": str(pod.folder), "LANG": "C.UTF-8", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _job(self, name: str) -> dict[str, Any]:
        pods = [pod for pod in self.pods.values() if pod.job["metadata"]["name"] == name]
        failed = sum(pod.gone or bool(pod.code) or pod.evicted is not None for pod in pods)
        succeeded = sum(pod.code == 0 for pod in pods)
        return {**self.jobs[name], "status": {"failed": failed, "succeeded": succeeded}}

    def _pods_of(self, job: str) -> list[Pod]:
        return [pod for pod in self.pods.values() if pod.job["metadata"]["name"] == job and not pod.gone]

    def _remove(self, pod: Pod) -> None:
        pod.gone = True
        _end(pod)
        shutil.rmtree(pod.folder / "workdir", ignore_errors=True)


def _end(pod: Pod) -> None:
    if pod.process is not None and not pod.ended:
        os.killpg(pod.process.pid, signal.SIGKILL)
        wait_until(lambda: pod.ended)


def _refusal(status: int, message: str) -> tuple[int, Any]:
    return status, {"kind": "Status", "status": "Failure", "message": message, "code": status}


def _handler(kubernetes: FakeKubernetes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            status, value = kubernetes.answer(self.command, url.path, query, body)
            text = value if isinstance(value, str) else json.dumps(value)
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(value, str) else "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler
