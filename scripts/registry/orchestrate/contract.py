"""A dataset's contract as checks of an asset: one for each column, and for each other thing that it asks for."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from registry.shown import shown

COLUMNS, ROWS = "columns", "rows"
INPUTS = {"disjoint": "no input is in two splits", "unique": "no input is twice in a split"}
"""What a contract may ask of inputs."""
_TWICE = {"in two splits": "disjoint", "twice in a split": "unique"}


def checks_of(contract: Mapping[str, Any]) -> dict[str, str]:
    """Return {check: what it asks for}, in the order of the contract; names are made of letters, digits and `_`."""
    found = {COLUMNS: f"these columns, in this order: {', '.join(contract['columns'])}"}
    found |= {
        check: json.dumps(contract["columns"][column], ensure_ascii=False)
        for column, check in _of_columns(contract).items()
    }
    found[ROWS] = f"rows in each split: {json.dumps(contract['rows'])}"
    found |= {rule: words for rule, words in INPUTS.items() if contract.get(rule)}
    floors = contract.get("floors", {})
    found |= {check: f"{floor} at least {floors[floor]}" for floor, check in _named("floor", floors).items()}
    return {check: shown(words) for check, words in found.items()}


def breaches_by_check(contract: Mapping[str, Any], breaches: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return {check: how it is broken}, in the words of the run, of the breaches that a run has written down."""
    found: dict[str, list[str]] = {}
    for breach in breaches:
        line = f"{breach['split']}: {breach['column']}: {breach['message']}"
        found.setdefault(_check_of(contract, breach), []).append(line)
    return {check: "\n".join(lines) for check, lines in found.items()}


def _check_of(contract: Mapping[str, Any], breach: Mapping[str, Any]) -> str:
    place, rule = breach["column"], breach["rule"]
    columns = _of_columns(contract)
    # What is within a column has the column's name at its beginning.
    own = [column for column in columns if place == column or place.startswith((f"{column}.", f"{column}["))]
    if own:
        return columns[max(own, key=len)]
    if place == "inputs":
        return next((name for words, name in _TWICE.items() if rule.endswith(words)), ROWS)
    if place == "floors":
        floors = _named("floor", contract.get("floors", {}))
        return next((check for floor, check in floors.items() if rule.startswith(f"{floor} at least")), ROWS)
    return COLUMNS if place == COLUMNS else ROWS


def _of_columns(contract: Mapping[str, Any]) -> dict[str, str]:
    return _named("column", contract["columns"])


def _named(what: str, names: Iterable[str]) -> dict[str, str]:
    """Return {name: that of its check}, each another one, though some differ in what such a name cannot hold."""
    found: dict[str, str] = {}
    for number, name in enumerate(names):
        check = f"{what}_{re.sub('[^A-Za-z0-9]', '_', name)}"
        found[name] = f"{check}_{number}" if check in found.values() else check
    return found
