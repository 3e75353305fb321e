"""Hold the duplicates that metadata.json counts to `contract.quality.leakage`: too many fail, or are warned of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from registry.config.leakage import Limits, beyond, in_words, leakage, limits_of, others
from registry.describe.breaches import Case, Cases, how
from registry.describe.columns import shown_value


@dataclass(frozen=True)
class Leak:
    """Too many duplicates: `rule` is what they break, which `fails` or is warned of.

    `cases` are the first of them, which `said` names in words.
    """

    split: str
    rule: str
    count: int
    said: list[str]
    cases: list[Case]
    fails: bool


def judged(contract: Mapping[str, Any], metadata: Mapping[str, Any], cases: Cases) -> Iterator[Leak]:
    """Yield the duplicates in a metadata.json that are too many by a contract; `cases` are of the same rows."""
    said, found = leakage(contract), metadata.get("leakage")
    if not found:
        return
    for split, by_split in found["splits"].items():
        for other, numbers in by_split.items():
            limits = limits_of(said.get("within" if other == split else "across", {}))
            those = f"one of {other}" if other != split else "another one of it"
            yield from _beyond(limits, split, ("split", other), those, numbers, metadata, cases)
    for split, by_dataset in found.get("against", {}).items():
        for other, numbers in by_dataset.items():
            limits = limits_of(others(contract)[other])
            yield from _beyond(limits, split, ("dataset", other), f"one of {other}", numbers, metadata, cases)


def _beyond(
    limits: Limits,
    split: str,
    there: tuple[str, str],
    those: str,
    numbers: Mapping[str, int],
    metadata: Mapping[str, Any],
    cases: Cases,
) -> Iterator[Leak]:
    kind, other = there
    count = sum(numbers.values())
    if worst := beyond(limits, count, metadata["splits"][split]["num_samples"]):
        examples = metadata["leakage"].get("examples", [])
        its = [one for one in examples if (split, other) in _both_ways(one, kind)]
        said, rule = [*map(named, its)] or [f"{count:,}"], f"{in_words(worst[1])} like {those}"
        place, back = ((split, other, None), (other, split, None)) if kind == "split" else ((split, "", other), None)
        yield Leak(split, rule, count, said, cases.get(place, cases.get(back, [])), worst[0] == "fail")


def _both_ways(example: Mapping[str, Any], kind: str) -> list[tuple[str, str | None]]:
    there = example["like"].get(kind)
    return [(example["split"], there)] + ([(there, example["split"])] if kind == "split" else [])


def named(example: Mapping[str, Any]) -> str:
    """Return a pair of rows that metadata.json names, as messages do."""
    like = example["like"]
    there = like.get("dataset", like.get("split"))
    rows = f"{shown_value(example['key'])} of {example['split']} and {shown_value(like['key'])} of {there}"
    return f"{rows}, {how(example['distance'], example['exact'])}"
