"""`registry ingest` from a real broker: every message lands in one batch, whatever ends it."""

import json
import random
import signal

import pytest
from confluent_kafka import Producer

from s3 import S3Server
from shop import NAME, numbered, produce
from support import stress, wait_until
from tansu import Tansu


def test_batches_hold_what_was_sent_and_go_on_where_they_end(shop, broker, topic):
    sent = produce(broker.address, topic, [*numbered(0, 90), None])
    done = shop.registry_json("ingest", NAME, "--until-end")
    assert (done["messages"], done["left_out"], done["ended"]) == (91, {}, "end")
    assert done["offsets"] == {topic: {"0": 31, "1": 30, "2": 30}}
    assert shop.read() == sent
    assert shop.registry_json("ingest", NAME, "--until-end")["batches"] == 0
    sent += produce(broker.address, topic, numbered(100, 10))
    assert shop.registry_json("ingest", NAME, "--until-end")["messages"] == 10
    assert shop.read() == sorted(sent)


def test_a_topic_of_a_hundred_partitions(empty, broker, topic):
    broker.create(wide := f"{topic}-wide", 100)
    sent = produce(broker.address, wide, numbered(0, 250), partitions=100)
    empty.listen(broker.address, topics=[wide, topic])
    done = empty.registry_json("ingest", NAME, "--until-end")
    assert (done["messages"], done["batches"], len(done["offsets"][wide])) == (250, 100, 100)
    assert empty.read() == sent


