"""Texts for classification: rows of files in any common format, with a text and the name of its class."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import polars as pl

from registry.config.kinds import splits_of
from registry.describe.columns import column_type
from registry.kinds import table
from registry.kinds.inputs import inputs_of
from registry.kinds.leaks import IN_TWO_SPLITS, with_leaks
from registry.kinds.rows import DUPLICATES, Rows
from registry.kinds.unfit import blank, with_controls

POLICIES = {
    "nulls": "fail",
    "empty_texts": "fail",
    "control_characters": "fail",
    "labels_out_of_range": "fail",
    IN_TWO_SPLITS: "fail",
    DUPLICATES: "keep",
}
"""What becomes of rows with problems, unless the params say."""


class Labels:
    """The labels of texts: what they are in the files, and which class each of them names.

    `spec` is what the contract says of their column. `classes` maps the labels of the files to those of the dataset; a
    list names the classes of 0, 1, 2 and so on. Without it they stay what they are.
    """

    def __init__(self, spec: Mapping[str, Any], classes: Sequence[str] | Mapping[str, Any] | None) -> None:
        self._dtype = column_type(spec)
        self.in_files = spec
        """What a contract would say of the column as it is in the files."""
        named = self._dtype in (pl.String, pl.Boolean) or self._dtype.is_integer()
        self._classes: dict[Any, Any] = {value: value for value in spec.get("values", ()) if named}
        if classes is not None:
            names = classes if isinstance(classes, Mapping) else {str(number): it for number, it in enumerate(classes)}
            written = _type_of(names)
            self.in_files = {"dtype": written}
            self._classes = {_LABELS[written](label): name for label, name in names.items()}

    def named(self, column: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Return the class of each label, null for one that names none, and whether it is such a one."""
        if not self._classes:
            return column, pl.repeat(False, len(column), dtype=pl.Boolean, eager=True)
        known = pl.Series([*self._classes], dtype=column.dtype)
        # Under another name, since polars takes one such as `^...$` for a pattern.
        name, column = column.name, column.alias("column")
        found = column.replace_strict(known, [*self._classes.values()], default=None, return_dtype=self._dtype)
        return found.alias(name), column.is_not_null() & found.is_null()


_LABELS: dict[str, Callable[[str], Any]] = {"bool": "true".__eq__, "int64": int, "string": str}
"""How to read a label of the params, by what labels are in the files."""


def _type_of(labels: Iterable[str]) -> str:
    """Return what labels are in the files that are written like this in the params, where all keys are texts."""
    if {*labels} <= {"true", "false"}:
        return "bool"
    return "int64" if all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", label) for label in labels) else "string"


def read(files: Mapping[str, Path], contract: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Rows]:
    """Yield the rows of source files {name: path}, in their order, with the columns of the contract and their problems.

    A text that is in two splits is a problem in the one that ranks lower: splits rank in the order of the params. With
    splits, files are read twice. Raises RegistryError for what is no row of this table, as `registry.kinds.table.read`.
    """
    text, label, splits = params["text"], params.get("label"), splits_of(params)
    columns, options = dict(contract), {**params, "inputs": inputs_of(contract, params)}
    labels = Labels(contract[label], params.get("classes")) if label else None
    if labels:
        columns[label] = labels.in_files

    def judged() -> Iterator[Rows]:
        for its in table.read(files, columns, options):
            yield _judged(its, contract, text, label, labels)

    def says_something(its: Rows) -> pl.Series:
        # Under another name, since polars takes one such as `^...$` for a pattern.
        return its.samples.get_column(text).alias("text").is_not_null() & ~its.problems["empty_texts"]

    yield from with_leaks(judged, splits, options["inputs"], params.get("problems", {}), says_something)


def _judged(its: Rows, contract: Mapping[str, Any], text: str, label: str | None, labels: Labels | None) -> Rows:
    """Return rows of files with the classes of their labels, and the problems that each of them has by itself."""
    samples, texts = its.samples, its.samples.get_column(text)
    needed = [name for name in (text, label) if name and not contract[name].get("nullable")]
    nulls = (samples.get_column(name).alias("column").is_null() for name in needed)
    problems = {
        "nulls": reduce(or_, nulls, pl.repeat(False, samples.height, dtype=pl.Boolean, eager=True)),
        "empty_texts": blank(texts),
        "control_characters": with_controls(texts),
    }
    if labels:
        classes, problems["labels_out_of_range"] = labels.named(samples.get_column(label))
        samples = samples.with_columns(classes)
    return Rows(samples, its.keys, its.splits, problems)
