"""What surrounds a rule's script: its log, its errors, its exit status."""

import ast
import errno
import gc
import json
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.config.fingerprint import SCRIPTS
from registry.errors import ContractError, RegistryError
from registry.files import atomic_file, atomic_folder, write_json
from registry.workflow.job import ended, job, note


@pytest.fixture(autouse=True)
def root_logger():
    """Give the root logger back its handlers, which `job` replaces."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def rule_in(folder):
    return SimpleNamespace(
        log=[str(folder / "logs" / "dataset" / "rule.log")], input=[], output=[], params={}, resources={}
    )


@pytest.fixture
def rule(tmp_path):
    return rule_in(tmp_path)


def run(rule, block):
    """Run `block` as a rule and return its exit status and its log's lines."""
    status = 0
    try:
        with job(rule):
            block()
    except SystemExit as ended:
        status = ended.code
    return status, Path(rule.log[0]).read_text(encoding="utf-8").rstrip().splitlines()


def fail(error):
    raise error


HOLDING = """
import sys
from types import SimpleNamespace
from registry.workflow.job import job

with job(SimpleNamespace(log=[sys.argv[1]], input=[], output=[], params={}, resources={})):
    b"x" * (200 << 20)
"""


@pytest.mark.parametrize("declared", [{}, {"mem_mb": 12_345, "runtime": 10}])
def test_a_rule_that_ends_well_says_so_in_its_last_line(rule, declared):
    rule.resources = declared
    status, lines = run(rule, lambda: None)
    assert status == 0
    assert len(lines) == 1
    assert lines[0].startswith("done in ")
    end = ended(lines[0])
    assert end.seconds >= 0
    assert end.memory > 20
    assert end[1::2] == (declared.get("runtime"), declared.get("mem_mb"))


def test_memory_is_that_of_the_job_alone_and_the_most_that_it_had(tmp_path):
    held = b"x" * (300 << 20)
    subprocess.run([sys.executable, "-c", HOLDING, str(tmp_path / "log")], cwd=SCRIPTS, check=True)
    assert 200 < ended((tmp_path / "log").read_text()).memory < len(held) >> 20


def test_a_log_from_before_tells_only_how_long_it_took():
    assert ended("a line\ndone in 1.5 s\n") == (1.5, None, None, None)
    assert ended("done in 1.5 s, or so\n") is None


def test_what_it_loaded_is_not_searched_for_cycles_at_the_end(rule):
    frozen = gc.get_freeze_count()
    run(rule, lambda: None)
    assert gc.get_freeze_count() > frozen
    gc.unfreeze()


def test_prints_logs_and_warnings_all_reach_the_log_in_order(rule, capfd):
    def block():
        print("printed")
        logging.getLogger("anyone").info("logged ä")
        print("complained", file=sys.stderr)
        logging.getLogger("anyone").debug("whispered")

    status, lines = run(rule, block)
    assert (status, lines[:-1]) == (0, ["printed", "logged ä", "complained"])
    assert capfd.readouterr() == ("", "")


def test_a_log_starts_anew(rule):
    run(rule, lambda: print("first run"))
    assert "first run" not in "\n".join(run(rule, lambda: None)[1])


def test_a_registry_error_is_one_message_and_no_traceback(rule):
    status, lines = run(rule, lambda: fail(RegistryError("broken", where="a.csv", hint="fix it")))
    assert status == 1
    assert lines == ["error: a.csv: broken", "  what to do: fix it"]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_what_data_says_is_not_taken_for_the_jobs_own_word(rule, end):
    forged = end.join(["a", "done in 0.1 s", "note: forged", ""])

    def block():
        print("don", end="")
        print(f"e in 0.2 s\n{forged}", end="note: \ud800")
        logging.getLogger("anyone").warning("%s", forged)
        note("true\ndone in 0.3 s")
        raise RegistryError(forged)

    _, lines = run(rule, block)
    assert [line for line in lines if line.startswith(("done in", "note: "))] == ["note: true\ufffddone in 0.3 s"]


def test_nothing_in_a_log_steers_a_terminal_or_shows_a_password(rule):
    def block():
        print("\x1b]0;title\x07 https://ada:hunter2@host/")
        raise ZeroDivisionError("\x1b[2J \u202e https://ada:hunter2@host/")

    text = "\n".join(run(rule, block)[1])
    assert "ZeroDivisionError: \ufffd[2J \ufffd https://host/" in text
    assert not {char for char in text if char not in "\n" and not char.isprintable()}
    assert "hunter2" not in text


@pytest.mark.parametrize("error", [ZeroDivisionError("oh"), KeyError("oh"), OSError(errno.EBADF, "oh")])
def test_an_unexpected_error_leaves_its_traceback(rule, error):
    status, lines = run(rule, lambda: fail(error))
    assert status == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert "in fail" in "\n".join(lines)
    assert lines[-1].startswith(type(error).__name__)
    assert not any(line.startswith("done in") for line in lines)


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (PermissionError(errno.EACCES, "oh", "data/x"), "data/x: permission denied"),
        (NotADirectoryError(errno.ENOTDIR, "oh", "data/x"), "data/x: not a directory"),
        (OSError(errno.ENOSPC, "oh", "from", None, "to"), "to: no space left"),
        (ValueError("a writer of another language: No space left on device (os error 28)"), "the disk: no space left"),
    ],
)
def test_what_the_system_refuses_is_one_message(rule, error, place):
    status, lines = run(rule, lambda: fail(error))
    assert status == 1
    assert lines[0] == f"error: {place}"
    assert lines[1].startswith("  what to do: ")
    assert len(lines) == 2


