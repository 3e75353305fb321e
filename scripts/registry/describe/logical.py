"""Names of types by their meaning, which manifests and metadata.json hold, and the Arrow types that they stand for.

How a type is encoded, or how wide its offsets are, is not in its name: dictionaries, run-end encoding, views, large
siblings and extensions are those of their values. A nested type names those within: `list<struct<role: string>>`.
"""

import json
import re

import pyarrow as pa
import pyarrow.types as pat

MAX_DEPTH = 50
"""How deep the types in a name may be nested."""
_WORD = re.compile(r"\w+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_LEAF = re.compile(r"\w+(?:\([^()]*\)|\[[^\[\]]*\])?")
_TIMES = re.compile(r"time\[(s|ms|us|ns)\]")
_SECONDS = re.compile(r"(timestamp|duration)\[(s|ms|us|ns)(?:, tz=(.+))?\]")
_DECIMAL = re.compile(r"decimal\((\d+), (-?\d+)\)")
_FIXED_BINARY = re.compile(r"fixed_size_binary\[(\d{1,9})\]")
_TIME_TYPES = {"s": pa.time32("s"), "ms": pa.time32("ms"), "us": pa.time64("us"), "ns": pa.time64("ns")}


def plain_type(dtype: pa.DataType) -> pa.DataType:
    """Return the type of the values of a dictionary, run-end encoded or extension type; any other as it is."""
    while True:
        if pat.is_dictionary(dtype) or pat.is_run_end_encoded(dtype):
            dtype = dtype.value_type
        elif isinstance(dtype, pa.BaseExtensionType):
            dtype = dtype.storage_type
        else:
            return dtype


def is_list(dtype: pa.DataType) -> bool:
    """Tell whether values of a type are lists, each with a length of its own."""
    return pat.is_list(dtype) or pat.is_large_list(dtype) or pat.is_list_view(dtype) or pat.is_large_list_view(dtype)


def is_picture(dtype: pa.DataType) -> bool:
    """Tell whether values of a type are arrays of bytes of one shape: lists of uint8, of fixed sizes, at any depth."""
    dtype = plain_type(dtype)
    if not pat.is_fixed_size_list(dtype):
        return False
    inner = plain_type(dtype.value_type)
    return inner == pa.uint8() or is_picture(inner)


def logical_type(dtype: pa.DataType) -> str:
    """Name an Arrow type by its meaning: string and large_string are one, as are their binary and list siblings.

    Units, zones, precision and scale are part of a name, as are the names of fields: those that are more than letters,
    digits and `_` are quoted as in JSON.
    """
    dtype = plain_type(dtype)
    if pat.is_string(dtype) or pat.is_large_string(dtype) or pat.is_string_view(dtype):
        return "string"
    if pat.is_binary(dtype) or pat.is_large_binary(dtype) or pat.is_binary_view(dtype):
        return "binary"
    if pat.is_fixed_size_list(dtype):
        return f"fixed_size_list<{logical_type(dtype.value_type)}>[{dtype.list_size}]"
    if is_list(dtype):
        return f"list<{logical_type(dtype.value_type)}>"
    if pat.is_struct(dtype):
        return f"struct<{', '.join(f'{_field_name(field.name)}: {logical_type(field.type)}' for field in dtype)}>"
    if pat.is_map(dtype):
        return f"map<{logical_type(dtype.key_type)}, {logical_type(dtype.item_type)}>"
    if pat.is_decimal(dtype):
        return f"decimal({dtype.precision}, {dtype.scale})"
    if pat.is_date(dtype):
        return "date"
    if pat.is_time(dtype):
        return f"time[{dtype.unit}]"
    return {"double": "float64", "float": "float32", "halffloat": "float16"}.get(str(dtype), str(dtype))


def with_texts(dtype: pa.DataType) -> pa.DataType:
    """Return a type with texts for dates, times and timestamps, and integers for durations, at any depth.

    Python's own types hold neither all of them, nor nanoseconds. A type that has none of them is returned as it is.
    """
    if pat.is_date(dtype) or pat.is_time(dtype) or pat.is_timestamp(dtype):
        return pa.string()
    if pat.is_duration(dtype):
        return pa.int64()
    if pat.is_struct(dtype):
        return pa.struct([field.with_type(with_texts(field.type)) for field in dtype])
    if pat.is_map(dtype):
        return pa.map_(with_texts(dtype.key_type), with_texts(dtype.item_type))
    if pat.is_fixed_size_list(dtype):
        return pa.list_(dtype.value_field.with_type(with_texts(dtype.value_type)), dtype.list_size)
    if pat.is_large_list(dtype):
        return pa.large_list(dtype.value_field.with_type(with_texts(dtype.value_type)))
    return pa.list_(dtype.value_field.with_type(with_texts(dtype.value_type))) if pat.is_list(dtype) else dtype


def _field_name(name: str) -> str:
    return name if _WORD.fullmatch(name) else json.dumps(name)


def arrow_type(name: str) -> pa.DataType:
    """Return an Arrow type whose name this is. Raises ValueError for what is no name of a type."""
    dtype, rest = _parsed(name, MAX_DEPTH)
    if rest or logical_type(dtype) != name:
        raise ValueError(f"no name of a type: {name[:80]!r}")
    return dtype


def _parsed(text: str, depth: int) -> tuple[pa.DataType, str]:
    """Return the type that a text begins with, which may be so deep, and what follows."""
    leaf = _LEAF.match(text)
    if not depth or not leaf:
        raise ValueError(f"no name of a type: {text[:80]!r}")
    word, rest = leaf[0], text[leaf.end() :]
    if not rest.startswith("<"):
        return _leaf(word), rest
    rest = rest[1:]
    match word:
        case "struct":
            return _parsed_struct(rest, depth)
        case "map":
            key, rest = _parsed(rest, depth - 1)
            value, rest = _parsed(_after(", ", rest), depth - 1)
            return pa.map_(key, value), _after(">", rest)
        case "list":
            value, rest = _parsed(rest, depth - 1)
            return pa.large_list(value), _after(">", rest)
        case "fixed_size_list":
            value, rest = _parsed(rest, depth - 1)
            size = re.match(r">\[(\d{1,9})\]", rest)
            if size:
                return pa.list_(value, int(size[1])), rest[size.end() :]
    raise ValueError(f"no name of a type: {text[:80]!r}")


def _parsed_struct(rest: str, depth: int) -> tuple[pa.DataType, str]:
    fields: list[pa.Field] = []
    while not rest.startswith(">"):
        rest = _after(", ", rest) if fields else rest
        quoted = (_QUOTED if rest.startswith('"') else _WORD).match(rest)
        if not quoted:
            raise ValueError(f"no name of a field: {rest[:80]!r}")
        dtype, after = _parsed(_after(": ", rest[quoted.end() :]), depth - 1)
        fields.append(pa.field(json.loads(quoted[0]) if rest.startswith('"') else quoted[0], dtype))
        rest = after
    return pa.struct(fields), _after(">", rest)


def _after(sign: str, text: str) -> str:
    if not text.startswith(sign):
        raise ValueError(f"{sign!r} is missing before {text[:80]!r}")
    return text[len(sign) :]


def _leaf(name: str) -> pa.DataType:
    if found := _TIMES.fullmatch(name):
        return _TIME_TYPES[found[1]]
    if found := _SECONDS.fullmatch(name):
        return pa.duration(found[2]) if found[1] == "duration" else pa.timestamp(found[2], found[3])
    if found := _DECIMAL.fullmatch(name):
        precision, scale = int(found[1]), int(found[2])
        return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    if found := _FIXED_BINARY.fullmatch(name):
        return pa.binary(int(found[1]))
    return pa.date32() if name == "date" else pa.type_for_alias(name)
