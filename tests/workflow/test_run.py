"""Whole runs: what a user sees and gets."""

import base64
import json
import os
import re
import signal

import pytest

from project import DATASETS, MADE_OF
from support import PATIENCE, wait_until

FEW = ["emotion", "tabular", "wine-quality"]


def figures(project):
    """The plots and sample pictures that a run left."""
    return [*project.folder.glob("reports/*/overview.svg"), *project.folder.glob("reports/*/samples.png")]


def test_a_full_run_completes_every_dataset(built_once):
    assert [name for name in DATASETS if not built_once.complete(name)] == []


def test_the_run_ends_in_a_table_with_a_row_for_every_dataset(built_once):
    printed = built_once.folder.with_suffix(".log").read_text()
    for name in DATASETS:
        metadata = json.loads((built_once.folder / "data" / name / "metadata.json").read_text())
        rows = sum(split["num_samples"] for split in metadata["splits"].values())
        assert re.search(rf"^ +{name} +{rows:,} +[\d.]+ \w+ +[\d.]+ s +built\s*$", printed, re.MULTILINE), name


def test_each_job_is_one_line_when_it_starts_and_one_when_it_ends(built_once):
    printed = built_once.folder.with_suffix(".log").read_text()
    lines = re.findall(
        r"^\d\d:\d\d:\d\d (\S+ \S+): (?:(done) in [\d.]+ s \(\d+ of (\d+)\)|\S.+)$", printed, re.MULTILINE
    )
    ended = [job for job, done, _ in lines if done]
    assert sorted(ended) == sorted(job for job, done, _ in lines if not done)
    assert {total for _, done, total in lines if done} == {str(len(ended))}
    assert {f"{path.parent.name} {path.stem}" for path in built_once.folder.glob("logs/*/*.log")} == set(ended)
    for words in ("Select jobs", "Finished jobid", "Job stats", "Complete log", "|"):
        assert words not in printed


def test_no_job_takes_more_memory_than_its_rule_declares(built_once):
    assert {log: took for log, took in built_once.memory().items() if took[0] > took[1]} == {}
    assert len(built_once.memory()) == 28


def test_a_run_writes_down_what_it_did(built_once):
    record = built_once.record()
    assert (record["ending"], record["reason"], record["failed_jobs"]) == ("succeeded", None, [])
    released = {one["dataset"]: (one["state"], one["release"]["tag"]) for one in record["datasets"]}
    assert released == {name: ("built", f"{name}-v1.0.0") for name in DATASETS}


def test_every_dataset_has_a_figure_for_the_report(built_once):
    assert {path.parent.name for path in figures(built_once)} == set(DATASETS)
    assert [path for path in figures(built_once) if not path.stat().st_size] == []


def test_nothing_is_left_half_written(built_once):
    assert list((built_once.folder / "data").rglob("*.partial")) == []


def test_a_second_run_has_nothing_to_do(built):
    before = built.products()
    assert "Nothing to be done" in built.snakemake("--cores", "2")
    assert built.products() == before
    record = built.record()
    assert (record["ending"], record["unreleased"]) == ("nothing to do", [])
    assert {one["state"] for one in record["datasets"]} == {"up to date"}


def test_what_runs_no_job_leaves_the_record_of_the_last_run_alone(built):
    before = (built.folder / "logs" / "run.json").read_bytes()
    for options in (["-n", "--forceall", "emotion"], ["--list-rules"], ["--summary"], ["--unlock"], ["--lint"]):
        printed = built.snakemake(*options)
        assert "Reason: Forced execution" in printed or "-n" not in options
    built.snakemake("--report", "report.html", "--config", "source=wrong", fails=True)
    (built.folder / "data" / "emotion" / "metadata.json").rename(built.folder / "elsewhere.json")
    printed = built.snakemake("--report", "report.html")
    assert "the report leaves out data/emotion/metadata.json: it is not here" in printed
    assert "the report leaves out reports/emotion/dataset.html" in printed
    assert (built.folder / "logs" / "run.json").read_bytes() == before


