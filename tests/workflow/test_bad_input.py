"""Bad sources, under hashes that say they are right: one message each, no traceback, nothing half-written.

One run meets a bad source of every dataset that has one. All that can be wrong with a source has its test in
tests/unit (test_idx, test_tables, test_images, and the tests of each dataset).
"""

import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq


def bad_pictures(data):
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    rows[3]["image"]["bytes"] = rows[3]["image"]["bytes"][:2000]
    rows[5]["image"]["bytes"] = b""
    rows[7]["caption"] = "  "
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(io.BytesIO(data))), buffer)
    return buffer.getvalue()


BAD = {
    "fashion-mnist/train-images-idx3-ubyte.gz": (
        lambda data: data[:5000],
        ["train-images-idx3-ubyte.gz: truncated"],
    ),
    "wine-quality/winequality-red.csv": (
        lambda data: data.replace(b"7.4;", b"NaN;", 1),
        ["the contract is broken", "fixed acidity: finite"],
    ),
    "emotion/split/train-00000-of-00001.parquet": (
        lambda data: data[: len(data) // 2],
        ["not a sound Parquet file"],
    ),
    "radiology-mini/data/train-00000-of-00001.parquet": (
        bad_pictures,
        ["empty_captions: 1\n", "empty_files: 1\n", "corrupt: 1\n"],
    ),
    "opencloudhub-readmes-rag-evaluation/questions.csv": (
        lambda data: data.replace(b'"[""', b'"[', 1),
        ["key_concepts is not a JSON list"],
    ),
    "opencloudhub-readmes/HEAD/docs/README.md": (
        lambda data: data + b"\xff",
        ["not_utf8: docs"],
    ),
}
"""What is done to a source of each dataset, and what is said of it."""


def test_each_is_one_clear_message(bare):
    for file, (change, _) in BAD.items():
        path = bare.folder / "data" / "samples" / file
        good, bad = path.read_bytes(), change(path.read_bytes())
        assert bad != good
        path.write_bytes(bad)
        bare.edit("data/samples/SHA256SUMS", hashlib.sha256(good).hexdigest(), hashlib.sha256(bad).hexdigest())
    datasets = [file.partition("/")[0] for file in BAD]
    rules = [name.replace("-", "_") for name in datasets]
    printed = bare.snakemake("--cores", "2", "--keep-going", "--", *rules, fails=True)
    for words in (words for _, several in BAD.values() for words in several):
        assert printed.count(words) == 1, words
    assert printed.count("error: ") == len(BAD)
    assert "Traceback" not in printed
    assert [name for name in datasets if bare.complete(name)] == []
    assert list((bare.folder / "data").rglob("*.partial")) == []
