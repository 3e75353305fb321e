"""Check samples against a dataset's contract, and report every breach at once."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow
import pyarrow.parquet

from registry.config.columns import Spec, inner, places
from registry.config.leakage import leakage
from registry.config.names import closest
from registry.describe.breaches import MOST_ROWS, SAID, SHOWN_ROWS, Breach, Breaches, Case, Cases, Row, with_keys
from registry.describe.columns import (
    SHOWN,
    column_type,
    in_words,
    inside,
    pattern_problem,
    rules_of,
    shown_value,
    type_in_words,
)
from registry.describe.gates import Finding, judged
from registry.describe.leaks import judged as judged_leaks
from registry.describe.metadata import is_number, leaves
from registry.describe.polars_types import is_in_polars
from registry.describe.profile import Examples
from registry.describe.referenced import Referenced
from registry.describe.twins import Group, first_groups, groups_of, same_rows, twins_in
from registry.errors import RegistryError

WARNINGS = 10
"""Warnings that a verdict holds."""
ASKED = ("disjoint", "unique", "floors", "quality")
"""What a contract may ask for beyond columns and rows."""


def _expected_rows(spec: int | dict[str, int]) -> tuple[int, int | None]:
    return (spec, spec) if isinstance(spec, int) else (spec["min"], spec.get("max"))


def _breaking(
    samples: pl.DataFrame, rules: Mapping[tuple[str, str], pl.Expr]
) -> Iterator[tuple[tuple[str, str], pl.Series]]:
    """Yield each rule that values break, and the numbers of the rows of these, of which there is at least one."""
    if not rules:
        return
    wrong = samples.select((~good).fill_null(False).alias(str(place)) for place, good in enumerate(rules.values()))
    for place, (rule, broken) in enumerate(zip(rules, wrong.select(pl.all().any()).row(0), strict=True)):
        if broken:
            yield rule, wrong[str(place)].arg_true()


class Contract:
    """A dataset's contract in one source mode: collects breaches from batches and splits until `conclude`.

    `referenced` holds the values of all columns that it refers to.
    """

    def __init__(self, dataset: dict[str, Any], referenced: Referenced | None = None) -> None:
        self._dataset = dataset["name"]
        self._spec = dataset["contract"]
        self._rows = self._spec["rows"].get(dataset["source"], {})
        self._columns = self._spec["columns"]
        self._types = {name: column_type(spec) for name, spec in self._columns.items()}
        self._referenced = referenced or {}
        self._check_patterns()
        self._seen: dict[str, int] = {}
        self._odd: list[Finding] = []
        self._breaches = Breaches()
        self._warnings: list[str] = []

    def _check_patterns(self) -> None:
        """Raise RegistryError for what is no regular expression: when configuration is read, only some of it shows."""
        found = {place: pattern_problem(spec["matches"]) for place, spec in places(self._columns) if "matches" in spec}
        wrong = [f"  contract.columns.{place}: matches: {problem}" for place, problem in found.items() if problem]
        if wrong:
            raise RegistryError(
                "not valid:\n" + "\n".join(wrong),
                where=f"config/datasets/{self._dataset}.yaml",
                hint="write regular expressions as Rust's crate regex has them: https://docs.rs/regex/latest/regex/#syntax",
            )

    def check(self, split: str, batch: pyarrow.RecordBatch, keys: Sequence[str] | pl.Series = ()) -> None:
        """Note every column and value of a batch that breaks the contract; `keys` name its rows.

        All batches of a split must come in their order.
        """
        start = self._seen.get(split, 0)
        self._seen[split] = start + batch.num_rows
        # Taken once, as the schema of `samples`: that of some thousand columns takes its time.
        schema = batch.schema
        for rule in self._wrong_columns(schema.names):
            self._breaches.note(split, "columns", rule)
        has = {*schema.names}
        # Under numbers, since polars takes names such as `*` and `^...$` for patterns.
        names = {str(number): name for number, name in enumerate(self._columns) if name in has}
        foreign = [number for number, name in names.items() if not is_in_polars(schema.field(name).type)]
        there = {number: batch[name] for number, name in names.items() if number not in foreign}
        samples = pl.from_arrow(pyarrow.record_batch([*there.values()], names=[*there]))
        types = samples.schema
        right = [number for number in there if types[number] == self._types[names[number]]]
        rules = {
            (number, rule): good
            for number in right
            for rule, good in self._rules(number, self._columns[names[number]]).items()
        }
        for (number, rule), wrong in _breaking(samples, rules):
            self._note_values(split, names[number], rule, samples[number], wrong, wrong.to_numpy(), start, keys)
        for number in right:
            self._check_inside(split, names[number], samples[number], start, keys)
        for number, name in names.items():
            if number not in right:
                found = types[number] if number in there else schema.field(name).type
                self._breaches.note(split, name, f"type {type_in_words(self._columns[name])}", [str(found)[:SHOWN]])

    def _rules(self, column: str, spec: Spec) -> dict[str, pl.Expr]:
        """Return the rules for the values in a column of a frame: see `rules_of`."""
        rules = rules_of(pl.col(column), spec)
        if to := spec.get("references"):
            known = self._referenced[to["dataset"], to["column"]]
            rules[f"in {to['column']} of {to['dataset']}"] = pl.col(column).is_in(known.implode())
        return rules

    def _check_inside(
        self, split: str, name: str, values: pl.Series, start: int, keys: Sequence[str] | pl.Series
    ) -> None:
        """Note what within a column of lists or structs breaks the contract; no other column has anything within."""
        spec = self._columns[name]
        if not inner(spec):
            return
        for place, one, found, rows in inside(name, spec, values, np.arange(len(values))):
            rules = {(place, rule): good for rule, good in self._rules("values", one).items()}
            for (_, rule), wrong in _breaking(pl.DataFrame({"values": found}), rules):
                self._note_values(split, place, rule, found, wrong, rows[wrong.to_numpy()], start, keys)

    def _note_values(
        self,
        split: str,
        place: str,
        rule: str,
        values: pl.Series,
        wrong: pl.Series,
        rows: np.ndarray,
        start: int,
        keys: Sequence[str] | pl.Series,
    ) -> None:
        """Note those of the values that are wrong, and their rows in a batch whose first row is `start`."""
        said = [
            f"{shown_value(value)} in row {start + row}{f' ({shown_value(keys[row])})' if len(keys) else ''}"
            for value, row in zip(values.gather(wrong.head(SAID)).to_list(), rows[:SAID].tolist(), strict=True)
        ]
        # Several values in a row may be wrong.
        first = np.unique(rows)[:SHOWN_ROWS].tolist()
        cases = [Case([Row(split, start + row, keys[row] if len(keys) else None)]) for row in first]
        self._breaches.note(split, place, rule, said, len(wrong), start + int(rows[0]), cases)

    def _wrong_columns(self, found: list[str]) -> Iterator[str]:
        """Yield what is wrong with the names of the columns, or their order."""
        missing = [name for name in self._columns if name not in found]
        extra = [name for place, name in enumerate(found) if name not in self._columns or name in found[:place]]
        for name in missing:
            there = closest(name.casefold(), [other.casefold() for other in extra])
            instead = next((other for other in extra if other.casefold() == there), None)
            if instead is None:
                yield f"{shown_value(name)} is missing"
            else:
                extra.remove(instead)
                yield f"{shown_value(name)} is missing, {shown_value(instead)} is there instead"
        for name in extra:
            yield f"{shown_value(name)} is there, and not in the contract"
        if not missing and not extra and found != [*self._columns]:
            first = next(place for place, name in enumerate(self._columns) if found[place] != name)
            yield f"{shown_value(found[first])} stands where {shown_value([*self._columns][first])} belongs"

    def note_no_rows(self) -> None:
        """Note that there are no rows at all."""
        self._breaches.note("all", "rows", f"expected {in_words(1, None)}", ["0"])

    def check_splits(self, num_samples: Mapping[str, int], manifest: str | Path) -> None:
        """Note wrong row counts, and inputs that occur twice in a manifest with so many samples in each split."""
        counts = {split: count for split, count in num_samples.items() if count}
        for split in sorted(counts.keys() | self._rows.keys()):
            low, high = _expected_rows(self._rows.get(split, {"min": 1}))
            found = counts.get(split, 0)
            if found < low or (high is not None and found > high):
                self._breaches.note(split, "rows", f"expected {in_words(low, high)}", [f"{found:,}"])
        if not counts and not self._rows:
            self.note_no_rows()
        if self._rows and (unexpected := counts.keys() - self._rows.keys()):
            self._breaches.note(
                "all",
                "splits",
                f"expected {', '.join(self._rows)}",
                [shown_value(split) for split in sorted(unexpected)],
            )
        if self._spec.get("disjoint") or self._spec.get("unique"):
            self._check_inputs(manifest, sum(counts.values()))
        self._note_odd(manifest)
        self._breaches.name_rows(manifest)

    def check_floors(self, metadata: dict[str, Any]) -> None:
        """Note every number of a metadata.json that is below its floor, or not there."""
        found = {".".join(path): value for path, value in leaves(metadata).items() if is_number(value)}
        for name, floor in self._spec.get("floors", {}).items():
            if not found.get(name, math.nan) >= floor:
                self._breaches.note(
                    "all", "floors", f"{name} at least {floor}", [str(found.get(name, "no such number"))]
                )

    def check_quality(self, metadata: dict[str, Any], examples: Examples) -> None:
        """Hold what is odd about the rows of a metadata.json to the contract; `examples` are rows that show it."""
        if quality := self._spec.get("quality"):
            self._odd += judged(quality, metadata, examples)

    def _note_odd(self, manifest: str | Path) -> None:
        """Note what is odd and breaks the contract, with rows that show it."""
        for one in self._odd:
            if one.fails:
                groups = same_rows(manifest, sum(self._seen.values()), SHOWN_ROWS) if one.twice else []
                rows = with_keys(manifest, one.rows[:SHOWN_ROWS])
                said = [shown_value(group.words) for group in groups]
                said += [f"row {row.number} of {row.split} ({shown_value(row.key)})" for row in rows]
                found = f"{one.found}, such as {', '.join(said[:SAID])}" if said else one.found
                cases = [*map(_case_of, groups), *(Case([row]) for row in rows)]
                row = one.rows[0].number if one.rows else None
                self._breaches.note(one.split, one.place, one.rule, [found], row=row, cases=cases)

    def check_leakage(self, metadata: dict[str, Any], cases: Cases) -> None:
        """Hold the duplicates that a metadata.json counts to the contract; `cases` are rows that are alike."""
        if "across" in leakage(self._spec) and len(metadata["splits"]) == 1:
            self._warnings.append("all: leakage: across: there is no other split to look into")
        for leak in judged_leaks(self._spec, metadata, cases):
            said = leak.said[:SAID]
            if leak.fails:
                self._breaches.note(leak.split, "leakage", leak.rule, said, leak.count, cases=leak.cases)
            else:
                self._warnings.append(f"{leak.split}: leakage: {leak.rule}{Breach(leak.count, said=said)}")

    def _check_inputs(self, manifest: str | Path, count: int) -> None:
        numbers = {"disjoint": 0, "unique": 0}
        first: dict[str, list[Group]] = {"disjoint": [], "unique": []}
        for rows in twins_in(manifest, "input_id", count):
            groups = {
                "disjoint": groups_of(rows, "input_id").filter(pl.col("splits").list.n_unique() > 1),
                "unique": groups_of(rows, "input_id", "split"),
            }
            for rule, those in groups.items():
                numbers[rule] += those.height
                first[rule] = sorted([*first[rule], *first_groups(those, SHOWN_ROWS)])[:SHOWN_ROWS]
        for rule, what in {"disjoint": "in two splits", "unique": "twice in a split"}.items():
            if self._spec.get(rule) and numbers[rule]:
                said, cases = [shown_value(group.words) for group in first[rule]], [*map(_case_of, first[rule])]
                self._breaches.note("all", "inputs", f"none {what}", said, numbers[rule], cases=cases)

    def conclude(self) -> dict[str, Any]:
        """Return the verdict for provenance, or raise one ContractError that lists every breach."""
        if self._breaches:
            raise self._breaches.error(self._dataset)
        return (
            {"passed": True, "columns": list(self._spec["columns"]), "rows": self._rows}
            | {rule: self._spec[rule] for rule in ASKED if self._spec.get(rule)}
            | ({"warnings": self.warnings} if self.warnings else {})
        )

    @property
    def warnings(self) -> list[str]:
        """What is to be warned of so far, a line each; the last one says how many more there are."""
        odd = [f"{one.split}: {one.place}: {one.rule}: found {one.found}" for one in self._odd if not one.fails]
        found = odd + self._warnings
        if (more := len(found) - WARNINGS) > 0:
            found[WARNINGS:] = [f"and {more:,} more"]
        return found


def _case_of(group: Group) -> Case:
    """Return rows that are the same as a case, the first of each split before others."""
    rows = [Row(*row) for row in group.rows]
    first = {row.split: row for row in reversed(rows)}
    return Case(sorted(rows, key=lambda row: row != first[row.split])[:MOST_ROWS])
