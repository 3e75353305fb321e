"""Checking values against the JSON schemas of the repository."""

import pytest

from registry.config.schema import validate
from registry.errors import RegistryError

CONFIG = {
    "datasets": "all",
    "source": "samples",
    "mirror": None,
    "publish": False,
    "vector_store": "embedded",
    "vector_versions": 3,
    "release": {"remote": None, "branch": None, "push": False, "identity": None},
}


def test_a_valid_value_passes():
    assert validate(CONFIG, "config", where="here") is None


def test_all_errors_come_in_one_message_sorted_by_key_with_what_to_do():
    with pytest.raises(RegistryError) as raised:
        validate({**CONFIG, "source": 1, "mirror": 2, "x": 3}, "config", where="here")
    assert str(raised.value).splitlines() == [
        "here: not valid:",
        "  (top level): Additional properties are not allowed ('x' was unexpected)",
        "  mirror: 2 is not of type 'string', 'null'",
        "  source: 1 is not one of ['samples', 'mirror', 'upstream']",
        "  what to do: fix these keys; config/README.md describes them all",
    ]


@pytest.mark.parametrize("value", [None, [], "text", 7, {1: 2, "a": 3}])
def test_any_yaml_value_can_be_refused(value):
    with pytest.raises(RegistryError, match="not valid"):
        validate(value, "dataset", where="here")


def test_a_place_deep_in_lists_is_spelled_with_dots():
    files = [
        {"file": "a", "urls": [], "accept": [], "max_bytes": 1},
        {"file": "a", "urls": [7], "accept": [], "max_bytes": 1},
    ]
    with pytest.raises(RegistryError, match=r"  sources\.files\.1\.urls\.0: 7 is not of type 'string'"):
        validate({"sources": {"files": files}}, "dataset", where="here")


def test_an_error_without_place_or_hint_is_one_line():
    assert str(RegistryError("broken")) == "broken"
    assert str(RegistryError("broken", where="a.csv")) == "a.csv: broken"
