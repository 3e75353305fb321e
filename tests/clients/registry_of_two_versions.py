"""A real release of every dataset, and a second one of three, in a bare git repository and on a real S3 server."""

import gzip
import hashlib
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from forks import REGISTRY
from project import DATASETS, Project
from s3 import Identity, S3Server

FIRST = dict.fromkeys(DATASETS, "1.0.0")
SECOND = {"fashion-mnist": "2.0.0", "radiology-mini": "2.0.0", "tabular": "1.1.0"}
RELEASES = [*FIRST.items(), *SECOND.items()]


class Registry:
    """Where the releases are, and what was built for them."""

    def __init__(self, folder: Path, server: S3Server) -> None:
        self.folder = folder
        self.server = server
        self.repository = folder / "registry.git"
        self.checkout = folder / "checkout"

    def built(self, dataset: str, version: str) -> Path:
        """Return a copy of data/<dataset> as it was built for a version."""
        return self.folder / "built" / f"{dataset}-v{version}"

    def admit(self, monkeypatch: pytest.MonkeyPatch, identity: Identity | None) -> None:
        """Be this identity to the S3 server, or nobody."""
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in self.server.environment(identity).items():
            monkeypatch.setenv(name, value)

    def make(self, built: Project) -> None:
        """Release everything as it is built there, then build and release fashion-mnist, radiology-mini and tabular."""
        shutil.copytree(built.folder, self.checkout, symlinks=True)
        project = Project(self.checkout)
        self._run("git", "init", "--bare", "--initial-branch=main", str(self.repository), cwd=self.folder)
        self._run("git", "init", "--initial-branch=main")
        self._run("git", "remote", "add", "origin", str(self.repository))
        self._run("dvc", "remote", "add", "--default", "s3", "s3://registry/store")
        self._run("dvc", "remote", "modify", "s3", "endpointurl", self.server.url)
        project.edit("config/config.yaml", "push: false", "push: true")
        self._commit()
        self._release(FIRST)
        project.configure("tabular", n_samples=1400)
        project.configure("radiology-mini", test_ratio=0.4)
        project.edit("config/datasets/radiology-mini.yaml", "      train: 26\n      test: 6\n", self._any_rows)
        shorten(project, "fashion-mnist", "train-images-idx3-ubyte.gz", 1900)
        shorten(project, "fashion-mnist", "train-labels-idx1-ubyte.gz", 1900)
        project.edit("config/datasets/fashion-mnist.yaml", "samples: {train: 2_000,", "samples: {train: 1_900,")
        self._commit()
        project.snakemake("--cores", "2")
        self._release(SECOND)

    _any_rows = "      train: {min: 1, max: 32}\n      test: {min: 1, max: 32}\n"

    def _release(self, versions: dict[str, str]) -> None:
        REGISTRY.run("forks:registry", "publish", cwd=self.checkout, env=self._environment()).with_code(0)
        for dataset, version in versions.items():
            shutil.copytree(self.checkout / "data" / dataset, self.built(dataset, version))

    def _commit(self) -> None:
        self._run("git", "add", "--all")
        self._run("git", "commit", "--message", "Change what is built")

    def _run(self, *command: str, cwd: Path | None = None) -> None:
        environment = self._environment()
        done = subprocess.run(command, cwd=cwd or self.checkout, env=environment, text=True, capture_output=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.server.environment(self.server.admin),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.checkout / "scripts"),
            "DVC_SITE_CACHE_DIR": str(self.folder / "site-cache"),
            **{
                f"GIT_{who}_{what}": "registry@example.org"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }


def shorten(project: Project, dataset: str, file: str, count: int) -> None:
    """Cut an IDX file of a dataset's sample to its first `count` items, and write its new hash down."""
    path = project.folder / "data" / "samples" / dataset / file
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    content = gzip.decompress(path.read_bytes())
    header = 4 + 4 * content[3]
    size = (len(content) - header) // struct.unpack(">I", content[4:8])[0]
    path.write_bytes(
        gzip.compress(content[:4] + struct.pack(">I", count) + content[8 : header + count * size], mtime=0)
    )
    project.edit("data/samples/SHA256SUMS", old, hashlib.sha256(path.read_bytes()).hexdigest())
