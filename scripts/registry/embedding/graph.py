"""Write BERT as an ONNX graph from its public weights, so that no deep-learning framework is needed to run it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
IR_VERSION = 10
FUSED = "com.microsoft"
"""Operators that ONNX Runtime brings: several of BERT's in one pass over memory."""


class _Graph:
    """Collects nodes and weights; every method returns the name of what it computes."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def op(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> str:
        name = f"{operator}_{len(self.nodes)}"
        names = [name] + [""] * (outputs - 1)
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=name, domain=domain, **attributes))
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def linear(self, inputs: str, name: str) -> str:
        product = self.op("MatMul", inputs, self.constant(f"{name}.weight.T", self.weights[f"{name}.weight"].T))
        return self.op("Add", product, self.weight(f"{name}.bias"))

    def normalised(self, inputs: str, skip: str, name: str, epsilon: float) -> str:
        scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("SkipLayerNormalization", inputs, skip, scale, shift, domain=FUSED, epsilon=epsilon)


def _layer(graph: _Graph, hidden: str, mask: str, prefix: str, config: Mapping[str, Any]) -> str:
    epsilon = config["layer_norm_eps"]
    query, key, value = (graph.linear(hidden, f"{prefix}.attention.self.{part}") for part in ("query", "key", "value"))
    attended = graph.op(
        "MultiHeadAttention", query, key, value, "", mask, domain=FUSED, num_heads=config["num_attention_heads"]
    )
    projected = graph.linear(attended, f"{prefix}.attention.output.dense")
    hidden = graph.normalised(projected, hidden, f"{prefix}.attention.output.LayerNorm", epsilon)
    inner = graph.op("Gelu", graph.linear(hidden, f"{prefix}.intermediate.dense"))
    return graph.normalised(
        graph.linear(inner, f"{prefix}.output.dense"), hidden, f"{prefix}.output.LayerNorm", epsilon
    )


def sentence_encoder(weights: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> onnx.ModelProto:
    """Return a model from token ids to one unit vector a text: BERT, the mean over its tokens, L2 norm.

    `weights` are those of Hugging Face's BertModel by name (float32), `config` is its config.json. Inputs `input_ids`
    and `attention_mask`: int32 [texts, tokens]; output `embedding`: float32 [texts, hidden_size].

    Sources: Devlin et al. 2019 (https://arxiv.org/abs/1810.04805) for BERT, Reimers and Gurevych 2019
    (https://arxiv.org/abs/1908.10084) for the mean over tokens.
    """
    graph = _Graph(weights)
    ids, mask = "input_ids", "attention_mask"
    words = graph.op("Gather", graph.weight("embeddings.word_embeddings.weight"), ids)
    first, one, length_axis = (
        graph.constant(name, np.array(value, np.int64))
        for name, value in (("zero", [0]), ("one", [1]), ("axis_of_tokens", [1]))
    )
    length = graph.op("Slice", graph.op("Shape", ids), one, graph.constant("two", np.array([2], np.int64)))
    positions = graph.op("Slice", graph.weight("embeddings.position_embeddings.weight"), first, length, first)
    kind = graph.constant("token_type", weights["embeddings.token_type_embeddings.weight"][0])
    places = graph.op("Unsqueeze", graph.op("Add", positions, kind), first)
    summed = graph.op("Add", words, places)
    hidden = graph.op(
        "LayerNormalization",
        summed,
        graph.weight("embeddings.LayerNorm.weight"),
        graph.weight("embeddings.LayerNorm.bias"),
        epsilon=config["layer_norm_eps"],
    )
    for number in range(config["num_hidden_layers"]):
        hidden = _layer(graph, hidden, mask, f"encoder.layer.{number}", config)
    last = graph.constant("last_axis", np.array([2], np.int64))
    present = graph.op("Unsqueeze", graph.op("Cast", mask, to=TensorProto.FLOAT), last)
    total = graph.op("ReduceSum", graph.op("Mul", hidden, present), length_axis, keepdims=0)
    mean = graph.op("Div", total, graph.op("ReduceSum", present, length_axis, keepdims=0))
    graph.nodes.append(helper.make_node("LpNormalization", [mean], ["embedding"], axis=1, p=2))
    shape = ["texts", "tokens"]
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sentence_encoder",
            [helper.make_tensor_value_info(name, TensorProto.INT32, shape) for name in (ids, mask)],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["texts", config["hidden_size"]])],
            list(graph.initializers.values()),
        ),
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)],
    )
