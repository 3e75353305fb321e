"""Vectors of the last build are taken where they are sure to be right, and computed where not."""

import hashlib
import logging
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from encoder import SPEC, TEXTS, the_encoder

from kinds.embeddings import embed as embedding
from kinds.embeddings.shard import compute
from registry.config.embeddings import TABLE as FILE
from registry.embedding.chunks import chunk_schema
from registry.embedding.reuse import SPOT_CHECKS
from registry.embedding.table import embedded_texts, keep_vectors, vectors_of
from registry.errors import RegistryError
from registry.files import seal
from registry.formats.shards import Shard

OPTIONS = {"model": SPEC, "engine": {"name": "local", "threads": 1, "batch_size": 4}}
SCHEMA = chunk_schema(pa.schema([("path", pa.string())]), {"source_file": "path"})
COUNTS = re.compile(r"note: (\d+) texts embedded, (\d+) taken from the last build")


def chunks(texts, files=None):
    columns = {name: [None] * len(texts) for name in SCHEMA.names}
    columns |= {"id": [f"id-{number}" for number in range(len(texts))], "content": texts}
    columns["content_sha256"] = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    return pa.table(columns | ({"source_file": files} if files else {}), schema=SCHEMA)


@pytest.fixture
def run(tmp_path, monkeypatch, caplog, capsys):
    """Return a function that embeds texts in the same folder each time.

    It returns their vectors, what the note counts (embedded, taken), and all texts that a model has seen.
    """
    seen = []

    def encode(texts, model, engine):
        seen.extend(texts)
        return the_encoder(model.precision, model.max_tokens).encode(texts)

    monkeypatch.setattr(embedding, "encode", encode)
    caplog.set_level(logging.INFO)

    def run(texts, context=(), files=None, **model):
        seen.clear()
        pq.write_table(chunks(texts, files), tmp_path / "chunks.parquet")
        keep_vectors(tmp_path / "processed", tmp_path / "last.parquet", context)
        options = OPTIONS | {"model": SPEC | model, "context": [*context]}
        embedding.embed(tmp_path / "chunks.parquet", tmp_path / "last.parquet", tmp_path / "processed", options)
        (counted,) = COUNTS.findall(capsys.readouterr().out)
        return read(tmp_path), tuple(map(int, counted)), list(seen)

    return run


def read(folder):
    return vectors_of(pq.read_table(folder / "processed" / FILE))


def poison(folder, vectors):
    """Write other vectors for the same texts, as a build would."""
    path = folder / "processed" / FILE
    table = pq.read_table(path)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float32).ravel()), vectors.shape[1])
    pq.write_table(table.set_column(2, table.schema.field("embedding"), column), path)


def right(vectors, texts=TEXTS):
    return np.allclose(vectors, the_encoder().encode(texts), atol=1e-4)


def test_the_first_build_computes_all_in_order(run, tmp_path):
    vectors, counted, _ = run(TEXTS)
    assert counted == (len(TEXTS), 0)
    assert right(vectors)
    table = pq.read_table(tmp_path / "processed" / FILE)
    assert table.schema.names == [*SCHEMA.names[:2], "embedding", *SCHEMA.names[2:]]
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), 384)
    assert table.drop_columns("embedding").equals(chunks(TEXTS))
    assert [path.name for path in (tmp_path / "processed").iterdir()] == [FILE]


