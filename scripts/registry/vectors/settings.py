"""Which database holds the vectors: one of the checkout's own, or the server that the environment names."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.config.names import rule_of
from registry.errors import RegistryError

DATASET = "opencloudhub-readmes-embeddings"
"""The dataset whose vectors are loaded and searched unless another one is named."""
TABLE = "readme_embeddings"
"""What its table is called unless the environment says."""
MAX_BYTES = 63
"""PostgreSQL cuts longer names without an error."""
SHORT = 8
"""Digits of a hash in a name that would be longer."""
FOLDER = ".vectors"


@dataclass(frozen=True)
class Server:
    """A PostgreSQL that runs somewhere."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True)
class Embedded:
    """A PostgreSQL that runs while it is needed, in a folder."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)


@dataclass(frozen=True)
class Settings:
    """Where the vectors of a dataset are kept: the database, the name that readers ask for, how many versions stay."""

    place: Server | Embedded
    table: str
    keep: int
    dataset: str = DATASET

    def command(self, *words: str) -> str:
        """Return a command of `registry vectors` on this database, for people to type."""
        dataset = [] if self.dataset == DATASET else ["--dataset", self.dataset]
        server = ["--store", "server"] if isinstance(self.place, Server) else []
        return " ".join(["registry", "vectors", *words, *dataset, *server])


def read_settings(
    config: Mapping[str, Any], root: Path, environ: Mapping[str, str] = os.environ, *, dataset: str = DATASET
) -> Settings:
    """Return the settings that the top-level configuration and the environment give for a dataset.

    Raises RegistryError that names what is missing or cannot be.
    """
    table = table_of(dataset, environ)
    if config["vector_store"] == "server":
        return Settings(_server(environ), table, config["vector_versions"], dataset)
    folder = environ.get("PGVECTOR_FOLDER")
    place = Embedded(Path(folder).expanduser().absolute() if folder else root / FOLDER)
    return Settings(place, table, config["vector_versions"], dataset)


def table_of(dataset: str, environ: Mapping[str, str]) -> str:
    """Return the name of the table that readers ask for a dataset's vectors. Raises RegistryError.

    The environment names that of one dataset alone, so that no two share one.
    """
    if dataset != DATASET:
        table = rule_of(dataset)
        digits = hashlib.sha256(table.encode()).hexdigest()[:SHORT]
        if len(table) <= MAX_BYTES and table != TABLE:
            return table
        return f"{table[: MAX_BYTES - SHORT - 1]}_{digits}"
    table = environ.get("PGVECTOR_TABLE_NAME") or TABLE
    if len(table.encode()) > MAX_BYTES:
        raise RegistryError(
            f"longer than the {MAX_BYTES} bytes of a name in PostgreSQL: {table}", where="PGVECTOR_TABLE_NAME"
        )
    return table


def _server(environ: Mapping[str, str]) -> Server:
    names = [f"PGVECTOR_{name}" for name in ("HOST", "DATABASE", "USER", "PASSWORD")]
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise RegistryError(
            f"vector_store is server, but the environment lacks {', '.join(missing)}",
            hint="set them (.env.example has them all), or set vector_store: embedded in config/config.yaml",
        )
    host, database, user, password = (environ[name] for name in names)
    port = environ.get("PGVECTOR_PORT") or "5432"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        raise RegistryError(f"not a port number: {port}", where="PGVECTOR_PORT", hint="set a number from 1 to 65535")
    return Server(host, int(port), database, user, password)
