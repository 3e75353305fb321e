"""What a run shows in place of Snakemake's own output."""

import io
import logging
from pathlib import Path
from subprocess import CalledProcessError
from types import SimpleNamespace

import pytest
import snakemake
from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from registry.workflow.progress import LOGGER, NOISE, STREAM, Progress, show_progress

SOURCES = "".join(path.read_text() for path in Path(snakemake.__file__).parent.rglob("*.py"))
RULES = [SimpleNamespace(name=name, log=log) for name, log in {"tea_process": ["a log"], "all": []}.items()]


def shown(*records, quiet=(), terminal=False):
    """Return the lines that are printed of these records, without the time at their beginning."""
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    theirs = ColorizingTextHandler(
        nocolor=True,
        stream=stream,
        formatter=DefaultFormatter(quiet),
        filter=DefaultFilter(quiet, debug_dag=False, verbose=False, dryrun=False, printshellcmds=False),
    )
    ours = Progress(theirs, SimpleNamespace(rules=RULES))
    for record in records:
        ours.handle(record)
    ours.close()
    lines = stream.getvalue()
    return lines if terminal else [line[9:] if line[2:3] == ":" else line for line in lines.splitlines()]


def said(text, level=logging.INFO, event=None, **more):
    record = logging.LogRecord(LOGGER.name, level, __file__, 1, text, (), None)
    record.__dict__.update(more | ({"event": event} if event else {}))
    return record


def stats(total=2):
    return said("", event=LogEvent.RUN_INFO, stats={"tea_process": total, "all": 1, "total": total + 1})


def job(number=1, name="process", message="tea: pouring", log=True):
    logs = [f"logs/tea/{name}.log"] if log else []
    return said("", event=LogEvent.JOB_INFO, jobid=number, rule_name=f"tea_{name}", rule_msg=message, log=logs)


def finished(number=1):
    return said("", event=LogEvent.JOB_FINISHED, job_id=number)


def failed(number=1, **aux):
    logs = ["logs/tea/process.log"]
    return said("", logging.ERROR, event=LogEvent.JOB_ERROR, jobid=number, rule_name="tea_process", log=logs, aux=aux)


def test_a_job_is_one_line_when_it_starts_and_one_when_it_ends():
    assert shown(stats(), job(), finished()) == ["tea process: pouring", "tea process: done in 0.0 s (1 of 2)"]


def test_a_job_that_failed_is_one_line_that_names_where_to_read_more():
    places = "logs/tea/process.log, slurm_jobid 17"
    assert shown(job(), failed(slurm_jobid=17))[1:] == [f"tea process: failed after 0.0 s, see {places}"]


def group(*names):
    jobs = [
        SimpleNamespace(jobid=number, rule=SimpleNamespace(name=f"tea_{name}")) for number, name in enumerate(names)
    ]
    started = said("", event=LogEvent.GROUP_INFO, group_id="tea", jobs=jobs)
    return [stats(len(jobs)), started, *(job(number, name) for number, name in enumerate(names))]


def test_jobs_that_a_cluster_takes_for_one_are_spoken_of_as_one():
    assert shown(*group("process", "brew"), finished(1), finished(0)) == [
        "tea: handed over as one job (tea_brew, tea_process)",
        "tea: done in 0.0 s (2 of 2)",
    ]


def test_a_group_that_failed_is_one_line_too():
    error = said("", logging.ERROR, event=LogEvent.GROUP_ERROR, groupid="tea", aux_logs=["slurm/1.log"], aux={})
    lines = shown(*group("process", "brew"), error, failed(0), failed(1))
    assert lines[1:] == ["tea: failed after 0.0 s, see slurm/1.log"]


def test_jobs_that_only_ask_for_files_are_not_spoken_of_nor_counted():
    lines = shown(stats(1), job(), finished(), job(0, "all", "all done", log=False), finished(0))
    assert lines[1:] == ["tea process: done in 0.0 s (1 of 1)"]


def test_a_message_steers_no_terminal_and_may_be_missing():
    assert shown(job(message="tea: \x1b[31mred")) == ["tea process: \N{REPLACEMENT CHARACTER}[31mred"]
    assert shown(job(message=None)) == ["tea process: started"]


@pytest.mark.parametrize("text", NOISE)
def test_what_says_nothing_new_is_left_out(text):
    assert shown(said(f"{text} and so on")) == []


@pytest.mark.parametrize("text", NOISE)
def test_snakemake_still_says_what_is_left_out(text):
    """Where this fails, Snakemake says it in other words now, and NOISE has to follow."""
    assert text.rpartition("\n")[2] in SOURCES


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, logging.ERROR])
def test_whatever_is_not_known_is_shown_as_it_is(level):
    assert shown(said("Something new.", level)) == ["Something new."]


def test_the_failure_of_a_script_is_left_to_its_log_but_no_other():
    ended = {code: shown(said(f"{CalledProcessError(code, 'x')}", logging.ERROR)) for code in (1, 2, -9)}
    assert [code for code, lines in ended.items() if not lines] == [1]


@pytest.mark.parametrize(("quiet", "count"), [((), 2), ((Quietness.RULES,), 1), ((Quietness.ALL,), 0)])
def test_quiet_leaves_out_as_much_as_it_does_of_snakemakes_own(quiet, count):
    assert len(shown(stats(), job(), finished(), quiet=quiet)) == count


def test_at_a_terminal_there_is_a_bar_that_goes_away():
    printed = shown(stats(), job(), finished(), terminal=True)
    assert "0 of 2 jobs |" in printed
    assert printed.rpartition("\r")[2].strip() == ""
    assert "0 of 2" not in "".join(shown(stats(), job()))


def test_where_a_plugin_prints_it_is_left_alone(monkeypatch):
    monkeypatch.setattr(LOGGER, "handlers", [logging.NullHandler()])
    assert show_progress(None) is None
    theirs = ColorizingTextHandler()
    theirs.name = STREAM
    LOGGER.addHandler(theirs)
    assert isinstance(show_progress(None), Progress)
    assert theirs not in LOGGER.handlers
