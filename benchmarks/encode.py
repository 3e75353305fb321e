"""Encode texts in one way, as a process of its own: python benchmarks/encode.py HOW TEXTS.json VECTORS.npy.

HOW is float32 or int8 (the project's engine, by its own configuration) or sentence-transformers (which must be
installed). Prints the seconds that encoding took, without loading, after a first batch that does not count.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "config" / "datasets" / "opencloudhub-readmes-embeddings.yaml"


def ours(precision: str) -> Callable[[list[str]], np.ndarray]:
    """Return the project's engine."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from registry.config.load import read_yaml
    from registry.embedding.model import Encoder, find_model

    params = read_yaml(CONFIG)["params"]
    engine = params["engine"]
    model = find_model(params["model"] | {"precision": precision})
    return Encoder(model, threads=engine["threads"], batch_size=engine["batch_size"]).encode


def theirs(folder: str) -> Callable[[list[str]], np.ndarray]:
    """Return sentence-transformers with the weights in `folder`."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")
    return lambda texts: model.encode(texts, batch_size=8)


if __name__ == "__main__":
    how, texts_path, vectors_path, *folder = sys.argv[1:]
    encode = theirs(*folder) if how == "sentence-transformers" else ours(how)
    texts = json.loads(Path(texts_path).read_text(encoding="utf-8"))
    encode(texts[:8])
    started = time.monotonic()
    vectors = encode(texts)
    Path(vectors_path).with_suffix(".seconds").write_text(str(time.monotonic() - started))
    np.save(vectors_path, vectors)
