"""Run a step of a workflow as it stands in a rendered manifest: in a container, in its environment, and as its user."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from podman import Podman
from support import PATIENCE, ROOT

ARGO = ROOT / "deploy" / "argo"
OVERLAYS = ("base", "overlays/minikube", "overlays/production")
TAG = re.compile(r"\{\{(.*?)\}\}")
USER = 1000
KUBERNETES = "1.30"
"""The oldest version whose schemas our manifests are held to."""


def rendered(overlay: str, argo: Path = ARGO) -> list[dict[str, Any]]:
    """Return what `kubectl apply --kustomize` would make."""
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl: apt-get install --no-install-recommends kubernetes-client")
    done = subprocess.run(["kubectl", "kustomize", argo / overlay], check=True, capture_output=True)
    return [*yaml.safe_load_all(done.stdout)]


def named(manifests: Sequence[Mapping[str, Any]], kind: str, name: str) -> Any:
    """Return the one manifest of this kind and name."""
    (found,) = [each for each in manifests if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with Argo's tags replaced; a tag that nothing is known for is a KeyError, as asInt of no number."""

    def value(tag: re.Match[str]) -> str:
        name = tag[1].strip()
        whole = re.fullmatch(r"=asInt\((.+)\)", name)
        return str(int(values[whole[1]])) if whole else values[name]

    return TAG.sub(value, text)


class Ended(NamedTuple):
    """How a step ended, what it printed, its output parameters, and its folder /tmp."""

    code: int
    printed: str
    outputs: dict[str, str]
    tmp: Path


