"""Draw the pages of the catalog. Every text of others is text on them, whatever is in it."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup
from rich.filesize import decimal

from registry.cards.card import params_of, tables_of
from registry.cards.hub import about_of
from registry.cards.loading import ways_to_load
from registry.catalog.dataset import DatasetPages, VersionPage
from registry.catalog.markup import bars, figure, link, marked, number, plain, reasons, share_bar
from registry.catalog.oddities import alike_of, drift_of, gate_figures, leakage_of, problems_of, quality_of, warnings_of
from registry.config.names import NAME
from registry.describe.metadata import leaves
from registry.errors import RegistryError
from registry.extras import needed
from registry.gate import GateError
from registry.shown import some
from registry.storage.snapshot import Snapshot

STATIC = ("catalog.css", "catalog.js", "vega.min.js", "vega-lite.min.js", "vega-interpreter.min.js", "LICENSE-vega")
"""Files that all pages share. Vega draws the charts."""
SCRIPTS = ("vega.min.js", "vega-lite.min.js", "vega-interpreter.min.js", "catalog.js")
"""Those that a page alone holds, in their order."""
NOTHING_ELSE = "base-uri 'none'; form-action 'none'"
POLICY = f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; {NOTHING_ELSE}"
SECTIONS = {
    "overview": "Overview",
    "versions": "Versions",
    "columns": "Columns",
    "rows": "Rows",
    "contract": "Contract",
    "found": "What was found",
    "lineage": "Where it comes from",
    "use": "Use it",
}
ODD = "what it says of itself is nothing that a release writes ({})"
NAMED = 20
"""Values of a list in a contract that are named."""
UNREADABLE = ("versions",)


@cache
def environment() -> Any:
    """Return the templates, in which every value is escaped."""
    jinja2 = needed("jinja2")
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("registry.catalog", "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "marked": marked,
        "plain": plain,
        "link": link,
        "number": number,
        "size": decimal,
        "share": share_bar,
        "bars": bars,
        "reasons": lambda entry: [*reasons(entry)],
    }
    return found


def odd() -> tuple[type[Exception], ...]:
    """Return what comes of a description in which something is of another kind than it should be."""
    errors = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)
    return (*errors, needed("jinja2").TemplateError)


def static(name: str) -> bytes:
    """Return one of the files that all pages share."""
    return (files("registry.catalog") / "static" / name).read_bytes()


def page(template: str, policy: str = POLICY, **values: Any) -> bytes:
    """Return a page, drawn by one of the templates."""
    return environment().get_template(template).render({"policy": policy, "inline": None} | values).encode()


def script_of(data: Mapping[str, Any]) -> bytes:
    """Return a script that hands data to the page. Nothing in it ends the script, wherever it stands.

    It is JSON in a text, so that names such as `__proto__` are names.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char, spelt in {"\\": "\\\\", "'": "\\'", "<": "\\x3c", "\u2028": "\\u2028", "\u2029": "\\u2029"}.items():
        text = text.replace(char, spelt)
    return f"registryCatalog(JSON.parse('{text}'));\n".encode(errors="backslashreplace")


def page_alone(template: str, data: Mapping[str, Any], pictures: Mapping[str, bytes], **values: Any) -> bytes:
    """Return a page that needs no other file, drawn by one of the templates, with what its script reads."""
    images = {
        name: f"data:image/{'png' if name.endswith('png') else 'jpeg'};base64,{base64.b64encode(content).decode()}"
        for name, content in pictures.items()
    }
    style = static("catalog.css").decode()
    scripts = [*(static(name).decode() for name in SCRIPTS), script_of(data | {"pictures": images}).decode()]
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_digest, scripts))}; style-src {_digest(style)}; "
        f"img-src data:; {NOTHING_ELSE}"
    )
    inline = {"style": Markup(style), "scripts": [*map(Markup, scripts)]}  # noqa: S704  they are the catalog's own
    return page(template, policy, base="", inline=inline, **values)


