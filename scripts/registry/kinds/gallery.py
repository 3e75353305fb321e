"""Rows of pictures: upright RGB, each in its split, with what is wrong with some of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from registry.config.kinds import splits_of
from registry.describe.canonical import canonical, row_digests
from registry.describe.columns import column_type
from registry.describe.layout import ID_BYTES
from registry.errors import RegistryError
from registry.kinds.folders import OF_PICTURES, Placed, Splits
from registry.kinds.inputs import IMAGE
from registry.kinds.leaks import IN_TWO_SPLITS
from registry.kinds.pictures import POLICIES as OF_EACH
from registry.kinds.pictures import PROBLEMS, READ, Found, Judged, Reader, digest_of, in_batches
from registry.kinds.rows import DUPLICATES, Rows, dropped
from registry.kinds.splitting import splitter

POLICIES = OF_EACH | {
    "missing_files": "fail",
    "outside_splits": "fail",
    IN_TWO_SPLITS: "fail",
    "other_labels": "keep",
    DUPLICATES: "keep",
}
"""What becomes of rows with problems, unless the params say."""
SOURCE = "\x1fsource"
"""The column by which pictures are told apart, a digest of their bytes as they came; no file has one of this name."""
MAX_DISTANCE = 6
"""Bits in which the hashes of pictures that look alike differ at most, unless the params say."""

Judge = Callable[[Placed], Mapping[str, pl.Series]]
"""Return which problems {name: bool} rows have for what is in their columns."""


class Origin(Protocol):
    """Where pictures and the other columns of their rows are from."""

    def pictures(
        self, files: Mapping[str, Path], max_bytes: int, counts: Counter[str]
    ) -> Iterator[tuple[str, Iterator[Found]]]:
        """Yield the name of each source file with its pictures; what else is in it goes into `counts`."""

    def place(self, pictures: Sequence[Found]) -> Placed:
        """Return the rows of pictures."""

    def missing(self) -> Iterator[Placed]:
        """Yield the rows whose pictures were not there."""


def rows_of(
    origin: Origin,
    files: Mapping[str, Path],
    contract: Mapping[str, Any],
    params: Mapping[str, Any],
    threads: int,
    judge: Judge = lambda placed: {},
) -> Iterator[Rows]:
    """Yield the rows of the pictures of source files {name: path}, decoded on so many threads.

    They have the columns of the contract, and tell themselves which of them are duplicates, for which some 200 bytes a
    picture are in memory. Where folders, files or columns make the splits, a picture that is in two is a problem in the
    one that ranks lower: splits rank in the order of the params, and files are read twice. `judge` finds what else is
    wrong with rows. Raises RegistryError where there is no picture, and for a contract without a column for them.
    """
    if IMAGE not in contract or column_type(contract[IMAGE]) != pl.Binary:
        raise RegistryError("there is no column image, of dtype binary", where="contract.columns")
    reader, makes, counts, number = Reader.of(params, threads), _Maker(contract, params, judge), Counter[str](), 0
    if makes.can_leak:
        for file, its in origin.pictures(files, reader.limits.max_bytes, Counter()):
            for some in in_batches(its):
                makes.remember(file, some, origin.place(some))
    for file, its in origin.pictures(files, reader.limits.max_bytes, counts):
        for judged in reader.batches(its):
            number += len(judged)
            counts["converted_pictures"] += sum(one.picture is not None and one.picture.converted for one in judged)
            yield _with(counts, makes.rows(file, judged, origin.place([one.found for one in judged])))
    if not number:
        others = counts["system_files"] + counts["other_files"]
        hint = "see params.root and path; or the names of its pictures end in none of " + ", ".join(sorted(READ))
        but = f", but {others:,} other files" if others else ""
        raise RegistryError(f"no picture is found{but}", where=", ".join(files), hint=hint)
    for placed in origin.missing():
        yield makes.missing(placed)
    yield _with(counts, makes.missing(origin.place([])))


def _with(counts: Counter[str], rows: Rows) -> Rows:
    """Return rows with what was counted since the ones before."""
    found = dict(counts)
    counts.clear()
    return replace(rows, counts=found)


class _Maker:
    """Makes rows of pictures, and remembers which pictures there were."""

    def __init__(self, contract: Mapping[str, Any], params: Mapping[str, Any], judge: Judge) -> None:
        self._judge, self._policies = judge, params.get("problems", {})
        self._types = {name: column_type(spec) for name, spec in contract.items()}
        self._others = [name for name in contract if name not in OF_PICTURES]
        split = params.get("split")
        self._folders = Splits(params) if split and "folders" in split else None
        self._assign = None if self._folders else splitter(split, [SOURCE])
        self._first: dict[bytes, bytes] = {}
        self._ranks = {split: rank for rank, split in enumerate(splits_of(params))}
        self._highest: dict[bytes, int] = {}
        self.can_leak = bool(split) and not ("ratios" in split and "by" not in split)

    def remember(self, file: str, pictures: Sequence[Found], placed: Placed) -> None:
        """Remember which splits these pictures of a source file are in."""
        digests = [digest_of(pictures[number].data) for number in placed.pictures]
        splits = self._splits(file, [pictures[number] for number in placed.pictures], digests, placed)
        gone = dropped({**placed.problems, **self._judge(placed)}, self._policies, len(digests))
        for digest, split, out in zip(digests, splits, gone, strict=True):
            if out:
                continue
            self._highest[digest] = max(self._highest.get(digest, -1), self._ranks.get(split, -1))

    def rows(self, file: str, judged: Sequence[Judged], placed: Placed) -> Rows:
        """Return the rows of pictures of a source file."""
        its = [judged[number] for number in placed.pictures]
        pictures = [one.picture for one in its]
        samples = self._samples(
            placed,
            {
                IMAGE: [picture and picture.jpeg for picture in pictures],
                "width": [picture and picture.width for picture in pictures],
                "height": [picture and picture.height for picture in pictures],
                "path": [one.found.path for one in its],
            },
        )
        sources = [digest_of(one.found.data) for one in its]
        splits = self._splits(file, [one.found for one in its], sources, placed)
        elsewhere = {**placed.problems, "outside_splits": splits.is_null()}
        sound = [picture is not None for picture in pictures]
        for has_it in elsewhere.values():
            sound = [good and not bad for good, bad in zip(sound, has_it, strict=True)]
        found = {problem: [one.problem == problem for one in its] for problem in PROBLEMS}
        ranks = [self._ranks.get(split, -1) for split in splits]
        found[IN_TWO_SPLITS] = [
            good and self._highest.get(source, -1) > rank
            for source, rank, good in zip(sources, ranks, sound, strict=True)
        ]
        problems = {name: pl.Series(rows, dtype=pl.Boolean) for name, rows in found.items()}
        elsewhere |= self._judge(placed)
        gone = dropped(problems | elsewhere, self._policies, len(its))
        again = self._repeated(sources, samples, pl.Series(sound, dtype=pl.Boolean) & ~gone)
        problems = problems | again | elsewhere
        return Rows(samples, placed.keys, splits, problems, notes=pl.Series([one.note for one in its], dtype=pl.String))

    def _splits(self, file: str, pictures: Sequence[Found], digests: Sequence[bytes], placed: Placed) -> pl.Series:
        """Return the splits of pictures of a source file, null for none."""
        if self._folders:
            return pl.Series([self._folders.find(found.path)[0] for found in pictures], dtype=pl.String)
        return self._assign(file, pl.DataFrame([*placed.columns, pl.Series(SOURCE, digests, dtype=pl.Binary)]))

    def missing(self, placed: Placed) -> Rows:
        """Return rows whose pictures are not there."""
        count = len(placed.keys)
        samples = self._samples(placed, dict.fromkeys(OF_PICTURES, [None] * count))
        splits = pl.Series([None] * count, dtype=pl.String)
        problems = {**placed.problems, "missing_files": pl.repeat(True, count, eager=True), **self._judge(placed)}
        return Rows(samples, placed.keys, splits, problems, notes=placed.notes)

    def _samples(self, placed: Placed, of_pictures: Mapping[str, list[Any]]) -> pl.DataFrame:
        return pl.DataFrame(
            [
                pl.Series(name, of_pictures[name], dtype=dtype) if name in OF_PICTURES else placed.columns[name]
                for name, dtype in self._types.items()
            ]
        )

    def _repeated(self, sources: Sequence[bytes], samples: pl.DataFrame, left: pl.Series) -> dict[str, pl.Series]:
        """Return which of the pictures that are left are the same as one before, in rows that are the same, or not."""
        values = [canonical(samples[name].to_arrow()) for name in self._others]
        joined = row_digests(values, ID_BYTES) if values else b""
        found: dict[str, list[bool]] = {DUPLICATES: [], "other_labels": []}
        for row, (source, usable) in enumerate(zip(sources, left, strict=True)):
            own = joined[row * ID_BYTES : (row + 1) * ID_BYTES]
            first = self._first.get(source) if usable else None
            if usable:
                self._first.setdefault(source, own)
            found[DUPLICATES].append(first == own)
            found["other_labels"].append(first not in (None, own))
        return {problem: pl.Series(rows, dtype=pl.Boolean) for problem, rows in found.items()}
