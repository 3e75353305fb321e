"""Which version a spelling means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from registry.storage.versions import choose

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