def _digest(text: str) -> str:
    """Return the source by which a policy allows one text to be a script, or a style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@dataclass(frozen=True)
class Around:
    """What is around a dataset: other names, datasets that are made of it, {md5 of its data: runs that logged it}."""

    aliases: Sequence[str] = ()
    children: Sequence[str] = ()
    runs: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)


def dataset_page(
    found: DatasetPages, this: VersionPage, around: Around, *, address: str | None, left_out: int
) -> bytes:
    """Return the page of one version of a dataset; where what it says of itself is odd, one that shows nothing of it.

    `left_out` older versions are not in the catalog.
    """
    place = found.versions.index(this)
    try:
        return _dataset_page(found, this, place, around, address, left_out)
    except odd() as error:
        problem = ODD.format(type(error).__name__)
        return _dataset_page(found, replace(this, snapshot=None, problem=problem), place, around, address, left_out)


def _dataset_page(
    found: DatasetPages, this: VersionPage, place: int, around: Around, address: str | None, left_out: int
) -> bytes:
    snapshot = this.snapshot
    more = {} if snapshot is None else of_snapshot(snapshot, this, address)
    oldest = place == len(found.versions) - 1
    return page(
        "dataset.html.jinja",
        base="../",
        name=found.name,
        found=found,
        this=this,
        newest=place == 0,
        place=place,
        moved=drift_of(found.versions[place + 1] if place + 1 < len(found.versions) else None, this),
        compared=(place, place - 1) if oldest else (place + 1, place),
        snapshot=snapshot,
        without_values=found.without_values.get(this.version, ""),
        sections=[(id_, word) for id_, word in SECTIONS.items() if snapshot is not None or id_ in UNREADABLE],
        left_out=left_out,
        aliases=around.aliases,
        children=around.children,
        runs=[] if snapshot is None else around.runs.get(snapshot.data_md5, []),
        **({"about": {"title": found.name, "description": "", "license": "unknown"}} | more),
    )


def of_snapshot(snapshot: Snapshot, this: VersionPage, address: str | None = None) -> dict[str, Any]:
    """Return what a page shows of what a version, or another state, says of itself."""
    source = snapshot.provenance["source"]
    builder, tables = "", {}
    # Of files that nobody has, nothing can be said.
    with suppress(RegistryError):
        builder, tables = tables_of(snapshot)
    forged = []

    def checked(read: Callable[[Snapshot], Iterable[Any]]) -> list[Any]:
        try:
            return [*read(snapshot)]
        except GateError as error:
            forged.append(error.what)
            return []

    return {
        "about": about_of(snapshot),
        "kind": kind_of(snapshot),
        "parents": {
            other: (content, bool(re.fullmatch(NAME, other))) for other, content in source.get("datasets", {}).items()
        },
        "files": source.get("files", []),
        "params": params_of(snapshot),
        "checks": [*_checks(snapshot, this.profile)],
        "verdict": verdict_of(snapshot),
        "problems": problems_of(snapshot),
        "quality": checked(quality_of) + checked(leakage_of),
        "alike": checked(alike_of),
        "warnings": [*warnings_of(snapshot), *dict.fromkeys(forged)],
        "snippets": [
            (way.title, way.code) for way in ways_to_load(snapshot, this.version, this.tag, address, tables, builder)
        ]
        if this.tag
        else [],
    }


def kind_of(snapshot: Snapshot) -> str:
    """Return the way in which a dataset is built."""
    return str(snapshot.provenance["config"].get("kind", "own code"))


def verdict_of(snapshot: Snapshot) -> bool:
    """Tell whether a version says that it has passed its contract."""
    return bool(snapshot.provenance["contract"].get("passed"))


def _checks(snapshot: Snapshot, profile: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what a contract is about, what must hold, and what there is."""
    contract = snapshot.provenance["config"].get("contract", {})
    features = snapshot.metadata["schema"]["features"]
    for column, spec in contract.get("columns", {}).items():
        yield column, _in_words(spec), "; ".join(_figures(features.get(column, {}), profile.get(column, {})))
    rows = contract.get("rows", {})
    expected = rows.get(str(snapshot.provenance["source"]["mode"]), rows)
    yield "rows", _in_words(expected), _in_words(snapshot.sizes)
    for rule, words in (("disjoint", "no input is in two splits"), ("unique", "no input is twice in a split")):
        if contract.get(rule):
            yield "inputs", words, "so it was" if verdict_of(snapshot) else ""
    facts = {".".join(path): value for path, value in leaves(snapshot.metadata).items()} if "floors" in contract else {}
    for floor, least in contract.get("floors", {}).items():
        yield floor, f"at least {least}", number(facts.get(floor, ""))
    if quality := contract.get("quality"):
        for what, figure_of_it in gate_figures(quality, snapshot).items():
            yield f"quality, {what}", _in_words(quality[what]), figure_of_it


def _figures(feature: Mapping[str, Any], measures: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is known of a column that a contract may be about: its type, range and values, what is missing."""
    yield str(feature.get("dtype", "not there"))
    for measure in ("value", "characters", "items"):
        ends = [one["quantiles"][end] for one in measures.get(measure, {}).values() for end in ("min", "max")]
        if ends:
            what = "" if measure == "value" else f" {measure}"
            yield f"{figure(min(ends))} to {figure(max(ends))}{what}"
    if classes := {value for one in measures.get("classes", {}).values() for value in one["values"]}:
        yield f"{len(classes):,} {'value' if len(classes) == 1 else 'values'}"
    if missing := sum(one["missing"] for one in measures.get("rows", {}).values()):
        yield f"{missing:,} missing"


def _in_words(spec: Any) -> str:
    if not isinstance(spec, Mapping):
        return str(spec)
    words = (f"{name.replace('_', ' ')} {_values(value)}" for name, value in spec.items())
    return "; ".join(words)


def _values(value: Any) -> str:
    if isinstance(value, list):
        return some([*map(str, value)], NAMED)
    return f"({_in_words(value)})" if isinstance(value, Mapping) else figure(value)
