"""Where a registry releases to in these tests: a bare repository, and an S3 server."""

from pathlib import Path

from clone import Clone
from s3 import S3Server


def with_origin(clone: Clone, server: S3Server, folder: Path) -> Path:
    """Let a registry push what it releases, and commit all in it; return its origin, a new repository in `folder`."""
    clone.edit("config/config.yaml", "push: false", "push: true")
    with (clone.folder / ".dvc" / "config").open("a") as config:
        config.write(f"['remote \"team\"']\n    url = s3://registry/{folder.name}\n    endpointurl = {server.url}\n")
    clone.edit(".dvc/config", "remote = local", "remote = team")
    clone.commit("Release to S3")
    origin = folder / "origin.git"
    clone.git("clone", "--quiet", "--bare", ".", str(origin))
    clone.git("remote", "add", "origin", str(origin))
    return origin
