"""The last words of a job that failed."""

import json
import os
from types import SimpleNamespace

import pytest

from registry.workflow.failures import TRACEBACK, FailedJob, breaches_of, failed_jobs, print_failures

STARTED = 1_000_000.0


def failed(folder, text, *, at=STARTED + 1, log="tea.log"):
    """Return what is said of a job that left this log."""
    path = folder / log
    if text is not None:
        path.write_text(text, encoding="utf-8")
        os.utime(path, (at, at))
    job = SimpleNamespace(rule=SimpleNamespace(name="tea_process"), log=[str(path)], is_group=lambda: False)
    return failed_jobs([job], since=STARTED)[0].message


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("fetching\nerror: old\n  what\nerror: cold\n  what to do: heat it\n", "error: cold\n  what to do: heat it"),
        (f"pouring\n{TRACEBACK}\n  x\nKeyError: 1\n", f"{TRACEBACK}\n  x\nKeyError: 1"),
        ("".join(f"{number}\n" for number in range(30)), "\n".join(map(str, range(20, 30)))),
        ("error: \x1b[31m\n", "error: \N{REPLACEMENT CHARACTER}[31m"),
        ("", None),
        (None, None),
    ],
)
def test_a_job_has_said_last_what_its_log_ends_with(tmp_path, log, message):
    assert failed(tmp_path, log) == message


def test_the_log_of_an_earlier_run_says_nothing(tmp_path):
    assert failed(tmp_path, "error: cold\n", at=STARTED - 1) is None


def test_of_a_group_only_those_are_named_that_did_not_end_well(tmp_path):
    jobs = []
    for name, text in {"one": "done in 0.1 s\n", "two": "error: cold\n"}.items():
        (tmp_path / name).write_text(text)
        jobs.append(SimpleNamespace(rule=SimpleNamespace(name=name), log=[str(tmp_path / name)]))
    group = SimpleNamespace(toposorted=[jobs], is_group=lambda: True)
    assert failed_jobs([group], since=STARTED) == [FailedJob("two", str(tmp_path / "two"), "error: cold")]


def test_of_jobs_that_all_ended_well_the_last_is_named_with_what_a_cluster_says(tmp_path):
    (tmp_path / "one").write_text("done in 0.1 s\n")
    job = SimpleNamespace(rule=SimpleNamespace(name="one"), log=[str(tmp_path / "one")], is_group=lambda: False)
    [found] = failed_jobs([job], since=STARTED, verdict_of=lambda job: "its node failed")
    assert found.message == "its node failed\ndone in 0.1 s"


def test_what_left_no_message_is_named_all_the_same(capsys):
    print_failures([FailedJob("tea_process", None, None)])
    assert "tea_process failed:\nit has left no message" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [b"[]", b"\xff", b"{", b"[" * 100_000, b'{"breaches": 5}', b'{"breaches": [5, {"rule": 5}]}', b'{"breaches": NaN}'],
)
def test_what_no_job_writes_is_no_breach(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "logs" / "tea" / "analyze.breaches.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert breaches_of("tea", since=0) == []


def test_programs_are_told_of_breaches_and_not_of_their_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    breach = {"rule": "max 3", "split": "all", "column": "pH", "row": None, "message": "found 4"}
    path = tmp_path / "logs" / "tea" / "analyze.breaches.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"breaches": [breach | {"cases": []}, breach | {"row": "3"}], "metadata": {}}))
    assert breaches_of("tea", since=0) == [breach]
