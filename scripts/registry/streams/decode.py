"""Decode messages, to find those that cannot be decoded, or are not as the schema has them. Nothing is kept of it."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from registry.errors import RegistryError
from registry.formats.fields import SchemaError, changes
from registry.formats.json_messages import InvalidError, JsonMessages
from registry.shown import some
from registry.sources.writers import FILE, Decode, Messages, Schema, split
from registry.streams.poison import INVALID, UNDECODABLE, PoisonError
from registry.streams.schema_files import read_schema, unusable
from registry.streams.schema_registry import NoSchemaError, SchemaRegistry
from registry.streams.settings import MAX_SCHEMA, Stream

Kept = Mapping[str, Any]
"""The schema with which a message was written, as its batch keeps it: {number, or FILE: schema}."""
NAMED = 5
"""Fields that a message names of those whose types changed."""
MAX_SCHEMAS = 16
"""Schemas that are remembered as they were fetched: a message of Protobuf may name any of the types in one."""
MAX_WRITERS = 1_000
"""Schemas of which it is remembered how messages are read, or why they cannot be."""
MAX_TOTAL = 4 * MAX_SCHEMA
"""Characters of all schemas of which messages are taken in one run; a batch may keep as many."""


class Decoder:
    """Decodes the messages of a stream, in the format and by the schemas that its settings say."""

    def __init__(self, stream: Stream, root: Path) -> None:
        """Read the schema's file. Raises RegistryError."""
        self._stream = stream
        self._schema = read_schema(root, stream)
        self._json = stream.format == "json"
        try:
            own = None if self._schema is None else _reader(self._schema)
        except SchemaError as error:
            raise unusable(error, stream.schema) from None
        self._own: Messages = JsonMessages() if own is None else own
        self._kept: Kept = {} if self._json else {FILE: self._schema.as_kept()}
        self._registry = SchemaRegistry(stream.format) if stream.schema_registry else None
        self._sizes: dict[int, int] = {}
        self._schema_of = lru_cache(MAX_SCHEMAS)(self._find_schema)
        self._writer = lru_cache(MAX_WRITERS)(self._find_writer)

    def check(self, value: bytes) -> Kept:
        """Return the schema of a message. Raises PoisonError for one that cannot be decoded, or breaks its schema.

        Raises RegistryError where the schema registry fails, and for a schema that the one of the stream cannot read.
        """
        try:
            if self._registry is None:
                self._own.decode(value)
                return self._kept
            number, indexes, body = split(value, protobuf=self._stream.format == "protobuf")
            decode, kept = self._writer(number, indexes)
            decode(body)
            return kept
        except InvalidError as error:
            raise PoisonError(INVALID, error) from None
        except ValueError as error:
            raise PoisonError(UNDECODABLE, error) from None

    def _find_schema(self, number: int) -> Schema | str:
        """Return a schema of the schema registry, or why there is none to use. Raises RegistryError."""
        try:
            return self._registry.schema(number)
        except SchemaError as error:
            return _unusable(number, error)
        except NoSchemaError as error:
            return str(error)

    def _find_writer(self, number: int, indexes: tuple[int, ...]) -> tuple[Decode, Kept]:
        """Return what decodes messages of a schema, and the schema as batches keep it.

        Raises RegistryError where the schema registry fails, and for a schema that the one of the stream cannot read.
        One that cannot be used at all is the fault of whoever sends its messages: each of them is poison.
        """
        schema = self._schema_of(number)
        if isinstance(schema, str):
            return _refusing(ValueError, schema), {}
        where = _named(number)
        its_own = self._json and self._schema is not None
        try:
            writer = self._own if its_own else _reader(schema, indexes)
        except SchemaError as error:
            return _refusing(ValueError, _unusable(number, error)), {}
        except ValueError as error:
            return _refusing(ValueError, str(error)), {}
        if not self._json:
            if writer.name.rpartition(".")[2] != self._own.name.rpartition(".")[2]:
                return _refusing(InvalidError, f"it is a message of {writer.name}, and not of {self._own.name}"), {}
            if changed := changes(self._own.fields, writer.fields):
                raise RegistryError(
                    f"messages have other fields than {self._stream.schema} says: {some(changed, NAMED)}",
                    where=where,
                    hint=f"all before them is kept; to take them, let {self._stream.schema} say so, and the contract's "
                    "columns; or have the producer put right (docs/streams.md)",
                )
        self._sizes[number] = schema.size
        if sum(self._sizes.values()) > MAX_TOTAL:
            what = f"messages name schemas of more than {MAX_TOTAL:,} characters"
            raise RegistryError(what, where=where, hint="all before them is kept: run registry ingest again")
        return writer.decode, {str(number): schema.as_kept()}


def _reader(schema: Schema, indexes: tuple[int, ...] = (0,)) -> Messages:
    """Return what reads messages of a schema, and checks those in JSON against it. Raises SchemaError."""
    return JsonMessages(schema.schema) if schema.format == "json" else schema.messages(indexes)


def _named(number: int) -> str:
    return f"schema {number} of the schema registry"


def _unusable(number: int, error: SchemaError) -> str:
    return f"{_named(number)} cannot be used: {error}"


def _refusing(kind: type[ValueError], why: str) -> Decode:
    def decode(value: bytes) -> NoReturn:
        raise kind(why)

    return decode
