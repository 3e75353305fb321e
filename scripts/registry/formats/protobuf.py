"""Messages in Protobuf, which compiled `.proto` files describe, as dicts."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

from registry.extras import needed
from registry.formats.fields import Fields, SchemaError

GOOGLES = {
    f"google/protobuf/{name}.proto": f"google.protobuf.{name}_pb2"
    for name in ("any", "api", "descriptor", "duration", "empty", "field_mask", "source_context", "struct", "timestamp")
    + ("type", "wrappers")
}
"""Files that every compiler of Protobuf has, and the modules that have them here."""
PLAIN = {
    f"google.protobuf.{name}Value": lambda message: message.value
    for name in ("Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64")
} | {
    "google.protobuf.Timestamp": lambda message: message.ToDatetime(UTC),
    "google.protobuf.Duration": lambda message: message.ToTimedelta(),
}
"""Messages of Google's that stand for one value, and how it is had."""
SAME = {"sint32": "int32", "sfixed32": "int32", "fixed32": "uint32", "sint64": "int64", "sfixed64": "int64"} | {
    "fixed64": "uint64",
    "group": "message",
}
"""Types that differ in bytes alone."""
MAX_VALUES = 1_000_000
"""Fields that a message, and all within it, may have, those that were not sent among them: each takes memory."""
MAX_DEPTH = 100
"""Messages that one may be within, as Protobuf itself has it."""
WITH_LENGTH, GROUP = 2, 3
"""How fields stand in bytes that can hold a message."""
MOST_OF_GOOGLES = 2
"""Fields of a message of PLAIN, at most."""


class ProtobufMessages:
    """Reads messages of one type: its `name`, and the `fields` that it has."""

    def __init__(self, text: str, message: str | None = None, indexes: Sequence[int] = (0,)) -> None:
        """Take compiled files, as `packed` has them, and say which type: by its name, or by its place in the last file.

        Raises SchemaError, and ValueError for a place that has none.
        """
        pool = needed("google.protobuf.descriptor_pool").DescriptorPool()
        factory = needed("google.protobuf.message_factory")
        self._odd = needed("google.protobuf.message").DecodeError
        files = unpacked(text)
        try:
            for file in files:
                pool.AddSerializedFile(file.SerializeToString())
            main = pool.FindFileByName(files[-1].name)
            descriptor = pool.FindMessageTypeByName(message) if message else None
        except (TypeError, KeyError) as error:
            raise SchemaError(f"no message {message or ''} is in it: {error}") from None
        try:
            descriptor = descriptor or _at(main, indexes)
        except IndexError:
            raise ValueError("it names no type of its schema") from None
        self.name = descriptor.full_name
        self._class = factory.GetMessageClass(descriptor)
        self._descriptor, self._widest = descriptor, MOST_OF_GOOGLES
        self._readers: dict[str, list[tuple[str, bool, Callable[[Any], Any]]]] = {}
        self.fields = Fields()
        self._put("", descriptor, [])

    def decode(self, value: bytes) -> dict[str, Any]:
        """Return the message that bytes are. Raises ValueError.

        A field that was not sent, where that can be told from one that was, is None; times are in UTC.
        """
        # A message within another one takes two bytes at least.
        if (1 + len(value) // 2) * self._widest > MAX_VALUES and _values(
            self._descriptor, _unknown(value)
        ) > MAX_VALUES:
            raise ValueError(f"it has more than {MAX_VALUES:,} fields, those that were not sent among them")
        try:
            message = self._class.FromString(value)
            return self._dict(message)
        except (self._odd, OverflowError) as error:
            raise ValueError(f"no Protobuf of its schema: {error}") from None

    def _dict(self, message: Any) -> dict[str, Any]:
        readers = self._readers.get(message.DESCRIPTOR.full_name)
        if readers is None:
            fields = message.DESCRIPTOR.fields
            readers = [(field.name, field.has_presence, self._reader(field)) for field in fields]
            self._readers[message.DESCRIPTOR.full_name] = readers
        return {
            name: None if presence and not message.HasField(name) else read(getattr(message, name))
            for name, presence, read in readers
        }

    def _reader(self, field: Any) -> Callable[[Any], Any]:
        if _is_map(field):
            read = self._one(field.message_type.fields_by_name["value"])
            return lambda entries: {key: read(entries[key]) for key in entries}
        read = self._one(field)
        return (lambda values: [read(value) for value in values]) if field.is_repeated else read

    def _one(self, field: Any) -> Callable[[Any], Any]:
        if field.message_type is not None:
            return PLAIN.get(field.message_type.full_name, self._dict)
        if field.enum_type is not None:
            names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
            return lambda number: names.get(number, number)
        return lambda value: value

    def _put(self, name: str, descriptor: Any, within: Sequence[str]) -> None:
        """Put the fields of a message, without those of a message that is within itself."""
        if descriptor.full_name in within:
            return
        self._widest = max(self._widest, len(descriptor.fields))
        for field in descriptor.fields:
            path = f"{name}.{field.name}" if name else field.name
            one = field
            if _is_map(field):
                self.fields.put(path, frozenset(["map"]), optional=True)
                path, one = f"{path}{{}}", field.message_type.fields_by_name["value"]
            elif field.is_repeated:
                self.fields.put(path, frozenset(["repeated"]), optional=True)
                path = f"{path}[]"
            self.fields.put(path, frozenset([_type(one)]), optional=True)
            if one.message_type is not None and one.message_type.full_name not in PLAIN:
                self._put(path, one.message_type, [*within, descriptor.full_name])


