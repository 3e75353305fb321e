"""Taking a part of a source: the same one everywhere, about as large as asked for, and stable as it grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.sources.subsample import Subsample

fractions = st.floats(1e-6, 1)
seeds = st.integers(0, 2**31)


def rows(part, start, count):
    return [start + place for place, taken in enumerate(part.takes_rows(start, count)) if taken]


def test_what_is_taken_never_changes():
    assert rows(Subsample(fraction=0.1, seed=1), 0, 100) == [4, 9, 24, 28, 39, 45, 46, 55, 56, 75, 83, 88, 98]
    assert [name for name in "abcdefghij" if Subsample(fraction=0.3, seed=1).takes(name)] == ["a", "c", "g"]


def test_nothing_said_is_all():
    for part in Subsample.of({}), Subsample.of({"sources": {"files": []}}), Subsample(fraction=1.0):
        assert rows(part, 5, 3) == [5, 6, 7]
        assert part.takes("a")
        assert not part.ends_before(10**12)


def test_the_first_rows():
    part = Subsample.of({"sources": {"sample": {"rows": 10}}})
    assert rows(part, 0, 100) == [*range(10)]
    assert rows(part, 8, 4) == [8, 9]
    assert [part.ends_before(row) for row in (0, 9, 10, 11)] == [False, False, True, True]
    assert part.takes("a")


def test_the_first_files_of_each_source():
    part = Subsample(rows=2)
    assert [list(map(part.takes_each(), names)) for names in ("abc", "d")] == [[True, True, False], [True]]
    assert [*map(Subsample(fraction=0.3, seed=1).takes_each(), "abcdefg")] == [name in "acg" for name in "abcdefg"]


@given(fraction=fractions, seed=seeds, start=st.integers(0, 2**40), cut=st.integers(0, 300))
def test_it_does_not_depend_on_batches(fraction, seed, start, cut):
    part = Subsample(fraction=fraction, seed=seed)
    assert rows(part, start, cut) + rows(part, start + cut, 300 - cut) == rows(part, start, 300)


@given(one=fractions, other=fractions, seed=seeds)
def test_a_larger_fraction_takes_what_a_smaller_one_does(one, other, seed):
    smaller, larger = (Subsample(fraction=fraction, seed=seed) for fraction in sorted((one, other)))
    assert {*rows(smaller, 0, 500)} <= {*rows(larger, 0, 500)}
    assert all(larger.takes(str(number)) for number in range(50) if smaller.takes(str(number)))


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_about_as_many_are_taken_as_asked_for(fraction, seed):
    part, number = Subsample(fraction=fraction, seed=seed), 100_000
    deviation = (number * fraction * (1 - fraction)) ** 0.5
    assert abs(part.takes_rows(0, number).sum() - number * fraction) < 5 * deviation
    assert abs(sum(part.takes(f"{row}.jpg") for row in range(10_000)) - 10_000 * fraction) < 5 * deviation


def test_another_seed_takes_others():
    first, second = ({*rows(Subsample(fraction=0.5, seed=seed), 0, 10_000)} for seed in (1, 2))
    assert 0.2 < len(first & second) / 10_000 < 0.3
