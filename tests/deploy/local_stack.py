"""What compose.yaml and its .env files say of the servers of one machine."""

import os
import subprocess
from pathlib import Path

import yaml
from configobj import ConfigObj

from support import ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
FILES = {".env.docker": "docker", ".env.minikube": "minikube"}
SOURCE = 'set -a; source "$0"; set +a; "$@"'


def sourced(file: Path) -> dict[str, str]:
    """Return the variables that bash reads from a file."""
    printed = subprocess.run(["bash", "-c", SOURCE, file, "env", "-0"], env={"PATH": os.environ["PATH"]}, check=True,
                             stdout=subprocess.PIPE, text=True).stdout  # fmt: skip
    pairs = dict(line.split("=", 1) for line in printed.split("\0") if line)
    return {name: value for name, value in pairs.items() if name not in ("PATH", "PWD", "SHLVL", "_", "OLDPWD")}


def dvc_remote(name: str) -> dict[str, str]:
    return ConfigObj(str(ROOT / ".dvc" / "config"))[f'remote "{name}"']


def ports(service: str) -> dict[str, str]:
    """Return {port in the container: port on this machine}."""
    return {inside: outside for _, outside, inside in (port.split(":") for port in SERVICES[service].get("ports", []))}
