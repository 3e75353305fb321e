"""What a schedule starts every night: `registry refresh`, on real servers of git, S3 and PostgreSQL."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from clone import Clone, under_git
from fake_github import Api
from postgres import Database, running_postgres
from project import copy_repository
from s3 import Identity, S3Server
from support import PATIENCE, ROOT, Server, wait_until

CORPUS, EMBEDDINGS = "opencloudhub-readmes", "opencloudhub-readmes-embeddings"
NAMES = [CORPUS, EMBEDDINGS, f"{CORPUS}-rag-evaluation", "tabular"]
SAMPLES = ROOT / "data" / "samples" / CORPUS / "HEAD"
FIRST = sorted(f"{name}-v1.0.0" for name in NAMES)
NIGHT = ("refresh", "--cores", "2")


@dataclass
class World:
    """A checkout whose READMEs come from a GitHub, and which releases to an origin, an S3 server and a database."""

    clone: Clone
    origin: Path
    api: Api
    store: S3Server
    database: Database

    def environment(self, **extra: str) -> dict[str, str]:
        """Return what the schedule gives its command."""
        return self.store.environment(self.store.admin) | self.database.environment() | extra

    def night(self, code: int | None = 0, **extra: str) -> str:
        """Run the command of every night, and return what it printed."""
        return self.clone.registry(*NIGHT, code=code, **self.environment(**extra))

    def start(self, *command: str, clone: Clone | None = None) -> subprocess.Popen:
        """Start a command of `registry` in a session of its own, as a scheduler would."""
        clone = clone or self.clone
        return subprocess.Popen(
            [sys.executable, "-m", "registry", *(command or NIGHT)],
            cwd=clone.folder,
            env=clone.environment(**self.environment()),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def record(self) -> dict:
        """Return what logs/run.json says."""
        return json.loads((self.clone.folder / "logs" / "run.json").read_text(encoding="utf-8"))

    def tags(self) -> list[str]:
        """Return the tags that origin has."""
        return self.clone.git("--git-dir", str(self.origin), "tag", "--list").split()

    def tip(self) -> str:
        """Return the commit that origin's branch is at."""
        return self.clone.git("--git-dir", str(self.origin), "rev-parse", "main")

    def objects(self) -> dict[str, str]:
        """Return {key: when it was written} of the store."""
        listed = self.store.client().list_objects_v2(Bucket="registry").get("Contents", [])
        return {one["Key"]: str(one["LastModified"]) for one in listed}

    def change(self, who: str = "Whoever is on duty") -> None:
        """Let a README say something new."""
        more = f"\n## At night\n\n{who} answers within an hour, and says what is wrong, and who mends it, and when.\n"
        self.api.readme("docs", (SAMPLES / "docs" / "README.md").read_bytes() + more.encode())

    def check_all_is_released(self) -> None:
        """Check that the changed corpus, and what is made of it, is released once, loaded, and here as it is there."""
        assert self.tags() == sorted([*FIRST, f"{CORPUS}-v1.1.0", f"{EMBEDDINGS}-v1.1.0"])
        states = {row["dataset"]: row["state"] for row in self.clone.registry_json("status")}
        assert {name: states[name] for name in NAMES} == dict.fromkeys(NAMES, "released")
        assert [tag for tag, _ in self.database.serves()] == [f"{EMBEDDINGS}-v1.1.0"]
        assert self.clone.head() == self.tip()


@pytest.fixture(scope="module")
def github() -> Iterator[Api]:
    server = Server()
    yield Api(server, {path.name: (path / "README.md").read_bytes() for path in sorted(SAMPLES.iterdir())})
    server.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def postgres():
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def once(tmp_path_factory, github, store, postgres) -> World:
    """A world in which everything is released as 1.0.0."""
    folder = tmp_path_factory.mktemp("world")
    clone = under_git(copy_repository(folder / "registry"))
    clone.edit(f"config/datasets/{CORPUS}.yaml", "https://api.github.com", github.server.url)
    clone.edit(f"config/datasets/{CORPUS}.yaml", "# A living source", "source: upstream\n# A living source")
    clone.edit("config/config.yaml", "datasets: all", f"datasets: [{', '.join(NAMES)}]")
    clone.edit("config/config.yaml", "push: false", "push: true")
    clone.edit("config/config.yaml", "vector_store: embedded", "vector_store: server")
    clone.edit(".dvc/config", "remote = local", "remote = night")
    clone.write(
        ".dvc/config",
        (clone.folder / ".dvc/config").read_text()
        + f"['remote \"night\"']\n    url = s3://registry\n    endpointurl = {store.url}\n",
    )
    clone.commit()
    origin = folder / "origin.git"
    clone.git("init", "--quiet", "--bare", "--initial-branch", "main", str(origin))
    clone.git("remote", "add", "origin", str(origin))
    clone.git("push", "--quiet", "--set-upstream", "origin", "main")
    world = World(clone, origin, github, store, Database(postgres.server("postgres")))
    world.night()
    assert world.tags() == FIRST
    return world


