"""The picture of a dataset's distributions."""

import subprocess
import sys
from datetime import date
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from registry.describe.charts import distributions, draw_distributions, measured
from registry.describe.profile import Profile
from support import ROOT

ABOUT = {"name": "some-data", "title": "Some data"}
METADATA = {
    "per-split": {
        "dataset": ABOUT,
        "splits": {
            "train": {"num_samples": 6, "class_distribution": {"cat": 1234, "dog": 2}},
            "val": {"num_samples": 3, "class_distribution": {"dog": 3}},
        },
    },
    "one-split": {"dataset": ABOUT, "splits": {"train": {"num_samples": 6, "class_distribution": {"cat": 1}}}},
    "in-the-summary": {
        "dataset": ABOUT,
        "splits": {"all": {"num_samples": 5}},
        "summary": {"num_samples": 5, "quality_distribution": {"3": 2, "8": 3}, "type_distribution": {"0": 5}},
    },
    "none": {"dataset": ABOUT, "splits": {"train": {"num_samples": 6}, "test": {"num_samples": 2}}},
    "empty": {"dataset": ABOUT, "splits": {"train": {"num_samples": 6, "class_distribution": {}}}},
    "zeros": {"dataset": ABOUT, "splits": {"train": {"num_samples": 6, "class_distribution": {"cat": 0, "dog": 0}}}},
}
ODD = [
    "<script>alert(1)</script>",
    "a & b",
    "$x^2$",
    "$",
    "100 %",
    '"quoted"',
    "ä 日本",
    "_hidden",
    "a\\b",
    "{brace}",
    "",
]
BROKEN = "nul \x00, escape \x1b, half a character \ud800"
"""No XML can hold them."""


def texts(path):
    """Every text in an SVG, unescaped; that it parses is part of the test."""
    return ["".join(node.itertext()) for node in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(
    ("name", "charts"),
    [
        ("per-split", {"class": {"train": {"cat": 1234, "dog": 2}, "val": {"dog": 3}}}),
        ("in-the-summary", {"quality": {"": {"3": 2, "8": 3}}, "type": {"": {"0": 5}}}),
        ("none", {"samples": {"": {"train": 6, "test": 2}}}),
    ],
)
def test_every_distribution_becomes_a_chart(name, charts):
    assert distributions(METADATA[name]) == charts


@pytest.mark.parametrize("name", METADATA)
def test_any_dataset_can_be_drawn_with_its_title_charts_and_labels(tmp_path, name):
    draw_distributions(METADATA[name], tmp_path / "figure.svg")
    shown = texts(tmp_path / "figure.svg")
    assert "Some data" in shown
    assert any(line.startswith("Rows: ") for line in shown)
    for title, series in distributions(METADATA[name]).items():
        assert title in shown
        assert {label for counts in series.values() for label in counts} <= set(shown)
        if len(series) > 1:
            assert set(series) <= set(shown)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.svg"]


def profiled(*values):
    """The profile of a column `a & b`, whose values these are."""
    profile = Profile(pa.schema([("a & b", pa.array(values).type)]))
    profile.add("train", pa.record_batch([pa.array(values)], names=["a & b"]), np.arange(len(values), dtype=np.uint64))
    return METADATA["none"] | {"profile": profile.figures()}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.5 + number for number in range(100)], "train: 0.5 to 99.5, half at most 49.5"),
        ([f"{'x' * number}{number}" for number in range(10, 99)], "train: 12 to 100, half at most 56"),
        (
            [date(2024, 2, number) for number in range(1, 28)],
            "train: 2024-02-01 to 2024-02-27, half at most 2024-02-14",
        ),
    ],
)
def test_what_is_measured_becomes_a_histogram(tmp_path, values, said):
    metadata = profiled(*values)
    draw_distributions(metadata, tmp_path / "figure.svg")
    (title,) = measured(metadata)
    assert {title, said} <= {*texts(tmp_path / "figure.svg")}


@pytest.mark.parametrize("values", [[1, 2] * 50, [1.5] * 9, ["yes", "no"] * 20, [None, 2.5]])
def test_what_is_constant_or_counted_has_none(values):
    assert measured(profiled(*values)) == {}


def test_a_label_that_is_too_long_is_cut(tmp_path):
    metadata = METADATA["none"] | {"summary": {"name_distribution": {"x" * 5000: 1}}}
    draw_distributions(metadata, tmp_path / "figure.svg")
    assert "x" * 59 + "…" in texts(tmp_path / "figure.svg")


def test_bars_carry_their_numbers(tmp_path):
    draw_distributions(METADATA["per-split"], tmp_path / "figure.svg")
    assert {"1,234", "2", "3"} <= set(texts(tmp_path / "figure.svg"))


def test_text_from_data_is_text_and_nothing_else(tmp_path):
    metadata = {
        "dataset": {"name": "odd", "title": "$a$ <b> & c"},
        "splits": {
            "train": {"num_samples": 1, "class_distribution": dict.fromkeys(ODD, 1)},
            "<val> $1$": {"num_samples": 1, "class_distribution": {"a & b": 1}},
        },
    }
    draw_distributions(metadata, tmp_path / "figure.svg")
    assert {"$a$ <b> & c", "<val> $1$", *filter(None, ODD)} <= set(texts(tmp_path / "figure.svg"))
    metadata["dataset"]["title"] = BROKEN
    draw_distributions(metadata, tmp_path / "figure.svg")
    assert "nul \N{REPLACEMENT CHARACTER}, escape" in texts(tmp_path / "figure.svg")[0]
    assert "<script" not in (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_equal_metadata_makes_equal_bytes_in_any_process_at_any_time(tmp_path):
    code = (
        "import sys; from pathlib import Path; from registry.describe.charts import draw_distributions;"
        f"draw_distributions({METADATA['per-split']!r}, Path(sys.argv[1]))"
    )
    for name in ("one.svg", "two.svg"):
        draw_distributions(METADATA["per-split"], tmp_path / name)
    subprocess.run([sys.executable, "-c", code, tmp_path / "three.svg"], cwd=ROOT / "scripts", check=True)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_a_bar_is_as_long_as_its_number(tmp_path):
    draw_distributions(METADATA["per-split"], tmp_path / "figure.svg")
    bars = ElementTree.parse(tmp_path / "figure.svg").iter("{http://www.w3.org/2000/svg}rect")
    lengths = [float(bar.get("width")) for bar in bars if bar.get("x") and bar.get("width") != "14.0"]
    assert lengths == pytest.approx([420, 0, 420 * 2 / 1234, 420 * 3 / 1234], abs=0.1)


def test_it_loads_no_library():
    code = "import sys, registry.describe.charts; print(*{'matplotlib', 'numpy', 'PIL'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", check=True, capture_output=True, text=True
    )
    assert done.stdout == "\n"
