"""Ask a schema registry, which speaks the API of Confluent's, for schemas by their numbers.

Where it is, and who asks, is in the environment alone. It may answer anything: what it sends is bounded in bytes and
seconds, and no password follows it elsewhere.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from registry.errors import RegistryError
from registry.extras import needed
from registry.formats.fields import SchemaError
from registry.formats.protobuf import file_of, packed
from registry.shown import shown
from registry.sources.deadline import LateError, deadline
from registry.sources.http import TRANSIENT, describe
from registry.sources.writers import Schema
from registry.streams.settings import MAX_SCHEMA

URL = "KAFKA_SCHEMA_REGISTRY_URL"
USER, PASSWORD, CA = (f"KAFKA_SCHEMA_REGISTRY_{name}" for name in ("USERNAME", "PASSWORD", "SSL_CA_LOCATION"))
"""Variables of the environment that are read."""
MAX_REFERENCES = 100
"""Schemas that one may need besides itself."""
TIMEOUTS = (5, 10)
"""Seconds for a connection, and between two pieces of an answer."""
PATIENCE = 60
"""Seconds for an answer in all, further tries among them."""
NOT_FOUND = {40401, 40402, 40403}
"""What the API calls a subject, a version of one and a number that are not there; another 404 is no answer of it."""
HINT = f"check {URL}, and the other KAFKA_SCHEMA_REGISTRY_ variables (docs/streams.md)"


class NoSchemaError(Exception):
    """A number that is no schema of the stream's format."""


class SchemaRegistry:
    """The schema registry that the environment names."""

    def __init__(self, its_format: str, environment: Mapping[str, str] = os.environ) -> None:
        """Look up where it is; nothing is asked yet. Raises RegistryError."""
        self._format = its_format
        url, user, password, authority = (environment.get(name, "").strip() for name in (URL, USER, PASSWORD, CA))
        self._secrets = [password] if password else []
        self._url = _checked(url.rstrip("/"))
        if authority and not Path(authority).is_file():
            raise RegistryError("no file is there", where=CA, hint="name the certificate of the authority")
        requests = needed("requests")
        retry = needed("urllib3").Retry(
            total=2,
            backoff_factor=0.5,
            status_forcelist=TRANSIENT,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/vnd.schemaregistry.v1+json, application/json"
        self._session.headers["Accept-Encoding"] = "identity"
        self._session.verify = authority or True
        self._session.auth = (user, password) if user else None
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))

    def schema(self, number: int) -> Schema:
        """Return a schema by its number.

        Raises NoSchemaError, SchemaError for one that cannot be used, and RegistryError where it cannot be asked.
        """
        answer = self._get(f"/schemas/ids/{number}")
        if answer is None:
            raise NoSchemaError(f"the schema registry has no schema {number}")
        if (kind := str(answer.get("schemaType", "AVRO")).lower()) != self._format:
            raise NoSchemaError(f"schema {number} is one of {kind[:20]}, and none of {self._format}")
        whole: dict[str, str] = {}
        if kind != "json":
            self._add_references(answer, whole, ())
        if kind == "protobuf":
            return Schema(kind, self._packed([*whole.items(), ("message.proto", self._text(answer))]))
        return Schema(kind, self._text(answer), tuple(whole.values()))

    def _add_references(self, answer: Mapping[str, Any], whole: dict[str, str], within: tuple[str, ...]) -> None:
        """Add the schemas that one refers to by their names, each after those that it needs itself."""
        references = answer.get("references") or []
        if not isinstance(references, list):
            raise self._error("the references of a schema are no list")
        for reference in references:
            try:
                name, subject, version = str(reference["name"]), str(reference["subject"]), int(reference["version"])
                f"{name}{subject}".encode()
            except (TypeError, KeyError, ValueError, OverflowError):
                raise self._error("the references of a schema are malformed") from None
            if name in within:
                raise SchemaError(f"{name} needs itself")
            if name in whole:
                continue
            if len(whole) + len(within) >= MAX_REFERENCES:
                raise SchemaError(f"it needs more than {MAX_REFERENCES} others")
            found = self._get(f"/subjects/{quote(subject, safe='')}/versions/{version}")
            if found is None:
                raise SchemaError(f"version {version} of {subject}, which it needs, is not there")
            self._add_references(found, whole, (*within, name))
            whole[name] = self._text(found)
            if sum(map(len, whole.values())) > MAX_SCHEMA:
                raise SchemaError(f"it needs others of more than {MAX_SCHEMA:,} bytes")

    def _get(self, path: str) -> dict[str, Any] | None:
        """Return what it answers; None where it has no such schema. Raises RegistryError, SchemaError for too much."""
        exceptions = needed("requests").exceptions
        parameters = {"format": "serialized"} if self._format == "protobuf" else {}
        try:
            with (
                deadline(PATIENCE),
                self._session.get(
                    f"{self._url}{path}", params=parameters, timeout=TIMEOUTS, stream=True, allow_redirects=False
                ) as answer,
            ):
                body = bytearray()
                for piece in answer.iter_content(1 << 16):
                    body += piece
                    if len(body) > MAX_SCHEMA:
                        break
        except exceptions.SSLError:
            raise self._error("no secure connection: its certificate is not trusted, or it speaks no TLS") from None
        except (exceptions.RequestException, LateError, OSError) as error:
            raise self._error(describe(error)) from None
        if answer.is_redirect or 300 <= answer.status_code < 400:
            raise self._error("it sends on to another address, which is not followed")
        if len(body) > MAX_SCHEMA and answer.ok:
            raise SchemaError(f"it has more than {MAX_SCHEMA:,} bytes")
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise self._error(f"HTTP {answer.status_code}, and no JSON of a schema registry")
        if answer.status_code == 404 and said.get("error_code") in NOT_FOUND:
            return None
        if answer.status_code != 200:
            what = {401: "who asks is not known to it", 403: "who asks may not read it"}.get(answer.status_code)
            raise self._error(f"HTTP {answer.status_code}" + (f": {what}" if what else ""))
        return said

    def _text(self, answer: Mapping[str, Any]) -> str:
        text = answer.get("schema")
        if not isinstance(text, str):
            raise self._error("the answer has no schema in it")
        return text

    def _packed(self, files: Sequence[tuple[str, str]]) -> str:
        """Return files of Protobuf, each with its name, as a batch keeps them; they are sent compiled, in base64."""
        compiled = []
        for name, text in files:
            try:
                compiled.append(file_of(text))
            except SchemaError as error:
                raise self._error(f"{error}: it has to know format=serialized") from None
            compiled[-1].name = name
        return packed(compiled)

    def _error(self, what: str) -> RegistryError:
        return RegistryError(shown(what, self._secrets), where=f"schema registry {self._url}", hint=HINT)


def _checked(url: str) -> str:
    hint = f"export {URL}=https://HOST:PORT (docs/streams.md)"
    if not url:
        raise RegistryError("no schema registry is named", where=URL, hint=hint)
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        logged_in = "@" in parts.netloc
    except ValueError:
        sound = logged_in = False
    if not sound or logged_in:
        what = f"it holds a login, which belongs in {USER} and {PASSWORD}" if logged_in else "not the URL of a server"
        raise RegistryError(what, where=URL, hint=hint)
    return url
