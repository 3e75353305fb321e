"""Datasets made by configuration alone: where their `kind` puts what it makes, and what no schema finds wrong."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from registry.config import embeddings
from registry.config.columns import Spec, is_text
from registry.config.names import closest
from registry.errors import RegistryError

WHOLE = "all"
"""The split of a dataset that has none."""
STEPS = ("download", "prompt", "process", "analyze", "chunk", "shard", "embed")
"""How the names of rules of datasets with a kind end."""
PICTURES = ("images", "captions")
"""The kinds whose samples are pictures."""
AS_IS = "as_is"
"""The kind whose samples are files of any sort, which stay as they are."""

FILE = "file_name"
"""The column that says where the file of a picture is, from the table's folder, where pictures stay files."""


def splits_of(params: Mapping[str, Any]) -> list[str]:
    """Return the names of the splits that a dataset's params ask for, in their order."""
    split = params.get("split", {})
    named = next((split[way] for way in ("ratios", "files", "values", "folders") if way in split), [WHOLE])
    return [*named]


def tables_of(dataset: Mapping[str, Any]) -> dict[str, str]:
    """Return {split: the path of its table} of a dataset, given its configuration."""
    name = dataset["name"]
    folder = f"data/{name}/processed"
    if dataset.get("kind") == embeddings.KIND:
        return {WHOLE: f"{folder}/{embeddings.TABLE}"}
    return {
        split: f"{folder}/{name}.parquet" if split == WHOLE else f"{folder}/{split}/{split}.parquet"
        for split in splits_of(dataset["params"])
    }


def check_kind(dataset: Mapping[str, Any], where: str) -> None:
    """Raise one RegistryError that lists the params of a dataset with a kind that do not fit the rest of its file."""
    wrong = embeddings.wrong_params(dataset) if dataset["kind"] == embeddings.KIND else _wrong(dataset)
    if wrong := [*wrong]:
        lines = "\n".join(f"  {line}" for line in wrong)
        raise RegistryError(
            f"not valid:\n{lines}", where=where, hint="fix these keys; docs/kinds.md describes them all"
        )


def _wrong(dataset: Mapping[str, Any]) -> Iterator[str]:
    params, columns = dataset["params"], dataset["contract"]["columns"]
    files = [source.get("file") or source["folder"] for source in dataset["sources"].get("files", [])]
    if "tokenizer" in params and params["tokenizer"] not in files:
        yield f"params.tokenizer: there is no source file {params['tokenizer']}{_meant(params['tokenizer'], files)}"
    files = [file for file in files if file != params.get("tokenizer")]
    if not files:
        yield f"sources: a dataset of the kind {dataset['kind']} is made of files"
    named = {
        "columns": [*params.get("columns", {})],
        "inputs": params.get("inputs", []),
        "sort": params.get("sort", []),
    }
    named |= {key: [params[key]] for key in ("key", "target", "text", "label") if key in params}
    for key, names in named.items():
        for name in names:
            if name not in columns:
                yield f"params.{key}: the contract has no column {name}{_meant(name, columns)}"
    if params.get("files") and FILE in columns:
        yield f"contract.columns.{FILE}: params.files makes a column of this name: call yours otherwise"
    yield from _wrong_columns(params, columns)
    if not params.get("format", {}).get("header", True) and "names" not in params:
        yield "params.names: files without a header need it"
    for name, how in params.get("columns", {}).items():
        if isinstance(how, dict) and "by_file" in how:
            yield from _wrong_files(f"params.columns.{name}.by_file", [*how["by_file"]], files)
    split = params.get("split", {})
    if "ratios" in split and not math.isclose(sum(split["ratios"].values()), 1):
        yield f"params.split.ratios: they add up to {sum(split['ratios'].values()):g}, not to 1"
    yield from _wrong_values([value for values in split.get("values", {}).values() for value in values])
    table = params.get("table")
    if table and not any(table == name or table.startswith(f"{name}/") for name in files):
        yield f"params.table: there is no source file {table}{_meant(table, files)}"
    if "files" in split:
        named = [name for its in split["files"].values() for name in its]
        yield from _wrong_files("params.split.files", named, [name for name in files if name != table])
    splits = splits_of(params)
    for mode, rows in dataset["contract"]["rows"].items():
        for name in rows:
            if name not in splits:
                yield f"contract.rows.{mode}: there is no split {name}, there is {', '.join(splits)}"


def _wrong_columns(params: Mapping[str, Any], columns: Mapping[str, Spec]) -> Iterator[str]:
    """Yield what is wrong with the columns of texts and conversations."""
    text = params.get("text")
    if text in columns and not is_text(columns[text]):
        yield f"params.text: the column {text} is not of texts: let its dtype be string"
    if not params.keys() & {"messages", "pairs"}:
        return
    turn = columns.get("messages", {}).get("list", {}).get("struct", {})
    if [*turn] != ["role", "content"] or not all(map(is_text, turn.values())):
        yield "contract.columns.messages: let it be {list: {struct: {role: {dtype: string}, content: {dtype: string}}}}"
    if "tokens" in columns and "tokens" not in params.get("columns", {}) and "tokenizer" not in params:
        yield "params.tokenizer: the contract's column tokens needs one"


def _wrong_values(values: list[Any]) -> Iterator[str]:
    """Yield what is wrong with the values of a column by which splits are told apart."""
    types = {"number" if type(value) in (int, float) else type(value).__name__ for value in values if value is not None}
    if types & {"list", "dict"}:
        yield "params.split.values: let each be a text, a number, or true or false, not a list or a mapping"
    elif len(types) > 1:
        yield f"params.split.values: they are of several types, {' and '.join(sorted(types))}: write texts in quotes"
    elif twice := [value for value, number in Counter(values).items() if number > 1]:
        yield f"params.split.values: {', '.join(map(str, twice))} is there more than once"


def _wrong_files(key: str, named: list[str], files: list[str]) -> Iterator[str]:
    """Yield what is wrong with names of files which should be all source files, each of them once."""
    for name in dict.fromkeys(named):
        if name not in files:
            yield f"{key}: there is no source file {name}{_meant(name, files)}"
        elif named.count(name) > 1:
            yield f"{key}: {name} is there more than once"
    for name in files:
        if name not in named:
            yield f"{key}: it does not name {name}"


def _meant(name: str, known: Any) -> str:
    meant = closest(name, known)
    return f": perhaps you mean {meant}" if meant else ""
