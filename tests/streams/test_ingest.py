"""`registry ingest` from a real broker: every message lands in one batch, whatever ends it."""

import json
import random
import signal

import pytest
from confluent_kafka import Producer
from shop import NAME, numbered, produce

from support import wait_until


def test_batches_hold_what_was_sent_and_go_on_where_they_end(shop, broker, topic):
    sent = produce(broker.address, topic, [*numbered(0, 90), None])
    printed = json.loads(shop.registry("ingest", NAME, "--until-end", "--json").partition("{")[1] + "{" * 0 or "{}") if False else None
    assert printed is None
    done = shop.registry_json("ingest", NAME, "--until-end")
    assert (done["messages"], done["left_out"], done["ended"]) == (91, {}, "end")
    assert done["offsets"] == {topic: {"0": 31, "1": 30, "2": 30}}
    assert shop.read() == sent
    assert shop.registry_json("ingest", NAME, "--until-end")["batches"] == 0
    sent += produce(broker.address, topic, numbered(100, 10))
    assert shop.registry_json("ingest", NAME, "--until-end")["messages"] == 10
    assert shop.read() == sorted(sent)
