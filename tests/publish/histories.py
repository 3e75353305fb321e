"""Releases in any order, with what must become of them: a machine that hypothesis drives (test_histories.py)."""

import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from semver import Version

from commands import republish, unpin
from invariants import Witness, Work
from registry.files import dvc_digest
from tiny import FILES, Tiny

NAMES = st.sampled_from(sorted(FILES))
ANY = st.integers(0, 99)
SHARES = st.floats(0, 1, exclude_max=True)
SNAKEMAKE = '"""Stands for Snakemake, which has no rules for the tiny datasets and is told of them in vain."""\n'


class Content(NamedTuple):
    """What the data of a tiny dataset is."""

    rows: int
    seed: int


class Model:
    """What is to be expected of one dataset."""

    def __init__(self, content: Content) -> None:
        self.versions = {Version(1, 0, 0): content}
        self.configured = self.here = content
        self.pin: Version | None = None

    @property
    def newest(self) -> Version:
        """Its highest version."""
        return max(self.versions)

    @property
    def unpublished(self) -> bool:
        """Whether what is built here is in no version."""
        return self.here not in self.versions.values()

    def version(self, choice: int) -> Version:
        """Return one of its versions."""
        return sorted(self.versions)[choice % len(self.versions)]

    def release(self, content: Content) -> Version | None:
        """Release this content under the number that is due; None if the newest version has it already."""
        before = self.versions[self.newest]
        if content == before:
            return None
        appended = content.seed == before.seed and content.rows > before.rows
        number = self.newest.bump_minor() if appended else self.newest.bump_major()
        self.versions[number] = content
        return number


class Histories(RuleBasedStateMachine):
    """A registry in which two datasets are built, released, rolled back and released again, and commands are killed."""

    steps = 0
    """Of all machines."""
    calls: dict[str, int] = {}  # noqa: RUF012
    """How many calls of functions each command took, so that kills hit all of it."""

    def __init__(self, start: Tiny) -> None:
        super().__init__()
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = Path(self.scratch.name)
        self.one = start.copied(self.folder / "one")
        stub = self.folder / "stub" / "snakemake.py"
        stub.parent.mkdir()
        stub.write_text(SNAKEMAKE)
        self.one.variables["PYTHONPATH"] = os.pathsep.join([str(stub.parent), str(self.one.folder / "scripts")])
        self.two = self.one.elsewhere(self.folder / "two")
        self.models = {name: Model(Content(10, 0)) for name in FILES}
        self.seeds = itertools.count(1_000, 1_000)
        self.witness, self.work = Witness(self.one), Work(self.one)
        self.checked: set[str] = set()

    def do(self, *command: str) -> None:
        """Run a command of `registry`."""
        note(f"registry {' '.join(command)}")
        self.calls[command[0]] = self.one.calls(*command)

    def kill(self, share: float, *command: str) -> None:
        """Kill a command when it has done a share of its work, and run it again."""
        call = 1 + int(share * self.calls.get(command[0], 500))
        if self.one.killed(call, *command):
            note(f"killed at call {call}: registry {' '.join(command)}")
            self.witness.check_objects([tag for tag in self.witness.look() if tag not in self.checked])
            self.work.check()
        if command[0] == unpin("")[0] and not self.pinned(command[1]):
            # Its commit was made; what is left is a matter of `pull`.
            command = ("pull", command[1])
        self.do(*command)

    def pinned(self, name: str) -> bool:
        """Tell whether HEAD or the working tree has a pin."""
        pin = f"data/{name}/pin.json"
        return (self.one.folder / pin).exists() or bool(self.one.git("ls-tree", "HEAD", pin))

    def build(self, name: str, content: Content) -> None:
        model = self.models[name]
        note(f"build {name} {content}")
        self.one.build(name, *content)
        model.configured = model.here = content

    def way(self, share: float | None) -> Callable[..., None]:
        """Return how to run a command: to its end, or killed on the way and run again."""
        return self.do if share is None else lambda *command: self.kill(share, *command)

    def force(self, name: str) -> tuple[str, ...]:
        return ("--force",) if self.models[name].unpublished else ()

    @rule(name=NAMES, more=st.integers(1, 5))
    def add_rows(self, name: str, more: int) -> None:
        if self.models[name].pin is None:
            rows, seed = self.models[name].configured
            self.build(name, Content(rows + more, seed))

    @rule(name=NAMES)
    def change_the_seed(self, name: str) -> None:
        if self.models[name].pin is None:
            self.build(name, Content(self.models[name].configured.rows, next(self.seeds)))

    @rule(name=NAMES)
    def build_again(self, name: str) -> None:
        if self.models[name].pin is None:
            self.build(name, self.models[name].configured)

    @rule(share=st.none() | SHARES)
    def publish(self, share: float | None) -> None:
        self.way(share)("publish")
        for model in self.models.values():
            if model.pin is None:
                model.release(model.here)

    @rule(name=NAMES, choice=ANY, share=st.none() | SHARES)
    def roll_back(self, name: str, choice: int, share: float | None) -> None:
        model = self.models[name]
        version = model.version(choice)
        self.way(share)("rollback", name, str(version), *self.force(name))
        model.pin, model.here = version, model.versions[version]

    @precondition(lambda self: any(model.pin for model in self.models.values()))
    @rule(choice=ANY, share=st.none() | SHARES)
    def take_a_pin_away(self, choice: int, share: float | None) -> None:
        pinned = [name for name, model in sorted(self.models.items()) if model.pin]
        name = pinned[choice % len(pinned)]
        model = self.models[name]
        self.way(share)(*unpin(name))
        model.pin, model.here = None, model.versions[model.newest]

    @rule(name=NAMES, choice=ANY, share=st.none() | SHARES)
    def release_again(self, name: str, choice: int, share: float | None) -> None:
        model = self.models[name]
        version = model.version(choice)
        self.way(share)(*republish(name, str(version), "why not"), *self.force(name))
        number = model.release(model.versions[version])
        if number:
            model.pin, model.here = number, model.versions[number]

    @rule()
    def pull_elsewhere(self) -> None:
        self.two.git("pull", "--quiet", "--ff-only", "--tags", str(self.one.folder), "main")
        self.two.registry("pull")
        for name in FILES:
            self.check_data(self.two, name, self.models[name].pin or self.models[name].newest)
        assert self.two.git("status", "--porcelain") == ""

    def check_data(self, clone: Tiny, name: str, version: Version) -> None:
        """Check that a clone has the data of a version."""
        recorded = clone.git("show", f"{name}-v{version}:data/{name}/processed.dvc")
        assert dvc_digest(clone.folder / "data" / name / "processed") in recorded

    @invariant()
    def releases_are_as_expected(self) -> None:
        type(self).steps += 1
        expected = {f"{name}-v{version}" for name, model in self.models.items() for version in model.versions}
        assert self.witness.look().keys() == expected
        self.witness.check_objects(sorted(expected - self.checked))
        self.checked = expected
        self.work.check()
        for name, model in self.models.items():
            if not model.unpublished:
                version = next(number for number, content in model.versions.items() if content == model.here)
                self.check_data(self.one, name, version)
            assert (self.one.folder / "data" / name / "pin.json").exists() == bool(model.pin)

    def teardown(self) -> None:
        self.witness.check_with_dvc(self.folder)
        self.scratch.cleanup()
