"""Find what models learn from among the rows by which older versions measured them, and near these."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from registry.compare.likeness import Inputs, Part, near_rows
from registry.compare.manifests import explained, manifest_of
from registry.config.leakage import DIGITS, TRAINED_ON
from registry.errors import RegistryError
from registry.storage.damage import MissingDataError
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady, State
from registry.storage.tags import Release

MOST_THREADS = 4
"""On which pictures are decoded and compared: each holds one that may be large."""
WITHOUT_OLDER = "take contract.quality.leakage.older out"
HINT = f"bring that back, or {WITHOUT_OLDER}"
SPLITS = "name in contract.quality.leakage.tests the splits by which models are measured, or take older out"
WITHOUT = f"{HINT}, or near-duplicates: near: false"


class OlderTests:
    """Holds the rows that models learn from against those by which older releases measured them.

    `said` is what the contract of what is built says of leakage. Methods raise NotReady for what cannot be read, and
    where there is nothing to hold against each other. `warnings` says, after `alike`, what was not looked for.
    """

    def __init__(
        self, repository: Repository, built: Snapshot, releases: Sequence[Release], said: Mapping[str, Any]
    ) -> None:
        self._repository, self._built, self._releases, self._said = repository, built, releases, said
        self.warnings: list[str] = []
        if unknown := [split for split in said.get("tests", ()) if split not in built.sizes]:
            raise NotReady(
                State.REFUSED, f"contract.quality.leakage.tests names no split: {', '.join(unknown)}", SPLITS
            )
        self.learnt = _rows(built, ~self._is_test)
        if self.learnt.is_empty():
            what = f"no split is one that models learn from, for leakage.older: there are {', '.join(built.sizes)}"
            raise NotReady(State.REFUSED, what, SPLITS)

    @property
    def _is_test(self) -> pl.Expr:
        split = pl.col("split")
        return split.is_in(self._said["tests"]) if "tests" in self._said else split != TRAINED_ON

    def alike(self) -> Iterator[tuple[Release, pl.DataFrame]]:
        """Yield releases, newest first, and which rows that models learn from are like one in a test split of them.

        These have split, row (in it), key and place (in the manifest), split_then, row_then and key_then, of one that
        they are like, and distance, null where the inputs are the same; the closest come first. Releases of one content
        count once.
        """
        near = self._near()
        for release, before in self._different:
            tests = self._tests(before).drop("place").rename({name: f"{name}_then" for name in ("split", "row", "key")})
            same = self.learnt.join(tests, on="input_id").with_columns(distance=pl.lit(None, pl.Float64))
            others = self.learnt.join(near, on="input_id").join(tests, left_on="input_id_then", right_on="input_id")
            yield release, pl.concat([same, others.select(same.columns)]).sort("distance", "place", nulls_last=False)

    @cached_property
    def _different(self) -> list[tuple[Release, Snapshot]]:
        """The releases that hold other rows than what is built and than each other, newest first."""
        found, seen = [], {self._built.content_hash}
        for release in reversed(self._releases):
            try:
                before = Snapshot.at(self._repository, release.dataset, release.commit, release.tag)
            except RegistryError as error:
                hint = f"if nobody relies on it: git tag --delete {release.tag}; or {WITHOUT_OLDER}"
                raise _unreadable(release.tag, error, hint) from None
            if before.content_hash not in seen:
                seen.add(before.content_hash)
                found.append((release, before))
        return found

    def _tests(self, snapshot: Snapshot) -> pl.DataFrame:
        """Return one row of the test splits for each input."""
        return _rows(snapshot, self._is_test).unique("input_id", keep="first", maintain_order=True)

    def _near(self) -> pl.DataFrame:
        """Return near-duplicates: input_id of a row that models learn from, input_id_then of a test, and distance.

        What is near tests of a release has a pair with one of these at least. None are looked for where the contract
        says so, where there is no other release, and where the tables lack the inputs.
        """
        learnt = self.learnt.unique("input_id", keep="first", maintain_order=True)
        pairs = [pl.DataFrame(schema={"input_id": pl.Binary, "input_id_then": pl.Binary, "distance": pl.Float64})]
        if not (self._different and self._said.get("near", True)):
            return pairs[0]
        try:
            one, inputs = _part(self._built, learnt), Inputs.of(self._built, self._said.get("digits", DIGITS))
            if inputs is None or not inputs.are_in(one):
                self._not_looked_for("what is built")
                return pairs[0]
            tests, parts, held = self._parts(inputs)
            same = learnt.with_row_index("one").join(tests.with_row_index("number"), on="input_id")
            alike = np.zeros((learnt.height, held.shape[1]), np.uint8)
            alike[same["one"].to_numpy()] = held[same["number"].to_numpy()]
            threads = min(os.cpu_count() or 1, MOST_THREADS)

            def wanted(i: np.ndarray, j: np.ndarray) -> np.ndarray:
                return (held[j] & ~alike[i]).any(axis=1)

            for i, j, distances in near_rows(one, parts, inputs, wanted, threads):
                np.bitwise_or.at(alike, i, held[j])
                found = {"input_id": learnt["input_id"].gather(i), "input_id_then": tests["input_id"].gather(j)}
                pairs.append(pl.DataFrame(found | {"distance": distances.astype(np.float64).round(3)}))
        except RegistryError as error:
            raise NotReady(
                State.REFUSED, f"it cannot be held against older versions: {error.reason}", WITHOUT
            ) from None
        return pl.concat(pairs).group_by("input_id", "input_id_then", maintain_order=True).min()

    @staticmethod
    def _has(before: Snapshot, rows: pl.DataFrame, inputs: Inputs) -> bool:
        try:
            return inputs.are_in(_part(before, rows))
        except MissingDataError as error:
            raise _unreadable(before.name, error, WITHOUT) from None

    def _not_looked_for(self, name: str) -> None:
        lacking = f"the tables of {name} do not have what is compared"
        self.warnings.append(f"near-duplicates were not looked for in tests of older versions: {lacking}")

    def _parts(self, inputs: Inputs) -> tuple[pl.DataFrame, list[Part], np.ndarray]:
        """Return the inputs of all tests, the parts that have them in this order, and which releases hold each.

        Those that are still here are read here, the others in the newest release that has them. Releases are bits of
        uint8 (tests, releases / 8).
        """
        here = _rows(self._built).unique("input_id", keep="first", maintain_order=True)
        states, tests, held = [self._built], here.clear().with_columns(state=pl.lit(0)), []
        for _, before in self._different:
            its = self._tests(before)
            new = its.join(tests, on="input_id", how="anti")
            kept = here.join(new, on="input_id", how="semi")
            gone = new.join(here, on="input_id", how="anti")
            if gone.height and not self._has(before, gone, inputs):
                self._not_looked_for(before.name)
                gone = gone.clear()
            rows = [some.with_columns(state=pl.lit(state)) for state, some in ((0, kept), (len(states), gone))]
            states.append(before)
            tests = pl.concat([tests, *rows])
            held.append(tests.select(pl.col("input_id").is_in(its["input_id"].implode())).to_series())
        tests = tests.with_row_index("number").sort("state", "place")
        bits = np.zeros((tests.height, len(held)), bool)
        for release, its in enumerate(held):
            bits[: len(its), release] = its.to_numpy()
        parts = [_part(states[state], rows) for (state,), rows in tests.group_by("state", maintain_order=True)]
        return tests.select("input_id"), parts, np.packbits(bits[tests["number"].to_numpy()], axis=1)


def _rows(snapshot: Snapshot, wanted: pl.Expr | None = None) -> pl.DataFrame:
    """Return the wanted rows of a manifest, else all, in order: place, input_id, key, split, and row in that.

    Raises NotReady.
    """
    try:
        path = manifest_of(snapshot).path
        with explained(path):
            rows = pl.scan_parquet(path).select("input_id", "key", "split").with_row_index("place")
            rows = rows.with_columns(row=pl.int_range(pl.len()).over("split"))
            return (rows if wanted is None else rows.filter(wanted)).collect()
    except RegistryError as error:
        raise _unreadable(snapshot.name, error) from None


def _part(snapshot: Snapshot, rows: pl.DataFrame) -> Part:
    """Return rows, which are in the order of the manifest, by their places in their splits."""
    by_split = rows.group_by("split", maintain_order=True)
    return Part(snapshot, {split: its["row"].to_numpy() for (split,), its in by_split})


def _unreadable(name: str, error: RegistryError, hint: str = HINT) -> NotReady:
    return NotReady(State.REFUSED, f"it cannot be held against {name}: {error.what}", hint)
