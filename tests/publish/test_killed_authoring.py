"""What `registry new` and `registry eject` leave where they are killed, and that they complete it when run again."""

import os
import shutil
import signal
from itertools import count
from pathlib import Path

import pytest

from forks import REGISTRY
from support import ROOT

COMMANDS = {
    "new": ("new", "more", "a.csv", "b.csv", "--title", "More", "--license", "unknown"),
    "eject": ("eject", "things"),
}
CONFIG = """\
kind: table
about: {title: Things, description: Things, license: unknown}
source: upstream
sources: {files: [{file: a.csv, urls: [a.csv], accept: [], max_bytes: 10}]}
contract: {columns: {a: {dtype: int64}}, rows: {}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A registry with a dataset that has a kind, and two files of which there is none yet."""
    root = tmp_path / "root"
    for folder in ("scripts/kinds", "scripts/registry/kinds", "workflow"):
        shutil.copytree(ROOT / folder, root / folder)
    (root / "config/datasets").mkdir(parents=True)
    shutil.copy(ROOT / "config/config.yaml", root / "config")
    (root / "config/datasets/things.yaml").write_text(CONFIG)
    (root / "data/samples").mkdir(parents=True)
    (root / "data/samples/SHA256SUMS").write_text(f"{'0' * 64}  things/a.csv\n")
    for name in ("a.csv", "b.csv"):
        (root / name).write_text(f"a,b\n1,{name}\n2,x\n")
    return root


def killed(root: Path, command: str, number: int) -> bool:
    """Run a command, which is killed before the `number`-th file of it takes its place; tell whether there are so many.

    With 0 it is not killed.
    """
    place = f"before:pathlib.Path.replace:{number}"
    ended = REGISTRY.run("killing:registry", place, "kill", *COMMANDS[command], cwd=root, env=os.environ)
    reached = f"=== {place}" in ended.printed
    ended.with_code(-signal.SIGKILL if reached else 0)
    return reached


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", COMMANDS)
def test_killed_at_any_file_there_is_no_half_of_one_and_the_same_command_completes_it(command, root):
    before, done = files(root), root.with_name("done")
    shutil.copytree(root, done)
    killed(done, command, 0)
    after = files(done)
    for number in count(1):
        trial = shutil.copytree(root, root.with_name(f"killed-{number}"))
        if not killed(trial, command, number):
            break
        left = {path: content for path, content in files(trial).items() if ".partial/" not in path}
        assert [path for path, content in left.items() if content not in (before.get(path), after.get(path))] == []
        killed(trial, command, 0)
        assert files(trial) == after
    assert number > len(after.keys() - before.keys())
