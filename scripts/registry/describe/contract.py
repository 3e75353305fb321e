"""Check samples against a dataset's contract, with pandera, and report every breach at once."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow

from registry.describe.metadata import is_number, leaves
from registry.errors import RegistryError

if TYPE_CHECKING:
    import pandera.polars as pa

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
UNIT_NORM_TOLERANCE = 1e-4


def _all_finite(values: pl.Expr, dimensions: int) -> pl.Expr:
    if not dimensions:
        return values.is_finite()
    return values.arr.eval(_all_finite(pl.element(), dimensions - 1), as_list=False).arr.all()


def _unit_norm(data: "pa.PolarsData") -> pl.LazyFrame:
    squares = pl.col(data.key).arr.eval(pl.element() ** 2, as_list=False).arr.sum()
    return data.lazyframe.select(((squares.sqrt() - 1).abs() < UNIT_NORM_TOLERANCE) & squares.is_not_nan())


def _column(spec: dict[str, Any]) -> "pa.Column":
    import pandera.polars as pa

    dtype = DTYPES[spec["dtype"]]
    checks = []
    if spec["dtype"] in ("float32", "float64"):
        dimensions = len(spec.get("shape", []))
        checks.append(
            pa.Check(lambda data: data.lazyframe.select(_all_finite(pl.col(data.key), dimensions)), name="finite")
        )
    if "min" in spec:
        checks.append(pa.Check.ge(spec["min"]))
    if "max" in spec:
        checks.append(pa.Check.le(spec["max"]))
    if "values" in spec:
        checks.append(pa.Check.isin(spec["values"]))
    if "min_length" in spec or "max_length" in spec:
        checks.append(pa.Check.str_length(spec.get("min_length"), spec.get("max_length")))
    if spec.get("unit_norm"):
        checks.append(pa.Check(_unit_norm, name="unit norm"))
    if "shape" in spec:
        dtype = pl.Array(dtype, tuple(spec["shape"]))
    return pa.Column(dtype, checks, nullable=spec.get("nullable", False))


def _expected_rows(spec: int | dict[str, int]) -> tuple[int, int | None, str]:
    if isinstance(spec, int):
        return spec, spec, f"{spec:,}"
    low, high = spec["min"], spec.get("max")
    return low, high, f"at least {low:,}" if high is None else f"{low:,} to {high:,}"


@dataclass
class _Breach:
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, case: str) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(repr(case[:80]))

    def __str__(self) -> str:
        more = f" and {self.count - EXAMPLES:,} more" if self.count > EXAMPLES else ""
        return ", ".join(self.examples) + more


class Contract:
    """A dataset's contract in one source mode: collects breaches from batches and splits until `conclude`."""

    def __init__(self, dataset: dict[str, Any]) -> None:
        # Not at the top: see registry.workflow.job, without_pandas.
        import pandera.polars as pa

        self._dataset = dataset["name"]
        self._spec = dataset["contract"]
        self._rows = self._spec["rows"].get(dataset["source"], {})
        self._schema = pa.DataFrameSchema(
            {name: _column(spec) for name, spec in self._spec["columns"].items()}, strict=True, ordered=True
        )
        self._breaches: dict[tuple[str, str, str], _Breach] = {}

    def check(self, split: str, batch: pyarrow.RecordBatch) -> None:
        """Note every column and value of a batch that breaks the contract."""
        from pandera.errors import SchemaErrors

        try:
            self._schema.validate(pl.from_arrow(batch), lazy=True)
        except SchemaErrors as errors:
            for case in errors.failure_cases.iter_rows(named=True):
                self._note(split, case["column"] or "columns", case["check"], str(case["failure_case"]))

    def _note(self, split: str, place: str, rule: str, *cases: str) -> None:
        breach = self._breaches.setdefault((split, place, rule), _Breach())
        for case in cases:
            breach.add(case)

    def check_splits(self, samples: pl.LazyFrame) -> None:
        """Note wrong row counts, and inputs that occur twice; `samples` is the manifest."""
        counts = dict(samples.group_by("split").len().collect().iter_rows())
        for split in sorted(counts.keys() | self._rows.keys()):
            low, high, words = _expected_rows(self._rows.get(split, {"min": 1}))
            found = counts.get(split, 0)
            if found < low or (high is not None and found > high):
                self._note(split, "rows", f"expected {words}", f"{found:,}")
        if self._rows and (unexpected := counts.keys() - self._rows.keys()):
            self._note("all", "splits", f"expected {', '.join(self._rows)}", *sorted(unexpected))
        if self._spec.get("disjoint") or self._spec.get("unique"):
            self._check_inputs(samples)

    def check_floors(self, metadata: dict[str, Any]) -> None:
        """Note every number of a metadata.json that is below its floor, or not there."""
        found = {".".join(path): value for path, value in leaves(metadata).items() if is_number(value)}
        for name, floor in self._spec.get("floors", {}).items():
            if not found.get(name, math.nan) >= floor:
                self._note("all", "floors", f"{name} at least {floor}", str(found.get(name, "no such number")))

    def _check_inputs(self, samples: pl.LazyFrame) -> None:
        repeated = samples.select("input_id").collect().to_series().is_duplicated()
        if not repeated.any():
            return
        twice = samples.select("input_id", "key", "split").collect().filter(repeated)
        if self._spec.get("disjoint"):
            leaks = twice.group_by("input_id").agg("key", "split").filter(pl.col("split").list.n_unique() > 1)
            self._note_twins("in two splits", leaks)
        if self._spec.get("unique"):
            twins = twice.group_by("input_id", "split").agg("key").filter(pl.col("key").list.len() > 1)
            self._note_twins("twice in a split", twins)

    def _note_twins(self, what: str, twins: pl.DataFrame) -> None:
        if not twins.is_empty():
            keys = sorted(" = ".join(sorted(keys)) for keys in twins["key"].to_list())
            self._note("all", "inputs", f"none {what}", *keys)

    def conclude(self) -> dict[str, Any]:
        """Return the verdict for provenance, or raise one RegistryError that lists every breach."""
        if not self._breaches:
            return {"passed": True, "columns": list(self._spec["columns"]), "rows": self._rows} | {
                rule: self._spec[rule] for rule in ("disjoint", "unique", "floors") if self._spec.get(rule)
            }
        lines = [
            f"    {split}: {place}: {rule}: found {breach}" for (split, place, rule), breach in self._breaches.items()
        ]
        cleaning = Path("reports", self._dataset, "cleaning.json")
        seen = f"see what was left out in {cleaning}; " if cleaning.is_file() else ""
        raise RegistryError(
            "the contract is broken:\n" + "\n".join(lines),
            where=self._dataset,
            hint=f"{seen}fix the source or the params, or, if the data is right, the contract in "
            f"config/datasets/{self._dataset}.yaml",
        )
