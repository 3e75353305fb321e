"""The straightforward way with Fashion-MNIST, to compare with: whole arrays, nested Python lists.

python benchmarks/nested_lists.py RAW OUT
"""

import gzip
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

raw, out = map(Path, sys.argv[1:])
for split, part in (("train", "train"), ("val", "t10k")):
    images = np.frombuffer(gzip.decompress((raw / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
    labels = np.frombuffer(gzip.decompress((raw / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:], np.uint8)
    table = pa.table({"image": images.reshape(-1, 28, 28).tolist(), "label": labels.tolist()})
    pq.write_table(table, out / f"{split}.parquet")
metadata = {}
for split in ("train", "val"):
    table = pq.read_table(out / f"{split}.parquet")
    pixels = np.array(table["image"].to_pylist(), dtype=np.float64) / 255
    metadata[split] = {
        "mean": pixels.mean(),
        "std": pixels.std(),
        "median": np.median(pixels),
        "ids": [hashlib.sha256(image.tobytes()).hexdigest() for image in pixels],
    }
(out / "metadata.json").write_text(json.dumps(metadata))