def test_messages_and_time_bound_it(shop, broker, topic):
    sent = produce(broker.address, topic, numbered(0, 60))
    for ended in ("messages", "messages", "time"):
        done = shop.registry_json("ingest", NAME, "--max-messages", "25", "--for", "3s")
        assert done["ended"] == ended
    assert shop.read() == sent
    assert "such as 10m" in shop.ingest("--for", "soon", code=2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_it_write_what_it_has_read(shop, broker, topic, number):
    """The last 7 messages make no batch yet, so that only the signal has them written."""
    sent = produce(broker.address, topic, numbered(0, 67))
    running = shop.start()
    wait_until(lambda: shop.written() >= 20)
    refused = shop.ingest(code=1)
    assert "another registry ingest is at work here" in refused
    running.send_signal(number)
    printed, _ = running.communicate(timeout=60)
    assert (running.returncode, "(stopped)" in printed) == (0, True), printed
    shop.ingest()
    assert shop.read() == sent


def test_the_ends_of_transactions_leave_no_gap(shop, broker, topic):
    producer = Producer({"bootstrap.servers": broker.address, "transactional.id": topic})
    producer.init_transactions(30)
    for number, end in enumerate((producer.commit_transaction, producer.abort_transaction) * 3):
        producer.begin_transaction()
        for value in numbered(number * 10, 10):
            producer.produce(topic, value, partition=0)
        producer.flush(30)
        end(30)
        shop.ingest()
    numbers = [json.loads(value)["number"] for *_, value in shop.read()]
    assert [number for number in numbers if number // 10 % 2 == 0] == [*range(10), *range(20, 30), *range(40, 50)]
    assert sorted({*numbers}) == numbers


KILLS = (
    "before:registry.streams.kept.pq.write_table:1",
    "before:registry.sources.batches.pq.write_table:2",
    "before:registry.streams.kept.write_batch:2",
    "after:registry.streams.kept.write_batch:2",
    "after:registry.streams.kept.Kept.add:3",
    "before:registry.streams.kept.write_json:1",
    "after:registry.streams.kept.write_json:1",
)


@pytest.mark.parametrize("place", KILLS)
def test_killed_at_a_step_it_loses_and_doubles_nothing(shop, broker, topic, place):
    shop.listen(broker.address, topics=[topic], batch={"messages": 20}, poison="quarantine")
    sent = produce(broker.address, topic, [*numbered(0, 60), b"no JSON", b"{}", b"neither"])
    shop.interfered(place, command=f"ingest {NAME} --until-end")
    shop.ingest()
    poison = [(offset, value) for _, _, offset, value in sent if value in (b"no JSON", b"neither")]
    assert shop.read() == [row for row in sent if (row[2], row[3]) not in poison]
    assert sorted((row["offset"], row["value"]) for row in shop.aside()) == sorted(poison)
    assert shop.left_out() == {"undecodable": 2}
    assert not [*shop.data.rglob("*.partial")]


@pytest.mark.parametrize("seed", [0, *stress(range(1, 50))])
def test_killed_anywhere_it_loses_and_doubles_nothing(shop, broker, topic, seed):
    """Messages come all the time; each command is killed at any call of a function, until one comes to its end."""
    rng, sent = random.Random(seed), produce(broker.address, topic, numbered(0, 200))
    calls = shop.calls("ingest", NAME, "--max-messages", "40")
    for number in range(6):
        shop.killed(rng.randrange(calls // 2, calls), "ingest", NAME, "--max-messages", "40")
        sent += produce(broker.address, topic, numbered(1000 + number * 10, 10))
    shop.ingest()
    assert shop.read() == sorted(sent)


def test_a_batch_that_was_removed_from_the_middle_is_missed(shop, broker, topic):
    produce(broker.address, topic, numbered(0, 90), partitions=1)
    shop.ingest("--max-messages", "30")
    shop.ingest("--max-messages", "30")
    shop.ingest()
    first, second, *_ = sorted(shop.data.glob("raw/*/0/*.parquet"))
    second.unlink()
    printed = shop.ingest(code=1)
    assert (
        f"offsets {int(second.name[:20])} to {int(second.name[21:41])} of partition 0 of {topic} are missing" in printed
    )
    assert first.is_file()


def test_wrong_names(shop, broker, topic):
    shop.listen(broker.address, topics=[topic[:-1]])
    printed = shop.ingest(code=1)
    assert f"the broker has no topic {topic[:-1]}" in printed and f"did you mean {topic}?" in printed
    assert "there is no dataset nunbers" in shop.registry("ingest", "nunbers", code=1)
    assert "this dataset has no stream" in shop.registry("ingest", "letters", code=1)
    shop.listen(broker.address, topics=["../up"])
    assert "stream.topics.0" in shop.ingest(code=1)
    shop.listen(broker.address, topics=[topic], schema="config/none.json")
    assert "config/none.json: cannot be read" in shop.ingest(code=1)


def test_no_broker(empty, broker):
    empty.listen("127.0.0.1:1", topics=["any"])
    printed = empty.ingest(code=1)
    assert "127.0.0.1:1: no broker answers" in printed and "check KAFKA_BOOTSTRAP_SERVERS" in printed
    assert printed.count("\n") == 2
    empty.variables.pop("KAFKA_BOOTSTRAP_SERVERS")
    assert "KAFKA_BOOTSTRAP_SERVERS: no broker is named" in empty.ingest(code=1)


def test_no_secret_is_told(empty):
    empty.listen("127.0.0.1:1", topics=["any"])
    secret = "the-secret-of-the-reader"
    empty.variables |= {
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": "reader",
        "KAFKA_SASL_PASSWORD": secret,
    }
    assert secret not in empty.ingest(code=1)
    empty.variables["KAFKA_SASL_MECHANISM"] = secret
    printed = empty.ingest(code=1)
    assert "these settings cannot be used" in printed and secret not in printed


def test_a_restarted_broker_is_read_on(empty, tmp_path):
    """It keeps its messages in an S3 server, so that a broker which was killed finds them again."""
    server = S3Server(tmp_path / "s3")
    variables = server.environment(server.admin) | {"AWS_ENDPOINT": server.url, "AWS_ALLOW_HTTP": "true"}
    with server, Tansu(tmp_path, "s3://registry/", variables) as broker:
        broker.create("kept")
        sent = produce(broker.address, "kept", numbered(0, 60))
        empty.listen(broker.address, topics=["kept"], batch={"messages": 20, "seconds": 1})
        running = empty.start()
        wait_until(lambda: empty.written() == 60)
        broker.kill()
        broker.start()
        sent += produce(broker.address, "kept", numbered(100, 30))
        wait_until(lambda: empty.written() == 90)
        running.terminate()
        assert running.wait(60) == 0
        assert empty.read() == sorted(sent)