@pytest.fixture
def world(once, postgres, tmp_path) -> Iterator[World]:
    """A world of its own, but for the servers."""
    clone, origin = once.clone.copied(tmp_path / "registry"), tmp_path / "origin.git"
    shutil.copytree(once.origin, origin)
    clone.git("remote", "set-url", "origin", str(origin))
    name = f"night_{tmp_path.name}".lower().replace("-", "_")[:60]
    once.database.run(f'CREATE DATABASE "{name}" TEMPLATE postgres STRATEGY file_copy')
    routes = dict(once.api.server.routes)
    once.api.answers.clear()
    yield World(clone, origin, once.api, once.store, Database(postgres.server(name)))
    once.api.server.routes.clear()
    once.api.server.routes.update(routes)
    once.database.run(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_a_night_in_which_nothing_changed_asks_and_makes_nothing(world):
    tip, objects = world.tip(), world.objects()
    printed = world.night()
    assert {status for _, status in world.api.answers} == {304}
    assert len(world.api.answers) > len(list(SAMPLES.iterdir()))
    assert "Nothing new to release" in printed
    assert (world.tip(), world.tags(), world.objects()) == (tip, FIRST, objects)
    assert world.clone.git("status", "--short") == ""
    assert world.clone.registry("summary").endswith(f"The last run ended: {world.record()['ending']}.\n")


def test_one_readme_that_changed_makes_one_version_of_all_that_is_made_of_it(world):
    world.change()
    record = world.clone.registry_json(*NIGHT, **world.environment())
    assert record == world.record()
    released = {one["dataset"]: one["release"] for one in record["datasets"] if one["release"]["state"] == "released"}
    assert {name: (one["tag"], one["level"]) for name, one in released.items()} == {
        CORPUS: (f"{CORPUS}-v1.1.0", "MINOR"),
        EMBEDDINGS: (f"{EMBEDDINGS}-v1.1.0", "MINOR"),
    }
    world.check_all_is_released()
    assert f"| <code>{CORPUS}</code> | <code>built</code> | <code>1.1.0</code> | <code>MINOR</code> |" in (
        world.clone.registry("summary", "--markdown")
    )


def test_a_source_that_fails_fails_its_dataset_alone(world):
    world.api.json("docs/readme", {"message": "<b>@all</b> | not what was asked for"})
    world.clone.edit("config/datasets/tabular.yaml", "n_samples: 1_000", "n_samples: 1_100")
    printed = world.night(code=1)
    assert "opencloudhub_readmes_download failed" in printed
    assert world.tags() == sorted([*FIRST, "tabular-v1.1.0"])
    assert "Traceback" not in printed
    told = world.clone.registry("summary", code=1)
    assert "The last run ended: failed." in told
    assert "opencloudhub_readmes_download failed:" in told
    page = world.clone.registry("summary", "--markdown", code=1)
    assert "### Failed\n\n- <code>opencloudhub&#95;readmes&#95;download</code>" in page
    assert "<b>" not in page
    assert f"<code>{CORPUS}</code> | <code>failed</code>" in page


def kill(pid: int) -> None:
    os.killpg(pid, signal.SIGKILL)


def in_a_job(world: World, doomed: Callable[[], int]) -> None:
    answer = world.api.server.routes["/repos/OpenCloudHub/docs/readme"]

    def kill_first(handler):
        kill(doomed())
        answer(handler)

    world.api.server.routes["/repos/OpenCloudHub/docs/readme"] = kill_first


def at_origin(hook: str) -> Callable:
    def arrange(world: World, doomed: Callable[[], int]) -> None:
        pid = world.origin.parent / "pid"
        script = world.origin / "hooks" / hook
        script.write_text(f"#!/bin/sh\nkill -9 -$(cat {pid})\nsleep 600\n")
        script.chmod(0o755)
        threading.Thread(target=lambda: pid.write_text(str(doomed())), daemon=True).start()

    return arrange


def before_the_database(world: World, doomed: Callable[[], int]) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    world.database.server = replace(world.database.server, port=listening.getsockname()[1])

    def kill_who_calls() -> None:
        with listening:
            listening.accept()
            kill(doomed())

    threading.Thread(target=kill_who_calls, daemon=True).start()


@pytest.mark.parametrize(
    "arrange",
    [in_a_job, at_origin("pre-receive"), at_origin("post-receive"), before_the_database],
    ids=["in a job", "before origin took it", "after origin took it", "before it is loaded"],
)
def test_a_night_that_is_killed_is_completed_by_the_next(world, arrange):
    world.change()
    server, routes, started = world.database.server, dict(world.api.server.routes), threading.Event()
    process: list[subprocess.Popen] = []

    def doomed() -> int:
        assert started.wait(PATIENCE)
        return process[0].pid

    arrange(world, doomed)
    process.append(world.start())
    started.set()
    assert process[0].wait(PATIENCE) == -signal.SIGKILL
    process[0].communicate()
    shutil.rmtree(world.origin / "hooks", ignore_errors=True)
    world.database.server = server
    world.api.server.routes.update(routes)
    printed = world.night()
    assert "Traceback" not in printed
    world.check_all_is_released()
    assert world.record()["unreleased"] == []
    assert world.clone.git("status", "--short") == ""


def test_two_nights_at_once_in_one_checkout_release_once(world):
    world.change()
    both = [world.start(), world.start()]
    printed = [process.communicate(timeout=PATIENCE)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    world.check_all_is_released()


def test_two_nights_at_once_in_two_clones_release_once(world, tmp_path):
    other = world.clone.copied(tmp_path / "other")
    world.change()
    both = [world.start(), world.start(clone=other)]
    printed = [process.communicate(timeout=PATIENCE)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    world.night()
    world.check_all_is_released()


@pytest.mark.parametrize(
    "command", [NIGHT, ("run", "--", "--cores", "2", "--forcerun", "opencloudhub_readmes_download")]
)
def test_a_run_that_is_told_to_stop_ends_at_once_and_is_completed(world, command):
    world.change()
    asked, go = threading.Event(), threading.Event()
    answer = world.api.server.routes["/repos/OpenCloudHub/docs/readme"]

    def wait_first(handler):
        asked.set()
        go.wait(PATIENCE)
        answer(handler)

    world.api.server.routes["/repos/OpenCloudHub/docs/readme"] = wait_first
    process = world.start(*command)
    assert asked.wait(PATIENCE)
    process.terminate()
    printed = process.communicate(timeout=PATIENCE)[0]
    go.set()
    assert process.returncode == 143, printed
    assert printed.count("it was told to stop (SIGTERM)") == 1
    assert "Traceback" not in printed
    record = world.record()
    assert (record["ending"], record["failed_jobs"]) == ("interrupted", [])
    assert "it was stopped before all jobs were done" in world.clone.registry("summary", code=1)
    assert world.tags() == FIRST
    world.night()
    world.check_all_is_released()


def test_a_night_that_is_told_to_stop_in_its_release_is_completed(world):
    world.clone.edit("config/datasets/tabular.yaml", "n_samples: 1_000", "n_samples: 1_100")
    world.clone.registry("run", "tabular", "--", "--config", "publish=false", **world.environment())
    reached, hook = world.origin.parent / "reached", world.origin / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {reached}\nexec sleep 600\n")
    hook.chmod(0o755)
    process = world.start()
    wait_until(reached.exists)
    process.terminate()
    printed = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 143, printed
    assert "Traceback" not in printed
    assert world.tags() == FIRST
    assert "The data is built, but not released" in world.clone.registry("summary", code=1)
    hook.unlink()
    world.night()
    assert world.tags() == sorted([*FIRST, "tabular-v1.1.0"])


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
    "who",
    [Identity("nobody-we-know", "a-secret-that-opens-nothing"), S3Server.reader],
    ids=["unknown key", "may only read"],
)
def test_a_store_that_refuses_is_one_message_and_the_next_night_completes(world, who):
    # What another test has stored needs no right to write.
    world.change(who.key)
    printed = world.night(code=1, **world.store.environment(who))
    assert printed.count("\nerror: ") == 1
    assert "check the credentials" in printed
    assert world.tags() == FIRST
    page = world.clone.registry("summary", "--markdown", code=1)
    assert "check the credentials" in page
    assert who.secret not in page
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


def test_a_summary_of_nothing_or_of_what_no_run_wrote_is_one_message(fresh):
    assert "nothing has run here" in fresh.registry("summary", code=1)
    fresh.write("logs/run.json", '{"ending": "succeeded"}')
    assert "registry run writes it anew" in fresh.registry("summary", "--markdown", code=1)


def test_one_run_raises_numbers_and_no_configuration_does(world):
    world.clone.edit("config/datasets/tabular.yaml", "n_samples: 1_000", "n_samples: 1_100")
    world.clone.registry("run", "tabular", "--", "--config", "bump=major", **world.environment())
    assert "tabular-v2.0.0" in world.tags()
    world.clone.edit("config/datasets/tabular.yaml", "seed: 42", "seed: 43")
    world.clone.registry("run", "tabular", "--", "--config", "bump=minor", **world.environment())
    assert "tabular-v3.0.0" in world.tags()
    printed = world.clone.registry("run", "tabular", "--", "-n", "--config", "bump=huge", code=1)
    assert "bump: 'huge' is not one of ['major', 'minor', 'patch']" in printed
    world.clone.edit("config/config.yaml", "shards: 1", "shards: 1\nbump: major")
    printed = world.clone.registry("run", "tabular", "--", "-n", code=1)
    assert "config/config.yaml: bump is for one run alone" in printed
