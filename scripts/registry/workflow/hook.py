"""What surrounds a run: at its end data is released, by the same commands that a person would use."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from types import SimpleNamespace
from typing import Any

from registry.config.load import Datasets, selected
from registry.vectors.datasets import with_vectors
from registry.workflow.job import ERROR

RATE_LIMITER = "job_rate_limiter"
"""An attribute of Snakemake's scheduler."""
PAUSE = "SLEEPING_TIME"
"""An attribute of Snakemake's executor of --touch: seconds."""
ASK_FOR_TABLES = (
    ("snakemake.iocontainers", "Snakemake", "_safely_store_params"),
    ("snakemake.persistence", "PersistenceBase", "_serialize_param_pandas"),
)
"""Methods of Snakemake's classes that load libraries of tables, to tell whether a param is a table of theirs."""
TABLES = ("pandas", "polars")
"""Those that take long to load."""
LEFT_OUT = "left_out"
"""The rule that fails a run of all datasets, after all that can be built, where the configuration of some is broken."""
PUBLISH_OFF = "publish is off"
"""Why nothing is released where nothing is meant to be."""
SKIPPED = 3
"""Exit code of a command that had a reason not to release, or not to load, something."""


@dataclass(frozen=True)
class Release:
    """What came of releasing: what `registry publish --json` prints, or why not, and what is left to do.

    `errors` are the messages of what failed, which were printed.
    """

    publication: dict[str, Any] | None = None
    left: str | None = None
    errors: str = ""

    @property
    def reason(self) -> str | None:
        """What failed and what is left to do, for the record."""
        return f"{self.errors}{self.left}" if self.left else None


def lift_rate_limit(workflow: Any) -> None:
    """Take the limit of jobs per second from a run on this machine alone, where the cores are limit enough.

    Snakemake looks again whenever that second is over, even when all is done: a run would end up to a second late.
    """
    if workflow.local_exec and hasattr(workflow.scheduler, RATE_LIMITER):
        setattr(workflow.scheduler, RATE_LIMITER, None)


def touch_at_once() -> None:
    """Take the pause of a tenth of a second from each job of a run with --touch, by which restored data is recorded.

    It is there for times of files to differ, and equal ones are as good: an output must not be older than its input.
    """
    from snakemake.executors.touch import Executor

    if hasattr(Executor, PAUSE):
        setattr(Executor, PAUSE, 0)


def forget_functions(workflow: Any) -> None:
    """Take the functions of rules, one each, from the variables that Snakemake copies to fill in each job's message.

    It asks for none of them there, and copying them for all jobs took time that grew with the square of the datasets.
    """
    for rule in workflow.rules:
        workflow.globals.pop(f"__{rule.name}", None)


def spare_libraries() -> None:
    """Keep Snakemake from loading libraries of tables that nobody has loaded: no param can be a table of theirs."""
    lock = Lock()
    for module, name, method in ASK_FOR_TABLES:
        owner = getattr(import_module(module), name, None)
        if hasattr(owner, method):
            setattr(owner, method, _with_what_is_loaded(getattr(owner, method), lock))


def _with_what_is_loaded(method: Callable[..., Any], lock: Lock) -> Callable[..., Any]:
    """Return a method which finds, in place of TABLES that are not loaded, something that no value is a table of.

    The lock keeps two threads from taking that away from each other.
    """
    kinds = ("DataFrame", "LazyFrame", "Series", "Index")
    nothing = SimpleNamespace(**{kind: type(kind, (), {}) for kind in kinds})

    def called(*arguments: Any) -> Any:
        with lock:
            absent = [name for name in TABLES if name not in sys.modules]
            sys.modules.update(dict.fromkeys(absent, nothing))
            try:
                return method(*arguments)
            finally:
                for name in absent:
                    del sys.modules[name]

    return called


def release_after_run(
    workflow: Any, config: Mapping[str, Any], datasets: Datasets, *, stopped: bool = False
) -> Release:
    """Release in the folder of the run, unless it was told not to, touched files only, or was cut short or `stopped`.

    A run that failed releases what it completed only with --keep-going, or if all but LEFT_OUT is done.
    """
    scheduler = workflow.scheduler
    cut_short = stopped or scheduler.running or scheduler.open_jobs
    undone = {job.rule.name for job in workflow.dag.needrun_jobs()}
    goes_on = workflow.execution_settings.keep_going or undone == {LEFT_OUT, "all"}
    if workflow.touch:
        return Release()
    if not config["publish"]:
        return _skipped(PUBLISH_OFF)
    if cut_short or (scheduler.failed and not goes_on):
        why = "the run was stopped" if cut_short else "a job failed, and the run had no --keep-going"
        print(f"nothing is released: {why}; what is complete: registry publish", file=sys.stderr)
        return _skipped(why)
    return release_built(config, datasets)


def release_built(config: Mapping[str, Any], datasets: Datasets, root: Path = Path()) -> Release:
    """Release what is built in the checkout at `root`.

    With `vector_store: server` the embeddings among the datasets, if they are released, are then loaded.
    """
    errors, left = [], []
    with TemporaryDirectory() as folder:
        path = Path(folder, "publication.json")
        bump = ["--bump", config["bump"]] if config.get("bump") else []
        done, said = _succeeds(root, "publish", "--save", str(path), *bump)
        if not done:
            errors.append(said)
            left.append(_left("The data is built, but not released. To release it", "publish"))
        publication = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    for name in _built(root, config, datasets) if config["vector_store"] == "server" else []:
        keep = str(config["vector_versions"])
        command = ("vectors", "load", "--released", "--dataset", name, "--store", "server", "--keep", keep)
        done, said = _succeeds(root, *command)
        if not done:
            errors.append(said)
            left.append(_left(f"{name} is not in the database. To load it", *command))
    return Release(publication, "\n".join(left) or None, "".join(errors))


def _skipped(why: str) -> Release:
    return Release({"outcomes": [], "skipped": why, "hint": "registry publish"})


def _built(root: Path, config: Mapping[str, Any], datasets: Datasets) -> list[str]:
    """Return the datasets with vectors that are among what the run was to build, and are there."""
    wanted = selected(config, datasets)
    there = [name for name in with_vectors(datasets) if name in wanted]
    return [name for name in there if Path(root, "data", name, "provenance.json").is_file()]


def _succeeds(root: Path, *command: str) -> tuple[bool, str]:
    """Run `registry`, which prints on standard error; return whether it succeeded, and the error where it did not."""
    pipe, said = subprocess.PIPE, ""
    arguments = [sys.executable, "-m", "registry", *command]
    with subprocess.Popen(arguments, cwd=root, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603
        for line in process.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            if said or line.startswith(ERROR):
                said += line
    return process.returncode in (0, SKIPPED), said.removeprefix(ERROR)


def _left(what: str, *command: str) -> str:
    return f"{what}, fix what is said above and run: registry {' '.join(command)}"
