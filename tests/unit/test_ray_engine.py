"""The engine on a real Ray cluster of two nodes, also when a worker or a whole node is killed in the middle."""

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from encoder import TEXTS, the_encoder, the_model

from registry.embedding.engines import encode
from registry.embedding.ray_engine import _blocks, _pool
from registry.errors import RegistryError
from support import free_ports, wait_until

ENGINE = {"name": "ray", "threads": 1, "batch_size": 4}
MANY = [f"{text} {number}" for number in range(40) for text in TEXTS]


def family(process):
    """Return a process and all that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    return []


def send(number, processes):
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


@contextlib.contextmanager
def node(*options):
    """A node of a cluster, killed with everything it started at the end of the block."""
    command = [Path(sys.executable).with_name("ray"), "start", "--block", "--num-cpus=1", "--node-ip-address=127.0.0.1"]
    with subprocess.Popen(
        [*command, "--object-store-memory=100000000", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            send(signal.SIGKILL, family(process))


@pytest.fixture(scope="module")
def environment():
    """What Ray is told by variables: no telemetry, a token of the tests' own, dead nodes found within seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", os.urandom(16).hex())
        patch.setenv("RAY_health_check_period_ms", "1000")
        patch.setenv("RAY_health_check_failure_threshold", "5")
        patch.delenv("RAY_ADDRESS", raising=False)
        yield


@pytest.fixture(scope="module")
def head(environment):
    """The address of a cluster, and the process of its first node."""
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    (port,) = free_ports(1)
    try:
        with node("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}") as process:
            yield f"127.0.0.1:{port}", process
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def second(head, monkeypatch):
    """The process of a cluster's second node, which has joined; RAY_ADDRESS names the cluster."""
    address, _ = head
    monkeypatch.setenv("RAY_ADDRESS", address)
    wait_until(lambda: accepts(address))
    mark = f"node-{time.monotonic_ns()}"
    with node(f"--address={address}", f"--resources={json.dumps({mark: 1})}") as process:
        elsewhere(wait_for_node, mark)
        yield process


def wait_for_node(mark):
    import ray

    with ray.init(log_to_driver=False, logging_level="error"):
        wait_until(lambda: mark in ray.cluster_resources())


def elsewhere(function, *arguments):
    """Call a function in a process of its own: Ray reads its variables once, and is one a process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def accepts(address):
    host, port = address.split(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


def actors(process):
    """Return the actors of a node that compute vectors."""
    found = []
    for one in family(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "MapWorker" in "".join(one.cmdline()):
                found.append(one)
    return found


def busy(process):
    """Return the actors of a node that have begun to compute."""
    found = []
    for one in actors(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            if one.cpu_times().user > 2:
                found.append(one)
    return found


def encode_while(action, first, second):
    """Encode MANY, and call `action` with the second node's actors when they compute; the first node waits for it."""
    done = []

    def act():
        try:
            done.append(action(wait_until(lambda: send(signal.SIGSTOP, actors(first)) or busy(second))))
        finally:
            send(signal.SIGCONT, actors(first))

    thread = threading.Thread(target=act)
    thread.start()
    vectors = elsewhere(encode, MANY, the_model(), ENGINE)
    assert done, "all was computed before the action was over"
    thread.join()
    return vectors


def raylets():
    """Return the process ids of all nodes that this process started."""
    return {child.pid for child in psutil.Process().children(recursive=True) if "raylet" in child.name()}


def right(vectors, texts=MANY):
    np.testing.assert_allclose(vectors, the_encoder().encode(texts), atol=1e-4)


def test_two_nodes_share_the_work_and_a_killed_worker_and_a_node_that_dies_are_made_up_for(head, second):
    def kill(found):
        send(signal.SIGKILL, found)
        wait_until(lambda: send(signal.SIGSTOP, actors(head[1])) or busy(second))
        return send(signal.SIGKILL, family(second))

    right(encode_while(kill, head[1], second))


def test_without_an_address_it_starts_its_own_and_ends_it(environment):
    texts, before = TEXTS[:3], raylets()
    right(elsewhere(encode, texts, the_model(), ENGINE), texts)
    assert raylets() <= before


def test_a_cluster_that_is_not_there(environment, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(RegistryError, match=r"^127\.0\.0\.1:1: the Ray cluster failed: .*\n.*RAY_ADDRESS"):
        encode(TEXTS, the_model(), ENGINE)


@pytest.mark.parametrize("address", ["nowhere", "http://127.0.0.1:8265"])
def test_an_address_that_is_none(environment, monkeypatch, address):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(RegistryError, match=r"the Ray cluster failed: .*\n.*RAY_ADDRESS"):
        encode(TEXTS, the_model(), ENGINE)


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RegistryError, match=r"Ray is not installed\n.*pip install \"ray\[data\]\", or choose local"):
        encode(TEXTS, the_model(), ENGINE)


def test_no_texts_need_no_cluster(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert encode([], the_model(), ENGINE).shape == (0, 384)


@pytest.mark.parametrize(
    ("nodes", "threads", "expected"),
    [
        ([{"CPU": 8}], 0, (1, None, 8)),
        ([{"CPU": 8}], 2, (4, None, 2)),
        ([{"CPU": 8}, {"CPU": 3}, {"CPU": 0}, {}], 0, (3, None, 3)),
        ([{"CPU": 4}], 16, (1, None, 4)),
        ([{"CPU": 4, "GPU": 2}, {"CPU": 4}], 0, (2, 1, 1)),
        ([{}], 0, (1, None, 1)),
    ],
)
def test_the_pool_follows_the_cluster(nodes, threads, expected):
    dead = {"Alive": False, "Resources": {"CPU": 64, "GPU": 8}}
    pool = _pool([dead, *({"Alive": True, "Resources": node} for node in nodes)], threads)
    assert (pool["size"], pool["num_gpus"], pool["num_cpus"]) == expected


def test_texts_of_like_length_go_together_and_know_their_places():
    texts = ["aa", "", "aaaa", "b", "a" * 9]
    blocks = _blocks(texts, 2)
    assert [block["index"].to_pylist() for block in blocks] == [[4, 2], [0, 3], [1]]
    assert all(
        texts[index] == text for block in blocks for index, text in zip(*block.to_pydict().values(), strict=True)
    )
