"""What a contract says of columns: values within others, and bounds of types that YAML does not have.

Light, as the room is: that `matches` is a regular expression of Rust, only the job can tell for sure.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

Spec = Mapping[str, Any]
"""What a contract says of a column, or of values within one."""

TEXT = "string"
"""The type of a column whose rules are those of texts, and which names none."""
INSIDE = "[]"
"""Stands in the name of a place for the values of a list."""
OF_TYPE = ("list", "struct", "shape", "precision", "scale", "resolution", "zone")
"""Keys that say, with `dtype`, of which type a column is."""
NANOSECONDS = range(1678, 2262)
"""Years of timestamps that are counted in them."""
FOR_PEOPLE = ("description", "unit")
"""Keys of a column that are no rules."""
NO_PATTERN = (
    "unterminated character set", "missing ), unterminated subpattern", "unbalanced parenthesis", "nothing to repeat",
    "min repeat greater than max repeat", "unterminated name", "unexpected end of pattern", "bad escape (end",
)  # fmt: skip
"""What Python says of patterns that are none in Rust either: the two differ in many others."""


def dtype_of(spec: Spec) -> str:
    """Return the dtype that a specification which has no others within it names, or leaves out."""
    return spec.get("dtype", TEXT)


def is_text(spec: Spec) -> bool:
    """Tell whether a specification is that of texts."""
    return dtype_of(spec) == TEXT and not inner(spec)


def inner(spec: Spec) -> dict[str, Spec]:
    """Return what is within a list or a struct, by what follows its place: `[]`, or `.name` of a field."""
    if "list" in spec:
        return {INSIDE: spec["list"]}
    return {f".{name}": field for name, field in spec.get("struct", {}).items()}


def places(columns: Mapping[str, Spec]) -> Iterator[tuple[str, Spec]]:
    """Yield the name of every column and every place within one, such as `messages[].role`, and its specification."""
    for name, spec in columns.items():
        yield name, spec
        yield from places({f"{name}{step}": one for step, one in inner(spec).items()})


def references(columns: Mapping[str, Spec]) -> dict[str, list[str]]:
    """Return {dataset: its columns} of all that columns, and what is within them, refer to, each once."""
    found: dict[str, list[str]] = {}
    for _, spec in places(columns):
        if to := spec.get("references"):
            of_one = found.setdefault(to["dataset"], [])
            of_one += [to["column"]] if to["column"] not in of_one else []
    return found


def is_of_type(spec: Spec, other: Spec) -> bool:
    """Tell whether two specifications are of one type."""
    one, two = (
        {"dtype": dtype_of(each)} | {key: each[key] for key in OF_TYPE if key in each} for each in (spec, other)
    )
    return one == two


def value_of(written: Any, spec: Spec) -> Any:
    """Return a bound, or one of the allowed values, as a value of the column's type: dates and such are texts in YAML.

    Raises ValueError, which says what is wrong with it.
    """
    match dtype_of(spec):
        case "date":
            return _parsed(date.fromisoformat, written, "a date, such as 2020-12-31")
        case "time":
            found = _parsed(time.fromisoformat, written, "a time of day, such as 18:30:00")
            if found.tzinfo:
                raise ValueError("has an offset from UTC, which a time of day has not")
            return found
        case "timestamp":
            found = _parsed(datetime.fromisoformat, written, "a timestamp, such as 2020-12-31T18:30:00")
            if "zone" in spec and not found.tzinfo:
                raise ValueError("has no offset from UTC, such as +01:00 or Z, which its zone asks for")
            if "zone" not in spec and found.tzinfo:
                raise ValueError("has an offset from UTC, for which the column needs a zone")
            if found.tzinfo:
                _parsed(lambda text: found.astimezone(UTC), written, "a timestamp of the years 1 to 9999 in UTC")
            return found
        case "decimal":
            found = _parsed(Decimal, str(written), "a decimal number")
            if not found.is_finite() or -found.as_tuple().exponent > spec["scale"]:
                raise ValueError(f"should be a number of at most {spec['scale']} decimal places")
            if abs(found) >= 10 ** (spec["precision"] - spec["scale"]):
                raise ValueError(f"should be a number of at most {spec['precision']} digits")
            return found
    return written


def _parsed(parse: Any, written: str, wanted: str) -> Any:
    try:
        return parse(written)
    except (ValueError, InvalidOperation, OverflowError):
        raise ValueError(f"should be {wanted}") from None


def _values(spec: Spec) -> tuple[dict[str, Any], list[str]]:
    """Return a specification whose bounds are values of the column's type, without those that are none, and why not."""
    found, wrong = dict(spec), []
    for key in ("min", "max", "values"):
        for written in spec.get(key, []) if key == "values" else [spec[key]] if key in spec else []:
            try:
                found[key] = value_of(written, spec)
                is_ns = dtype_of(spec) == "timestamp" and spec.get("resolution") == "ns"
                if key == "values" and is_ns and found[key].year not in NANOSECONDS:
                    raise ValueError("is no timestamp of nanoseconds, which are of the years 1678 to 2261")
            except ValueError as error:
                found.pop(key, None)
                wrong.append(f"{key}: {written!r} {error}")
    return found, wrong


def problems(columns: Mapping[str, Spec]) -> Iterator[str]:
    """Yield what is wrong with columns that keep the schema, each with its place."""
    for place, spec in places(columns):
        found, wrong = _values(spec)
        yield from (f"{place}.{problem}" for problem in wrong)
        for low, high in (("min", "max"), ("min_length", "max_length"), ("min_items", "max_items")):
            if low in found and high in found and found[low] > found[high]:
                yield f"{place}: {low} {spec[low]} is more than {high} {spec[high]}"
        if spec.get("scale", 0) > spec.get("precision", 0):
            yield f"{place}: scale {spec['scale']} is more than precision {spec['precision']}"
        if spec.get("zone", "").startswith(("+", "-")):
            yield f"{place}: zone {spec['zone']} is an offset from UTC: name a zone, such as Europe/Berlin or Etc/GMT-1"
        if "matches" in spec:
            try:
                re.compile(spec["matches"])
            except re.error as error:
                if error.msg.startswith(NO_PATTERN):
                    yield f"{place}: matches is no regular expression: {error.msg}"
            except (RecursionError, OverflowError):
                yield f"{place}: matches is too large a regular expression"
