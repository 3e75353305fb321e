"""Write the card of a version, README.md: what people read before they use it, from what its release holds."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

import yaml

from registry.cards.hub import BUILDERS, about_of, front_matter
from registry.cards.loading import ways_to_load
from registry.compare.drift import Drift
from registry.describe.metadata import duplicates, leakage_of, quality_of
from registry.extras import needed
from registry.shown import markdown, markdown_text, one_line, printable, some
from registry.storage.snapshot import Snapshot
from registry.storage.tags import Entry

OLDER = 10
"""Versions before its own that a card tells of."""
MOST = 50
"""Classes, files or problems that a table names."""
SOME = 3
"""Columns that a line names."""
UNEVEN = 2
"""A column is told of whose largest class has more than so many times the rows of the smallest."""
ADDRESS = re.compile(r"https?://[^\s<>|\\`]+")
"""What can be a link in a cell of a table."""
WRITTEN = "Written by registry publish"
"""Tells a card, and what else a release adds, from a text of somebody else."""


@dataclass(frozen=True)
class Occasion:
    """What only a release knows: its number, tag and day, what changed, the versions before it, newest first.

    `drift` is what has moved most since the newest of these, `address` that of the registry, `notes` are sections that
    somebody wrote, in Markdown, and `problems` what cleaning has found, as JSON, if it has said so.
    """

    version: str
    tag: str
    date: date
    changes: Sequence[str]
    before: Sequence[Entry] = ()
    drift: Sequence[Drift] = ()
    address: str | None = None
    notes: str = ""
    problems: Mapping[str, Any] | None = None


def card(snapshot: Snapshot, occasion: Occasion) -> str:
    """Return the card of a version, in the form of Hugging Face's Hub: front matter in YAML, then Markdown."""
    jinja2 = needed("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("registry.cards", "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  it is Markdown: `code` and `text` let texts of others mark nothing up
    )
    environment.filters |= {"code": _code, "text": markdown_text, "link": _link, "number": _number}
    builder, tables = tables_of(snapshot)
    found = environment.get_template("card.md.jinja").render(
        written=WRITTEN,
        head=_yaml(front_matter(snapshot, tables)),
        name=snapshot.dataset,
        about=about_of(snapshot),
        data=snapshot.provenance["data"],
        rows=snapshot.rows,
        splits=snapshot.metadata["splits"],
        distributions=[*_distributions(snapshot.metadata)],
        columns=snapshot.metadata["schema"]["features"],
        content_hash=snapshot.content_hash,
        source=snapshot.provenance["source"],
        files=snapshot.provenance["source"].get("files", []),
        parents=snapshot.provenance["source"].get("datasets", {}),
        params=params_of(snapshot),
        scripts=sorted(snapshot.provenance["code"]),
        libraries=snapshot.provenance["libraries"],
        problems=None if occasion.problems is None else [*counts_of(occasion.problems)],
        odd=[
            *_odd(quality_of(snapshot.metadata, where=snapshot.name)),
            *islice(_alike(leakage_of(snapshot.metadata, where=snapshot.name)), MOST),
        ],
        occasion=occasion,
        older=occasion.before[:OLDER],
        ways=ways_to_load(snapshot, occasion.version, occasion.tag, occasion.address, tables, builder),
        MOST=MOST,
    )
    return found.rstrip("\n") + "\n"


def _yaml(value: Mapping[str, Any]) -> str:
    """Return a value as YAML, with what cannot be printed spelt by its number."""
    found = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
    return found if printable(found) == found else yaml.safe_dump(value, sort_keys=False, width=120)


def _code(value: object) -> str:
    """Return a text as code in a cell of a table, whatever is in it."""
    text = one_line(value)
    return f"`{text}`" if text.strip() == text != "" and not {"`", "|"} & {*text} else markdown(text)


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else _code(value) if value else ""


def _link(url: str) -> str:
    """Return an address as a link, if it is one."""
    return f"<{url}>" if ADDRESS.fullmatch(url) else _code(url) if url else ""


