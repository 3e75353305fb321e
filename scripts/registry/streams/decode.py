"""Decode messages, to find those that cannot be decoded, or are not as the schema has them. Nothing is kept of it."""

import json
from pathlib import Path
from typing import Any, NoReturn

from registry.errors import RegistryError
from registry.extras import needed
from registry.files import read_regular
from registry.streams.poison import INVALID, UNDECODABLE, PoisonError
from registry.streams.settings import Stream

MAX_SCHEMA = 4 << 20
"""Bytes that a schema's file may have."""


def _read_schema(root: Path, schema: str) -> bytes:
    """Return the content of a schema's file, which is named from the top of the checkout. Raises RegistryError."""
    try:
        content = read_regular(root / schema, MAX_SCHEMA + 1)
    except OSError as error:
        raise RegistryError(f"cannot be read: {error.strerror}", where=schema, hint="check stream.schema") from None
    if len(content) > MAX_SCHEMA:
        raise RegistryError(f"more than {MAX_SCHEMA:,} bytes", where=schema, hint="name a smaller schema")
    return content


class JsonDecoder:
    """Messages that are one JSON object each, which a JSON schema may describe further."""

    def __init__(self, stream: Stream, root: Path) -> None:
        self._validator = (
            None if stream.schema is None else _validator(_read_schema(root, stream.schema), stream.schema)
        )
        self._decoder = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)

    def check(self, value: bytes) -> None:
        """Raise PoisonError for what is no JSON object in UTF-8, or breaks the schema."""
        try:
            text = value.decode()
            decoded = self._decoder.decode(text)
            if "\\ud" in text or "\\uD" in text:
                json.dumps(decoded, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise PoisonError(UNDECODABLE, f"no JSON: {error}") from None
        if not isinstance(decoded, dict):
            raise PoisonError(UNDECODABLE, "no JSON object")
        if self._validator is not None and not self._validator.is_valid(decoded):
            error = next(self._validator.iter_errors(decoded))
            place = ".".join(map(str, error.instance_path))
            raise PoisonError(INVALID, f"{place or 'the object'}: {error.message}")


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _validator(content: bytes, where: str) -> Any:
    """Return a validator that fetches nothing from elsewhere, and whose patterns take no longer than texts are long."""
    rules = needed("jsonschema_rs")

    def refuse(uri: str) -> NoReturn:
        raise ValueError(f"{uri} is in another file")

    try:
        schema = json.loads(content)
        return rules.validator_for(schema, retriever=refuse, pattern_options=rules.RegexOptions())
    except (ValueError, RecursionError, rules.ReferencingError, rules.ValidationError) as error:
        reason = str(error).partition("\n")[0]
        raise RegistryError(f"not a JSON schema: {reason}", where=where, hint="put it right") from None
