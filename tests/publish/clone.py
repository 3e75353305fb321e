"""A clone of the registry under git, and the means to run git, snakemake and `registry` in it for real."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from forks import REGISTRY, SNAKEMAKE
from project import Project, copy_folder

BIN = Path(sys.executable).parent


class Clone(Project):
    """A registry under git; commands run in it as a user would run them."""

    def environment(self, **extra: str) -> dict[str, str]:
        """Return the environment of a user without git configuration of their own."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "AWS_"))},
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder / "scripts"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **extra,
        }

    def run(self, *command: str, code: int = 0, **extra: str) -> str:
        """Run a command, check its exit code, and return what it printed on both streams."""
        if command[0] == "snakemake":
            ended = SNAKEMAKE.run("forks:snakemake", *command[1:], cwd=self.folder, env=self.environment(**extra))
            return ended.with_code(code)
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(**extra),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
        )
        assert done.returncode == code, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def git(self, *arguments: str, **options: Any) -> str:
        """Run git and return what it printed."""
        return self.run("git", *arguments, **options).rstrip("\n")

    def registry(self, *arguments: str, code: int | None = 0, **extra: str) -> str:
        """Run `registry` in this clone and return what it printed."""
        ended = REGISTRY.run("forks:registry", *arguments, cwd=self.folder, env=self.environment(**extra))
        return ended.with_code(code)

    def registry_json(self, *arguments: str, code: int = 0, **extra: str) -> Any:
        """Run it with --json and return the value that it printed on standard output."""
        env = self.environment(**extra)
        ended = REGISTRY.run("forks:registry", *arguments, "--json", cwd=self.folder, env=env, apart=True)
        return json.loads(ended.with_code(code))

    def impatient(self, *arguments: str, code: int = 0) -> str:
        """Run `registry` so that it does not wait long for locks."""
        ended = REGISTRY.run("killing:impatient", *arguments, cwd=self.folder, env=self.environment())
        return ended.with_code(code)

    def interfered(self, place: str, deed: str = "kill", code: int | None = 0, command: str = "publish") -> str:
        """Run a command of `registry`, do something at a place of it (see killing.py), check that it was reached."""
        ended = REGISTRY.run("killing:registry", place, deed, *command.split(), cwd=self.folder, env=self.environment())
        assert f"=== {place}" in ended.printed, ended.printed
        expected = -signal.SIGKILL if deed == "kill" else code
        assert expected in (None, ended.code), ended.printed
        return ended.printed

    def killed(self, call: int, *arguments: str) -> bool:
        """Kill `registry` at so many calls of its functions; tell whether it came so far, else it must be done."""
        place, env = f"call:{call}", self.environment()
        ended = REGISTRY.run("killing:registry", place, "kill", *arguments, cwd=self.folder, env=env)
        reached = f"=== {place}" in ended.printed
        ended.with_code(-signal.SIGKILL if reached else 0)
        return reached

    def calls(self, *arguments: str) -> int:
        """Run `registry` and return how many calls of its functions there were."""
        ended = REGISTRY.run("killing:counted", *arguments, cwd=self.folder, env=self.environment())
        return int(re.search(r"^=== (\d+) calls$", ended.with_code(0), re.MULTILINE)[1])

    def tags(self) -> list[str]:
        """Return the names of all tags, sorted."""
        return self.git("tag", "--list").split()

    def head(self) -> str:
        """Return the id of HEAD's commit."""
        return self.git("rev-parse", "HEAD")

    def write(self, file: str, text: str) -> None:
        """Write a file, with the folders above it."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self, message: str = "Change something") -> None:
        """Commit everything, as a user would."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def cloned(self, folder: Path, *options: str) -> "Clone":
        """Return a `git clone` of this repository in a new folder."""
        self.run("git", "clone", "--quiet", *options, str(self.folder), str(folder))
        clone = Clone(folder)
        clone.sign()
        return clone

    def sign(self) -> None:
        """Give the repository an identity to commit with."""
        self.git("config", "user.name", "Ada Tester")
        self.git("config", "user.email", "ada@example.org")

    def copied(self, folder: Path) -> "Clone":
        """Return a byte-for-byte copy, with its history, cache and store."""
        copy_folder(self.folder, folder)
        return Clone(folder)


def under_git(project: Project) -> Clone:
    """Put a fresh copy of the repository under git, as its first commit on main, in one pack, which copies fast."""
    clone = Clone(project.folder)
    clone.git("init", "--quiet", "--initial-branch", "main")
    clone.sign()
    clone.commit("Start")
    clone.git("repack", "-a", "-d", "--quiet")
    return clone
