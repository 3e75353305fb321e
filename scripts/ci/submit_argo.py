"""Submit a workflow template to an Argo server, wait until the workflow has ended, and end as it did.

    submit_argo.py data-pipeline | embeddings-pipeline

ARGO_SERVER is the server's address, ARGO_TOKEN the token of a service account that may submit, ARGO_NAMESPACE the
namespace (registry), ARGO_PAUSE how many seconds lie between two questions (10). DATASETS, SOURCE, FORCE, BUMP, REMOTE,
DRY_RUN and ACTOR become parameters. The workflow goes on where this is ended.
"""

import http.client
import os
import re
import sys
import time
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from https import ask, check_address

PARAMETERS = {
    "data-pipeline": {
        "datasets": "DATASETS",
        "source": "SOURCE",
        "force": "FORCE",
        "bump": "BUMP",
        "remote": "REMOTE",
        "dry-run": "DRY_RUN",
        "actor": "ACTOR",
    },
    "embeddings-pipeline": {
        "dataset": "DATASETS",
        "source": "SOURCE",
        "force": "FORCE",
        "bump": "BUMP",
        "remote": "REMOTE",
        "actor": "ACTOR",
    },
}
"""The parameters of each template, and the variables that they come from."""
ENDED = ("Succeeded", "Failed", "Error")
ATTEMPTS = 5
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class ArgoError(Exception):
    """The server cannot be reached, or refuses; the message says what to do."""


class Argo:
    """The API of an Argo server; `pause` is how many seconds lie between two questions."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        missing = [name for name in ("ARGO_SERVER", "ARGO_TOKEN") if not environment.get(name)]
        if missing:
            raise ArgoError(f"not set: {', '.join(missing)}; docs/github-actions.md says where they come from")
        self.server = environment["ARGO_SERVER"].rstrip("/")
        if not re.fullmatch(r"https?://[^\s@?#]+", self.server):
            raise ArgoError("ARGO_SERVER is no address such as https://argo.example.org")
        try:
            check_address(self.server)
        except ValueError as error:
            raise ArgoError(f"ARGO_SERVER: {error}") from None
        self.namespace = environment.get("ARGO_NAMESPACE") or "registry"
        if not NAME.fullmatch(self.namespace):
            raise ArgoError("ARGO_NAMESPACE is no name of a namespace")
        self.pause = float(environment.get("ARGO_PAUSE") or 10)
        token = environment["ARGO_TOKEN"].removeprefix("Bearer ").strip()
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def submit(self, template: str, parameters: Mapping[str, str]) -> str:
        """Submit a workflow and return its name."""
        options = {
            "generateName": f"{template}-",
            "parameters": [f"{name}={value}" for name, value in parameters.items()],
        }
        body = {"resourceKind": "WorkflowTemplate", "resourceName": template, "submitOptions": options}
        # Once only: an answer that is lost may belong to a workflow that runs.
        return self._ask(f"/api/v1/workflows/{self.namespace}/submit", body, attempts=1)["metadata"]["name"]

    def ended(self, name: str) -> tuple[str, str]:
        """Wait until a workflow has ended; return its phase and message."""
        while True:
            path = f"/api/v1/workflows/{self.namespace}/{name}?fields=status.phase,status.message"
            status = self._ask(path).get("status", {})
            if status.get("phase") in ENDED:
                return status["phase"], status.get("message", "")
            time.sleep(self.pause)

    def link(self, name: str) -> str:
        """Return the page of a workflow."""
        return f"{self.server}/workflows/{self.namespace}/{name}"

    def _ask(self, path: str, body: Mapping[str, Any] | None = None, attempts: int = ATTEMPTS) -> dict[str, Any]:
        for attempt in range(1, attempts + 1):
            try:
                return ask(self.server + path, self._headers, body)
            except urllib.error.HTTPError as error:
                if error.code < 500 or attempt == attempts:
                    raise ArgoError(_refusal(error)) from None
            except (OSError, http.client.HTTPException, ValueError) as error:
                if attempt == attempts:
                    raise ArgoError(f"{self.server} does not answer as Argo does: {error}") from None
            time.sleep(self.pause)
        raise AssertionError


def _refusal(error: urllib.error.HTTPError) -> str:
    if error.code < 400:
        return f"Argo answers {error.code}: it sends clients elsewhere, and the token stays here: see ARGO_SERVER"
    hints = {
        401: "ARGO_TOKEN is wrong or has expired: make a new one",
        403: "the service account of ARGO_TOKEN may not do this: see deploy/argo/base/access.yaml",
        404: "there is none: apply deploy/argo, or look at ARGO_NAMESPACE",
    }
    said = error.read(500).decode(errors="replace")
    return f"Argo answers {error.code}: {hints.get(error.code, said)}"


def main(template: str) -> None:
    """Submit, wait, and say how it ended."""
    names = PARAMETERS[template]
    if os.environ.get("DRY_RUN") == "true" and "dry-run" not in names:
        raise ArgoError(f"{template} knows no dry run")
    argo = Argo(os.environ)
    # What is empty stays as the template says.
    parameters = {name: value for name, variable in names.items() if (value := os.environ.get(variable))}
    name = argo.submit(template, parameters)
    if not NAME.fullmatch(name):
        raise ArgoError("Argo answers with something that is no name of a workflow")
    print(f"submitted: {argo.link(name)}", flush=True)
    phase, message = argo.ended(name)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(f"## {phase}\n\n{argo.link(name)}\n")
    if phase != "Succeeded":
        raise ArgoError(f"{name} ended with {phase}: {message or argo.link(name)}")
    print(f"{name} has succeeded")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except ArgoError as error:
        sys.exit(" ".join(str(error).split()))
