"""A dataset that a user adds from a topic in Avro, as docs/streams.md says, and what late changes of its schema do."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import yaml

from clone import Clone, under_git
from schema_server import SchemaServer
from shop import produce
from support import ROOT
from written import Producers

PAGE = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`(config/[\w./]+)`[^\n]*\n(?:[^\n]+\n)*\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = re.search(r"^```\n(cp .*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
CONFIG, SCHEMA = "config/datasets/orders.yaml", "config/schemas/orders.avsc"


class Orders:
    """A registry whose only dataset is the one of the page, from a topic of a broker and a schema registry."""

    def __init__(self, clone: Clone, address: str, topic: str, url: str) -> None:
        self.clone, self._address, self._topic = clone, address, topic
        self._variables = {"KAFKA_BOOTSTRAP_SERVERS": address, "KAFKA_SCHEMA_REGISTRY_URL": url}
        self._producers, self._sent = Producers(url, topic), 0
        self.schema = json.loads(FILES[SCHEMA])

    def send(self, count: int, **fields: object) -> None:
        """Send orders of the schema as it is, and ingest them later."""
        values = []
        for number in range(self._sent, self._sent + count):
            at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number)
            order = {"id": f"o-{number}", "at": at, "kind": "sale", "price": 1.5} | fields
            values.append(self._producers.avro(self.schema, **order))
        self._sent += count
        produce(self._address, self._topic, values)

    def ingest(self, code: int = 0) -> str:
        return self.clone.registry("ingest", "orders", "--until-end", code=code, **self._variables)

    def configure(self, change: Callable[[dict], None]) -> None:
        """Change what the dataset's file says, let the schema's file be the producer's, and commit both."""
        path = self.clone.folder / CONFIG
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(config)
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        (self.clone.folder / SCHEMA).write_text(json.dumps(self.schema), encoding="utf-8")
        self.clone.commit("Change orders")

    def build(self) -> str:
        """Build without a broker or a schema registry."""
        return self.clone.registry("run", "orders")

    def rows(self) -> pl.DataFrame:
        return pl.read_parquet(self.clone.folder / "data/orders/processed/*.parquet").sort("at")


@pytest.fixture
def orders(bare, broker, topic):
    for path in bare.folder.glob("config/datasets/*.yaml"):
        path.unlink()
    for name, text in FILES.items():
        (bare.folder / name).write_text(text, encoding="utf-8")
    subprocess.run(COMMANDS, shell=True, cwd=bare.folder, check=True)
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    with SchemaServer() as schemas:
        made = Orders(under_git(bare), broker.address, topic, schemas.url)
        made.configure(lambda config: config["stream"].update(topics=[topic]))
        yield made


def pieces(dtype: str) -> Callable[[dict], None]:
    return lambda config: config["contract"]["columns"].update(pieces={"dtype": dtype, "nullable": True})


def test_a_new_field_is_minor_and_a_changed_type_is_refused_until_the_files_say_so(orders):
    assert {*FILES} == {CONFIG, SCHEMA}
    orders.send(30)
    orders.ingest()
    assert "released as orders-v1.0.0" in orders.build()
    assert orders.rows()["id"].to_list() == [f"o-{number}" for number in range(30)]

    orders.schema["fields"].append({"name": "pieces", "type": ["null", "long"], "default": None})
    orders.send(5, pieces=2)
    orders.ingest()
    orders.configure(pieces("int64"))
    assert "released as orders-v1.1.0" in orders.build()
    assert orders.rows()["pieces"].to_list() == [None] * 30 + [2] * 5

    orders.schema["fields"][-1]["type"] = ["null", "double"]
    orders.send(1, pieces=0.5)
    told = f"messages have other fields than {SCHEMA} says: pieces was long or null, and is double or null"
    assert told in orders.ingest(code=1)
    assert "Nothing to be done" in orders.build()

    orders.configure(pieces("float64"))
    orders.ingest()
    assert "released as orders-v2.0.0" in orders.build()
    assert orders.rows()["pieces"].to_list() == [None] * 30 + [2.0] * 5 + [0.5]
