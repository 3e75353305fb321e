"""Check samples against a dataset's contract, and report every breach at once."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow
import pyarrow.parquet

from registry.config.names import closest
from registry.describe.metadata import is_number, leaves
from registry.describe.repeated import among, repeated_heads
from registry.errors import ContractError

DTYPES = {
    "bool": pl.Boolean,
    "uint8": pl.UInt8,
    "int64": pl.Int64,
    "float32": pl.Float32,
    "float64": pl.Float64,
    "string": pl.String,
    "binary": pl.Binary,
}
EXAMPLES = 3
"""Cases of a breach that are shown."""
BREACHES = 10
"""Breaches that are shown."""
SHOWN = 80
"""Characters of a value that are shown."""
TWIN = " = "
"""Stands between the keys of rows that have the same input."""
TWINS = SHOWN // len(TWIN) + 2
"""Keys of one input that can show, however short they are."""
ROWS = 1 << 18
"""Rows that are searched at once for those with the same input."""
GATHERED = 1 << 20
"""Rows found that are in memory before those with the same input become one."""
UNIT_NORM_TOLERANCE = 1e-4


def _all_finite(values: pl.Expr, dimensions: int) -> pl.Expr:
    if not dimensions:
        return values.is_finite()
    inner = _all_finite(pl.element(), dimensions - 1).fill_null(False)
    return values.arr.eval(inner, as_list=False).arr.all()


def _unit_norm(values: pl.Expr) -> pl.Expr:
    norm = values.arr.eval(pl.element() ** 2, as_list=False).arr.sum().sqrt()
    return ((norm - 1).abs() < UNIT_NORM_TOLERANCE) & norm.is_not_nan()


def column_type(spec: Mapping[str, Any]) -> pl.DataType:
    """Return the polars type that a column has to have by its specification in a contract, which is valid."""
    dtype = DTYPES[spec["dtype"]]()
    return pl.Array(dtype, tuple(spec["shape"])) if "shape" in spec else dtype


def _rules(values: pl.Expr, spec: Mapping[str, Any]) -> dict[str, pl.Expr]:
    """Return {what a column must be, in words: whether each of its values is}; null where there is none to judge."""
    rules = {}
    if not spec.get("nullable"):
        rules["no nulls"] = values.is_not_null()
    if spec["dtype"] in ("float32", "float64"):
        rules["finite"] = _all_finite(values, len(spec.get("shape", [])))
    if "min" in spec:
        rules[f"at least {spec['min']}"] = values >= spec["min"]
    if "max" in spec:
        # To polars, NaN is more than any number; that it is none is for `finite` to say.
        rules[f"at most {spec['max']}"] = (values <= spec["max"]) | (values.cast(pl.Float64).is_nan())
    if "values" in spec:
        # 1 is a float, and 1.0 an integer, where the column is of that type.
        among = pl.Series(spec["values"], strict=False).cast(DTYPES[spec["dtype"]])
        rules[f"one of {_shown(among.to_list())}"] = values.is_in(among.implode())
    low, high = spec.get("min_length"), spec.get("max_length")
    if low is not None or high is not None:
        length = values.str.len_chars()
        rules[f"{_in_words(low, high)} characters"] = length.is_between(low or 0, math.inf if high is None else high)
    if spec.get("unit_norm"):
        rules["unit norm"] = _unit_norm(values)
    return rules


def _type(spec: dict[str, Any]) -> str:
    return " ".join([spec["dtype"], *(["of shape", repr(spec["shape"])] if "shape" in spec else [])])


def _in_words(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return f"at most {high:,}" if low is None else f"at least {low:,}"
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _shown(value: Any) -> str:
    """Return a value as Python writes it, without control characters, and cut."""
    if isinstance(value, str | bytes):
        value = value[: SHOWN + 1]
    text = repr(value)
    return text if len(text) <= SHOWN + len("''") else f"{text[:SHOWN]}..."


def _expected_rows(spec: int | dict[str, int]) -> tuple[int, int | None]:
    return (spec, spec) if isinstance(spec, int) else (spec["min"], spec.get("max"))


def _read(manifest: str | Path, *columns: str) -> Iterator[pyarrow.RecordBatch]:
    """Yield the rows of a manifest, ROWS at once."""
    with pyarrow.parquet.ParquetFile(manifest, pre_buffer=False) as file:
        yield from file.iter_batches(ROWS, columns=list(columns), use_threads=False)


def _with_inputs(manifest: str | Path, heads: np.ndarray) -> pl.DataFrame:
    """Return input_id, split and key of the rows whose inputs have ids that begin with one of these heads, by key.

    Of an input that many rows of a split have, the first keys are enough.
    """
    found = []
    for batch in _read(manifest, "input_id", "split", "key"):
        found.append(pl.DataFrame(batch.filter(pyarrow.array(among(batch["input_id"], heads)))))
        if sum(rows.height for rows in found) > GATHERED:
            found = [pl.concat(found).sort("key").group_by("input_id", "split").head(TWINS)]
    return pl.concat(found).sort("key")


@dataclass
class _Breach:
    count: int = 0
    row: int | None = None
    examples: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        more = f" and {self.count - EXAMPLES:,} more" if self.count > EXAMPLES else ""
        return f": found {', '.join(self.examples)}{more}" if self.count else ""


class Contract:
    """A dataset's contract in one source mode: collects breaches from batches and splits until `conclude`."""

    def __init__(self, dataset: dict[str, Any]) -> None:
        self._dataset = dataset["name"]
        self._spec = dataset["contract"]
        self._rows = self._spec["rows"].get(dataset["source"], {})
        self._columns = self._spec["columns"]
        self._seen: dict[str, int] = {}
        self._breaches: dict[tuple[str, str, str], _Breach] = {}

    def check(self, split: str, batch: pyarrow.RecordBatch, keys: Sequence[str] = ()) -> None:
        """Note every column and value of a batch that breaks the contract; `keys` name its rows.

        All batches of a split must come in their order.
        """
        start = self._seen.get(split, 0)
        self._seen[split] = start + batch.num_rows
        for rule in self._wrong_columns(batch.schema.names):
            self._note(split, "columns", rule)
        # Under numbers, since polars takes names such as `*` and `^...$` for patterns.
        names = {str(number): name for number, name in enumerate(self._columns) if name in batch.schema.names}
        samples = pl.from_arrow(pyarrow.record_batch([batch[name] for name in names.values()], names=[*names]))
        for number, rule, rows in self._wrong_values(samples, names):
            values = samples[number].gather(rows.head(EXAMPLES)).to_list()
            places = [f"{start + row}{f' ({_shown(keys[row])})' if len(keys) else ''}" for row in rows.head(EXAMPLES)]
            found = [f"{_shown(value)} in row {place}" for value, place in zip(values, places, strict=True)]
            self._note(split, names[number], rule, found, len(rows), start + rows[0])
        for number, name in names.items():
            if samples.schema[number] != column_type(self._columns[name]):
                self._note(split, name, f"type {_type(self._columns[name])}", [str(samples.schema[number])[:SHOWN]])

    def _wrong_values(self, samples: pl.DataFrame, names: Mapping[str, str]) -> Iterator[tuple[str, str, pl.Series]]:
        """Yield column, rule, and the numbers of the rows that break it, of columns that have the type they should.

        The columns of `samples` are called by their numbers in the contract, of which `names` are the names.
        """
        rules = {
            (number, rule): ~good
            for number, name in names.items()
            if samples.schema[number] == column_type(self._columns[name])
            for rule, good in _rules(pl.col(number), self._columns[name]).items()
        }
        wrong = samples.select(bad.alias(str(place)) for place, bad in enumerate(rules.values()))
        for place, (number, rule) in enumerate(rules):
            rows = wrong[str(place)].fill_null(False).arg_true()
            if len(rows):
                yield number, rule, rows

    def _wrong_columns(self, found: list[str]) -> Iterator[str]:
        """Yield what is wrong with the names of the columns, or their order."""
        missing = [name for name in self._columns if name not in found]
        extra = [name for place, name in enumerate(found) if name not in self._columns or name in found[:place]]
        for name in missing:
            there = closest(name.casefold(), [other.casefold() for other in extra])
            instead = next((other for other in extra if other.casefold() == there), None)
            if instead is None:
                yield f"{_shown(name)} is missing"
            else:
                extra.remove(instead)
                yield f"{_shown(name)} is missing, {_shown(instead)} is there instead"
        for name in extra:
            yield f"{_shown(name)} is there, and not in the contract"
        if not missing and not extra and found != [*self._columns]:
            first = next(place for place, name in enumerate(self._columns) if found[place] != name)
            yield f"{_shown(found[first])} stands where {_shown([*self._columns][first])} belongs"

    def _note(
        self,
        split: str,
        place: str,
        rule: str,
        cases: Sequence[str] = (),
        count: int | None = None,
        row: int | None = None,
    ) -> None:
        """Note a breach, with the cases to show of it (there may be more) and its first row."""
        breach = self._breaches.setdefault((split, place, rule), _Breach(row=row))
        breach.count += len(cases) if count is None else count
        breach.examples += cases[: EXAMPLES - len(breach.examples)]

    def check_splits(self, num_samples: Mapping[str, int], manifest: str | Path) -> None:
        """Note wrong row counts, and inputs that occur twice in a manifest with so many samples in each split."""
        counts = {split: count for split, count in num_samples.items() if count}
        for split in sorted(counts.keys() | self._rows.keys()):
            low, high = _expected_rows(self._rows.get(split, {"min": 1}))
            found = counts.get(split, 0)
            if found < low or (high is not None and found > high):
                self._note(split, "rows", f"expected {_in_words(low, high)}", [f"{found:,}"])
        if self._rows and (unexpected := counts.keys() - self._rows.keys()):
            self._note(
                "all", "splits", f"expected {', '.join(self._rows)}", [_shown(split) for split in sorted(unexpected)]
            )
        if self._spec.get("disjoint") or self._spec.get("unique"):
            self._check_inputs(manifest, sum(counts.values()))

    def check_floors(self, metadata: dict[str, Any]) -> None:
        """Note every number of a metadata.json that is below its floor, or not there."""
        found = {".".join(path): value for path, value in leaves(metadata).items() if is_number(value)}
        for name, floor in self._spec.get("floors", {}).items():
            if not found.get(name, math.nan) >= floor:
                self._note("all", "floors", f"{name} at least {floor}", [str(found.get(name, "no such number"))])

    def _check_inputs(self, manifest: str | Path, count: int) -> None:
        repeated = repeated_heads(lambda: (batch["input_id"] for batch in _read(manifest, "input_id")), count)
        numbers = {"disjoint": 0, "unique": 0}
        cases: dict[str, list[str]] = {"disjoint": [], "unique": []}
        for heads in repeated:
            rows = _with_inputs(manifest, heads)
            twins = {
                "disjoint": rows.group_by("input_id").agg("key", pl.n_unique("split")).filter(pl.col("split") > 1),
                "unique": rows.group_by("input_id", "split").agg("key").filter(pl.col("key").list.len() > 1),
            }
            for rule, those in twins.items():
                numbers[rule] += those.height
                keys = those["key"].list.join(TWIN).str.head(SHOWN + 1)
                cases[rule] = sorted([*cases[rule], *keys.sort().head(EXAMPLES)])[:EXAMPLES]
        for rule, what in {"disjoint": "in two splits", "unique": "twice in a split"}.items():
            if self._spec.get(rule) and numbers[rule]:
                self._note("all", "inputs", f"none {what}", [_shown(keys) for keys in cases[rule]], numbers[rule])

    def conclude(self) -> dict[str, Any]:
        """Return the verdict for provenance, or raise one ContractError that lists every breach."""
        if not self._breaches:
            return {"passed": True, "columns": list(self._spec["columns"]), "rows": self._rows} | {
                rule: self._spec[rule] for rule in ("disjoint", "unique", "floors") if self._spec.get(rule)
            }
        breaches = [f"    {split}: {place}: {rule}{breach}" for (split, place, rule), breach in self._breaches.items()]
        lines = breaches[:BREACHES] + [f"    and {len(breaches) - BREACHES:,} more"] * (len(breaches) > BREACHES)
        cleaning = Path("reports", self._dataset, "cleaning.json")
        seen = f"see what was left out in {cleaning}; " if cleaning.is_file() else ""
        raise ContractError(
            "the contract is broken:\n" + "\n".join(lines),
            where=self._dataset,
            hint=f"{seen}fix the source or the params, or, if the data is right, the contract in "
            f"config/datasets/{self._dataset}.yaml",
            breaches=[
                {"rule": rule, "split": split, "column": place, "row": breach.row, "message": f"{rule}{breach}"}
                for (split, place, rule), breach in self._breaches.items()
            ],
        )
