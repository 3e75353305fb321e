"""The project's images, really built by podman, on a Debian of debootstrap's in place of the Dockerfile's base."""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock
from platformdirs import user_cache_path

from support import ROOT

PROGRAMS = ("podman", "runc", "debootstrap")
BASE = "docker.io/library/python:3.11-slim"
"""As the Dockerfile names it."""
SUITE = "bookworm"
"""The Debian with the Python of that base."""
WITHIN = Path("/run/machine")
"""Where a build finds the files of this machine that pip's configuration names."""
CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
"""Of containers that run where neither systemd nor a network for them is."""


def missing() -> str | None:
    """Return what this machine lacks to make images; None if nothing."""
    if absent := [program for program in PROGRAMS if not shutil.which(program)]:
        return f"needs {', '.join(absent)}: apt-get install --no-install-recommends {' '.join(PROGRAMS)}"
    return "needs to be root, for debootstrap" if os.geteuid() else None


class Mount(NamedTuple):
    """A folder or file of this machine that a container sees at `target`."""

    source: Path
    target: str = "/registry"
    mode: str = "rw"

    def option(self) -> str:
        """Return the option of podman."""
        return f"--volume={self.source}:{self.target}:{self.mode}"


class Podman:
    """podman with a storage of its own, which is kept between runs of the tests: unchanged layers are not made anew."""

    def __init__(self, place: Path | None = None) -> None:
        self.place = place or user_cache_path("data-registry-tests") / "podman"
        self.place.mkdir(parents=True, exist_ok=True)
        (self.place / "containers.conf").write_text(CONFIGURATION, encoding="utf-8")
        folders = f'graphroot = "{self.place / "storage"}"\nrunroot = "/run/data-registry-tests"\n'
        (self.place / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\n{folders}', encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """Return the environment in which `podman` is this one."""
        found = {name: str(self.place / f"{name}.conf") for name in ("containers", "storage")}
        return {
            **os.environ,
            "CONTAINERS_CONF": found["containers"],
            "CONTAINERS_STORAGE_CONF": found["storage"],
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start podman, its output in one pipe."""
        return subprocess.Popen(
            ["podman", *arguments],
            cwd=ROOT,
            env=self.environment(),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def call(self, *arguments: str, code: int = 0) -> str:
        """Run podman, check its exit code, and return what it printed on both streams."""
        process = self.start(*arguments)
        printed, _ = process.communicate(timeout=1200)
        assert process.returncode == code, f"podman {arguments} ended with {process.returncode}:\n{printed}"
        return printed

    @cache  # noqa: B019
    def image(self, target: str = "registry", context: Path = ROOT) -> str:
        """Return the name of the image of a target of the Dockerfile, built as the repository, or another, is now."""
        with FileLock(self.place / "lock"):
            if self._lacks(BASE):
                self.make_base()
            with self.build_command(target, context=context) as command:
                self.call(*command[1:])
        return self.name_of(target, context)

    def name_of(self, target: str, context: Path = ROOT) -> str:
        """Return the name that the image of a target gets."""
        return f"localhost/data-registry:{target}" if context == ROOT else "localhost/data-registry-of-another"

    @contextmanager
    def build_command(self, target: str, *options: str, context: Path = ROOT) -> Iterator[list[str]]:
        """Yield the command that builds the image of a target, with which pip finds packages as it does here."""
        with _pip_settings() as mounts:
            yield [
                *("podman", "build", "--pull=never", "--network=host", "--layers", f"--target={target}", *options),
                *(f"--tag={self.name_of(target, context)}", *(mount.option() for mount in mounts)),
                str(context),
            ]

    def run(
        self,
        *command: str,
        mounts: Sequence[Mount] = (),
        options: Sequence[str] = (),
        image: str | None = None,
        code: int = 0,
    ) -> str:
        """Run a command in a new container with no network but loopback, and return what it printed on both streams."""
        given = [*options, *(mount.option() for mount in mounts)]
        network = [] if any(option.startswith("--network") for option in given) else ["--network=none"]
        return self.call("run", "--rm", *network, *given, image or self.image(), *command, code=code)

    def _lacks(self, image: str) -> bool:
        return bool(subprocess.run(["podman", "image", "exists", image], env=self.environment()).returncode)

    def make_base(self) -> None:
        """Make what the base has for the Dockerfile: Debian with Python, and its venv."""
        with tempfile.TemporaryDirectory(dir=self.place) as folder:
            root = Path(folder, "root")
            packages = "--include=ca-certificates,python3-venv"
            subprocess.run(
                ["debootstrap", "--variant=minbase", packages, SUITE, str(root)], check=True, stdout=subprocess.DEVNULL
            )
            shutil.rmtree(root / "var" / "cache" / "apt")
            archive = Path(folder, "root.tar")
            subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
            self.call("import", str(archive), BASE)


@contextmanager
def _pip_settings() -> Iterator[list[Mount]]:
    """Yield what lets pip in a build find packages as it does here; nothing of it gets into an image."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, text=True, stdout=subprocess.PIPE
    ).stdout
    settings: dict[str, str] = {}
    sources: set[Path] = set()
    for line in listed.splitlines():
        key, _, quoted = line.partition("=")
        words = []
        for word in ast.literal_eval(quoted).split():
            path = Path(word.removeprefix("file://"))
            if path.is_absolute() and path.exists():
                # An index names its files from the folder that it is in.
                sources.add(path.parent if word.startswith("file://") else path)
                word = word.replace(str(path), f"{WITHIN}{path}")
            words.append(word)
        settings[key.rpartition(".")[2]] = "\n    ".join(words)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write("\n".join(["[global]", *(f"{key} = {value}" for key, value in settings.items()), ""]))
        file.flush()
        yield [
            Mount(Path(file.name), "/etc/pip.conf", "ro"),
            *(Mount(path, f"{WITHIN}{path}", "ro") for path in sorted(sources)),
        ]
