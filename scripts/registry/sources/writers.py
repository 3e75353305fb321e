"""The schemas with which messages were written: a batch keeps them beside the messages, and is all that decodes them.

A message either is bare, and all of a batch have the schema of a file; or it begins with the number that its schema has
in a schema registry, in Confluent's wire format: a zero, four bytes for the number, and in Protobuf the type's place.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Protocol

from registry.errors import RegistryError
from registry.formats.avro import AvroMessages
from registry.formats.fields import Fields, SchemaError
from registry.formats.json_messages import JsonMessages
from registry.formats.protobuf import ProtobufMessages
from registry.sources.batches import Notes

FILE = "file"
"""What stands for the number of a schema in a batch of bare messages."""
MAGIC = b"\0"
HEADER = 5
"""Bytes of the magic number and the schema's."""
MAX_INDEXES = 20
"""Types of Protobuf that one may be within."""
Decode = Callable[[bytes], dict[str, Any]]


class Messages(Protocol):
    """What reads messages of one type: its name, where the format has some, and the fields that it has."""

    name: str
    fields: Fields

    def decode(self, value: bytes) -> dict[str, Any]:
        """Return what bytes are. Raises ValueError."""


@dataclass(frozen=True)
class Schema:
    """A schema as a batch keeps it: `format` is json, avro or protobuf; files of Protobuf are compiled, in base64.

    `references` are schemas of Avro that define what it names. `message` is the type of bare messages in Protobuf.
    """

    format: str
    schema: str
    references: tuple[str, ...] = ()
    message: str | None = None

    @classmethod
    def kept(cls, found: Any) -> "Schema":
        """Return the schema that a batch keeps. Raises SchemaError for what is none."""
        try:
            schema = cls(**{**found, "references": tuple(found.get("references", ()))})
        except (TypeError, AttributeError):
            raise SchemaError("no schema as batches keep it") from None
        texts = [schema.format, schema.schema, *schema.references, schema.message or ""]
        if not all(isinstance(text, str) for text in texts):
            raise SchemaError("no schema as batches keep it")
        return schema

    def as_kept(self) -> dict[str, Any]:
        """Return what a batch keeps of it."""
        return {name: value for name, value in asdict(self).items() if value}

    @property
    def size(self) -> int:
        """How many characters it has."""
        return len(self.schema) + sum(map(len, self.references))

    def messages(self, indexes: tuple[int, ...] = (0,)) -> Messages:
        """Return what reads messages of it; of several types of Protobuf, the one at a place.

        Raises SchemaError, and ValueError for a place that has none.
        """
        if self.format == "json":
            return JsonMessages()
        if self.format == "avro":
            return AvroMessages(self.schema, self.references)
        if self.format == "protobuf":
            return ProtobufMessages(self.schema, self.message, indexes)
        raise SchemaError(f"its format is {self.format}")


def split(value: bytes, *, protobuf: bool) -> tuple[int, tuple[int, ...], bytes]:
    """Return the number of a message's schema, the place of its type in Protobuf, and the rest. Raises ValueError."""
    if not value.startswith(MAGIC) or len(value) < HEADER:
        raise ValueError("it names no schema of a schema registry")
    number = int.from_bytes(value[1:HEADER], "big")
    if not protobuf:
        return number, (0,), value[HEADER:]
    count, at = _integer(value, HEADER)
    if not 0 <= count <= MAX_INDEXES:
        raise ValueError("it names no type of its schema")
    indexes = []
    for _ in range(count):
        index, at = _integer(value, at)
        indexes.append(index)
    if any(index < 0 for index in indexes):
        raise ValueError("it names no type of its schema")
    return number, tuple(indexes) or (0,), value[at:]


def _integer(value: bytes, at: int) -> tuple[int, int]:
    """Return the integer at a place, in zigzag coding of five bytes at most, and the place after it."""
    found = 0
    for place in range(at, min(at + 5, len(value))):
        found |= (value[place] & 127) << 7 * (place - at)
        if value[place] < 128:
            return (found >> 1) ^ -(found & 1), place + 1
    raise ValueError("it names no type of its schema")


def decoder_of(notes: Notes) -> Decode:
    """Return what decodes the messages of a batch, by the notes that it has: it raises ValueError for what is none.

    Raises RegistryError for schemas that cannot be used. Fields that a message lacks are not in its dict.
    """
    try:
        schemas = {number: Schema.kept(schema) for number, schema in notes.schemas.items()}
        if not schemas:
            return JsonMessages().decode
        if FILE in schemas:
            return schemas[FILE].messages().decode
    except (SchemaError, AttributeError) as error:
        raise _unusable(error) from None
    protobuf = any(schema.format == "protobuf" for schema in schemas.values())

    @cache
    def messages_of(number: int, indexes: tuple[int, ...]) -> Messages:
        if str(number) not in schemas:
            raise ValueError(f"the batch has no schema {number}")
        try:
            return schemas[str(number)].messages(indexes)
        except SchemaError as error:
            raise _unusable(error) from None

    def decode(value: bytes) -> dict[str, Any]:
        number, indexes, body = split(value, protobuf=protobuf)
        return messages_of(number, indexes).decode(body)

    return decode


def _unusable(error: Exception) -> RegistryError:
    hint = "it is not what registry ingest writes: restore the batch by registry pull --raw, or read it again"
    return RegistryError(f"the schemas of a batch cannot be used: {error}", hint=hint)