def test_a_run_that_cannot_begin_says_so_in_its_record(built):
    built.snakemake("--cores", "1", "--config", "source=wrong", fails=True)
    record = built.record()
    assert (record["ending"], record["datasets"]) == ("failed", [])
    assert "source: 'wrong' is not one of" in record["reason"]


def test_verbose_gives_all_that_snakemake_says(built):
    printed = built.snakemake("--cores", "2", "--verbose", "--forcerun", "emotion_analyze", "--", "emotion")
    assert "Finished jobid: " in printed
    assert "Reason: Forced execution" in printed
    assert built.record()["ending"] == "succeeded"


def test_one_core_and_two_give_the_same_bytes_in_another_folder(built_once, bare):
    bare.take_vectors(built_once)
    process = bare.start("--cores", "1")
    printed = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, printed
    expected, found = built_once.products(), bare.products()
    assert found.keys() == expected.keys()
    for name in MADE_OF:
        # The one thing that a release fills in; what was built here was never released.
        path = f"data/{name}/metadata.json"
        assert json.loads(found[path]) == json.loads(expected.pop(path)) | {"source_data_version": None}
    assert [name for name in expected if found[name] != expected[name]] == []


def test_no_product_names_the_folder_it_was_made_in(built_once):
    place = str(built_once.folder).encode()
    assert [name for name, content in built_once.products().items() if place in content] == []


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("data/emotion/processed", {"emotion"}),
        ("data/emotion/processed/train/train.parquet", {"emotion"}),
        ("wine_quality", {"wine-quality"}),
    ],
)
def test_a_target_builds_what_it_needs_and_no_more(bare, target, expected):
    bare.snakemake("--cores", "2", target)
    made = {path.parent.name for path in (bare.folder / "data").glob("*/raw")}
    assert made == expected
    assert bare.complete("wine-quality") == (target == "wine_quality")


@pytest.mark.parametrize("name", DATASETS)
def test_each_dataset_has_a_rule_of_its_name(bare, name):
    assert bare.planned(name.replace("-", "_")) == {name} | MADE_OF.get(name, set())


def test_a_dry_run_of_a_bare_checkout_plans_everything_and_writes_nothing(bare):
    assert bare.planned() == set(DATASETS)
    assert {path.name for path in (bare.folder / "data").iterdir()} == {"samples"}
    assert not (bare.folder / "reports").exists()


def test_a_choice_of_datasets_is_all_that_is_built(bare):
    assert bare.planned("--config", "datasets=[emotion,tabular]") == {"emotion", "tabular"}


def test_metadata_without_data_is_not_taken_for_done(built):
    for path in (built.folder / "data" / "emotion").iterdir():
        if path.is_dir():
            path.rename(built.folder / f"gone-{path.name}")
    (built.folder / "data" / "emotion" / "manifest.parquet").unlink()
    assert built.planned() == {"emotion"}


def test_an_empty_folder_is_not_taken_for_data(bare):
    (bare.folder / "data" / "emotion" / "processed").mkdir(parents=True)
    bare.snakemake("--cores", "2", "emotion")
    assert (bare.folder / "data" / "emotion" / "processed" / "val" / "val.parquet").stat().st_size


def test_a_failed_dataset_leaves_the_others_complete_and_can_be_run_again(bare):
    bare.edit("config/config.yaml", "datasets: all", f"datasets: {json.dumps(FEW)}")
    sample = bare.folder / "data" / "samples" / "wine-quality" / "winequality-red.csv"
    good = sample.read_bytes()
    sample.write_bytes(good.replace(b"7.4", b"7.5", 1))
    printed = bare.snakemake("--cores", "2", "--keep-going", fails=True)
    assert {name for name in DATASETS if bare.complete(name)} == set(FEW) - {"wine-quality"}
    assert "what to do:" in printed
    assert "Traceback" not in printed
    assert "returned non-zero exit status" not in printed
    message = printed.index(
        "wine_quality_download failed (logs/wine-quality/download.log):\nerror: data/samples/wine-quality/"
    )
    assert (
        printed.rindex(": done in ")
        < message
        < re.search(r"^ +wine-quality +failed\s*$", printed, re.MULTILINE).start()
    )
    assert printed.rstrip().endswith("wine-quality failed: see logs/wine-quality/download.log")
    assert not (bare.folder / "data" / "wine-quality" / "raw" / "winequality-red.csv").exists()
    sample.write_bytes(good)
    assert bare.planned() == {"wine-quality"}
    bare.snakemake("--cores", "2")
    assert bare.complete("wine-quality")


