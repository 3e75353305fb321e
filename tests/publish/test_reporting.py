"""The pages of datasets in Snakemake's report: of what is here, under its version, and no others."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from registry.workflow import reporting
from registry.workflow.reporting import Reporting
from tiny import Tiny, make_tiny


@pytest.fixture
def clone(tmp_path, monkeypatch) -> Tiny:
    """A registry with `letters` released and built again, and `numbers` released, in which the process works."""
    clone = make_tiny(tmp_path / "registry")
    for name in ("letters", "numbers"):
        clone.build(name, 10, profile=True)
    clone.registry("publish")
    clone.build("letters", 12, profile=True)
    monkeypatch.chdir(clone.folder)
    return clone


def report(*names: str) -> dict[str, str | None]:
    """Make a report on datasets, which asks for their pages before and while it is made."""
    found: dict[str, str | None] = {}
    workflow = SimpleNamespace(create_report=lambda: found.update({name: pages.page_of(name) for name in names}))
    pages = Reporting(workflow)
    assert [pages.page_of(name) for name in names] == [None] * len(names)
    assert not [*Path("reports").glob("*/dataset.html")]
    workflow.create_report()
    return found


def test_a_page_says_which_version_it_shows(clone, capsys):
    found = report("letters", "numbers", "nothing")
    assert found == {
        "letters": "reports/letters/dataset.html",
        "numbers": "reports/numbers/dataset.html",
        "nothing": None,
    }
    for name, version in (("letters", "not released"), ("numbers", "1.0.0")):
        assert f'<span class="version">{version}</span>' in Path(found[name]).read_text(encoding="utf-8")
    said = "the report leaves out reports/nothing/dataset.html: nothing is built\n"
    assert capsys.readouterr().err == said
    assert clone.git("status", "--porcelain", "--", "reports") == ""


def test_it_has_no_more_pages_than_one_file_takes(clone, monkeypatch, capsys):
    monkeypatch.setattr(reporting, "MOST", 1)
    found = report("letters", "numbers")
    assert found == {"letters": "reports/letters/dataset.html", "numbers": None}
    said = (
        "the report leaves out the pages of all datasets but 1: they would take too much; registry catalog draws all\n"
    )
    assert capsys.readouterr().err == said


def test_without_git_there_is_no_version(clone):
    (clone.folder / ".git").rename(clone.folder / ".was-git")
    assert '<span class="version">not released</span>' in Path(report("numbers")["numbers"]).read_text(encoding="utf-8")
