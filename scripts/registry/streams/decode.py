"""Decode messages, to find those that cannot be decoded, or are not as the schema has them. Nothing is kept of it."""

from collections.abc import Mapping
from functools import cache
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
from registry.streams.settings import Stream

Kept = Mapping[str, Any]
"""The schema with which a message was written, as its batch keeps it: {number, or FILE: schema}."""
NAMED = 5
"""Fields that a message names of those whose types changed."""


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
        self._writer = cache(self._find_writer)

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
        except (ValueError, NoSchemaError) as error:
            raise PoisonError(UNDECODABLE, error) from None

    def _find_writer(self, number: int, indexes: tuple[int, ...]) -> tuple[Decode, Kept]:
        """Return what decodes messages of a schema, and the schema as batches keep it. Raises RegistryError."""
        schema = self._registry.schema(number)
        kept = {str(number): schema.as_kept()}
        if self._json and self._schema is not None:
            return self._own.decode, kept
        where = f"schema {number} of the schema registry"
        try:
            writer = _reader(schema, indexes)
        except SchemaError as error:
            raise RegistryError(f"cannot be used: {error}", where=where, hint="register another one") from None
        if self._json:
            return writer.decode, kept
        if writer.name.rpartition(".")[2] != self._own.name.rpartition(".")[2]:
            return _refusing(f"it is a message of {writer.name}, and not of {self._own.name}"), kept
        if changed := changes(self._own.fields, writer.fields):
            raise RegistryError(
                f"messages have other fields than {self._stream.schema} says: {some(changed, NAMED)}",
                where=where,
                hint=f"all before them is kept; to take them, let {self._stream.schema} say so, and the contract's "
                "columns; or have the producer put right (docs/streams.md)",
            )
        return writer.decode, kept


def _reader(schema: Schema, indexes: tuple[int, ...] = (0,)) -> Messages:
    """Return what reads messages of a schema, and checks those in JSON against it. Raises SchemaError."""
    return JsonMessages(schema.schema) if schema.format == "json" else schema.messages(indexes)


def _refusing(why: str) -> Decode:
    def decode(value: bytes) -> NoReturn:
        raise InvalidError(why)

    return decode
