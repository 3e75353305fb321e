"""The fields that a schema gives messages, and what changed of their types from one schema to another."""

from collections.abc import Mapping
from dataclasses import dataclass

MAX_FIELDS = 10_000
"""Fields that a schema may have, those of records within others counted wherever they occur."""
WIDER = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "int32": {"int64"},
    "uint32": {"int64", "uint64"},
}
"""Types of Avro and Protobuf, and those whose place they may take."""


class SchemaError(Exception):
    """A schema that cannot be used; the message says why."""


@dataclass(frozen=True)
class Field:
    """The types that a field may have, several for a union, and whether a message may lack it."""

    types: frozenset[str]
    optional: bool = False

    def __str__(self) -> str:
        return " or ".join(sorted(self.types))

    def takes(self, other: "Field") -> bool:
        """Tell whether whoever reads this field can read what has the types of the other one."""
        return all(one in self.types or WIDER.get(one, set()) & self.types for one in other.types)


class Fields(dict[str, Field]):
    """Fields by name: `user.name` is one of a record, `tags[]` what a list holds, `prices{}` what a map does."""

    def put(self, name: str, types: frozenset[str], *, optional: bool = False) -> None:
        """Add a field. Raises SchemaError where there are too many."""
        if len(self) >= MAX_FIELDS:
            raise SchemaError(f"it has more than {MAX_FIELDS:,} fields")
        self[name] = Field(types, optional)


def changes(expected: Mapping[str, Field], found: Mapping[str, Field]) -> list[str]:
    """Return what keeps those who expect some fields from reading others: a field is gone, or its type changed.

    New fields are no such change.
    """
    told: list[str] = []
    skipped: list[str] = []
    for name, field in expected.items():
        if any(name.startswith((f"{above}.", f"{above}[", f"{above}{{")) for above in skipped):
            continue
        other = found.get(name)
        if other is None or not field.takes(other):
            skipped.append(name)
        if other is None and not field.optional:
            told.append(f"{name}, which was {field}, is gone")
        elif other is not None and not field.takes(other):
            told.append(f"{name} was {field}, and is {other}")
    return told
