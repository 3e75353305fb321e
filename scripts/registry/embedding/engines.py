"""The engines that compute vectors: the same texts, order and, within tolerance, vectors from each."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from registry.embedding.model import Encoder, Model


def encode(texts: Sequence[str], model: Model, engine: Mapping[str, Any]) -> np.ndarray:
    """Return the unit vectors of texts, float32 [texts, dimension].

    `engine` has `name` (local: in this process; ray: on a Ray cluster), `threads` and `batch_size`.
    """
    if engine["name"] == "ray":
        from registry.embedding.ray_engine import encode_on_ray

        return encode_on_ray(texts, model, engine)
    return Encoder(model, threads=engine["threads"], batch_size=engine["batch_size"]).encode(texts)
