"""Messages that cannot be taken: what becomes of them is up to the dataset, never a secret."""

import json

import pytest

from shop import produce

SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "maximum": 100}}}
GOOD = b'{"n": 1}'
POISON = {
    b"\xff\xfe": ("undecodable", "no JSON: 'utf-8' codec"),
    b'{"n": 1': ("undecodable", "no JSON: Expecting"),
    b'{"n": NaN}': ("undecodable", "no JSON: NaN is no number"),
    b'{"n": 1, "x": 1e999}': ("undecodable", "no JSON: 1e999 is too large"),
    b'{"n": 1, "x": "\\ud800"}': ("undecodable", "no JSON: 'utf-8' codec"),
    b"[" * 2000: ("undecodable", "no JSON: "),
    b"[1]": ("undecodable", "no JSON object"),
    b'{"n": 101}': ("invalid", "n: 101 is greater than the maximum of 100"),
    b"{}": ("invalid", 'the object: "n" is a required property'),
    b'{"n": 1, "x": "' + b"x" * 4000 + b'"}': ("too_large", "4,0"),
}


@pytest.fixture
def mixed(shop, broker, topic):
    """A topic with good messages, tombstones and every poison, all in partition 0."""
    shop.write("config/numbers.json", json.dumps(SCHEMA))
    values = [GOOD, None, *(value for poison in POISON for value in (poison, GOOD))]
    return produce(broker.address, topic, values, partitions=1)


def listen(shop, broker, topic, **stream):
    settings = {"schema": "config/numbers.json", "max_bytes": 4000, "batch": {"messages": 5}}
    shop.listen(broker.address, topics=[topic], **(settings | stream))


def test_they_end_it_unless_the_dataset_says_otherwise(shop, broker, topic, mixed):
    listen(shop, broker, topic)
    for _ in range(2):
        printed = shop.ingest(code=1)
        assert f"message 2 of partition 0 of {topic} cannot be taken: no JSON: 'utf-8' codec" in printed
        assert "set stream.poison to quarantine" in printed
        assert shop.read() == mixed[:2]
    assert (shop.left_out(), shop.aside()) == ({}, [])


@pytest.mark.parametrize("policy", ["drop", "quarantine"])
def test_they_are_left_out_and_counted(shop, broker, topic, mixed, policy):
    listen(shop, broker, topic, poison=policy)
    printed = shop.ingest()
    assert "12 messages" in printed and "2 invalid, 1 too_large, 7 undecodable" in printed
    assert shop.read() == [row for row in mixed if row[3] not in POISON]
    assert shop.left_out() == {"undecodable": 7, "invalid": 2, "too_large": 1}
    aside = shop.aside()
    assert [row["value"] for row in aside] == ([*POISON] if policy == "quarantine" else [])
    for row in aside:
        reason = POISON[row["value"]][1]
        assert row["reason"].startswith(reason), row


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ("{", "not a JSON schema: "),
        ('{"type": "objet"}', "not a JSON schema: "),
        ('{"$ref": "http://127.0.0.1:1/other.json"}', "not a JSON schema: "),
        ('{"pattern": "("}', "not a JSON schema: "),
    ],
)
def test_a_schema_that_is_none(shop, broker, topic, schema, wrong):
    shop.write("config/numbers.json", schema)
    listen(shop, broker, topic)
    printed = shop.ingest(code=1)
    assert f"config/numbers.json: {wrong}" in printed and printed.count("\n") == 2
