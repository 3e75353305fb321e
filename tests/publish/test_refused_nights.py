"""Nights whose release a store or a disk refuses: one message, nothing half-released, and the next completes it."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from clone import Clone, under_git
from project import copy_repository
from s3 import S3Server
from test_disk import fill, small_disk

TAG = "tabular-v1.0.0"
TOKEN = "a-token-that-has-expired"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3"), buckets=("elsewhere",)) as server:
        yield server


@pytest.fixture(scope="module")
def built(tmp_path_factory, store) -> Clone:
    """A checkout in which one dataset is built that waits for its release to an S3 server."""
    folder = tmp_path_factory.mktemp("refused")
    clone = under_git(copy_repository(folder / "registry"))
    clone.edit("config/config.yaml", "datasets: all", "datasets: [tabular]")
    clone.edit("config/config.yaml", "push: false", "push: true")
    clone.edit(".dvc/config", "remote = local", "remote = night")
    config = (clone.folder / ".dvc/config").read_text()
    clone.write(".dvc/config", f"{config}['remote \"night\"']\n    url = s3://BUCKET\n    endpointurl = {store.url}\n")
    clone.run("snakemake", "--cores", "2", "--config", "publish=false")
    return clone


@pytest.fixture
def clone(built, tmp_path) -> Clone:
    """A copy of its own of that checkout, with an origin and a bucket of its own, which is not there yet."""
    clone = built.copied(tmp_path / "registry")
    clone.edit(".dvc/config", "BUCKET", bucket_of(tmp_path))
    clone.commit()
    clone.git("init", "--quiet", "--bare", "--initial-branch", "main", str(tmp_path / "origin.git"))
    clone.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    clone.git("push", "--quiet", "--set-upstream", "origin", "main")
    return clone


def bucket_of(folder: Path) -> str:
    return folder.name.replace("_", "-").lower()[:60].strip("-")


def night(clone: Clone, store: S3Server, code: int = 0, **extra: str) -> str:
    """Run the command of every night, and return what it printed."""
    return clone.registry("refresh", "--cores", "2", code=code, **store.environment(store.admin), **extra)


@pytest.mark.parametrize(
    ("refused", "expected"),
    [("no bucket", "does not exist"), ("expired token", "check the credentials"), ("full disk", "free some space")],
)
def test_a_refused_night_is_one_message_and_the_next_completes(refused, expected, clone, store, tmp_path):
    extra, disk = {}, nullcontext()
    if refused != "no bucket":
        store.client().create_bucket(Bucket=bucket_of(tmp_path))
    if refused == "expired token":
        extra = {"AWS_SESSION_TOKEN": TOKEN}
    cache = clone.folder / ".dvc" / "cache"
    if refused == "full disk":
        disk = small_disk(cache, 1)
    with disk:
        if refused == "full disk":
            fill(cache, 0)
        printed = night(clone, store, code=1, **extra)
    assert printed.count("\nerror: ") == 1
    assert expected in printed and "Traceback" not in printed, printed
    for told in (clone.registry("summary", code=1), clone.registry("summary", "--markdown", code=1)):
        assert expected in told
        assert store.admin.secret not in told and TOKEN not in told
    origin = str(tmp_path / "origin.git")
    assert clone.tags() == [] and clone.git("--git-dir", origin, "tag", "--list") == ""
    assert clone.git("--git-dir", origin, "rev-parse", "main") == clone.head()
    if refused == "no bucket":
        store.client().create_bucket(Bucket=bucket_of(tmp_path))
    night(clone, store)
    assert clone.tags() == [TAG] and clone.git("--git-dir", origin, "tag", "--list") == TAG
    assert clone.git("--git-dir", origin, "rev-parse", "main") == clone.head()
    assert clone.git("status", "--short") == ""
