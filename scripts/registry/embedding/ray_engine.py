"""Compute vectors on a Ray cluster: batches of texts go to a pool of actors, each of which holds the model.

What an actor needs is sent to it: the model, and this package. A machine of the cluster needs ray[data], onnxruntime
(onnxruntime-gpu where it has a GPU) and tokenizers.
"""

import logging
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

import registry
from registry.embedding.model import Encoder, Loaded, Model, load
from registry.embedding.table import vector_column, vectors_of
from registry.errors import RegistryError

BATCHES = 4
"""An actor is given so many batches at once: enough to hide the way there, few enough to share the work evenly."""
LOOPBACK = "127.0.0.1"
LOCAL = "local"
PLACE = re.compile(r"(?:ray://)?\[?(?P<host>[^/]+?)\]?:(?P<port>\d{1,5})")
PATIENCE = 10
"""Seconds that a cluster may take to answer."""


class _Worker:
    """Lives on the cluster, and turns tables of texts into tables of vectors."""

    def __init__(self, loaded: Any, threads: int, batch_size: int) -> None:
        import ray

        model: Loaded = ray.get(loaded)
        self._encoder = Encoder(model, threads=threads, batch_size=batch_size)

    def __call__(self, batch: pa.Table) -> pa.Table:
        vectors = self._encoder.encode(batch["text"].to_pylist())
        return pa.table({"index": batch["index"], "embedding": vector_column(vectors)})


def _ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise RegistryError(
            "the engine is ray, but Ray is not installed",
            where="params.engine.name, or --config engine=ray",
            hint='run python -m pip install "ray[data]", or choose local',
        ) from None
    return ray


def _connect(ray: ModuleType, address: str, threads: int) -> None:
    if place := PLACE.fullmatch(address):
        # Ray itself would try for minutes.
        socket.create_connection((place["host"], int(place["port"])), timeout=PATIENCE).close()
    here = {"include_dashboard": False, "num_cpus": threads or os.cpu_count(), "_node_ip_address": LOOPBACK}
    ray.init(
        address,
        runtime_env={"py_modules": [str(Path(registry.__file__).parent)]},
        log_to_driver=False,
        logging_level="warning",
        **(here if address == LOCAL else {}),
    )


def _failed(address: str, error: Exception) -> RegistryError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return RegistryError(
        f"the Ray cluster failed: {lines[-1].strip()}",
        where=address,
        hint="see whether it runs (ray status), whether RAY_ADDRESS and its token are right, and whether its machines "
        "have ray[data], onnxruntime and tokenizers",
    )


@contextmanager
def _cluster(threads: int) -> Iterator[ModuleType]:
    """Connect to the cluster that RAY_ADDRESS names, or start one here for as long as the block runs."""
    ray = _ray()
    address = os.environ.get("RAY_ADDRESS") or LOCAL
    try:
        try:
            _connect(ray, address, threads)
        except (OSError, RuntimeError, ValueError) as error:
            raise _failed(address, error) from error
        yield ray
    except ray.exceptions.RayError as error:
        raise _failed(address, error) from error
    finally:
        ray.shutdown()


def _pool(nodes: Sequence[Mapping[str, Any]], threads: int) -> dict[str, Any]:
    """Return how many actors a cluster of these nodes holds, and what each is given.

    One for each GPU where there are any; else one for `threads` processors (0: as many as the smallest node has).
    """
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    if gpus := int(sum(node.get("GPU", 0) for node in resources)):
        return {"size": gpus, "num_gpus": 1, "num_cpus": threads or 1}
    cpus = [int(node["CPU"]) for node in resources if node.get("CPU", 0) >= 1]
    each = min(threads or min(cpus, default=1), max(cpus, default=1))
    return {"size": max(1, sum(count // each for count in cpus)), "num_gpus": None, "num_cpus": each}


def _blocks(texts: Sequence[str], rows: int) -> list[pa.Table]:
    """Return texts of like length side by side, the longest first, in tables of `rows` that know their places."""
    order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
    parts = [order[start : start + rows] for start in range(0, len(order), rows)]
    return [pa.table({"index": part, "text": [texts[index] for index in part]}) for part in parts]


def encode_on_ray(texts: Sequence[str], model: Model, engine: Mapping[str, Any]) -> np.ndarray:
    """Return the unit vectors of texts, float32 [texts, dimension], in their order.

    Work that is lost with an actor or a machine is done again on another. RegistryError if Ray is not installed, or if
    the cluster cannot be reached or fails.
    """
    loaded = load(model)
    if not texts:
        return Encoder(loaded, threads=1, batch_size=1).encode([])
    found: dict[int, np.ndarray] = {}
    with _cluster(engine["threads"]) as ray:
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        ray.data.DataContext.get_current().enable_progress_bars = False
        weights = ray.put(loaded)
        pool = _pool(ray.nodes(), engine["threads"])
        blocks = _blocks(texts, BATCHES * engine["batch_size"])
        size = min(pool["size"], len(blocks))
        computed = ray.data.from_arrow(blocks).map_batches(
            _Worker,
            fn_constructor_args=(weights, pool["num_cpus"], engine["batch_size"]),
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=size, initial_size=size),
            num_cpus=pool["num_cpus"],
            num_gpus=pool["num_gpus"],
        )
        for table in computed.iter_batches(batch_size=None, batch_format="pyarrow"):
            found |= dict(zip(table["index"].to_pylist(), vectors_of(table), strict=True))
    return np.stack([found[index] for index in range(len(texts))])
