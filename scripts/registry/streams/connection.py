"""How to reach the broker: from the environment alone, so that no configuration in git ever holds a password."""

import os
from collections.abc import Mapping
from typing import Any

from registry.errors import RegistryError

SETTINGS = {
    "KAFKA_BOOTSTRAP_SERVERS": "bootstrap.servers",
    "KAFKA_SECURITY_PROTOCOL": "security.protocol",
    "KAFKA_SASL_MECHANISM": "sasl.mechanism",
    "KAFKA_SASL_USERNAME": "sasl.username",
    "KAFKA_SASL_PASSWORD": "sasl.password",
    "KAFKA_SSL_CA_LOCATION": "ssl.ca.location",
    "KAFKA_SSL_CERTIFICATE_LOCATION": "ssl.certificate.location",
    "KAFKA_SSL_KEY_LOCATION": "ssl.key.location",
    "KAFKA_SSL_KEY_PASSWORD": "ssl.key.password",
}
"""Variables of the environment that are read, and librdkafka's name of each."""
SECRETS = ("KAFKA_SASL_PASSWORD", "KAFKA_SSL_KEY_PASSWORD")
SERVERS = "KAFKA_BOOTSTRAP_SERVERS"


def connection(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return librdkafka's settings to reach the broker. Raises RegistryError where the environment names none."""
    found = {name: value for variable, name in SETTINGS.items() if (value := environment.get(variable, "").strip())}
    if "bootstrap.servers" not in found:
        raise RegistryError("no broker is named", where=SERVERS, hint=f"export {SERVERS}=HOST:PORT (docs/streams.md)")
    return found


def secrets(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return what of the environment no message may show."""
    return [value for variable in SECRETS if (value := environment.get(variable, "").strip())]
