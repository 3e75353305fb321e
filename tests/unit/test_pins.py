"""Pins: who is pinned."""

import pytest

from registry.config.pins import pin_of, pins
from registry.errors import RegistryError
from registry.files import write_json

PIN = {"version": "1.0.0", "tag": "tabular-v1.0.0"}


def test_who_is_pinned(tmp_path):
    write_json(tmp_path / "data" / "tabular" / "pin.json", PIN | {"reason": "why"})
    (tmp_path / "data" / "emotion").mkdir()
    assert pin_of(tmp_path, "tabular") == PIN | {"reason": "why"}
    assert pin_of(tmp_path, "emotion") is None
    assert pin_of(tmp_path, "nothing") is None
    assert pins(tmp_path) == {"tabular": PIN | {"reason": "why"}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<<<<<<<",
        "[]",
        "{}",
        '{"version": "1.0.0"}',
        '{"version": "1.0.0", "tag": "emotion-v1.0.0"}',
        '{"version": 1, "tag": "tabular-v1"}',
        "\udcff",
    ],
)
def test_a_pin_that_nobody_can_read(tmp_path, text):
    path = tmp_path / "data" / "tabular" / "pin.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(RegistryError, match="data/tabular/pin.json: not a pin"):
        pins(tmp_path)