@pytest.mark.parametrize("of", [2, 7])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_bytes_do_not_depend_on_the_number_of_shards(tmp_path, monkeypatch, of, precision):
    encoder = the_encoder(precision)
    monkeypatch.setattr(embedding, "encode", lambda texts, *_: encoder.encode(texts))
    monkeypatch.setattr("kinds.embeddings.shard.Encoder", lambda *_, **__: encoder)
    options = OPTIONS | {"model": SPEC | {"precision": precision}}
    files = (tmp_path / "chunks.parquet", tmp_path / "last.parquet")
    parts = [tmp_path / f"{number}.parquet" for number in range(of)]
    for texts in (TEXTS, [*reversed(TEXTS), TEXTS[0], "new", "newer, and a little longer"], TEXTS[:3]):
        pq.write_table(chunks(texts), files[0])
        keep_vectors(tmp_path / "processed", files[1])
        embedding.embed(*files, tmp_path / "whole", options)
        for number, part in enumerate(parts):
            compute(*files, part, options, Shard(number, of))
        embedding.embed(*files, tmp_path / "processed", options, parts)
        assert (tmp_path / "processed" / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()


def test_the_same_texts_again_are_taken_and_the_file_is_the_same(run, tmp_path):
    run(TEXTS)
    before = (tmp_path / "processed" / FILE).read_bytes()
    assert run(TEXTS)[1] == (0, len(TEXTS))
    assert (tmp_path / "processed" / FILE).read_bytes() == before


def test_of_other_texts_the_new_ones_alone_are_computed(run):
    many = [f"text number {number}" for number in range(40)]
    run(many)
    changed = ["new at the front", *many[:20], "new in between", *many[25:]]
    vectors, counted, seen = run(changed)
    assert counted == (2, 35)
    assert len(seen) < 2 + 2 * SPOT_CHECKS
    assert right(vectors, changed)


def test_a_text_that_occurs_twice_is_computed_once(run):
    vectors, counted, seen = run(["same", "other", "same"])
    assert counted == (2, 0)
    assert sorted(seen) == ["other", "same"]
    assert right(vectors, ["same", "other", "same"])


@pytest.mark.parametrize("model", [{"precision": "int8"}, {"max_tokens": 16}, {"name": "renamed"}])
def test_the_vectors_of_another_model_are_not_taken(run, model):
    run(TEXTS)
    assert run(TEXTS, **model)[1] == (len(TEXTS), 0)


def test_what_stands_before_a_text_is_embedded_with_it(run):
    vectors, _, seen = run(["a", "b"], context=["source_file", "section_h2"], files=["x.md", None])
    assert sorted(seen) == ["b", "x.md\n\na"]
    assert right(vectors, ["x.md\n\na", "b"])


def test_a_text_in_another_context_is_computed_anew(run):
    run(["same", "same"], context=["source_file"], files=["x.md", "y.md"])
    assert run(["same", "same"], context=["source_file"], files=["y.md", "z.md"])[1] == (1, 1)
    assert run(["same", "same"], files=["y.md", "z.md"])[1] == (1, 0)


def test_the_parts_of_a_context_that_are_there_are_joined():
    table = pa.table({"content": ["t", "t", "t"], "a": ["x", None, None], "b": [1, 2, None]})
    assert embedded_texts(table, ["a", "b"]) == ["x > 1\n\nt", "2\n\nt", "t"]
    assert embedded_texts(table, []) == ["t"] * 3


def test_vectors_that_were_changed_by_hand_are_not_taken(run, tmp_path):
    vectors, _, _ = run(TEXTS)
    poison(tmp_path, vectors[::-1])
    again, counted, _ = run(TEXTS)
    assert counted == (len(TEXTS), 0)
    assert right(again)


@pytest.mark.parametrize("wrong", [lambda vectors: vectors[::-1], np.zeros_like, lambda vectors: vectors * np.nan])
def test_vectors_that_are_wrong_under_a_right_seal_are_noticed(run, tmp_path, caplog, wrong):
    vectors, _, _ = run(TEXTS)
    poison(tmp_path, wrong(vectors))
    seal(tmp_path / "processed")
    again, counted, _ = run([*TEXTS, "new"])
    assert counted == (len(TEXTS) + 1, 0)
    assert right(again, [*TEXTS, "new"])
    assert "the vectors of the last build differ" in caplog.text


def test_vectors_with_a_right_seal_are_taken_as_they_are_but_for_rounding(run, tmp_path):
    vectors, _, _ = run(TEXTS)
    turned = vectors.copy()
    turned[:, 0] += 1e-4
    poison(tmp_path, turned)
    seal(tmp_path / "processed")
    again, counted, _ = run(TEXTS)
    assert counted == (0, len(TEXTS))
    np.testing.assert_array_equal(again, turned)


@pytest.mark.parametrize("spoil", ["no file", "no seal"])
def test_without_file_or_seal_all_are_computed(run, tmp_path, spoil):
    run(TEXTS)
    if spoil == "no file":
        shutil.rmtree(tmp_path / "processed")
    else:
        (tmp_path / ".processed.md5").unlink()
    assert run(TEXTS)[1] == (len(TEXTS), 0)


def test_after_a_failure_the_last_build_is_still_there(run, tmp_path, monkeypatch):
    run(TEXTS)
    before = (tmp_path / "processed" / FILE).read_bytes()

    def fail(*_):
        raise RegistryError("no more")

    monkeypatch.setattr(embedding, "encode", fail)
    with pytest.raises(RegistryError, match="no more"):
        run([*TEXTS, "new"])
    assert (tmp_path / "processed" / FILE).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {
        ".processed.md5",
        "chunks.parquet",
        "last.parquet",
        "processed",
    }