class Namespace:
    """What pods of workflows find: settings, secrets by name, one volume, and the registry's origin at /origin.git."""

    def __init__(
        self, folder: Path, origin: Path, podman: Podman, image: str, secrets: dict[str, dict[str, str]]
    ) -> None:
        self.manifests, self.secrets = rendered("base"), secrets
        self.volume, self._folder, self._origin = folder / "volume", folder, origin
        self._podman, self._image, self._runs = podman, image, 0
        self.volume.mkdir()
        os.chown(self.volume, USER, USER)

    def defaults(self, template: str, **given: str) -> dict[str, str]:
        """Return the values of Argo's tags in a workflow that was submitted with these parameters."""
        workflow = named(self.manifests, "WorkflowTemplate", template)["spec"]
        declared = {each["name"]: each["value"] for each in workflow["arguments"]["parameters"]}
        submitted = {name.replace("_", "-"): value for name, value in given.items()}
        assert submitted.keys() <= declared.keys()
        parameters = declared | {"repository": "/origin.git"} | submitted
        about = {"uid": "uid-of-the-run", "name": f"{template}-x7k2p", "namespace": "registry"}
        values = {f"workflow.{name}": value for name, value in about.items()}
        return values | {f"workflow.parameters.{name}": value for name, value in parameters.items()}

    def start(self, workflow: str, step: str, values: Mapping[str, str], **inputs: str) -> subprocess.Popen[str]:
        """Start a step, its output in one pipe."""
        command, _ = self._command(workflow, step, values, self._new_tmp(), **inputs)
        return self._podman.start(*command)

    def _command(
        self, workflow: str, step: str, values: Mapping[str, str], tmp: Path, **inputs: str
    ) -> tuple[list[str], dict[str, Any]]:
        """Return the arguments with which podman runs a step, and its template."""
        spec = named(self.manifests, "WorkflowTemplate", workflow)["spec"]
        (template,) = [each for each in spec["templates"] if each["name"] == step]
        values = {**values, **{f"inputs.parameters.{name}": value for name, value in inputs.items()}}
        assert {each["name"] for each in spec["volumes"]} == {"registry", "tmp"}
        container = template["container"]
        options = self._options(container, spec["securityContext"], self._variables(container, values), tmp)
        entry, *arguments = [filled(word, values) for word in (*container["command"], *container["args"])]
        return ["run", *options, "--entrypoint", entry, self._image, *arguments], template

    def _options(
        self, container: Mapping[str, Any], pod: Mapping[str, Any], variables: Mapping[str, str], tmp: Path
    ) -> list[str]:
        """Return the options with which podman runs a container of a pod as Kubernetes does."""
        security, places = container["securityContext"], {"registry": self.volume, "tmp": tmp}
        options = ["--rm", "--name", tmp.name, "--network", "host", "--user", f"{pod['runAsUser']}:{pod['runAsGroup']}"]
        options += ["--read-only", "--read-only-tmpfs=false"] if security["readOnlyRootFilesystem"] else []
        options += [] if security["allowPrivilegeEscalation"] else ["--security-opt", "no-new-privileges"]
        options += [word for name in security["capabilities"]["drop"] for word in ("--cap-drop", name)]
        options += ["--workdir", container["workingDir"], "--volume", f"{self._origin}:/origin.git"]
        for each in container["volumeMounts"]:
            in_memory = each["mountPath"] == "/dev/shm"
            options += [] if in_memory else ["--volume", f"{places[each['name']]}:{each['mountPath']}"]
        return options + [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]

    def run(self, workflow: str, step: str, values: Mapping[str, str], **inputs: str) -> Ended:
        """Run a step to its end."""
        tmp = self._new_tmp()
        command, template = self._command(workflow, step, values, tmp, **inputs)
        process = self._podman.start(*command)
        printed, _ = process.communicate(timeout=PATIENCE)
        outputs = {}
        for each in template.get("outputs", {}).get("parameters", []) if process.returncode == 0 else []:
            path = tmp / Path(each["valueFrom"]["path"]).relative_to("/tmp")
            outputs[each["name"]] = path.read_text(encoding="utf-8")
        return Ended(process.returncode, printed, outputs, tmp)

    def compute(self, ray_job: str, image: str) -> Ended:
        """Run the entrypoint of a RayJob on the head of a cluster that has no other node, so that it has to compute."""
        job = json.loads(ray_job)["spec"]
        pod = job["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
        (head,) = pod["containers"]
        tmp = self._new_tmp()
        options = self._options(head, pod["securityContext"], self._variables(head, {}), tmp)
        started = "ray start --head --node-ip-address=127.0.0.1 --num-cpus=1 --object-store-memory=100000000"
        script = f"{started} && export RAY_ADDRESS=auto && {job['entrypoint']}"
        process = self._podman.start("run", *options, image, "sh", "-c", script)
        printed, _ = process.communicate(timeout=PATIENCE)
        return Ended(process.returncode, printed, {}, tmp)

    def _new_tmp(self) -> Path:
        """Return a new empty folder that only the user of pods may write."""
        self._runs += 1
        tmp = self._folder / f"{self._folder.name}-{self._runs}"
        tmp.mkdir()
        os.chown(tmp, USER, USER)
        return tmp

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the step that was started last: SIGTERM as Kubernetes does, SIGKILL as for its memory."""
        self._podman.call("kill", f"--signal={number.name}", f"{self._folder.name}-{self._runs}")

    def pipeline(self, **parameters: str) -> list[Ended]:
        """Run data-pipeline as its DAG says, one pod after the other; return how each step ended."""
        values = self.defaults("data-pipeline", **parameters)
        prepared = self.run("data-pipeline", "prepare", values)
        assert prepared.code == 0, prepared.printed
        builds = json.loads(prepared.outputs["builds"])
        built = [self.run("data-pipeline", "build", values, **item) for item in builds]
        published = self.run("data-pipeline", "publish", values, checkouts=prepared.outputs["checkouts"])
        return [prepared, *built, published]

    def _variables(self, container: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
        """Return the environment as the kubelet makes it: `env` is above `envFrom`, and uses what precedes."""
        found: dict[str, str] = {}
        for source in container["envFrom"]:
            if "configMapRef" in source:
                found |= named(self.manifests, "ConfigMap", source["configMapRef"]["name"])["data"]
            else:
                found |= self.secrets.get(source["secretRef"]["name"], {})
        own: dict[str, str] = {}
        for variable in container["env"]:
            if "valueFrom" in variable:
                key = variable["valueFrom"]["configMapKeyRef"]
                own[variable["name"]] = named(self.manifests, "ConfigMap", key["name"])["data"][key["key"]]
            else:
                text = filled(variable["value"], values)
                own[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda name: own.get(name[1], name[0]), text)
        return found | own


def give_to_pods(folder: Path) -> None:
    """Let the user of pods own a folder and all in it."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, USER, USER, follow_symlinks=False)
