"""What surrounds a run."""

import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest
from snakemake.executors.touch import Executor
from snakemake.scheduling.job_scheduler import JobScheduler

from registry.config.load import Datasets
from registry.workflow import hook
from registry.workflow.hook import (
    ASK_FOR_TABLES,
    LEFT_OUT,
    PAUSE,
    RATE_LIMITER,
    lift_rate_limit,
    release_after_run,
    touch_at_once,
)


def test_snakemake_still_keeps_its_limit_of_jobs_per_second_there():
    """It is no part of Snakemake's interface: where this fails, lift_rate_limit() has to follow, or to go."""
    assert RATE_LIMITER in JobScheduler.__init__.__code__.co_names


@pytest.mark.parametrize(("local", "left"), [(True, None), (False, "a limit")])
def test_only_a_run_on_this_machine_alone_goes_without(local, left):
    scheduler = SimpleNamespace(**{RATE_LIMITER: "a limit"})
    lift_rate_limit(SimpleNamespace(local_exec=local, scheduler=scheduler))
    assert getattr(scheduler, RATE_LIMITER) == left


def test_a_snakemake_without_that_limit_is_left_alone():
    scheduler = SimpleNamespace()
    lift_rate_limit(SimpleNamespace(local_exec=True, scheduler=scheduler))
    assert vars(scheduler) == {}


def test_a_run_that_touches_pauses_for_no_job(monkeypatch):
    """It is no part of Snakemake's interface either: where this fails, touch_at_once() has to follow, or to go."""
    monkeypatch.setattr(Executor, PAUSE, getattr(Executor, PAUSE))
    touch_at_once()
    assert getattr(Executor, PAUSE) == 0


FORGOTTEN = """
from registry.workflow.hook import forget_functions

rule made:
    output: "made"
    params: name="made"
    message: "making {params.name}"
    run: open(output[0], "w").close()

assert "__made" in workflow.globals
forget_functions(workflow)
assert "__made" not in workflow.globals
"""


def test_jobs_run_without_the_functions_of_rules_among_the_variables(tmp_path):
    """They are no part of its interface either: where this fails, forget_functions() has to follow, or to go."""
    (tmp_path / "Snakefile").write_text(FORGOTTEN, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    run = subprocess.run(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=True)
    assert "making made" in run.stderr
    assert (tmp_path / "made").is_file()


@pytest.mark.parametrize(
    ("undone", "released"),
    [([LEFT_OUT, "all"], True), ([LEFT_OUT, "all", "tabular_process"], False), (["tabular_process"], False)],
)
def test_a_run_that_failed_releases_if_nothing_but_what_is_left_out_is_undone(undone, released, monkeypatch):
    commands = []
    monkeypatch.setattr(hook, "_succeeds", lambda root, *command: (not commands.append(command), ""))
    jobs = [SimpleNamespace(rule=SimpleNamespace(name=name)) for name in undone]
    workflow = SimpleNamespace(
        scheduler=SimpleNamespace(running=set(), open_jobs=set(), failed=True),
        execution_settings=SimpleNamespace(keep_going=False),
        dag=SimpleNamespace(needrun_jobs=lambda: jobs),
        touch=False,
    )
    release_after_run(workflow, {"publish": True, "vector_store": "embedded"}, Datasets())
    assert [command[0] for command in commands] == ["publish"] * released


@pytest.mark.parametrize(("module", "owner", "method"), ASK_FOR_TABLES)
def test_snakemake_still_asks_for_tables_there(module, owner, method):
    """They are no part of its interface either: where this fails, spare_libraries() has to follow, or to go."""
    assert "DataFrame" in getattr(getattr(import_module(module), owner), method).__code__.co_names


SPARED = """
import sys
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, ResourceList, Snakemake, Wildcards
from snakemake.persistence import PersistenceBase
from registry.workflow.hook import TABLES, spare_libraries

class Persistence:
    _serialize_param_builtin = staticmethod(repr)

def handed_over(**params):
    params = Params(fromdict=params)
    return Snakemake(InputFiles(), OutputFiles(), params, Wildcards(), 1, ResourceList(), Log(), {}, "r", None).params

def recorded(value):
    return PersistenceBase._serialize_param_pandas(Persistence, value)

spare_libraries()
assert handed_over(options={"a": [1, None]}).options == {"a": [1, None]}
assert recorded({"a": 1}) == "{'a': 1}"
assert not sys.modules.keys() & {*TABLES}

import polars, pandas
assert handed_over(table=polars.DataFrame({"a": [1]})).table.equals(polars.DataFrame({"a": [1]}))
assert recorded(pandas.Series([1, 2])) == str(pandas.util.hash_pandas_object(pandas.Series([1, 2])).tolist())
"""


def test_no_library_of_tables_is_loaded_for_params_that_are_none():
    subprocess.run([sys.executable, "-c", SPARED], check=True)
