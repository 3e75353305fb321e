"""Drift: figures from two profiles alone, held against the textbook's formulas, and what a contract says to them."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.compare.drift import GROUPS, NONE, _groups, chance, drift, jensen_shannon, psi
from registry.describe import profile as profile_module
from registry.describe.histogram import histogram
from registry.describe.metadata import profile_of
from registry.describe.profile import Profile
from registry.gate import GateError
from registry.release.drifted import check_drift, recorded_warnings
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady

SHARES = st.integers(1, 8).flatmap(
    lambda cells: st.tuples(*[st.lists(st.integers(0, 50), min_size=cells, max_size=cells).filter(any)] * 2)
)


def profile_of_columns(split="train", **columns):
    batch = pa.record_batch(columns)
    profile = Profile(batch.schema)
    profile.add(split, batch, np.arange(batch.num_rows, dtype=np.uint64))
    return profile.figures()


def moved(old, new):
    """Return the drift of a column by measure."""
    return {one.measure: one for one in drift(profile_of_columns(x=old), profile_of_columns(x=new))}


@given(SHARES)
def test_figures_are_those_of_the_textbook(counts):
    old, new = ([count / sum(those) for count in those] for those in counts)
    smoothed = [[share or NONE for share in shares] for shares in (old, new)]
    assert psi(old, new) == pytest.approx(sum((q - p) * math.log(q / p) for p, q in zip(*smoothed, strict=True)))
    middle = [(p + q) / 2 for p, q in zip(old, new, strict=True)]
    parts = [sum(p * math.log2(p / m) for p, m in zip(those, middle, strict=True) if p) for those in (old, new)]
    assert jensen_shannon(old, new) == pytest.approx(sum(parts) / 2, abs=1e-12)
    assert psi(new, old) == pytest.approx(psi(old, new)) and jensen_shannon(new, old) == pytest.approx(
        jensen_shannon(old, new)
    )
    assert 0 <= jensen_shannon(old, new) <= 1 + 1e-12


@pytest.mark.parametrize(("cells", "quantile"), [(2, 3.841), (3, 5.991), (10, 16.919), (50, 66.339)])
def test_chance_has_the_quantile_of_chi_squared(cells, quantile):
    assert chance(cells, [100, 50]) == pytest.approx(quantile * (1 / 100 + 1 / 50), rel=0.03)
    assert chance(1, [100, 50]) == 0


@given(*[st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)] * 2)
def test_groups_hold_all_values_and_are_few(old, new):
    groups = _groups(*(histogram(np.sort(np.array(values) + 0.0)) for values in (old, new)))
    assert [sum(side) for side in zip(*groups, strict=True)] == [len(old), len(new)]
    assert len(groups) <= GROUPS
    shares = [(p / len(old) + q / len(new)) / 2 for p, q in groups]
    assert len(groups) == 1 or min(shares) >= 1 / GROUPS - 1e-9


def test_groups_are_no_wider_than_they_have_to_be():
    ten, fine, wide = (histogram(np.arange(number)) for number in (10, 64, 128))
    assert (ten["power"], fine["power"], wide["power"]) == (0, 0, 1)
    assert _groups(ten, ten) == [(1, 1)] * 10
    # The grid is that of the wider bins, and the first groups have most of the 64 values.
    assert _groups(fine, wide) == [(10, 10)] * 6 + [(4, 18), (0, 50)]


def test_the_same_rows_have_not_drifted():
    for column in ([1.5, 2.5, None], ["a", "b", "a"], [1, 2, 2, 2]):
        assert [(one.psi, one.jensen_shannon, one.new, one.lost) for one in moved(column, column).values()] != []
        assert {(one.psi, one.jensen_shannon, one.new, one.lost) for one in moved(column, column).values()} == {
            (0.0, 0.0, (), ())
        }


def test_what_moved_altogether_shows_wherever_it_went():
    for old, new in (
        ([5.0] * 20, [1e9] * 20),
        ([0.25] * 20, [0.5] * 20),
        ([*range(900)], [*range(10**6, 10**6 + 900)]),
    ):
        found = moved(old, new)
        one = found.get("classes") or found["value"]
        assert one.psi > 5 and one.jensen_shannon > 0.9


def test_a_shift_shows_and_chance_does_not():
    random = np.random.default_rng(1)
    old, same, shifted = (random.normal(mean, 1, 5000) for mean in (0, 0, 0.5))
    assert moved(old, same)["value"].psi < moved(old, same)["value"].chance < 0.01
    # Of two normal distributions, half a deviation apart, it is 0.25: the square of their distance.
    assert moved(old, shifted)["value"].psi == pytest.approx(0.25, abs=0.05)


def test_values_that_come_and_go_are_named(monkeypatch):
    one = moved(["a", "b"] * 10, ["b", "c"] * 10)["classes"]
    assert (one.new, one.lost) == (("c",), ("a",))
    many = [f"{number:02}" for number in range(60)] * 3
    assert moved(many, [*many[:-10], *["new"] * 10])["classes"].new == ("new",)
    monkeypatch.setattr(profile_module, "NAMES", 50)
    some = moved(many, [*many[:-10], *["new"] * 10])["classes"]
    # Not all of these are named, so that nobody knows which are new.
    assert (some.new, some.lost) == ((), ())


def test_missing_values_are_a_drift_and_times_are_none():
    found = moved([1.5] * 50 + [None] * 50, [1.5] * 100)
    assert found["missing"].psi > 1
    times = [pa.array([*range(start, start + 100)], pa.timestamp("s")) for start in (0, 10**6)]
    assert moved(*times).keys() == {"missing"}


def test_versions_without_profiles_have_no_drift_and_odd_ones_are_refused():
    assert drift({}, profile_of_columns(x=[1])) == drift(profile_of_columns(x=[1]), {}) == []
    assert profile_of({}, where="d-v1.0.0") == {}
    for odd in ([], {"x": 1}, {"x": {"rows": {"all": {"count": -1, "missing": 0}}}}):
        with pytest.raises(GateError, match=r"d-v1\.0\.0: its profile is not what a release writes"):
            profile_of({"profile": odd}, where="d-v1.0.0")


def snapshot(name, quality, warnings=(), split="train", **columns):
    provenance = {"config": {"contract": {"quality": quality}}, "contract": {"passed": True, "warnings": [*warnings]}}
    features = {column: {"dtype": str(pa.array(values).type)} for column, values in columns.items()}
    metadata = {
        "profile": profile_of_columns(split, **columns),
        "schema": {"features": features},
        "splits": {split: {"num_samples": len(next(iter(columns.values())))}},
    }
    return Snapshot("d", name, metadata, provenance | {"data": {"path": "none", "bytes": 0}}, {}).in_tree(
        Path("nowhere")
    )


LABELS = {"x": ["a", "b"] * 100}, {"x": ["a"] * 150 + ["c"] * 50}


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"psi": {"warn": 0.1}}, "drift from d-v1.0.0: psi 6.31 of x (classes) in train is above 0.1"),
        (
            {"jensen_shannon": {"warn": 0.1}},
            "drift from d-v1.0.0: jensen_shannon 0.393 of x (classes) in train is above 0.1",
        ),
        ({"new_values": "warn"}, "drift from d-v1.0.0: new values of x (classes) in train: 'c'"),
        ({"lost_values": "warn"}, "drift from d-v1.0.0: lost values of x (classes) in train: 'b'"),
    ],
)
def test_each_limit_warns_or_refuses(limits, said):
    old, new = (snapshot(f"d-v{number}.0.0", {"drift": limits}, **those) for number, those in enumerate(LABELS, 1))
    assert check_drift(old, new) == [said]
    failing = {key: "fail" if limit == "warn" else {"warn": 0, "fail": 0.1} for key, limit in limits.items()}
    new = replace(new, provenance={**new.provenance, "config": {"contract": {"quality": {"drift": failing}}}})
    with pytest.raises(NotReady) as refused:
        check_drift(old, new)
    assert refused.value.reason == f"it drifted from d-v1.0.0: {said.removeprefix('drift from d-v1.0.0: ')}"
    assert "contract.quality.drift" in refused.value.hint


def test_columns_to_ignore_chance_and_no_limits_are_no_drift():
    limits = {"psi": {"fail": 0.1}, "new_values": "fail"}
    old, new = (snapshot("d", {"drift": limits, "ignore": ["x"]}, **those) for those in LABELS)
    assert check_drift(old, new) == []
    assert check_drift(old, replace(new, provenance={"config": {}})) == []
    few = [
        snapshot("d", {"drift": {"psi": {"fail": 0.1}}}, x=values) for values in (["a", "b"] * 4, ["a", "b", "b"] * 2)
    ]
    assert moved(["a", "b"] * 4, ["a", "b", "b"] * 2)["classes"].psi > 0.1
    assert check_drift(*few) == []


MANY = [f"class {number % 40}" for number in range(1200)]
ALL_DIFFERENT = [f"class {number}" for number in range(1200)]
TOO_MANY = "x (classes) in train has too many different values to tell"


@pytest.mark.parametrize(
    ("old", "new", "keys", "why"),
    [
        ({"x": MANY}, {"x": ALL_DIFFERENT}, "psi new_values", TOO_MANY),
        ({"x": [0.5]}, {"x": pa.array([None], pa.float64())}, "psi", "x (value) in train has nothing to measure"),
        ({"x": [0.5, 1.5]}, {"x": ["a", "b"]}, "jensen_shannon", "x (value) in train is string, and was double"),
        ({"x": [0.5]}, {"x": [0.5], "split": "other"}, "lost_values", "split train is gone"),
        ({"x": [0, 1] * 99}, {"x": [*range(99)] * 2}, "lost_values", TOO_MANY),
    ],
)  # fmt: skip
def test_what_cannot_be_told_counts_as_beyond_the_limits(old, new, keys, why):
    limits = {
        "psi": {"warn": 9, "fail": 99},
        "jensen_shannon": {"fail": 1},
        "new_values": "fail",
        "lost_values": "fail",
    }
    asked = {key: limits[key] for key in keys.split()}
    old, new = snapshot("d-v1.0.0", {}, **old), snapshot("d", {"drift": asked}, **new)
    with pytest.raises(NotReady, match=re.escape(f"it may have drifted from d-v1.0.0: {why}")):
        check_drift(old, new)
    warned = {key: "warn" if limit == "fail" else {"warn": 99} for key, limit in asked.items()}
    new.provenance["config"] = {"contract": {"quality": {"drift": warned}}}
    assert check_drift(old, new) == [f"drift from d-v1.0.0: {why}"]
    new.provenance["config"] = {"contract": {"quality": {"drift": warned, "ignore": ["x"]}}}
    assert check_drift(old, new) == ([f"drift from d-v1.0.0: {why}"] if "gone" in why else [])


def test_values_that_are_not_all_named_are_warned_of(monkeypatch):
    many = [f"class {number % 60}" for number in range(600)]
    limits = {"new_values": "fail", "lost_values": "fail"}
    new = snapshot("d", {"drift": limits}, x=many)
    monkeypatch.setattr(profile_module, "NAMES", 59)
    old = snapshot("d-v1.0.0", {}, x=many)
    why = "x (classes) in train may have {} values that are not told: not all are named"
    assert check_drift(old, new) == [f"drift from d-v1.0.0: {why.format('new')}"]
    both = snapshot("d", {"drift": limits}, x=many)
    assert check_drift(old, both) == [f"drift from d-v1.0.0: {why.format(which)}" for which in ("new", "lost")]
    both.provenance["config"] = {"contract": {"quality": {"drift": limits, "ignore": ["x"]}}}
    assert check_drift(old, both) == []


def test_what_other_figures_tell_is_told_by_these():
    # Too many different integers for classes are compared as numbers; that of a column that is gone is in its version.
    old, new = snapshot("d", {}, x=[0, 1] * 99, y=[1] * 198), snapshot("d", {}, x=[*range(99)] * 2)
    new.provenance["config"] = {"contract": {"quality": {"drift": {"psi": {"warn": 0.1}}}}}
    [warning] = check_drift(old, new)
    assert warning.endswith("of x (value) in train is above 0.1")


def test_columns_without_a_profile_are_not_looked_at(monkeypatch):
    monkeypatch.setattr(profile_module, "COLUMNS", 1)
    old, new = (snapshot("d-v1.0.0", {"drift": {"new_values": "fail"}}, x=[1], y=[2], z=[3]) for _ in range(2))
    assert check_drift(old, new) == ["drift from d-v1.0.0: the last 2 columns have no profile, and are not looked at"]


def test_a_release_from_before_profiles_is_said_to_have_none():
    old, new = (snapshot("d-v1.0.0", {"drift": {"psi": {"fail": 0.1}}}, **those) for those in LABELS)
    assert check_drift(replace(old, metadata={}), new) == ["drift cannot be told: d-v1.0.0 is from before profiles"]


def test_what_a_build_was_warned_of_steers_no_terminal():
    built = snapshot("d", {}, ["train: x: \x1b[2Jhidden\nline"], x=[1])
    assert recorded_warnings(built) != [] and "\x1b" not in recorded_warnings(built)[0]
    assert "\n" not in recorded_warnings(built)[0]


@pytest.mark.parametrize("values", [pa.array([], pa.string()), pa.array([], pa.float64()), pa.array([], pa.bool_())])
def test_columns_without_rows_have_not_drifted(values):
    empty = profile_of_columns(x=values)
    assert drift(empty, empty) == []
    assert drift(empty, profile_of_columns(x=pa.array([None, None], values.type))) == []
