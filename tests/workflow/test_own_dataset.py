"""A dataset that a user adds: the files in docs/datasets.md, and nothing else."""

import json
import re
import subprocess

import polars as pl
import pytest

from clone import Clone, under_git
from project import Project
from support import ROOT

PAGE = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w./]+)`[^\n]*\n(?:[^\n]+\n)*\n```\w*\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
COMMAND = re.search(r"^cd data/samples && .*$", PAGE, re.MULTILINE)[0]
PROCESS, ANALYZE, RULES = "scripts/books/process.py", "scripts/books/analyze.py", "workflow/rules/books.smk"


@pytest.fixture
def own(bare) -> Project:
    """A repository whose only dataset is the one of the page."""
    for path in bare.folder.glob("config/datasets/*.yaml"):
        path.unlink()
    for name, text in FILES.items():
        path = bare.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    subprocess.run(COMMAND, shell=True, cwd=bare.folder, check=True)
    return bare


def read(project, name):
    return json.loads((project.folder / "data" / "books" / name).read_text(encoding="utf-8"))


def test_the_page_has_all_of_it():
    assert {*FILES} == {
        "config/datasets/books.yaml",
        RULES,
        PROCESS,
        ANALYZE,
        "scripts/books/params.schema.yaml",
        "scripts/books/metadata.schema.yaml",
        "data/samples/books/books.csv",
    }


def test_it_is_built_described_and_released(own):
    own.edit("config/config.yaml", "publish: false", "publish: true")
    clone: Clone = under_git(own)
    printed = clone.snakemake("--cores", "2")
    assert "books: released as books-v1.0.0" in printed
    assert pl.read_parquet(own.folder / "data/books/processed/books.parquet")["title"].to_list() == [
        "Ulysses",
        "Orlando",
        "Beloved",
        "Solaris",
    ]
    metadata, provenance = read(own, "metadata.json"), read(own, "provenance.json")
    assert metadata["best"] == "Solaris"
    assert metadata["summary"] == {"decade_distribution": {"1920": 2, "1960": 1, "1980": 1}}
    assert list(provenance["code"]) == ["shared/download.py", "books/process.py", "books/analyze.py"]
    assert provenance["contract"]["floors"] == {"statistics.features.rating.mean": 3}
    assert provenance["libraries"].keys() == {"python", "numpy", "polars", "pyarrow"}
    assert "Nothing to be done" in clone.snakemake("-n")

    clone.configure("books", first_year=1925)
    clone.commit("Leave out more")
    assert "books: released as books-v2.0.0 (MAJOR)\n  1 row removed from all" in clone.snakemake("--cores", "2")
    found = clone.registry_json("diff", "books", "1.0.0", "2.0.0")
    assert "statistics.features.year.min" in {statistic["path"] for statistic in found["statistics"]}


def test_what_changes_is_built_again_and_nothing_else(own):
    own.snakemake("--cores", "2", "books")
    for file, jobs in {
        PROCESS: {"books_process", "books_analyze"},
        ANALYZE: {"books_analyze"},
        "scripts/books/metadata.schema.yaml": {"books_process", "books_analyze"},
        "scripts/registry/formats/tables.py": {"books_process", "books_analyze"},
        "scripts/registry/describe/pixels.py": set(),
    }.items():
        path = own.folder / file
        text = path.read_text(encoding="utf-8")
        path.write_text(text + "# one more line\n", encoding="utf-8")
        assert own.jobs("books") - {"books"} == jobs, file
        path.write_text(text, encoding="utf-8")


