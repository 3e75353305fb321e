"""Nights that somebody or something refuses: one message in the log and in the summary, and the next completes."""

import re
import subprocess
from collections.abc import Callable

import pytest

from clone import Clone
from disk import fill, small_disk
from nights import CORPUS, EMBEDDINGS, FIRST, NIGHT, World
from s3 import Identity, S3Server


def test_a_branch_that_takes_no_push_is_one_message_and_the_next_night_completes(world):
    hook = world.origin / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'GH006: Protected branch update failed' >&2\nexit 1\n")
    hook.chmod(0o755)
    world.change()
    printed = world.night(code=1)
    assert printed.count("error: origin rejected the push, and nothing is released: ") == 1
    assert "Protected branch" in printed
    assert world.tags() == FIRST
    assert "Protected branch update failed" in world.clone.registry("summary", "--markdown", code=1)
    assert "Protected" in world.clone.registry("publish", code=1, **world.environment())
    hook.unlink()
    world.clone.registry("publish", **world.environment())
    told = world.clone.registry("summary", "--markdown")
    assert told.startswith("## Succeeded\n")
    assert f"<code>{CORPUS}-v1.1.0</code>" in told
    world.night()
    world.check_all_is_released()


@pytest.mark.parametrize(
    ("who", "token"),
    [
        (Identity("nobody-we-know", "a-secret-that-opens-nothing"), ""),
        (S3Server.reader, ""),
        (S3Server.admin, "of-a-session-that-is-over"),
    ],
    ids=["unknown key", "may only read", "expired"],
)
def test_a_store_that_refuses_is_one_message_and_the_next_night_completes(world, who, token):
    # What another test has stored needs no right to write.
    world.change(f"{who.key} {token}")
    session = {"AWS_SESSION_TOKEN": token} if token else {}
    printed = world.night(code=1, **world.store.environment(who), **session)
    assert printed.count("\nerror: ") == 1
    assert "check the credentials" in printed
    assert world.tags() == FIRST
    page = world.clone.registry("summary", "--markdown", code=1)
    assert "check the credentials" in page
    assert who.secret not in page
    world.night()
    world.check_all_is_released()


def test_a_bucket_that_is_gone_is_one_message_and_the_next_night_completes(world):
    world.clone.edit(".dvc/config", "s3://registry", "s3://gone")
    world.clone.commit("Release elsewhere")
    world.clone.git("push", "--quiet", "origin", "main")
    world.change()
    printed = world.night(code=1)
    assert printed.count("\nerror: ") == 1, printed
    assert world.tags() == FIRST
    assert "bucket" in world.clone.registry("summary", code=1)
    world.store.client().create_bucket(Bucket="gone")
    world.night()
    world.check_all_is_released()


def from_the_start(world: World, full: Callable[[], None]) -> None:
    full()


def from_a_download_on(world: World, full: Callable[[], None]) -> None:
    route = "/repos/OpenCloudHub/docs/readme"
    answer = world.api.server.routes[route]

    def fill_first(handler):
        world.api.server.routes[route] = answer
        full()
        answer(handler)

    world.api.server.routes[route] = fill_first


@pytest.mark.parametrize("arrange", [from_the_start, from_a_download_on])
@pytest.mark.parametrize("leave", [0, 200])
def test_a_full_disk_is_told_and_the_next_night_completes(world, tmp_path, arrange, leave):
    disk = tmp_path / "small"
    with small_disk(disk, 200):
        world.clone = world.clone.copied(disk / "registry")
        world.change()
        arrange(world, lambda: fill(disk, leave))
        printed = world.night(code=1)
        assert "no space left" in printed.lower()
        assert "Traceback" not in printed
        # With a little space the corpus may still come through.
        assert {*world.tags()} - {f"{CORPUS}-v1.1.0"} == {*FIRST}
        # There may have been no space for what it did.
        assert re.search("no space left|nothing has run here", world.clone.registry("summary", code=1).lower())
        (disk / ".filler").unlink()
        world.night()
        world.check_all_is_released()


def test_a_clone_without_tags_makes_the_next_number_and_a_shallow_one_makes_none(world, tmp_path):
    world.change()
    address = f"file://{world.origin}"
    shallow = Clone(tmp_path / "shallow")
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", address, shallow.folder], check=True)
    printed = shallow.registry(*NIGHT, code=3, **world.environment())
    assert "nothing is released: this clone is shallow" in printed
    assert world.tags() == FIRST
    assert "git fetch --unshallow --tags" in shallow.registry("summary", code=3)

    bare = Clone(tmp_path / "bare")
    subprocess.run(["git", "clone", "--quiet", "--no-tags", address, bare.folder], check=True)
    bare.registry(*NIGHT, **world.environment())
    assert world.tags() == sorted([*FIRST, f"{CORPUS}-v1.1.0", f"{EMBEDDINGS}-v1.1.0"])