def test_a_broken_contract_fails_before_anything_is_called_done(bare):
    bare.edit(
        "config/datasets/wine-quality.yaml",
        "quality: {dtype: int64, min: 0, max: 10}",
        "quality: {dtype: int64, max: 3}",
    )
    bare.edit(
        "config/datasets/wine-quality.yaml", "pH: {dtype: float64, min: 2, max: 5}", "pH: {dtype: float64, max: 3}"
    )
    printed = bare.snakemake("--cores", "2", "wine_quality", fails=True)
    assert "the contract is broken" in printed
    assert re.search(r"all: quality: .*3", printed)
    assert re.search(r"all: pH: .*3", printed)
    assert "Traceback" not in printed
    assert not bare.complete("wine-quality")
    record = bare.record()
    assert (record["ending"], record["reason"]) == ("failed", "jobs that failed: 1")
    seen = "logs/wine-quality/analyze.breaches.html"
    assert [(job["rule"], job["log"], job["page"]) for job in record["failed_jobs"]] == [
        ("wine_quality_analyze", "logs/wine-quality/analyze.log", seen)
    ]
    assert f"to see the rows: {seen}" in printed
    assert "winequality-red.csv:0" in (bare.folder / seen).read_text(encoding="utf-8")
    assert record["failed_jobs"][0]["message"].startswith("error: wine-quality: the contract is broken")
    found = {one["dataset"]: one for one in record["datasets"]}["wine-quality"]
    assert (found["state"], {one["column"] for one in found["breaches"]}) == ("failed", {"quality", "pH"})
    assert {one["row"] for one in found["breaches"]} == {0}
    assert record["release"]["skipped"] == "publish is off"


def test_a_killed_run_is_completed_by_the_next(bare, built_once):
    bare.edit("config/config.yaml", "datasets: all", f"datasets: {json.dumps(FEW)}")
    process = bare.start("--cores", "2")
    wait_until(lambda: list((bare.folder / "data").glob("*/processed")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert bare.record()["ending"] == "running"
    bare.snakemake("--unlock")
    bare.snakemake("--cores", "2")
    expected, found = built_once.products(), bare.products()
    expected = {name: content for name, content in expected.items() if name.split("/")[1] in FEW}
    assert [name for name in expected if found.get(name) != expected[name]] == []


def said_in_the_report(page, what):
    """Return the value of a variable of the report's scripts."""
    return json.JSONDecoder().raw_decode(page, page.index(f"{what} = ") + len(f"{what} = "))[0]


def test_the_report_shows_metadata_and_figures_of_every_dataset(built):
    printed = built.snakemake("--report", "report.html")
    assert "the report leaves out" not in printed
    page = (built.folder / "report.html").read_text(encoding="utf-8")
    categories, runtimes = (said_in_the_report(page, what) for what in ("categories", "runtimes_spec"))
    for caption in ("What the data is: its columns", "The facts of the data: schema"):
        assert caption in page
    assert {"emotion_analyze", "tabular_generate"} <= {one["rule"] for one in runtimes["data"]["values"]}
    assert categories.keys() == {*DATASETS}
    for name in DATASETS:
        assert f"data/{name}/metadata.json" in page
        # As the report has it: in base64, without its end.
        shown = base64.b64encode((built.folder / f"reports/{name}/dataset.html").read_bytes())
        assert shown[:-4].decode() in page
    for figure in figures(built):
        assert str(figure.relative_to(built.folder)) in page
