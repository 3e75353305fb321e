"""Measure the catalog and its pages in Chromium, into catalog.md: python benchmarks/catalog.py [--mirror FOLDER]."""

import argparse
import re
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from made import Version, again, built, empty, release, under_name
from measure import ROOT, Usage, run, write_lines
from playwright.sync_api import Browser, sync_playwright
from releases import git, registry, under_git

RUNS = 3
DATASETS, VERSIONS = 100, 20
ROWS, MILLION = 70_000, 1_000_000
COLUMNS, CLASSES = 2_000, 10_000
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPENED = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
TYPED = """([box, words]) => new Promise((answer) => {
  const [input, start] = [document.getElementById(box), performance.now()];
  input.value = words;
  input.dispatchEvent(new Event("input"));
  requestAnimationFrame(() => setTimeout(() => answer(performance.now() - start)));
})"""
"""Milliseconds from words that are typed until what they find is drawn."""
DIFFERENCE = "document.querySelector('#diff section') && performance.now()"
"""Milliseconds until a difference is drawn."""

Row = tuple[str, str, str]
"""What was measured, the figure, and the aim."""


def catalog(folder: Path, site: Path) -> Usage:
    """Draw all versions of all datasets."""
    return registry(folder, "catalog", str(site), "--versions", "all")


def used(usage: Usage) -> str:
    """Return what a command used in words."""
    return f"{usage.wall:.1f} s, {usage.cpu:.1f} s of CPU, {usage.memory:.0f} MB"


def times(site: Path) -> dict[Path, int]:
    """Return when each file of a catalog was written."""
    return {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.is_file()}


def megabytes(site: Path) -> float:
    """Return how large a catalog is."""
    return sum(path.stat().st_size for path in times(site)) / 1e6


def samples(scratch: Path, mirror: Path) -> Iterator[Row]:
    """Measure the catalog of the sample datasets, and of two of them at full size."""
    folder, site = under_git(scratch / "samples"), scratch / "samples-site"
    run("snakemake", "--cores", "2", folder=folder)
    yield "the sample datasets, one version each", used(catalog(folder, site)), ""
    path = folder / "config" / "config.yaml"
    text = path.read_text().replace("source: samples", "source: mirror").replace("mirror: null", f"mirror: {mirror}")
    path.write_text(re.sub(r"datasets: all", "datasets: [fashion-mnist, emotion, wine-quality, radiology-mini]", text))
    git(folder, "commit", "--quiet", "--all", "--message", "Take the full data")
    run("snakemake", "--cores", "2", folder=folder)
    full = catalog(folder, site)
    yield "four more versions, at full size (70,000 pictures, 20,000 texts)", used(full), "at most 500 MB"
    release(folder, again(folder, "9.0.0"))
    catalog(folder, site)
    before = megabytes(site)
    yield "its size, with two versions of each or more", f"{before:.1f} MB", "at most 8 MB"
    further = again(folder, "9.0.1")
    release(folder, further)
    catalog(folder, site)
    each = 1000 * (megabytes(site) - before) / len(further)
    yield "a further version of each, with the same rows", f"{each:.0f} kB for each on average", "at most 60 kB"


def hundred(scratch: Path) -> tuple[Path, list[Row]]:
    """Measure the catalog of many datasets, each of which gets 20 rows with every version; return it, too."""
    folder, site = empty(scratch / "hundred"), scratch / "hundred-site"
    one = "made-rows"
    *made, last = apart(growing, folder, one)
    names = [f"{one}-{number:03}" for number in range(DATASETS)]
    release(folder, (under_name(version, one, name) for version in made for name in names))
    what = f"{DATASETS} datasets x {VERSIONS} versions"
    rows = [(what, used(catalog(folder, site)), "at most 60 s")]
    rows.append((f"{what}: again, with nothing new", used(catalog(folder, site)), "a few seconds"))
    release(folder, [under_name(last, one, names[0])])
    before = times(site)
    usage = catalog(folder, site)
    files = sum(before.get(path) != time for path, time in times(site).items())
    rows.append((f"{what}: again, with one new version", f"{used(usage)}; {files} files written", "what changed"))
    return site, rows


