"""Which run made data: what a schedule or a cluster says of it in the environment, for provenance.json."""

from collections.abc import Mapping
from typing import Any

from registry.errors import RegistryError
from registry.shown import redacted
from registry.sources.raw import without_served_by

FACTS = ("id", "url", "image", "commit", "actor")
"""What may be said of a run: its id where it is scheduled, its page, its image, its commit, and who started it."""
MAX_LENGTH = 500
"""Characters of a fact."""


def variable_of(fact: str) -> str:
    """Return the name of the variable that says a fact."""
    return f"REGISTRY_RUN_{fact.upper()}"


def run_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return {fact: value} of those that the environment names. Raises RegistryError for what no record should hold."""
    found = {fact: environment.get(variable_of(fact), "") for fact in FACTS}
    for fact, value in found.items():
        if not value.isprintable() or len(value) > MAX_LENGTH:
            raise RegistryError(
                f"not a line of at most {MAX_LENGTH} printable characters",
                where=f"{variable_of(fact)} in the environment",
                hint="give it such a value, or unset it",
            )
        if redacted(value) != value:
            raise RegistryError(
                "it holds a password or a token, and everybody can read provenance.json",
                where=f"{variable_of(fact)} in the environment",
                hint="give it the value without that, or unset it",
            )
    return {fact: value for fact, value in found.items() if value}


def without_notes(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provenance without what is but noted: what served each source, and which run made the data."""
    noted = {**provenance, "source": without_served_by(provenance["source"])}
    noted.pop("run", None)
    return noted
