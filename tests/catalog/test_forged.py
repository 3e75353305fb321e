"""Pages of versions that somebody else has tagged: what no release writes is said, and the rest is shown."""

from dataclasses import replace

import pytest

from registry.catalog.dataset import DatasetPages, VersionPage
from registry.catalog.numbered import NumberedRows
from registry.catalog.pages import Around, dataset_page
from registry.catalog.summary import is_summary, summary_of
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.tags import entries_of, releases
from showcase import Showcase

ODD = [["a", 1], {"a": {}}, None, 7, [], "</option><script>window.hit=1</script>"]
QUALITY = {"missing": {"age": 1}, "constant": [], "unique": ["id"], "outliers": {}, "balance": {}}
LEAKAGE = {"compared": "rows", "columns": ["id"], "splits": {"train": {"test": {"exact": 2, "near": 1}}}}


@pytest.fixture(scope="module")
def version(showcase_once: Showcase) -> VersionPage:
    """A version of the people, whose rows are not read."""
    repository = Repository.open(showcase_once.folder)
    entry = entries_of(releases(repository.git)["people"])[0]
    return VersionPage(entry.version, Snapshot.at(repository, "people", entry.tag), entry=entry)


def drawn(version: VersionPage, **said: object) -> str:
    """Return the page of a version whose metadata.json says this, too."""
    version = replace(version, snapshot=replace(version.snapshot, metadata=version.snapshot.metadata | said))
    found = DatasetPages("people", [version], NumberedRows())
    return dataset_page(found, version, Around(), address=None, left_out=0).decode()


def test_what_was_counted_of_rows_is_shown(version):
    said = drawn(version, quality=QUALITY | {"duplicates": {"samples": 3, "inputs": 0}}, leakage=LEAKAGE)
    for words in (
        "samples that are there before",
        "3 of 90",
        "age, missing",
        "unique in all rows",
        "2 the same, 1 nearly",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("key", "forged"),
    [
        ("quality", QUALITY),
        ("quality", QUALITY | {"duplicates": {"samples": "<script>", "inputs": 0}}),
        (
            "quality",
            QUALITY | {"duplicates": {"samples": 0, "inputs": 0}, "outliers": {"age": {"value": {"count": 1}}}},
        ),
        ("quality", [1, [2]]),
        ("quality", None),
        ("leakage", LEAKAGE | {"splits": {"train": {"test": 7}}}),
        ("leakage", LEAKAGE | {"examples": [{"key": "a"}]}),
        ("leakage", "many"),
    ],
)
def test_what_no_release_writes_is_said(version, key, forged):
    said = drawn(version, **{key: forged})
    assert f"its {key} is not what a release writes: " in said
    assert '<section id="overview"' in said
    assert "<script>" not in said
    assert "Nothing is odd about it" not in said


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("key", ["title", "description", "license", "homepage", "citation", "languages", "tasks"])
def test_whatever_a_version_says_of_itself_is_shown(version, key, odd):
    said = version.snapshot.metadata["dataset"] | {key: odd}
    page = drawn(version, dataset=said)
    assert '<section id="overview"' in page
    assert "<script>" not in page
    metadata = version.snapshot.metadata | {"dataset": said}
    forged = replace(version, snapshot=replace(version.snapshot, metadata=metadata))
    summary = summary_of(DatasetPages("people", [forged], NumberedRows()))
    assert is_summary(summary, "people")


def test_a_profile_without_splits_has_no_bars(version):
    empty = replace(version, profile={"age": {"rows": {}, "classes": {}, "value": {}}})
    assert summary_of(DatasetPages("people", [empty], NumberedRows()))["bars"] == [70, 20]