def apart(make: Callable[..., Any], *arguments: object) -> Any:
    """Return what a function makes in a process of its own: what this one uses would count for those that it starts."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(make, *arguments).result()


def growing(folder: Path, name: str) -> list[Version]:
    """Build versions of a dataset, one more than are wanted at first, which have 20 rows more each time."""
    return [
        built(folder, name, f"1.{number}.0", splits(table(500 + 20 * number), 400), why=["MINOR: 20 rows added"])
        for number in range(VERSIONS + 1)
    ]


def splits(rows: pa.Table, first: int) -> dict[str, pa.Table]:
    """Return the first rows of a table as one split, the others as another one."""
    return {"train": rows.slice(0, first), "test": rows.slice(first)}


def table(rows: int, changed: float = 0) -> pa.Table:
    """Return rows of texts, numbers and classes, of which a share has another text than usual."""
    chance = np.random.default_rng(0)
    again = chance.random(rows) < changed
    text = [f"text number {row} of {row * 7919 % 9973}{' again' * bool(again[row])}" for row in range(rows)]
    return pa.table({"text": text, "value": np.sin(np.arange(rows)), "label": np.arange(rows) * 31 % 10})


def wide(rows: int) -> pa.Table:
    """Return rows of many columns."""
    return pa.table({f"column {number:04}": np.sin(np.arange(rows) + number) for number in range(COLUMNS)})


def large(folder: Path) -> list[tuple[str, list[Version]]]:
    """Build what a page can hardly hold: two versions of each dataset."""
    names = [f"class {number:05}" for number in range(CLASSES)]
    classes = pa.table({"text": [f"text {row}" for row in range(3 * CLASSES)], "label": names * 3})
    features = {"label": {"classes": names}}
    order = np.random.default_rng(1).permutation(ROWS)
    versions = {
        "changed": [splits(table(ROWS), 60_000), splits(table(ROWS, 0.5), 60_000)],
        "shuffled": [splits(table(ROWS), 60_000), splits(table(ROWS).take(order), 60_000)],
        "million": [{"all": table(MILLION)}, {"all": table(MILLION + 1_000)}],
        "wide": [splits(wide(700), 500), splits(wide(701), 500)],
        "classes": [splits(classes, 2 * CLASSES), splits(classes.slice(1), 2 * CLASSES)],
    }
    return [
        (
            name,
            [
                built(folder, name, f"{number}.0.0", one, features if name == "classes" else None)
                for number, one in enumerate(its, 1)
            ],
        )
        for name, its in versions.items()
    ]


def builds(scratch: Path) -> tuple[dict[str, Path], list[Row]]:
    """Measure the catalogs of large datasets, one in each; return them, too."""
    sites, rows = {}, []
    aims = {"million": "at most 500 MB"}
    what = {
        "changed": f"{ROWS:,} rows, half of them changed",
        "shuffled": f"{ROWS:,} rows, shuffled",
        "million": f"{MILLION:,} rows, and 1,000 more",
        "wide": f"{COLUMNS:,} columns",
        "classes": f"{CLASSES:,} classes",
    }
    made = apart(large, empty(scratch / "large"))
    for name, versions in made:
        folder = scratch / name
        shutil.copytree(scratch / "large", folder, symlinks=True)
        release(folder, versions)
        sites[name] = scratch / f"{name}-site"
        rows.append((f"two versions of {what[name]}", used(catalog(folder, sites[name])), aims.get(name, "")))
    return sites, rows


def pages(browser: Browser, hundred_site: Path, sites: dict[str, Path]) -> Iterator[Row]:
    """Measure pages, each opened anew."""
    first = hundred_site / "index.html"
    yield "the list of 100 datasets opens", milliseconds(browser, first, OPENED), "at most 1,000 ms"
    yield "its search answers", milliseconds(browser, first, TYPED, ["search", "made-rows-05"]), "at most 300 ms"
    for name, site in sites.items():
        page = site / "datasets" / f"{name}.html"
        aim = "at most 2,000 ms" if name in ("wide", "classes") else ""
        yield f"{name}: the newest version opens", milliseconds(browser, page, OPENED), aim
        words = ["words", "text number 12"]
        yield f"{name}: search of rows answers", milliseconds(browser, page, TYPED, words), "at most 300 ms"
        aim = "about 1,000 ms" if name in ("changed", "shuffled") else ""
        yield f"{name}: the difference is drawn", milliseconds(browser, site / "diff.html", DIFFERENCE, of=name), aim


def milliseconds(browser: Browser, page: Path, script: str, argument: object = None, of: str = "") -> str:
    """Return the median of what a script measures on a page, or on the difference between two versions of a dataset."""
    found = []
    for _ in range(RUNS):
        opened = browser.new_page()
        opened.goto(page.as_uri() + (f"#{of}/1.0.0..2.0.0" if of else ""))
        found.append(opened.wait_for_function(script).json_value() if of else opened.evaluate(script, argument))
        opened.close()
    return f"{statistics.median(found):,.0f} ms"


def main(mirror: Path) -> None:
    """Measure everything and write it down."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        scratch = Path(name)
        site, many = hundred(scratch)
        sites, large_ones = builds(scratch)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        rows = [*samples(scratch, mirror), *many, *large_ones, *pages(browser, site, sites)]
        browser.close()
    lines = [f"| {what} | {figure} | {aim} |" for what, figure, aim in rows]
    write_lines("catalog", ["| what | figure | aim |", "|---|---|---|", *lines])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mirror", type=Path, default=ROOT.parent / "shared" / "mirror", help="the full sources")
    main(parser.parse_args().mirror.resolve())
