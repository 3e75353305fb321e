"""Bad sources, under hashes that say they are right: one message, no traceback, nothing half-written."""

import gzip
import hashlib
import io
import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

IDX = "fashion-mnist/train-images-idx3-ubyte.gz"
RED = "wine-quality/winequality-red.csv"
TEXTS = "emotion/split/train-00000-of-00001.parquet"
PICTURES = "radiology-mini/data/train-00000-of-00001.parquet"
QUESTIONS = "opencloudhub-readmes-rag-evaluation/questions.csv"
README = "opencloudhub-readmes/HEAD/docs/README.md"


def unpacked(change):
    return lambda data: gzip.compress(change(gzip.decompress(data)), mtime=0)


def table(change):
    def changed(data):
        buffer = io.BytesIO()
        change(pl.read_parquet(io.BytesIO(data))).write_parquet(buffer)
        return buffer.getvalue()

    return changed


def broken_picture(data):
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    rows[3]["image"]["bytes"] = rows[3]["image"]["bytes"][:2000]
    rows[5]["image"]["bytes"] = b""
    rows[7]["caption"] = "  "
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(io.BytesIO(data))), buffer)
    return buffer.getvalue()


CASES = {
    "idx-truncated": (IDX, lambda data: data[:5000], "train-images-idx3-ubyte.gz: truncated"),
    "idx-magic": (IDX, unpacked(lambda data: b"\0\0\x08\x01" + data[4:]), "expected the IDX magic number 0x00000803"),
    "idx-trailing": (IDX, unpacked(lambda data: data + b"\0"), "data goes on after the 2,000 items"),
    "idx-bomb": (IDX, unpacked(lambda data: data[:4] + b"\xff" * 4 + data[8:]), "more than max_images"),
    "idx-count": (IDX, unpacked(lambda data: data[:4] + (1999).to_bytes(4, "big") + data[8:-784]), "2,000 labels"),
    "idx-no-gzip": (IDX, lambda data: b"not gzip", "not a sound gzip file"),
    "csv-separator": (RED, lambda data: data.replace(b";", b","), "is ';' the separator?"),
    "csv-nan": (RED, lambda data: data.replace(b"7.4;", b"NaN;", 1), "fixed acidity: finite"),
    "csv-missing-value": (RED, lambda data: data.replace(b"7.4;", b";", 1), "fixed acidity: not_nullable"),
    "csv-missing-column": (RED, lambda data: data.replace(b'"pH";', b"", 1), "missing: pH"),
    "csv-duplicate-header": (RED, lambda data: data.replace(b'"pH"', b'"density"', 1), "duplicate: density"),
    "csv-latin1": (RED, lambda data: data + "é\n".encode("latin-1"), "not UTF-8"),
    "csv-quote": (RED, lambda data: b'"' + b"x" * 200_000, "winequality-red.csv: its header cannot be read"),
    "parquet-corrupt": (TEXTS, lambda data: data[: len(data) // 2], "not a Parquet file"),
    "parquet-column": (TEXTS, table(lambda texts: texts.rename({"label": "class"})), "columns text, label"),
    "text-null": (TEXTS, table(lambda texts: texts.with_columns(text=pl.lit(None, pl.String))), "nulls: 1,800"),
    "label-range": (TEXTS, table(lambda texts: texts.with_columns(pl.col("label") + 1)), "labels_out_of_range: 300"),
    "split-empty": (TEXTS, table(lambda texts: texts.clear()), "no text is left for train"),
    "pictures": (PICTURES, broken_picture, "corrupt: 1\n"),
    "pictures-no-parquet": (PICTURES, lambda data: b"<html>", "not a Parquet file"),
    "questions-json": (QUESTIONS, lambda data: data.replace(b'"[""', b'"[', 1), "key_concepts is not a JSON list"),
    "readme-not-utf8": (README, lambda data: data + b"\xff", "not_utf8: docs"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_is_one_clear_message(bare, case):
    file, change, message = CASES[case]
    path = bare.folder / "data" / "samples" / file
    good = path.read_bytes()
    path.write_bytes(change(good))
    assert path.read_bytes() != good
    bare.edit(
        "data/samples/SHA256SUMS", hashlib.sha256(good).hexdigest(), hashlib.sha256(path.read_bytes()).hexdigest()
    )
    dataset = file.partition("/")[0]
    printed = bare.snakemake("--cores", "2", dataset.replace("-", "_"), fails=True)
    assert message in printed
    assert printed.count("error: ") == 1
    assert "Traceback" not in printed
    assert not bare.complete(dataset)
    assert list((bare.folder / "data").rglob("*.partial")) == []


def test_every_problem_of_the_pictures_is_named_at_once(bare):
    path = bare.folder / "data" / "samples" / PICTURES
    good = path.read_bytes()
    path.write_bytes(broken_picture(good))
    bare.edit(
        "data/samples/SHA256SUMS", hashlib.sha256(good).hexdigest(), hashlib.sha256(path.read_bytes()).hexdigest()
    )
    printed = bare.snakemake("--cores", "2", "radiology_mini", fails=True)
    for problem in ("empty_captions: 1\n", "empty_files: 1\n", "corrupt: 1\n"):
        assert problem in printed

    path = bare.folder / "config" / "datasets" / "radiology-mini.yaml"
    dataset = yaml.safe_load(path.read_text(encoding="utf-8"))
    dataset["params"]["problems"] = dict.fromkeys(dataset["params"]["problems"], "drop")
    dataset["contract"]["rows"] = {}
    path.write_text(yaml.safe_dump(dataset, sort_keys=False), encoding="utf-8")
    bare.snakemake("--cores", "2", "radiology_mini")
    metadata = json.loads((bare.folder / "data" / "radiology-mini" / "metadata.json").read_text())
    assert metadata["summary"]["dropped_rows"] == {"empty_captions": 1, "empty_files": 1, "oversized": 0, "corrupt": 1}
    assert sum(split["num_samples"] for split in metadata["splits"].values()) == 29
