"""The libraries behind a dataset follow from what its code imports."""

import subprocess
import sys
from importlib.metadata import packages_distributions, version

import pytest

from registry.describe.libraries import libraries_behind
from support import ROOT

FOUND = {"python", "numpy", "polars", "pyarrow"}


@pytest.fixture
def libraries(tmp_path):
    """Return the names of the libraries behind a script of this text."""

    def libraries(text):
        (tmp_path / "task").mkdir(exist_ok=True)
        path = tmp_path / "task" / f"{len(text)}.py"
        path.write_text(text, encoding="utf-8")
        return set(libraries_behind([f"task/{path.name}"], tmp_path)) - {"python"}

    return libraries


def test_modules_that_are_called_otherwise_than_their_library_are_found_as_the_standard_library_finds_them(libraries):
    modules = ("PIL", "yaml", "markdown_it", "polars", "onnxruntime", "jsonschema", "snakemake")
    expected = {name.lower() for module in modules for name in packages_distributions()[module]}
    assert libraries("".join(f"import {module}\n" for module in modules)) == expected


def test_versions_are_those_installed():
    found = libraries_behind(["radiology_mini/process.py"])
    assert found["pillow"] == version("pillow")
    assert found["imagehash"] == version("imagehash")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import json, os.path\nfrom pathlib import Path\n", set()),
        ("import polars as pl\n", {"polars"}),
        ("from polars import DataFrame\n", {"polars"}),
        ("import no_such_library\n", set()),
        ("def late():\n    import pytest\n", {"pytest"}),
        ("def late():\n    import lightgbm, sqlalchemy.orm\n", set()),
        ("import task.other\n", set()),
    ],
)
def test_what_counts(libraries, monkeypatch, text, expected):
    monkeypatch.delitem(sys.modules, "sqlalchemy", raising=False)  # An earlier test may have loaded it.
    assert libraries(text) == expected


@pytest.mark.parametrize(
    ("scripts", "further"),
    [
        (["shared/download.py", "emotion/process.py", "emotion/analyze.py"], set()),
        (["shared/download.py", "fashion_mnist/process.py", "fashion_mnist/analyze.py"], {"numpy", "pillow"}),
        (
            ["radiology_mini/download.py", "radiology_mini/process.py", "radiology_mini/analyze.py"],
            {"numpy", "pillow", "imagehash", "simplejpeg"},
        ),
        (["kinds/embeddings/chunk.py"], {"numpy", "markdown-it-py", "semantic-text-splitter"}),
        (["shared/download.py", "kinds/table.py", "kinds/analyze.py"], set()),
        (
            ["shared/download.py", "kinds/images.py", "kinds/analyze_pictures.py"],
            {"pillow", "imagehash", "simplejpeg"},
        ),
    ],
)
def test_the_datasets_name_what_shows_in_their_data_and_not_what_only_fetches_it(scripts, further):
    """In a process of its own: others have loaded more."""
    code = f"import registry.describe.libraries as of; print(*of.libraries_behind({scripts!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True, check=True
    )
    found = {*done.stdout.split()}
    assert further <= found
    assert not found & {"pooch", "requests", "pyyaml", "jsonschema", "filelock"}
    if len(scripts) == 3:
        assert found == FOUND | further
