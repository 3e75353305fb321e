"""What is told of a run, from its record."""

import pytest

from registry.workflow.markdown import CUT, LIMIT, as_markdown
from registry.workflow.verdict import exit_code, held_back, remarks

RELEASE = {"remote": None, "commit": None, "skipped": None, "hint": None}


def dataset(name: str = "tabular", state: str | None = None, **changed) -> dict:
    release = {"version": None, "tag": None, "previous": None, "level": None, "reasons": ["why"], "hint": "do this"}
    return {
        **{"dataset": name, "state": "built", "hint": None, "rows": 1_000, "bytes": 40, "seconds": 1.0, "notes": []},
        "release": None if state is None else release | {"state": state},
        "breaches": [],
        **changed,
    }


def record(*datasets: dict, ending: str = "succeeded", **changed) -> dict:
    return {
        **{"ending": ending, "reason": None, "datasets": [*datasets], "failed_jobs": [], "unreleased": []},
        "release": RELEASE,
        **changed,
    }


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (0, record(dataset(state="released"))),
        (0, record(ending="nothing to do")),
        (0, record(dataset(), release=RELEASE | {"skipped": "publish is off", "hint": "registry publish"})),
        (0, record(dataset(state="pinned"), dataset(state="not built"), dataset(state="incomplete"))),
        (1, record(ending="failed")),
        (1, record(ending="interrupted")),
        (1, record(ending="running")),
        (1, record(dataset(state="refused"))),
        (3, record(dataset(state="skipped"))),
        (3, record(dataset(state="damaged"))),
        (3, record(release=RELEASE | {"skipped": "this clone is shallow", "hint": "git fetch --unshallow"})),
        (3, record(ending="nothing to do", unreleased=["tabular"])),
    ],
)
def test_the_exit_code_says_what_a_run_comes_to(code, found):
    assert exit_code(found) == code


def test_what_is_not_released_is_named_with_the_reason():
    found = record(dataset("a", "refused"), dataset("b", "released"), dataset("c", "skipped"), unreleased=["d"])
    assert held_back(found) == {
        "d": "built by an earlier run; registry publish",
        "a": "why; do this",
        "c": "why; do this",
    }
    assert remarks(record(ending="running")) == ["it runs, or it was killed: run the same command again"]


def test_a_page_holds_what_data_says_as_text_and_is_no_longer_than_github_shows():
    breach = {"rule": "dtype", "split": "all", "column": "x", "row": 3, "message": "<b>bold</b> | cell"}
    job = {"rule": "tabular_process", "log": None, "message": "</pre>\n# heading", "page": "logs/page.html"}
    page = as_markdown(record(dataset(breaches=[breach]), failed_jobs=[job], ending="failed"))
    assert "<b>" not in page
    assert "&lt;/pre&gt;" in page
    assert "to see the rows: logs/page.html" in page
    assert page.startswith("## Failed\n")
    many = record(*(dataset(f"\N{CJK UNIFIED IDEOGRAPH-6570}-{number}", "refused") for number in range(20_000)))
    page = as_markdown(many)
    assert len(page.encode()) <= LIMIT
    assert page.endswith(CUT)
