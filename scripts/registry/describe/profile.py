"""The profile of a dataset: how the values of each column are distributed in each split, by its type.

It is the key `profile` of metadata.json, enough to draw every column and to say how far any two versions have drifted
apart, without their data:

    {column: {"rows": {split: {"count", "missing", "distinct"}},
              "classes": {split: {"count", "values": {value: count}, "others"}},
              measure: {split: {"count", "unit", "sampled", "quantiles", "histogram", "outliers"}}}}

rows      how many rows have a value and how many have none, and how many different values texts, numbers and times
          have, where all rows could be looked at
classes   of texts, integers and booleans that have few values: how many rows have each, and how many have others, of
          which there are some only where not all values can be named
measures  what registry.describe.measures says, with quantiles and histograms as in registry.describe.histogram;
          `unit` is that of time; `outliers` are beyond Tukey's fences, 1.5 times the middle half's range below or above
          it (Tukey, Exploratory Data Analysis, 1977), where that range is not zero

Numbers, and texts by their lengths, are those of all rows up to ROWS and CELLS, encoded pictures and vectors of SOME:
beyond that of the rows with the lowest ids, of which `sampled` says how many they were. All follows from the rows
alone, in whatever order and batches they come.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.types as pat

from registry.describe.breaches import SHOWN_ROWS
from registry.describe.histogram import histogram, quantiles
from registry.describe.logical import plain_type
from registry.describe.measures import (
    Measure,
    cheap_measure,
    hashes_of,
    is_text,
    is_vector,
    plain,
    unit_of,
    vector_measures,
    vectors_of,
)
from registry.describe.sampled import Kept

COLUMNS = 200
"""Columns that have a profile: the first."""
ENTRIES = 600
"""Measures of columns in a split that are told of; what comes after is left out."""
AT_ONCE = 1 << 16
"""Rows that are measured at once."""
ROWS, CELLS = 1 << 20, 1 << 22
"""Rows, and values in all, that are kept of a split, ..."""
SOME, NUMBERS = 1 << 12, 1 << 22
"""... and of a column of encoded pictures or vectors; numbers in all of these."""
MOST = 1_000
"""A column of texts with more different values has no classes, ..."""
INTEGERS = 50
"""... nor has one of integers with more, ..."""
LONGEST = 100
"""... nor has one with a value of more bytes."""
NAMES = 10_000
"""Values that are named in all; ..."""
NAMED = 50
"""... of columns for which there is no room, so many in a split, those that most rows have."""
FIRST = 10_000
"""Rows whose values tell mostly that a column has too many."""
FENCE = 1.5
ROW = ("", "row")
"""Under which the numbers of rows are kept."""

Examples = dict[tuple[str, str, str], list[int]]
"""The numbers of rows, by split, column and measure."""
Profiled = dict[str, dict[str, dict[str, dict[str, Any]]]]


class Profile:
    """Collects the values of a dataset's columns, batch by batch and split by split.

    `pictures` says of columns of encoded pictures what measures them. `examples` are rows that show what is odd about
    a column: the first without a value (`missing`), and of each measure those that are farthest out.
    """

    def __init__(self, schema: pa.Schema, pictures: Mapping[str, Measure] | None = None) -> None:
        self._fields = [schema.field(number) for number in range(min(len(schema), COLUMNS))]
        self._pictures = pictures or {}
        self._split: _Split | None = None
        self._found: dict[str, Any] = {field.name: {} for field in self._fields}
        self.examples: Examples = {}

    def add(self, split: str, batch: pa.RecordBatch, heads: np.ndarray) -> None:
        """Add the rows of a batch, whose ids begin with these uint64; all batches of a split come one after another."""
        if self._split is None or self._split.name != split:
            self._conclude()
            self._split = _Split(split, self._fields, self._pictures)
        for start in range(0, batch.num_rows, AT_ONCE):
            self._split.add(batch.slice(start, AT_ONCE), heads[start : start + AT_ONCE])

    def figures(self) -> Profiled:
        """Return the profile of all that was added."""
        self._conclude()
        left, names, told = ENTRIES, NAMES, {}
        for column, measures in self._found.items():
            left -= sum(map(len, measures.values()))
            if left < 0:
                break
            classes = measures.get("classes", {})
            if _names(classes) > names:
                classes = {split: _shortened(entry) for split, entry in classes.items()}
            names -= _names(classes)
            told[column] = measures | ({"classes": classes} if classes else {})
        return told

    def _conclude(self) -> None:
        if self._split is not None:
            for column, measure, entry in self._split.figures():
                self._found[column].setdefault(measure, {})[self._split.name] = entry
            self.examples |= self._split.examples
            self._split = None


class _Split:
    """The values of one split."""

    def __init__(self, name: str, fields: list[pa.Field], pictures: Mapping[str, Measure]) -> None:
        self.name = name
        self._rows = 0
        self.examples: Examples = {}
        types = {field.name: plain_type(field.type) for field in fields}
        self._types = types
        self._missing = dict.fromkeys(types, 0)
        self._cheap = {name: measure for name, dtype in types.items() if (measure := cheap_measure(dtype))}
        texts = sum(map(is_text, types.values()))
        self._kept = Kept(min(ROWS, CELLS // max(len(self._cheap) + texts, 1)))
        self._costly = {name: measure for name, measure in pictures.items() if name in types}
        self._costly |= {name: vectors_of for name, dtype in types.items() if is_vector(dtype)}
        self._some = {name: Kept(_some(types[name], len(self._costly))) for name in self._costly}
        self._classes = {name: Counter[Any]() for name, dtype in types.items() if _most(dtype)}

    def add(self, batch: pa.RecordBatch, heads: np.ndarray) -> None:
        start, self._rows = self._rows, self._rows + batch.num_rows
        columns = {name: plain(batch.column(name)) for name in self._types}
        for name, values in columns.items():
            if values.null_count:
                self._missing[name] += values.null_count
                shown = self.examples.setdefault((self.name, name, "missing"), [])
                first = np.flatnonzero(values.is_null())[: SHOWN_ROWS - len(shown)]
                shown += (start + first).tolist()
        self._count(columns)
        wanted = self._kept.wanted(heads)
        rows = np.arange(start, self._rows, dtype=np.uint32)
        found: dict[tuple[str, str], np.ndarray] = {ROW: rows if wanted is None else rows[wanted]}
        for name, measure in self._cheap.items():
            values = columns[name] if wanted is None else columns[name].filter(pa.array(wanted))
            found |= {(name, what): numbers for what, numbers in measure(values).items()}
            if is_text(self._types[name]):
                found[name, "hash"] = hashes_of(values)
        self._kept.add(heads if wanted is None else heads[wanted], found)
        for name, measure in self._costly.items():
            self._add_some(self._some[name], measure, columns[name], heads, rows)

    def _add_some(self, kept: Kept, measure: Measure, values: pa.Array, heads: np.ndarray, rows: np.ndarray) -> None:
        for start in range(0, len(values), kept.limit):
            part, its = values[start : start + kept.limit], heads[start : start + kept.limit]
            wanted = part.is_valid().to_numpy(zero_copy_only=False)
            if (lowest := kept.wanted(its)) is not None:
                wanted = wanted & lowest
            those = rows[start : start + kept.limit][wanted]
            kept.add(its[wanted], {ROW: those} | measure(part.filter(pa.array(wanted))))

    def _count(self, columns: dict[str, pa.Array]) -> None:
        """Count the values of columns that have few so far."""
        for name in [*self._classes]:
            values, counts = pl.Series(columns[name]).drop_nulls(), self._classes[name]
            most = _most(self._types[name])
            if values.head(FIRST).n_unique() <= most:
                for value, count in values.value_counts().iter_rows():
                    counts[value] += count
                if len(counts) <= most and all(len(str(value).encode()) <= LONGEST for value in counts):
                    continue
            del self._classes[name]

    def figures(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield each column and measure of it, and what there is to say."""
        kept = {name: [what for column, what in self._kept.names() if column == name] for name in self._types}
        rows = self._kept.take(ROW) if self._rows else np.empty(0, np.uint32)
        for name, dtype in self._types.items():
            count, entries, distinct = self._rows - self._missing[name], [], None
            if (counts := self._classes.get(name)) and (pat.is_boolean(dtype) or 2 * len(counts) <= count):
                entries.append(("classes", _classes(counts)))
            for what in kept[name]:
                values = self._kept.take((name, what))
                ordered = _ordered(values)
                if what in ("hash", "value", "time") and len(ordered) == count and _is_whole(dtype):
                    distinct = int(np.count_nonzero(ordered[1:] != ordered[:-1])) + bool(count)
                if what != "hash" and len(ordered):
                    entries.append((what, _entry(ordered, count, unit_of(dtype) if what == "time" else None)))
                    self._show(name, *entries[-1], values, rows)
            if name in self._some:
                entries += self._some_figures(name, count)
            known = {} if distinct is None else {"distinct": distinct}
            yield name, "rows", {"count": count, "missing": self._missing[name], **known}
            for what, entry in entries:
                yield name, what, entry

    def _some_figures(self, name: str, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
        kept = self._some[name]
        if not len(kept):
            return
        rows = kept.take(ROW)
        for what in kept.names():
            values = kept.take(what)
            for measure, numbers in (vector_measures(values) if what == "vectors" else {what: values}).items():
                if len(ordered := _ordered(numbers)):
                    yield measure, (entry := _entry(ordered, count))
                    self._show(name, measure, entry, numbers, rows)

    def _show(self, name: str, measure: str, entry: dict[str, Any], values: np.ndarray, rows: np.ndarray) -> None:
        """Note which rows are farthest out."""
        if entry.get("outliers"):
            far = np.ma.filled(_beyond(values, *_fences(entry["quantiles"])), 0)
            first = np.lexsort((rows, -far))[: min(SHOWN_ROWS, entry["outliers"])]
            self.examples[self.name, name, measure] = rows[first].tolist()


def _is_whole(dtype: pa.DataType) -> bool:
    """Tell whether values of a type differ where what is measured of them does."""
    return getattr(dtype, "unit", None) != "ns" and not pat.is_decimal(dtype)


def _some(dtype: pa.DataType, columns: int) -> int:
    """Return of how many rows encoded pictures or vectors are measured, where so many columns have such."""
    return max(1, min(SOME, NUMBERS // columns // dtype.list_size)) if is_vector(dtype) and dtype.list_size else SOME


def _most(dtype: pa.DataType) -> int:
    """Return how many different values a column may have to have classes; 0 where it never has."""
    return MOST if is_text(dtype) else INTEGERS if pat.is_boolean(dtype) or pat.is_integer(dtype) else 0


def _classes(counts: Counter[Any]) -> dict[str, Any]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    values = {str(value).lower() if isinstance(value, bool) else str(value): count for value, count in ordered}
    return {"count": counts.total(), "values": values, "others": 0}


def _names(classes: dict[str, dict[str, Any]]) -> int:
    return sum(len(entry["values"]) for entry in classes.values())


def _shortened(entry: dict[str, Any]) -> dict[str, Any]:
    values = dict(islice(entry["values"].items(), NAMED))
    return entry | {"values": values, "others": entry["count"] - sum(values.values())}


def _ordered(values: np.ndarray) -> np.ndarray:
    """Return numbers without those that are masked, sorted; floats as float64."""
    values = np.sort(values.compressed() if isinstance(values, np.ma.MaskedArray) else values)
    return values.astype(np.float64, copy=False) if values.dtype.kind == "f" else values


def _entry(ordered: np.ndarray, count: int, unit: str | None = None) -> dict[str, Any]:
    found = quantiles(ordered)
    entry = {"count": count} | ({"unit": unit} if unit else {})
    entry |= {"sampled": len(ordered)} if len(ordered) < count else {}
    entry |= {"quantiles": found, "histogram": histogram(ordered)}
    if found["75"] > found["25"]:
        entry["outliers"] = int(np.count_nonzero(_beyond(ordered, *_fences(found))))
    return entry


def _fences(found: dict[str, float]) -> tuple[float, float]:
    spread = FENCE * (found["75"] - found["25"])
    return found["25"] - spread, found["75"] + spread


def _beyond(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return how far beyond the fences each value is; 0 for one that is not."""
    return np.maximum(np.maximum(low - values, values - high), 0)
