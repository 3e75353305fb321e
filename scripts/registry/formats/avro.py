"""Messages in Avro, each a record that its writer's schema describes, as dicts."""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from registry.extras import needed
from registry.formats.fields import Fields, SchemaError

NO_SCHEMA = (ValueError, TypeError, KeyError, AttributeError, IndexError)
"""What fastavro raises for what is no schema, besides its own errors."""
NO_RECORD = (EOFError, ValueError, LookupError, ArithmeticError, TypeError, MemoryError)
"""What it raises for bytes that are no record of a schema."""
EMPTY = "it has values that take no bytes, of which a few bytes could hold any number"


class AvroMessages:
    """Reads messages of one writer's schema: the `name` of its record, and the `fields` that it has."""

    def __init__(self, text: str, references: Sequence[str] = ()) -> None:
        """Take a schema, and those that define types which it names. Raises SchemaError.

        A type within itself is refused: bytes could nest it so deeply that reading them ends the process.
        """
        avro = needed("fastavro")
        names: dict[str, Any] = {}
        odd = (*NO_SCHEMA, avro.schema.SchemaParseException, avro.schema.UnknownType)
        self.fields = Fields()
        try:
            for reference in references:
                avro.parse_schema(_loaded(reference), names)
            self._schema = avro.parse_schema(_loaded(text), names)
            if not isinstance(self._schema, dict) or self._schema["type"] != "record":
                raise SchemaError("it describes no record")
            _Walk(names, self.fields).record("", self._schema)
        except RecursionError:
            raise SchemaError("its types are within each other too deeply") from None
        except odd as error:
            reason = str(error).partition("\n")[0]
            raise SchemaError(f"no schema of Avro: {type(error).__name__}: {reason}") from None
        self._read = avro.schemaless_reader
        self.name = self._schema["name"]

    def decode(self, value: bytes) -> dict[str, Any]:
        """Return the record that bytes are. Raises ValueError."""
        stream = BytesIO(value)
        try:
            record = self._read(stream, self._schema)
        except NO_RECORD as error:
            raise ValueError(f"no Avro of its schema: {type(error).__name__} {error}") from None
        if stream.tell() != len(value):
            raise ValueError("no Avro of its schema: it is longer than that says")
        return record


def _loaded(text: str) -> Any:
    return json.loads(text, object_hook=_plain)


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a schema what fastavro takes for notes of its own, and that a text is a UUID: it stays a text."""
    kept = {name: value for name, value in schema.items() if not name.startswith("__")}
    if kept.get("logicalType") == "uuid":
        del kept["logicalType"]
    return kept


class _Walk:
    """Goes through a schema, which fastavro has parsed, from field to field."""

    def __init__(self, names: Mapping[str, Any], fields: Fields) -> None:
        self._names, self._fields = names, fields
        self._within: list[str] = []

    def record(self, name: str, schema: Mapping[str, Any]) -> None:
        """Put the fields of a record that is the field `name`. Raises SchemaError for a record within itself."""
        if schema["name"] in self._within:
            raise SchemaError(f"its type {schema['name']} holds itself")
        self._within.append(schema["name"])
        for field in schema["fields"]:
            self._put(f"{name}.{field['name']}" if name else field["name"], field["type"], optional="default" in field)
        self._within.pop()

    def _put(self, name: str, schema: Any, *, optional: bool = False) -> None:
        if not isinstance(schema, list) and self._is_empty(self._resolved(schema)):
            raise SchemaError(f"{name}: {EMPTY}")
        branches = [self._resolved(branch) for branch in (schema if isinstance(schema, list) else [schema])]
        self._fields.put(name, frozenset(map(_type, branches)), optional=optional)
        for branch in branches:
            if branch["type"] in ("record", "error"):
                self.record(name, branch)
            elif branch["type"] == "array":
                self._put(f"{name}[]", branch["items"])
            elif branch["type"] == "map":
                self._put(f"{name}{{}}", branch["values"])

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        """Return a schema, which may be a name, as a mapping."""
        if isinstance(schema, str):
            return self._names.get(schema) or {"type": schema}
        return self._resolved(schema["type"]) if isinstance(schema["type"], dict) else schema

    def _is_empty(self, schema: Mapping[str, Any]) -> bool:
        if schema["type"] in ("record", "error"):
            return not schema["fields"]
        return schema["type"] == "null" or (schema["type"] == "fixed" and not schema["size"])


def _type(schema: Mapping[str, Any]) -> str:
    """Return the name of a type, with all that values of another one of that name would be read differently for."""
    details = [schema[name] for name in ("logicalType", "precision", "scale", "size") if name in schema]
    return f"{schema['type']} ({', '.join(map(str, details))})" if details else schema["type"]