def _unknown(value: bytes) -> Any:
    """Return the fields that bytes have, whatever message they are. Raises ValueError."""
    try:
        anything = needed("google.protobuf.empty_pb2").Empty.FromString(value)
        return needed("google.protobuf.unknown_fields").UnknownFieldSet(anything)
    except needed("google.protobuf.message").DecodeError as error:
        raise ValueError(f"no Protobuf: {error}") from None


def _values(descriptor: Any, fields: Any, depth: int = 0) -> int:
    """Return how many fields a message has, and those within it, sent or not. Raises ValueError."""
    if depth > MAX_DEPTH:
        raise ValueError(f"more than {MAX_DEPTH} messages are within each other")
    found = len(descriptor.fields)
    for field in fields:
        known = descriptor.fields_by_number.get(field.field_number)
        if known is None or known.message_type is None or field.wire_type not in (WITH_LENGTH, GROUP):
            continue
        within = _unknown(field.data) if field.wire_type == WITH_LENGTH else field.data
        found += _values(known.message_type, within, depth + 1)
        if found > MAX_VALUES:
            break
    return found


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _type(field: Any) -> str:
    if field.message_type is not None and field.message_type.full_name in PLAIN:
        return field.message_type.full_name
    kinds = needed("google.protobuf.descriptor_pb2").FieldDescriptorProto.Type
    kind = kinds.Name(field.type).removeprefix("TYPE_").lower()
    return SAME.get(kind, kind)


def _at(file: Any, indexes: Sequence[int]) -> Any:
    """Return the message at a place of a file: the index of one, then of one within it, and so on."""
    first, *others = indexes
    found = list(file.message_types_by_name.values())[first]
    for index in others:
        found = found.nested_types[index]
    return found


def packed(files: Sequence[Any]) -> str:
    """Return compiled files as a text, after all files of Google's that they import. Raises SchemaError."""
    whole: dict[str, Any] = {}
    for file in files:
        for name in file.dependency:
            _complete(name, whole, {one.name for one in files})
        whole[file.name] = file
    found = needed("google.protobuf.descriptor_pb2").FileDescriptorSet(file=whole.values())
    return b64encode(found.SerializeToString(deterministic=True)).decode()


def _complete(name: str, whole: dict[str, Any], given: set[str]) -> None:
    """Add a file of Google's, and what it imports, unless it is there."""
    if name in whole or name in given:
        return
    if name not in GOOGLES:
        raise SchemaError(f"it imports {name}, which is not in it")
    copy = needed("google.protobuf.descriptor_pb2").FileDescriptorProto()
    needed(GOOGLES[name]).DESCRIPTOR.CopyToProto(copy)
    for dependency in copy.dependency:
        _complete(dependency, whole, given)
    whole[name] = copy


def unpacked(text: str) -> Sequence[Any]:
    """Return the files that `packed` made a text of. Raises SchemaError."""
    return files_of(_bytes(text))


def files_of(compiled: bytes) -> Sequence[Any]:
    """Return the files of a set, as compilers write it. Raises SchemaError."""
    files = _parsed("FileDescriptorSet", compiled).file
    if not files:
        raise SchemaError("no compiled files of Protobuf: it is empty")
    return files


def file_of(text: str) -> Any:
    """Return one compiled file, which is a text in base64. Raises SchemaError."""
    return _parsed("FileDescriptorProto", _bytes(text))


def _parsed(kind: str, compiled: bytes) -> Any:
    odd = needed("google.protobuf.message").DecodeError
    try:
        return getattr(needed("google.protobuf.descriptor_pb2"), kind).FromString(compiled)
    except odd:
        raise SchemaError("no compiled files of Protobuf") from None


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise SchemaError("no compiled files of Protobuf in base64") from None


def only_message(files: Sequence[Any]) -> str:
    """Return the name of the one message of the last file. Raises SchemaError where it has several."""
    file = files[-1]
    names = [f"{file.package}.{message.name}" if file.package else message.name for message in file.message_type]
    if len(names) != 1:
        raise SchemaError(f"which message? It has {', '.join(names) or 'none'}; name one: stream.message")
    return names[0]
