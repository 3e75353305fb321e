"""Datasets of the kind embeddings: which tables they are made of, and what no schema finds wrong."""

from collections.abc import Iterator, Mapping
from typing import Any

from registry.config.columns import is_text
from registry.config.names import closest

KIND = "embeddings"
TABLE = "embeddings.parquet"
"""What the table of such a dataset is called."""
OF_DOCUMENTS = {"source": "source", "path": "path"}
"""The columns of chunks that are taken from their documents, and from which, unless the params say."""
FIRST = ("id", "content", "embedding")
HEADINGS = ("section_h1", "section_h2", "section_h3")
INDEX = "chunk_index"
"""The column of a chunk's position in its document."""
LAST = (INDEX, "char_start", "char_end", "content_sha256")
OF_VERSION = ("data_version", "dvc_data_version", "embedding_model")
"""What a database says of a chunk's version, beside its columns."""
RUN = "run"
"""What it says of the run that made the version, where that is known."""
ASKED = ("question", "key_concepts", "category")
"""The columns of questions: what is asked, a JSON list of what a good answer names, and what kind of question it is."""
PARENTS = ("of", "questions")
"""The params that name tables of other datasets: the documents, and what they are asked."""


def document_columns(params: Mapping[str, Any]) -> dict[str, str]:
    """Return {column of chunks: column of documents} of what chunks take over from their documents."""
    return params.get("columns", OF_DOCUMENTS)


def engine_of(params: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return who computes the vectors: its name, threads and texts in a batch.

    The params say, but for the name where the configuration of one run does.
    """
    return params["engine"] | ({"name": config["engine"]} if "engine" in config else {})


def columns_of_chunks(params: Mapping[str, Any]) -> list[str]:
    """Return the columns that a dataset of this kind has, in their order."""
    return [*FIRST, *document_columns(params), *HEADINGS, *LAST]


def owner(table: str) -> str:
    """Return the dataset of a table that the params name."""
    return table.partition("/")[0]


def wrong_params(dataset: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the params of such a dataset, given the rest of its file."""
    params, columns = dataset["params"], [*dataset["contract"]["columns"]]
    made_of = [owner(params[key]) for key in PARENTS if key in params]
    if dataset["sources"].get("datasets") != made_of:
        yield f"sources: let it be datasets: [{', '.join(made_of)}], which params.{' and params.'.join(PARENTS)} name"
    if reserved := [name for name in document_columns(params) if name in (*FIRST, *HEADINGS, *LAST, *OF_VERSION, RUN)]:
        yield f"params.columns: chunks have {', '.join(reserved)} already: call yours otherwise"
    wanted = columns_of_chunks(params)
    if columns != wanted:
        yield f"contract.columns: let it have these columns, in this order: {', '.join(wanted)}"
    for name in params.get("context", []):
        if name not in (known := [*document_columns(params), *HEADINGS]):
            meant = closest(name, known)
            yield f"params.context: chunks have no {name}{f': perhaps you mean {meant}' if meant else ''}"


def wrong_parents(dataset: Mapping[str, Any], datasets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with the tables that such a dataset is made of, given all datasets."""
    params = dataset["params"]
    needed = {"of": ["text", *document_columns(params).values()], "questions": [*ASKED]}
    for key in PARENTS:
        if key not in params or (parent := owner(params[key])) not in datasets:
            continue
        columns = datasets[parent]["contract"]["columns"]
        if missing := [name for name in needed[key] if name not in columns]:
            yield f"params.{key}: {parent} has no column {', '.join(missing)}, there is {', '.join(columns)}"
        elif key == "of" and not is_text(columns["text"]):
            yield f"params.of: the column text of {parent} is not of texts"
        elif key == "of":
            for name in document_columns(params).values():
                if {"list", "struct", "shape"} & {*columns[name]}:
                    yield f"params.columns: {name} of {parent} has several values in each row, and names no document"
