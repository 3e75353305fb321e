"""A real S3 server on loopback, SeaweedFS, which checks signatures and what each identity may do."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Self

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from support import free_ports

START = 300
"""Seconds that the server may take to answer."""
PORTS = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3", "admin") for kind in ("", ".grpc")]
REGION = "us-east-1"


class Identity(NamedTuple):
    """An access key and its secret."""

    key: str
    secret: str


class S3Server:
    """SeaweedFS on free ports of 127.0.0.1. Data and address stay with its folder, whoever starts it there again.

    `admin` may do everything, `reader` what a policy says: without one, read and list the buckets that are there from
    the start.
    """

    admin = Identity("registry-admin", "the-secret-of-the-admin")
    reader = Identity("registry-reader", "the-secret-of-the-reader")

    def __init__(self, folder: Path, *, buckets: tuple[str, ...] = ("registry",), policy: Path | None = None) -> None:
        self.folder = folder
        self.buckets = buckets
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "data").mkdir(parents=True, exist_ok=True)
        ports = folder / "ports.json"
        if not ports.exists():
            ports.write_text(json.dumps(dict(zip(PORTS, free_ports(len(PORTS)), strict=True))), encoding="utf-8")
        self._ports: dict[str, int] = json.loads(ports.read_text(encoding="utf-8"))
        self.url = f"http://127.0.0.1:{self._ports['s3.port']}"
        everything = ["Admin", "Read", "List", "Tagging", "Write"]
        readable = [f"{action}:{bucket}" for bucket in buckets for action in ("Read", "List")]
        config: dict[str, Any] = {
            "identities": [
                {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], **rights}
                for name, (key, secret), rights in (
                    ("admin", self.admin, {"actions": everything}),
                    ("reader", self.reader, {"policyNames": ["reader"]} if policy else {"actions": readable}),
                )
            ]
        }
        if policy:
            config["policies"] = [{"name": "reader", "content": policy.read_text(encoding="utf-8")}]
        (folder / "s3.json").write_text(json.dumps(config), encoding="utf-8")

    def start(self) -> Self:
        """Start the server and wait until every bucket takes an object."""
        assert self._process is None, "it is running"
        command = [
            Path(sys.executable).with_name("weed"),
            "mini",
            f"-dir={self.folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *(f"-{option}={port}" for option, port in self._ports.items()),
            f"-s3.config={self.folder / 's3.json'}",
            "-s3.autoCreateBucket=false",
            f"-bucket={','.join(self.buckets)}",
            "-master.telemetry=false",
            "-admin.ui=false",
            "-webdav=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env={"HOME": str(self.folder)}, start_new_session=True
            )
        deadline = time.monotonic() + START
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"no S3 server:\n{(self.folder / 'log').read_text(errors='replace')[-4000:]}")
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """End the server as its user would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a failing machine would."""
        self._end(signal.SIGKILL)

    def restart(self) -> Self:
        """Start the server again on the data that it has."""
        self.stop()
        return self.start()

    def client(self, identity: Identity | None = None):
        """Return a botocore client for the server; the admin's, unless another identity is given."""
        key, secret = identity or self.admin
        return botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
        )

    def environment(self, identity: Identity | None = None) -> dict[str, str]:
        """Return variables that make S3 clients this identity, or nobody, whatever the files of the user say."""
        nothing = self.folder / "nothing"
        nothing.touch()
        variables = {
            "AWS_CONFIG_FILE": str(nothing),
            "AWS_SHARED_CREDENTIALS_FILE": str(nothing),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": REGION,
            # A server that is away is asked three times, not five, with longer and longer waits between.
            "AWS_MAX_ATTEMPTS": "3",
        }
        if identity is not None:
            variables |= {"AWS_ACCESS_KEY_ID": identity.key, "AWS_SECRET_ACCESS_KEY": identity.secret}
        return variables

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def ready(self) -> bool:
        """Tell whether every bucket takes an object."""
        client = self.client()
        try:
            for bucket in self.buckets:
                client.put_object(Bucket=bucket, Key=".ready", Body=b"ready")
                client.delete_object(Bucket=bucket, Key=".ready")
        except (BotoCoreError, ClientError):
            return False
        return True

    def _end(self, sign: signal.Signals) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, sign)
            self._process.wait(timeout=60)
            self._process = None
