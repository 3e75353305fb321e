"""The embedding model that the tests of vectors share, and BERT in plain numpy to hold it against."""

import json
from dataclasses import replace
from functools import cache
from math import erf

import numpy as np
import yaml
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from registry.embedding.model import CONFIG, TOKENIZER, WEIGHTS, Encoder, Model, find_model
from support import ROOT

SPEC = yaml.safe_load((ROOT / "config/datasets/opencloudhub-readmes-embeddings.yaml").read_text())["params"]["model"]
TEXTS = [
    "a",
    "How is a model deployed to production?",
    "Grüße aus Köln: 日本語, 😀 and e\u0301.",
    "Snakemake builds every dataset from pinned sources, in parallel, and DVC stores each version of it. " * 3,
    "```bash\nsnakemake --cores all\n```",
    "| a | b |\n|---|---|\n| 1 | 2 |",
]


@cache
def the_model(precision: str = "float32") -> Model:
    """The model of the configuration."""
    return replace(find_model(SPEC), precision=precision)


@cache
def the_encoder(precision: str = "float32", max_tokens: int = SPEC["max_tokens"]) -> Encoder:
    """An encoder with two texts a batch."""
    return Encoder(replace(the_model(precision), max_tokens=max_tokens), threads=1, batch_size=2)


@cache
def _files() -> tuple[dict[str, np.ndarray], dict[str, object], Tokenizer]:
    folder = the_model().folder
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(SPEC["max_tokens"])
    weights = {name: value.astype(np.float64) for name, value in load_file(folder / WEIGHTS).items() if value.ndim}
    return weights, json.loads((folder / CONFIG).read_text()), tokenizer


def reference(text: str) -> np.ndarray:
    """Return the unit vector of a text: BERT as its paper has it, in float64, one text at a time."""
    weights, config, tokenizer = _files()
    tokens = tokenizer.encode(text).ids

    def linear(values, name):
        return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normalised(values, name):
        centred = values - values.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + config["layer_norm_eps"])
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def heads(values):
        return values.reshape(len(tokens), config["num_attention_heads"], -1).swapaxes(0, 1)

    words, places, kinds = (weights[f"embeddings.{name}_embeddings.weight"] for name in WORD_PLACE_KIND)
    hidden = normalised(words[tokens] + places[: len(tokens)] + kinds[0], "embeddings.LayerNorm")
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        query, key, value = (heads(linear(hidden, f"{layer}.attention.self.{part}")) for part in QUERY_KEY_VALUE)
        scores = np.exp(query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2]))
        context = (scores / scores.sum(axis=2, keepdims=True) @ value).swapaxes(0, 1).reshape(hidden.shape)
        attended = linear(context, f"{layer}.attention.output.dense")
        hidden = normalised(hidden + attended, f"{layer}.attention.output.LayerNorm")
        inner = linear(hidden, f"{layer}.intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(erf)(inner / np.sqrt(2)))
        hidden = normalised(hidden + linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    mean = hidden.mean(axis=0)
    return mean / np.linalg.norm(mean)


WORD_PLACE_KIND = ("word", "position", "token_type")
QUERY_KEY_VALUE = ("query", "key", "value")
