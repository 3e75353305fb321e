"""Which run made data: what may be said of it, when it is written and when it is read back from a tag."""

import pytest
import yaml

from registry.config.schema import SCHEMAS, breaches, read_schema
from registry.describe.run import FACTS, run_of, variable_of
from registry.errors import RegistryError

STEERING = [
    "\x1b[2J",
    "a\nb",
    "a\x7f",
    "\x85",
    "a\u202eb",
    "\u2066",
    "\u200b",
    "\u2028",
    "\ufeff",
    "\U000e0041",
]
"""What could steer a terminal, turn text around, or hide in it; no file that is read back holds half a character."""


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("value", ["https://me:hunter2@ci.example.org/1", "x?token=hunter2", "password=hunter2"])
def test_no_fact_may_hold_a_password(fact, value):
    with pytest.raises(RegistryError, match=f"{variable_of(fact)} in the environment: it holds a password") as raised:
        run_of({variable_of(fact): value})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("value", STEERING)
def test_what_is_not_written_is_not_read_back(value, tmp_path):
    with pytest.raises(RegistryError, match="printable characters"):
        run_of({"REGISTRY_RUN_ACTOR": value})
    schema = read_schema(SCHEMAS / "version.schema.yaml")["properties"]["provenance"]["properties"]["run"]
    (tmp_path / "run.schema.yaml").write_text(yaml.safe_dump(schema))
    assert breaches({"actor": value}, tmp_path / "run.schema.yaml")
    assert not breaches({"actor": "Ada Løvelace (אדה) \N{SNOWMAN}"}, tmp_path / "run.schema.yaml")