def test_a_contract_that_refers_to_another_dataset_is_held_to_what_that_has(own, tmp_path):
    for name, text in FILES.items():
        path = own.folder / name.replace("books", "shelf", 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if path.suffix == ".csv" else text.replace("books", "shelf"), encoding="utf-8")
    (own.folder / "data/samples/shelf/books.csv").rename(own.folder / "data/samples/shelf/shelf.csv")
    subprocess.run("sha256sum */*.csv > SHA256SUMS", shell=True, cwd=own.folder / "data/samples", check=True)
    title = "title: {dtype: string, min_length: 1"
    own.edit("config/datasets/shelf.yaml", title, f"{title}, references: {{dataset: books, column: title}}")
    clone: Clone = under_git(own)
    assert own.jobs("shelf") == {
        "books_download", "books_process", "shelf", "shelf_analyze", "shelf_download", "shelf_process"
    }  # fmt: skip
    own.snakemake("--cores", "2", "shelf")
    clone.registry("publish")
    elsewhere = clone.cloned(tmp_path / "elsewhere")
    elsewhere.registry("pull", "shelf")
    assert "Nothing to be done" in elsewhere.snakemake("-n", "shelf")

    clone.configure("books", first_year=1925)
    printed = own.snakemake("--cores", "2", "shelf", fails=True)
    assert "all: title: in title of books: found 'Ulysses' in row 0" in printed


MISTAKES = {
    "no checksum": (PROCESS, "output_folder", "atomic_folder", "data/books/.processed.md5 (missing locally"),
    "no checksum among the outputs": (
        RULES,
        '        checksum="data/books/.processed.md5",\n',
        "",
        "error: books: its rule has no input `checksum`",
    ),
    "an output without a name": (
        RULES,
        "folder=directory(",
        "directory(",
        "name each output of that rule",
    ),
    "below a floor": (
        "config/datasets/books.yaml",
        "rating.mean: 3",
        "rating.mean: 4",
        "all: floors: statistics.features.rating.mean at least 4: found 3.875",
    ),
    "a fact that is not declared": (
        ANALYZE,
        'about.facts["best"]',
        'about.facts["finest"]',
        "'finest' was unexpected",
    ),
    "no script": (
        RULES,
        'script:\n        "../../scripts/books/process.py"',
        'shell:\n        "true"',
        "books_process: it runs no script",
    ),
    "a script elsewhere": (
        RULES,
        "../../scripts/books/process.py",
        "books.py",
        "books_process: its script, books.py, is not in scripts/",
    ),
    "a relative import": (
        PROCESS,
        "import polars as pl\n",
        "import polars as pl\nfrom . import words\n",
        "scripts/books/process.py: line 6 imports relatively",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_an_author_forgets_is_told_at_once(own, mistake):
    file, old, new, message = MISTAKES[mistake]
    path = own.folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    printed = own.snakemake("--cores", "2", "books", fails=True)
    assert message in printed
    assert "Traceback" not in printed
    assert not own.complete("books")


def test_a_dataset_without_rules_is_told_where_they_go(own):
    (own.folder / RULES).unlink()
    printed = own.snakemake("-n", "books", fails=True)
    assert "no rule makes data/books/" in printed
    assert "write its rules into workflow/rules/books.smk" in printed


def test_a_module_without_its_dataset_is_left_alone(own):
    (own.folder / "config/datasets/books.yaml").rename(own.folder / "config/datasets/tomes.yaml")
    own.edit("data/samples/SHA256SUMS", "books/books.csv", "tomes/books.csv")
    printed = own.snakemake("-n")
    assert "tomes is left out: tomes: no rule makes data/tomes/" in printed
    assert "books" not in printed
    assert "config/datasets/books.yaml: no such file" in own.snakemake("-n", "data/books/processed", fails=True)


def test_several_jobs_share_the_work_once_its_rules_make_parts(own):
    rule, shard, process = re.findall(
        r"^```python\n(.*?)^```", PAGE.partition("\n## Shards")[2], re.MULTILINE | re.DOTALL
    )
    own.edit(RULES, "rule books_process:", f"{rule}\n\nrule books_process:")
    table = '        table="data/books/raw/books.csv",\n    output:\n        folder'
    own.edit(RULES, table, table.replace("    output", "        parts=parts_of(rules.books_shard),\n    output"))
    (own.folder / PROCESS).write_text(process, encoding="utf-8")
    (own.folder / "scripts/books/shard.py").write_text(shard, encoding="utf-8")
    assert "shard" not in own.snakemake("--cores", "2")
    before = own.products()
    assert own.snakemake("--cores", "2", "--config", "shards=3").count("-of-3: done") == 3
    assert own.products() == before
    assert pl.read_parquet(own.folder / "data/books/processed/books.parquet")["year"].to_list() == [
        1922,
        1928,
        1987,
        1961,
    ]