def tables_of(snapshot: Snapshot) -> tuple[str, dict[str, list[str]]]:
    """Return what reads the tables of a version, and {split: their paths from its folder}; none where it has none."""
    listed = snapshot.listed()
    for suffix, builder in BUILDERS.items():
        found = snapshot.tables(listed, [suffix])
        if len(found) == len(snapshot.metadata["splits"]):
            return builder, {
                split: [path.removeprefix(f"{snapshot.folder}/") for path in paths] for split, paths in found.items()
            }
    return "", {}


def params_of(snapshot: Snapshot) -> str:
    """Return what a version was set to, as YAML; nothing where it has no settings."""
    config = snapshot.provenance["config"]
    found = {key: config[key] for key in ("kind", "params", "options") if config.get(key)}
    return _yaml(found) if found else ""


def _distributions(metadata: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, dict[str, int]]]]:
    """Yield what was counted, and {value: {split, or `all`: how many}} of it."""
    ending = "_distribution"
    counted = [("all", metadata.get("summary", {})), *metadata["splits"].items()]
    names = dict.fromkeys(key for _, about in counted for key in about if key.endswith(ending))
    for name in names:
        by_split = {split: about[name] for split, about in counted if isinstance(about.get(name), Mapping)}
        values = dict.fromkeys(value for counts in by_split.values() for value in counts)
        if values:
            table = {value: {split: counts.get(value, 0) for split, counts in by_split.items()} for value in values}
            yield name.removesuffix(ending), table


def counts_of(found: Any, name: str = "") -> Iterator[tuple[str, int]]:
    """Yield {what: how many} of all that was found at least once, of a list its length."""
    if isinstance(found, Mapping):
        for key, value in found.items():
            yield from counts_of(value, f"{name}, {key}" if name else str(key))
    elif isinstance(found, list) and found:
        yield name, len(found)
    elif isinstance(found, int) and not isinstance(found, bool) and found:
        yield name, found


def _odd(quality: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was counted that is odd about rows, a line of Markdown each, of columns the worst first."""
    if not quality:
        return
    same, inputs = quality["duplicates"]["samples"], quality["duplicates"]["inputs"]
    if same:
        yield f"Rows that are the same as one before them: {same:,}."
    if inputs > same:
        yield f"Rows whose input is that of one before them: {inputs:,}."
    if missing := quality["missing"]:
        yield f"Rows without a value, in {_worst(missing)}."
    if quality["constant"]:
        yield f"The same in all rows: {_named([_code(name) for name in quality['constant']])}."
    if outliers := {name: max(its.values(), key=_share) for name, its in quality["outliers"].items()}:
        columns = sorted(outliers, key=lambda name: -_share(outliers[name]))
        shown = [f"{_code(name)} ({outliers[name]['count']:,} of {outliers[name]['of']:,})" for name in columns]
        yield f"Values far from most others, in {_named(shown)}."
    ratios = {name: max(its["ratio"] for its in by_split.values()) for name, by_split in quality["balance"].items()}
    if uneven := {name: ratio for name, ratio in ratios.items() if ratio > UNEVEN}:
        yield f"How many times the rows of the smallest class the largest has, in {_worst(uneven)}."


def _alike(leakage: Mapping[str, Any]) -> Iterator[str]:
    """Yield how many rows are like others, a line of Markdown each."""
    for split, other, its in duplicates(leakage):
        rows = f"{its['exact']:,} the same, {its['near']:,} nearly"
        yield f"Rows of {_code(split)} like {'others' if other == split else 'some'} of {_code(other)}: {rows}."


def _share(found: Mapping[str, int]) -> float:
    return found["count"] / found["of"]


def _worst(figures: Mapping[str, float]) -> str:
    columns = sorted(figures, key=lambda name: -figures[name])
    return _named([f"{_code(name)} ({figures[name]:,})" for name in columns])


def _named(columns: Sequence[str]) -> str:
    return some(columns, SOME)
