"""The table that ends a run."""

import json
import os
import shutil

import pytest

from described import describe
from registry.config.load import Datasets
from registry.errors import RegistryError
from registry.release.assess import Assessment, assess
from registry.storage.states import State
from registry.workflow import summary
from registry.workflow.summary import outcome, print_summary

STARTED = 1_000_000.0


CONFIG = {"source": "generated", "params": {}}
DATASETS = Datasets(dict.fromkeys(("built", "same", "half-done", "odd", "broken", "new-data"), CONFIG))


def complete(root, name, *, at=STARTED + 10, rows=1234, path="processed"):
    folder = root / "data" / name
    file = folder / path / "data.csv" if path == "processed" else folder / path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\n" * 5600)
    describe(root, name, data=path, rows={"train": rows - 34, "val": 34}, config=CONFIG)
    os.utime(folder / "provenance.json", (at, at))


def log(root, name, rule, text, *, at=STARTED + 5):
    path = root / "logs" / name / f"{rule}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at, at))


@pytest.fixture
def root(tmp_path):
    """A repository after a run: built, same, half-done, broken and new-data."""
    complete(tmp_path, "built")
    log(tmp_path, "built", "download", "fetching ä\ndone in 1.5 s\n")
    log(tmp_path, "built", "process", "done in 2.0 s\n")
    complete(tmp_path, "same", at=STARTED - 10, path="questions.csv")
    log(tmp_path, "same", "process", "error: broken\n", at=STARTED - 20)
    complete(tmp_path, "half-done")
    (tmp_path / "data" / "half-done" / "manifest.parquet").unlink()
    log(tmp_path, "half-done", "process", "done in 1.0 s\n")
    complete(tmp_path, "odd")
    (tmp_path / "data" / "odd" / "processed" / "data.csv").write_bytes(b"")
    complete(tmp_path, "broken", at=STARTED - 10)
    log(tmp_path, "broken", "analyze", "done in 1.0 s\n")
    log(tmp_path, "broken", "process", "error: broken\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "state", "hint"),
    [
        ("built", "built", None),
        ("same", "up to date", None),
        ("half-done", "incomplete", "snakemake --cores all half_done"),
        ("new-data", "not built", None),
        ("odd", "damaged", "snakemake --cores all --forcerun data/odd/processed -- odd"),
        ("broken", "failed", "logs/broken/process.log"),
    ],
)
def test_a_dataset_is_judged_by_the_files_it_left(root, name, state, hint):
    found = outcome(name, DATASETS, since=STARTED, root=root)
    assert found.state == state
    assert (hint is None and found.hint is None) or hint in found.hint


def test_what_is_complete_has_its_rows_bytes_and_seconds(root):
    found = outcome("built", DATASETS, since=STARTED, root=root)
    assert (found.rows, found.size, found.seconds) == (1234, 5600, 3.5)


def test_what_is_not_known_stays_open(root):
    assert outcome("same", DATASETS, since=STARTED, root=root).seconds is None
    found = outcome("new-data", DATASETS, since=STARTED, root=root)
    assert (found.rows, found.size, found.seconds) == (None, None, None)


@pytest.mark.parametrize("missing", ["metadata.json", "provenance.json", "manifest.parquet", "processed"])
def test_without_any_one_of_its_parts_a_dataset_is_incomplete(root, missing):
    path = root / "data" / "built" / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert outcome("built", DATASETS, since=STARTED, root=root).state == "incomplete"


@pytest.mark.parametrize("text", ["", "{", "<<<<<<< HEAD\n", "[]", "{}"])
@pytest.mark.parametrize("name", ["metadata.json", "provenance.json"])
def test_a_file_that_somebody_broke_is_damaged(root, name, text):
    (root / "data" / "built" / name).write_text(text)
    assert outcome("built", DATASETS, since=STARTED, root=root).state == "damaged"


def test_what_was_built_with_other_params_is_not_up_to_date(root):
    datasets = Datasets(DATASETS | {"same": CONFIG | {"params": {"n": 2}}})
    found = outcome("same", datasets, since=STARTED, root=root)
    assert (found.state, found.rows) == ("outdated", 1234)
    assert "built with params.n: null, not 2" in found.hint