def test_a_log_that_cannot_be_written_does_not_hide_the_message(tmp_path, capfd):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "dataset").touch()
    with pytest.raises(SystemExit, match="1"), job(rule_in(tmp_path)):
        pass
    assert "logs/dataset: file exists" in capfd.readouterr().err.lower()


def test_a_broken_contract_leaves_its_breaches_for_programs_until_the_job_runs_again(rule):
    breaches = [{"rule": "max 3", "split": "all", "column": "pH", "row": 7, "message": "found 4"}]
    error = ContractError("broken", where="tea", hint="heat it", breaches=breaches)
    error.state = {"metadata": {"splits": {}}}
    status, lines = run(rule, lambda: fail(error))
    assert (status, lines) == (1, ["error: tea: broken", "  what to do: heat it"])
    left = Path(rule.log[0]).with_name("rule.breaches.json")
    assert json.loads(left.read_text()) == {"breaches": breaches, "metadata": {"splits": {}}}
    run(rule, lambda: fail(RegistryError("something else")))
    assert not left.exists()


def test_an_interrupt_is_not_swallowed(rule):
    with pytest.raises(KeyboardInterrupt), job(rule):
        raise KeyboardInterrupt


@pytest.fixture
def full_disk(tmp_path):
    """A folder on a file system of 64 KiB, on which logs and outputs lie side by side."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs the command mount")
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def write_file(folder):
    with atomic_file(folder / "out") as partial:
        partial.write_bytes(bytes(1_000_000))


def write_parquet(folder):
    with atomic_folder(folder / "out") as partial, pq.ParquetWriter(partial / "t.parquet", TABLE.schema) as writer:
        writer.write_table(TABLE)


def write_text(folder):
    write_json(folder / "out", ["x" * 1_000_000])


TABLE = pa.table({"a": pa.array(range(200_000))})


@pytest.mark.parametrize("write", [write_file, write_parquet, write_text])
def test_a_full_disk_is_one_clear_message_and_leaves_nothing(full_disk, write):
    rule = rule_in(full_disk)
    status, lines = run(rule, lambda: write(full_disk))
    assert status == 1
    assert lines[0].startswith("error: ")
    assert lines[0].endswith(": no space left")
    assert lines[1:] == ["  what to do: free some space and run the same command again"]
    assert [path.name for path in full_disk.iterdir()] == ["logs"]


OTHERS = ("registry", "make_samples.py")
SCRIPTS_OF_RULES = [
    path
    for path in sorted(SCRIPTS.rglob("*.py"))
    if path.relative_to(SCRIPTS).parts[0] not in OTHERS
    and any(isinstance(node, ast.Name) and node.id == "snakemake" for node in ast.walk(ast.parse(path.read_text())))
]


@pytest.mark.parametrize("path", SCRIPTS_OF_RULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_script_of_a_rule_is_surrounded_by_it(path):
    """So that what fails in any of them reaches the user in the same way."""
    last = ast.parse(path.read_text(encoding="utf-8")).body[-1]
    while isinstance(last, ast.If):
        last = last.body[-1]
    assert isinstance(last, ast.With)
    assert ast.unparse(last.items[0]).startswith("job(snakemake)")


CHECKED = """
import sys
from types import SimpleNamespace
import pyarrow
from registry.describe.contract import Contract
from registry.workflow.job import job

with job(SimpleNamespace(log=[sys.argv[1]], input=[], output=[], params={}, resources={})):
    contract = {"columns": {"a": {"dtype": "int64", "min": 2}}, "rows": {}}
    Contract({"name": "a", "source": "samples", "contract": contract}).check("all", pyarrow.record_batch({"a": [1, 2]}))
    print("loaded" if "pandas" in sys.modules else "not loaded", file=sys.__stdout__)
    import pandas
"""


@pytest.mark.parametrize(
    ("top", "found", "last"),
    [("", "not loaded", "does not import it at its top"), ("import pandas\n", "loaded", "done in")],
)
def test_pandas_is_there_only_for_a_script_that_imports_it_at_its_top(rule, top, found, last):
    command = [sys.executable, "-c", top + CHECKED, rule.log[0]]
    done = subprocess.run(command, cwd=SCRIPTS, stdout=subprocess.PIPE, text=True)
    assert (done.stdout.strip(), done.returncode) == (found, int(not top))
    assert last in Path(rule.log[0]).read_text(encoding="utf-8").rstrip().splitlines()[-1]


def test_another_process_can_write_into_the_log(rule):
    status, lines = run(rule, lambda: subprocess.run(["echo", "from elsewhere"], stdout=sys.stdout, check=True))
    assert (status, lines[0]) == (0, "from elsewhere")
