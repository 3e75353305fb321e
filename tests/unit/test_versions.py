"""Which version a spelling means, and what is said of one that is not there."""

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from registry.storage.versions import choose, describe_choices

KNOWN = [Version.parse(text) for text in ("0.1.0", "0.1.7", "0.2.0", "1.0.0", "1.2.3", "1.2.10", "1.10.0", "2.0.0")]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("latest", "2.0.0"),
        ("1.2.3", "1.2.3"),
        ("^1", "1.10.0"),
        ("^1.2", "1.10.0"),
        ("^1.2.4", "1.10.0"),
        ("^1.10.1", None),
        ("^2", "2.0.0"),
        ("^3", None),
        ("^0", "0.2.0"),
        ("^0.1", "0.1.7"),
        ("^0.1.1", "0.1.7"),
        ("^0.0", None),
        ("~1", "1.10.0"),
        ("~1.2", "1.2.10"),
        ("~1.2.3", "1.2.10"),
        ("~1.2.11", None),
        ("~0.1", "0.1.7"),
        ("~=1.2", "1.10.0"),
        ("~=1.2.0", "1.2.10"),
        ("~=1", "1.10.0"),
        (">=1.1,<2", "1.10.0"),
        (">=1.1 <2", "1.10.0"),
        (" >= 1.1 , < 2 ", "1.10.0"),
        (">=1.1,<1.10", "1.2.10"),
        (">1.2,<2", "1.10.0"),
        (">1.2,<1.10", None),
        (">1.2.3,<1.10", "1.2.10"),
        ("<=1.2", "1.2.10"),
        ("<1.2", "1.0.0"),
        ("<=1", "1.10.0"),
        ("=1.2", "1.2.10"),
        ("==1.2.3", "1.2.3"),
        ("==1", "1.10.0"),
        ("!=2", "1.10.0"),
        ("^1,!=1.10.0", "1.2.10"),
        (">=1,>=2", "2.0.0"),
        ("<1,>2", None),
        (">=1,", None),
        (",>=1", None),
        (">=1,,<2", None),
        (">=1 || >=2", None),
        (">=1.2.3.4", None),
        (">=1.2.3-rc.1", None),
        ("=>1", None),
        ("~=", None),
        ("===1.0.0", None),
        ("latest,<2", None),
        (">=1,1.0.0", None),
        (">=1,<2" + ",<2" * 2000 + ";", None),
        ("", None),
        ("1", None),
        ("1.2", None),
        ("v1.0.0", None),
        ("^", None),
        ("^v1", None),
        ("^1.", None),
        ("^1.2.3.4", None),
        ("^1.2.3-rc.1", None),
        ("^-1", None),
        ("^١", None),
        ("^" + "9" * 5000, None),
        ("main", None),
    ],
)
def test_a_spelling_means_a_version(wanted, chosen):
    assert choose(KNOWN, wanted) == (chosen and Version.parse(chosen))


numbers = st.integers(0, 12)


@given(st.lists(st.builds(Version, numbers, numbers, numbers)), numbers, numbers, numbers)
def test_ranges_are_what_they_say(known, major, minor, patch):
    lowest = Version(major, minor, patch)
    caret = [one for one in known if lowest <= one < lowest.bump_major()]
    if major == 0:
        caret = [one for one in caret if one < (lowest.bump_minor() if minor else Version(0, 0, patch + 1))]
    assert choose(known, f"^{lowest}") == max(caret, default=None)
    assert choose(known, f"~{lowest}") == max(
        (one for one in known if lowest <= one < lowest.bump_minor()), default=None
    )


COMPARED = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@given(
    st.lists(st.builds(Version, numbers, numbers, numbers)),
    st.sampled_from([*COMPARED]),
    st.lists(numbers, min_size=1, max_size=3),
)
def test_as_many_numbers_are_compared_as_are_given(known, sign, numbers):
    fits = [one for one in known if COMPARED[sign](list(one.to_tuple())[: len(numbers)], numbers)]
    assert choose(known, f"{sign}{'.'.join(map(str, numbers))}") == max(fits, default=None)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("^3", "choose from: latest, 1.0.0, 1.1.0"),
        ("3.0.0", "choose from: latest, 1.0.0, 1.1.0"),
        ("main", "write a number such as 1.2.0, latest, or a range such as ^1, ~1.2 or >=1.1,<2; "
         "choose from: latest, 1.0.0, 1.1.0"),
    ],
)  # fmt: skip
def test_a_message_lists_what_there_is(wanted, said):
    assert describe_choices([Version(1, 1), Version(1)], wanted) == said


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("^1.40.1", "1.37.0", "1.44.0"),
        ("0.9.0", "1.0.0", "1.7.0"),
        ("^2", "1.92.0", "1.99.0"),
        ("main", "1.92.0", "1.99.0"),
    ],
)
def test_of_many_it_lists_the_nearest(wanted, first, last):
    said = describe_choices([Version(1, minor) for minor in range(100)], wanted)
    assert f"choose from: latest, {first}, " in said
    assert said.endswith(f", {last}; these are the nearest of 100")
