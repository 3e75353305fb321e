"""Pins: who is pinned."""

import json

import pytest

from registry.config.pins import pin_of, pinned
from registry.errors import RegistryError
from registry.files import write_json

PIN = {"version": "1.0.0", "tag": "tabular-v1.0.0"}


def test_who_is_pinned(tmp_path):
    write_json(tmp_path / "data" / "tabular" / "pin.json", PIN | {"reason": "why"})
    (tmp_path / "data" / "emotion").mkdir()
    assert pin_of(tmp_path, "tabular") == PIN | {"reason": "why"}
    assert pin_of(tmp_path, "emotion") is None
    assert pin_of(tmp_path, "nothing") is None
    assert pinned(tmp_path) == ["tabular"]


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
        *(
            json.dumps({"version": version, "tag": f"tabular-v{version}"})
            for version in (
                "1.0.0\0",
                "1.0.0\n",
                "1.0.0~1",
                "1.0.0^{tree}",
                "1.0.0:data",
                "1.0.0@{0}",
                "1.0.0\x1b[31m",
                "1.0.0[/b]",
                "1.0",
                "01.0.0",
                "1.0.0-rc.1",
                "٣.0.0",
                "1" * 10 + ".0.0",
                "1" * 300_000,
                "../../../heads/main",
            )
        ),
    ],
)
def test_a_pin_that_nobody_can_read(tmp_path, text):
    path = tmp_path / "data" / "tabular" / "pin.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(RegistryError, match="data/tabular/pin.json: not a pin"):
        pin_of(tmp_path, "tabular")