def test_the_table_has_a_row_for_each_dataset_and_tells_what_to_do(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    print_summary(Datasets(dict.fromkeys(("built", "same", "half-done", "broken", "new-data"), CONFIG)), since=STARTED)
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = {line.split()[0]: line.split() for line in shown.err.splitlines() if line.strip() and ": " not in line}
    assert lines["built"] == ["built", "1,234", "5.6", "kB", "3.5", "s", "built"]
    assert lines["same"] == ["same", "1,234", "5.6", "kB", "up", "to", "date"]
    assert lines["half-done"] == ["half-done", "incomplete"]
    assert lines["broken"] == ["broken", "failed"]
    assert lines["new-data"] == ["new-data", "not", "built"]
    for hint in ("logs/broken/process.log", "half_done"):
        assert hint in shown.err
    assert "new_data" not in shown.err


def test_no_name_is_cut_in_a_narrow_terminal(root, monkeypatch, capsys):
    name = "opencloudhub-readmes-rag-evaluation"
    complete(root, name)
    monkeypatch.chdir(root)
    print_summary(Datasets({name: CONFIG}), since=STARTED)
    assert name in capsys.readouterr().err


def test_nothing_is_cut_where_there_is_no_terminal(root, monkeypatch, capsys):
    name = "a-name-that-takes-all-of-the-eighty-columns-by-itself-as-some-do-in-other-teams-registries"
    complete(root, name)
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "80")
    print_summary(Datasets({name: CONFIG}), since=STARTED)
    assert f"{name} 1,234 5.6 kB built" in " ".join(capsys.readouterr().err.split())


def test_what_is_pinned(root):
    for name in ("built", "broken", "half-done", "odd"):
        (root / "data" / name / "pin.json").write_text(json.dumps({"version": "1.2.0", "tag": f"{name}-v1.2.0"}))
    for name in ("built", "broken"):
        found = outcome(name, DATASETS, since=STARTED, root=root)
        assert (found.state, found.rows, found.size, found.seconds) == ("pinned", 1234, 5600, None)
        assert found.hint == f"pinned at 1.2.0; registry unpin {name} removes the pin"
    found = outcome("half-done", DATASETS, since=STARTED, root=root)
    assert (found.state, found.hint.endswith("run registry pull half-done")) == ("incomplete", True)
    found = outcome("odd", DATASETS, since=STARTED, root=root)
    assert (found.state, "run registry pull odd" in found.hint) == ("damaged", True)


def test_a_pinned_dataset_whose_data_is_not_all_here_is_not_given(root):
    (root / "data" / "built" / "pin.json").write_text(json.dumps({"version": "1.2.0", "tag": "built-v1.2.0"}))
    assert assess(root, "built", DATASETS, quick=True).snapshot.data == "data/built/processed"
    (root / "data" / "built" / "processed" / "data.csv").write_bytes(b"other")
    assert assess(root, "built", DATASETS, quick=True).snapshot is None


def test_what_a_hint_says_is_shown_as_it_is_and_steers_no_terminal(root, monkeypatch, capsys):
    reason, hint = "pinned at [/b]1.0.0", "\x1b[31mregistry unpin"
    judged = Assessment("built", State.PINNED, reason, hint)
    monkeypatch.setattr(summary, "assess", lambda *_, **__: judged)
    log(root, "built", "process", "note: \x1b]0;title\ndone in 1.0 s\n")
    monkeypatch.chdir(root)
    print_summary(Datasets({"built": CONFIG}), since=STARTED)
    assert "built pinned: pinned at [/b]1.0.0; \N{REPLACEMENT CHARACTER}[31mregistry unpin" in capsys.readouterr().err


@pytest.mark.parametrize("error", [RegistryError("not a pin"), ZeroDivisionError("not a pin")])
def test_a_summary_that_fails_keeps_no_release_from_happening(error, monkeypatch, capsys):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(summary, "assess", fail)
    print_summary(Datasets({"built": CONFIG}), since=STARTED)
    assert "not a pin" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["metadata.json", "provenance.json", "pin.json"])
def test_a_description_that_is_no_file_is_told_of_its_dataset(root, file):
    path = root / "data" / "built" / file
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    found = outcome("built", DATASETS, since=STARTED, root=root)
    assert found.state == ("broken" if file == "pin.json" else "damaged")
    assert outcome("broken", DATASETS, since=STARTED, root=root).state != "damaged"
