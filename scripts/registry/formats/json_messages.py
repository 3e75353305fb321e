"""Messages that are one JSON object each, which a JSON schema may describe further."""

import json
from typing import Any, NoReturn

from registry.extras import needed
from registry.formats.fields import Fields, SchemaError


class InvalidError(ValueError):
    """A message that can be decoded, and breaks its schema."""


class JsonMessages:
    """Reads messages; with a schema, those that keep to it."""

    name, fields = "", Fields()

    def __init__(self, schema: str | bytes | None = None) -> None:
        """Take a JSON schema, if there is one. Raises SchemaError."""
        self._validator = None if schema is None else _validator(schema)
        self._decoder = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)

    def decode(self, value: bytes) -> dict[str, Any]:
        """Return the object that bytes are. Raises ValueError for what is no JSON object in UTF-8; InvalidError."""
        try:
            text = value.decode()
            decoded = self._decoder.decode(text)
            if "\\ud" in text or "\\uD" in text:
                json.dumps(decoded, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise ValueError(f"no JSON: {error}") from None
        if not isinstance(decoded, dict):
            raise ValueError("no JSON object")
        if self._validator is not None and not self._validator.is_valid(decoded):
            error = next(self._validator.iter_errors(decoded))
            place = ".".join(map(str, error.instance_path))
            raise InvalidError(f"{place or 'the object'}: {error.message}")
        return decoded


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _validator(schema: str | bytes) -> Any:
    """Return a validator that fetches nothing from elsewhere, and whose patterns take no longer than texts are long."""
    rules = needed("jsonschema_rs")

    def refuse(uri: str) -> NoReturn:
        raise ValueError(f"{uri} is in another file")

    try:
        return rules.validator_for(
            json.loads(schema), retriever=refuse, validate_formats=True, pattern_options=rules.RegexOptions()
        )
    except (ValueError, RecursionError, rules.ReferencingError, rules.ValidationError) as error:
        reason = str(error).partition("\n")[0]
        raise SchemaError(f"not a JSON schema: {reason}") from None
