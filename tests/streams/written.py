"""Messages in Avro and Protobuf, and what Confluent's own serializers make of them for a schema registry."""

import io
import json
from typing import Any

import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pool
from google.protobuf.message_factory import GetMessageClass

from registry.formats.protobuf import unpacked
from registry.streams.schema_files import packed_file

PROTO = """syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "parts.proto";
message Order {
  string id = 1;
  double price = 2;
  google.protobuf.Timestamp at = 3;
  repeated Part parts = 4;
  map<string, int64> counts = 5;
  optional int32 rating = 6;
  Kind kind = 7;
  message Refund { string id = 1; }
}
message Visit { string page = 1; }
enum Kind { NONE = 0; SOLD = 1; }
"""
PARTS = 'syntax = "proto3";\npackage shop;\nmessage Part { string name = 1; }\n'


def record(**fields: Any) -> dict[str, Any]:
    """Return an Avro schema; a field whose type is a pair has a default."""
    described = [
        {"name": name, "type": kind[0], "default": kind[1]} if isinstance(kind, tuple) else {"name": name, "type": kind}
        for name, kind in fields.items()
    ]
    return {"type": "record", "name": "Order", "namespace": "shop", "fields": described}


def avro(schema: dict[str, Any], **fields: Any) -> bytes:
    """Return a bare record."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), fields)
    return stream.getvalue()


def message_class(path, name: str) -> Any:
    """Return the class of a message in a `.proto`, of a pool of its own."""
    pool = descriptor_pool.DescriptorPool()
    for file in unpacked(packed_file(path)):
        pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(name))


class Producers:
    """Serializers that register their schemas under a topic's name."""

    def __init__(self, url: str, topic: str) -> None:
        self._client = SchemaRegistryClient({"url": url})
        self._context = SerializationContext(topic, MessageField.VALUE)

    def avro(self, schema: dict[str, Any], **fields: Any) -> bytes:
        return AvroSerializer(self._client, json.dumps(schema))(fields, self._context)

    def json(self, schema: dict[str, Any], **fields: Any) -> bytes:
        return JSONSerializer(json.dumps({"title": "order", **schema}), self._client)(fields, self._context)

    def protobuf(self, message: Any) -> bytes:
        return ProtobufSerializer(type(message), self._client, {"use.deprecated.format": False})(message, self._context)
