"""Pins: a dataset that was rolled back is taken as it is, whatever code and configuration say.

Light on purpose: the Snakefile asks at every start.
"""

from pathlib import Path
from typing import Any

from registry.config.names import VERSION
from registry.errors import RegistryError
from registry.files import read_regular
from registry.gate import MAX_POINTER, GateError, read_json

PIN = "pin.json"


def pin_of(root: Path, name: str) -> dict[str, Any] | None:
    """Return the pin of a dataset (`version`, `tag` and perhaps `reason`); None where it is not pinned.

    RegistryError for a pin that nobody can read.
    """
    where, hint = f"data/{name}/{PIN}", f"delete it; registry rollback {name} VERSION writes it again"
    try:
        pin = read_json(read_regular(root / where, MAX_POINTER), where=where)
    except FileNotFoundError:
        return None
    except (GateError, OSError):
        raise RegistryError("not a pin", where=where, hint=hint) from None
    texts = isinstance(pin, dict) and all(isinstance(value, str) for value in pin.values())
    if not texts or not VERSION.fullmatch(pin.get("version", "")) or pin.get("tag") != f"{name}-v{pin['version']}":
        raise RegistryError("not a pin", where=where, hint=hint)
    return pin


def pinned(root: Path) -> list[str]:
    """Return the names of the datasets that are pinned, whether or not their pins can be read."""
    return sorted(path.parent.name for path in root.glob(f"data/*/{PIN}"))
