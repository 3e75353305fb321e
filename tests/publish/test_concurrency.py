"""Publishers at the same time: on one clone one waits, on two clones numbers never repeat and nothing is lost."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from forks import REGISTRY, Ended
from invariants import Witness, Work
from s3 import S3Server
from support import STRESS
from tiny import Tiny, make_tiny

ROUNDS = 50 if STRESS else 4
"""How often two publishers meet. An even number."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


def publish_at_once(*publishers: tuple[Tiny, str]) -> list[Ended]:
    """Start `registry publish DATASET` in each of these clones (which may be one) at the same moment; wait for both."""
    start = threading.Barrier(len(publishers))

    def publish(publisher: tuple[Tiny, str]) -> Ended:
        clone, dataset = publisher
        start.wait()
        return REGISTRY.run("forks:registry", "publish", dataset, cwd=clone.folder, env=clone.environment())

    with ThreadPoolExecutor(len(publishers)) as pool:
        return list(pool.map(publish, publishers))


def no_traceback(*ended: Ended) -> None:
    for one in ended:
        assert "Traceback" not in one.printed, one.printed


def test_two_publishers_on_one_clone(tmp_path):
    clone = make_tiny(tmp_path / "registry")
    clone.build("letters", 10)
    clone.build("numbers", 10)
    clone.registry("publish")
    witness, work = Witness(clone), Work(clone)
    waited = 0
    for number in range(ROUNDS):
        name = ("letters", "numbers")[number % 2]
        clone.build(name, 11 + number)
        both = publish_at_once((clone, name), (clone, name))
        no_traceback(*both)
        assert [one.code for one in both] == [0, 0], both
        assert sum("Nothing new" in one.printed for one in both) == 1, both
        waited += any("waiting for it" in one.printed for one in both)
        witness.look()
    assert waited
    assert len(witness.tags) == 2 + ROUNDS
    assert witness.tags.keys() == {
        f"{name}-v1.{number}.0" for name in ("letters", "numbers") for number in range(ROUNDS // 2 + 1)
    }
    witness.check_with_dvc(tmp_path)
    work.check_is_all()


def two_clones(server: S3Server, folder: Path) -> tuple[Tiny, Tiny, Witness]:
    one = make_tiny(folder / "one").with_s3(server, folder.name).with_origin(folder / "origin.git")
    for name in ("letters", "numbers"):
        one.build(name, 10)
    one.registry("publish")
    two = one.elsewhere(folder / "two")
    for name in ("letters", "numbers"):
        two.restored(name)
    return one, two, Witness(one, folder / "origin.git", server)


def catch_up(clone: Tiny) -> None:
    """Pull, and get the data of what others released."""
    clone.git("checkout", "--quiet", "--", ".")
    clone.git("pull", "--quiet", "--ff-only", "--tags")
    for name in ("letters", "numbers"):
        clone.restored(name)


def test_two_clones_release_different_datasets(server, tmp_path):
    one, two, witness = two_clones(server, tmp_path)
    for number in range(ROUNDS):
        one.build("letters", 11 + number)
        two.build("numbers", 11 + number)
        both = publish_at_once((one, "letters"), (two, "numbers"))
        no_traceback(*both)
        assert [ended.code for ended in both] == [0, 0], both
        witness.look()
        # Each has the other's release in git now, and its own data is unharmed; the other's data is pulled.
        for clone, name in ((one, "numbers"), (two, "letters")):
            clone.git("pull", "--quiet", "--ff-only")
            clone.restored(name)
            assert clone.git("status", "--porcelain") == ""
    assert witness.tags.keys() == {
        f"{name}-v1.{number}.0" for name in ("letters", "numbers") for number in range(ROUNDS + 1)
    }
    witness.check_with_dvc(tmp_path)


def test_two_clones_release_the_same_dataset(server, tmp_path):
    one, two, witness = two_clones(server, tmp_path)
    chance = random.Random(7)
    released = {"numbers-v1.0.0"}
    for number in range(ROUNDS):
        rows = 11 + 10 * number
        one.build("numbers", rows + chance.randrange(1, 4))
        two.build("numbers", rows + chance.randrange(4, 7))
        both = publish_at_once((one, "numbers"), (two, "numbers"))
        no_traceback(*both)
        won = [ended for ended in both if ended.code == 0]
        assert len(won) == 1, both
        lost = next(ended for ended in both if ended.code != 0)
        assert "this checkout is behind" in lost.printed
        now = {tag for tag in witness.look() if tag.startswith("numbers")}
        assert len(now - released) == 1
        released = now
        loser = (one, two)[both.index(lost)]
        catch_up(loser)
        catch_up(one)
        catch_up(two)
    assert released == {f"numbers-v1.{number}.0" for number in range(ROUNDS + 1)}
    witness.check_with_dvc(tmp_path)


def test_an_overtaken_publisher_decides_again(server, tmp_path):
    one, two, witness = two_clones(server, tmp_path)
    witness.look()
    one.build("letters", 20)
    two.build("numbers", 20)
    other = f"cd {two.folder} && python -m registry publish"
    # `numbers` is behind now, which it says with its exit code; `letters` is released all the same.
    printed = one.interfered("before:git push:1", other, code=None)
    assert "letters: released as letters-v1.1.0" in printed
    assert "deciding again" in printed
    assert witness.look().keys() == {f"{name}-v1.{number}.0" for name in ("letters", "numbers") for number in (0, 1)}
    witness.check_with_dvc(tmp_path)


def test_the_same_release_made_elsewhere_in_the_meantime(server, tmp_path):
    one, two, witness = two_clones(server, tmp_path)
    witness.look()
    one.build("letters", 20)
    two.build("letters", 30)
    printed = one.interfered("before:git push:1", f"cd {two.folder} && python -m registry publish", code=1)
    assert "behind" in printed
    assert "letters-v1.2.0" not in witness.look()
    witness.check_with_dvc(tmp_path)
    assert one.git("rev-parse", "refs/tags/letters-v1.1.0^{commit}") == two.head()


@pytest.mark.parametrize("released_before", [True, False])
def test_the_loser_follows_and_loses_nothing(server, tmp_path, released_before):
    if released_before:
        one, two, witness = two_clones(server, tmp_path)
    else:
        one = make_tiny(tmp_path / "one").with_s3(server, tmp_path.name).with_origin(tmp_path / "origin.git")
        two, witness = one.elsewhere(tmp_path / "two"), Witness(one, tmp_path / "origin.git", server)
    one.build("letters", 20)
    one.build("numbers", 20)
    one.registry("publish")
    one.write("README.md", "# Tiny\n")
    one.commit("Say what it is")
    one.git("push", "--quiet")

    two.build("letters", 30)
    two.write("mine.txt", "mine")
    built = (two.folder / "data/letters/metadata.json").read_bytes()
    done = {outcome["dataset"]: outcome for outcome in two.registry_json("publish", code=1)["outcomes"]}
    assert done["letters"]["state"] == "refused"
    assert "registry follow takes it over and leaves what is built here" in done["letters"]["hint"]
    two.git("pull", "--quiet", code=1)
    printed = two.registry("follow")
    assert "data/letters/metadata.json stays as it is here" in printed
    assert (two.folder / "data/letters/metadata.json").read_bytes() == built
    assert two.git("show", "HEAD:README.md") == (two.folder / "README.md").read_text().strip() == "# Tiny"
    two.registry("publish", "letters")
    assert ("letters-v1.2.0" if released_before else "letters-v1.1.0") in two.tags()
    assert two.git("status", "--porcelain") == "?? mine.txt"
    assert two.head() == two.git("rev-parse", "refs/remotes/origin/main")
    assert "as before" in two.registry("follow")
    witness.look()


def test_what_is_staged_is_not_lost_by_following(server, tmp_path):
    one, two, _ = two_clones(server, tmp_path)
    one.build("letters", 20)
    one.registry("publish")
    two.write("data/letters/metadata.json", "{}")
    two.git("add", "data/letters/metadata.json")
    two.build("letters", 30)
    assert "data/letters/metadata.json: staged in another version" in two.registry("follow", code=1)
    assert two.git("show", ":data/letters/metadata.json") == "{}"


def test_changes_of_another_kind_are_in_the_way_of_following(server, tmp_path):
    one, two, _ = two_clones(server, tmp_path)
    one.build("letters", 20)
    one.registry("publish")
    one.write("README.md", "# Tiny\n")
    one.commit("Say what it is")
    one.git("push", "--quiet")
    two.write("README.md", "# Mine\n")
    head = two.head()
    printed = two.registry("follow", code=1)
    assert "README.md" in printed
    assert (two.head(), (two.folder / "README.md").read_text()) == (head, "# Mine\n")


def test_data_that_only_got_other_provenance_follows_too(server, tmp_path):
    one, two, witness = two_clones(server, tmp_path)
    before = witness.look()
    one.write("scripts/tiny/build.py", '"""The same, in other words."""\n')
    one.commit("Refactor")
    one.git("push", "--quiet")
    for name in ("letters", "numbers"):
        one.restored(name)
    one.interfered("after:git push:1")
    one.registry("publish")
    assert witness.look() == before
    assert one.git("status", "--porcelain") == ""
    assert one.head() == one.git("rev-parse", "refs/remotes/origin/main")


def test_what_a_colleague_rolled_back_or_configured_is_not_undone_from_behind(server, tmp_path):
    one, two, witness = two_clones(server, tmp_path)
    for name in ("letters", "numbers"):
        one.build(name, 20)
    one.registry("publish")
    catch_up(two)
    one.registry("rollback", "letters", "1.0.0")
    one.edit("config/datasets/numbers.yaml", "title: numbers", "title: Numbers")
    one.git("commit", "--quiet", "--all", "--message", "Name it")
    one.git("push", "--quiet")
    before, tip = witness.look(), one.head()
    two.build("numbers", 30)
    done = {outcome["dataset"]: outcome for outcome in two.registry_json("publish", code=1)["outcomes"]}
    assert done["letters"]["state"] == "behind"
    assert "is newer on origin" in done["letters"]["reasons"][0]
    assert (done["numbers"]["state"], done["numbers"]["hint"].split(" takes")[0]) == ("refused", "registry follow")
    assert witness.look() == before
    assert one.git("ls-remote", "origin", "refs/heads/main").split()[0] == tip
    assert one.git("ls-tree", "--name-only", tip, "data/letters/pin.json")


def test_releases_from_before_push_take_their_numbers_first(server, tmp_path):
    one = make_tiny(tmp_path / "one").with_s3(server, tmp_path.name)
    for name in ("letters", "numbers"):
        one.build(name, 10)
    one.registry("publish")
    one.with_origin(tmp_path / "origin.git")
    one.build("letters", 20)
    printed = one.registry("publish", code=1)
    assert "origin lacks releases that are here, and others could take their numbers: letters-v1.0.0" in printed
    assert "git push --tags origin" in printed
    assert one.git("ls-remote", "--tags", "origin") == ""
    one.git("push", "--quiet", "--tags", "origin")
    assert "letters: released as letters-v1.1.0" in one.registry("publish")

    two = one.elsewhere(tmp_path / "two")
    two.git("tag", "--annotate", "--force", "--message", "another", "letters-v1.1.0", "letters-v1.0.0^{commit}")
    printed = two.registry("publish", code=1)
    assert "letters-v1.1.0 is a different release on origin than here" in printed


@pytest.mark.parametrize("place", ["before:git push:1", "after:git push:1"])
def test_a_branch_that_is_switched_in_the_middle_is_not_touched(place, server, tmp_path):
    one, _, witness = two_clones(server, tmp_path)
    one.build("letters", 20)
    printed = one.interfered(place, "git switch --quiet --create feature", code=1)
    assert "the branch was switched from main" in printed
    assert one.git("diff", "--cached", "--name-only") == ""
    assert one.git("rev-parse", "feature") == one.git("rev-parse", "main")
    one.git("switch", "--quiet", "main")
    one.registry("publish")
    assert "letters-v1.1.0" in witness.look()
    assert one.head() == one.git("ls-remote", "origin", "refs/heads/main").split()[0]
    assert one.git("status", "--porcelain") == ""


def test_a_branch_that_is_switched_while_it_waits_makes_no_release(tmp_path):
    clone = make_tiny(tmp_path / "registry")
    clone.edit("config/config.yaml", "branch: null", "branch: main")
    clone.commit()
    clone.build("letters", 10)
    printed = clone.interfered(
        "before:registry.release.record.exclusive:1", "git switch --quiet --create feature", code=1
    )
    assert "nothing is released: releases are made from main, this is feature" in printed
    assert clone.tags() == []


def test_a_commit_of_the_user_in_the_middle(tmp_path):
    for place in ("after:registry.storage.dvc.Store.add:1", "before:git update-index:2", "before:git update-ref:1"):
        clone = make_tiny(tmp_path / place.replace(":", "-"))
        for name in ("letters", "numbers"):
            clone.build(name, 10)
        witness = Witness(clone)
        clone.write("notes.txt", "changed\n")
        printed = clone.interfered(place, "git commit --quiet --message mine -- notes.txt && git rev-parse HEAD")
        mine = clone.git("log", "--format=%H", "--grep", "^mine$").split()
        assert len(mine) == 1, place
        assert clone.git("show", f"{mine[0]}:notes.txt") == "changed"
        assert clone.git("log", "-1", "--format=%s") == "Release letters 1.0.0, numbers 1.0.0", printed
        assert clone.git("log", "-1", "--format=%s", f"{mine[0]}") == "mine"
        assert clone.git("rev-parse", "HEAD^") == mine[0]
        assert witness.look().keys() == {"letters-v1.0.0", "numbers-v1.0.0"}
        witness.check_with_dvc(tmp_path / place.replace(":", "-"))
        assert clone.git("diff", "--name-only", "HEAD", "--", "data", "config") == ""


LOCKS = [".git/index.lock", ".git/refs/heads/main.lock"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_of_another_git_is_waited_for(lock, tmp_path):
    clone = make_tiny(tmp_path / "registry")
    clone.build("letters", 10)
    clone.write(lock, "")
    # The other git ends while this one waits.
    place = "before:git update-index:4" if "index" in lock else "before:git update-ref:1"
    clone.interfered(place, f"(sleep 1; rm {lock}) &")
    assert clone.tags() == ["letters-v1.0.0"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_that_stays_is_one_message(lock, tmp_path):
    clone = make_tiny(tmp_path / "registry")
    clone.build("letters", 10)
    work = Work(clone)
    clone.write(lock, "")
    printed = clone.impatient("publish", code=1)
    assert "nothing is released" in printed
    assert ".lock" in printed
    assert "what to do: let the other git end" in printed
    assert clone.tags() == []
    (clone.folder / lock).unlink()
    work.check()
    clone.registry("publish")
    assert clone.tags() == ["letters-v1.0.0"]
    work.check_is_all()


def test_data_that_changes_during_a_publish_is_not_released_as_something_else(tmp_path):
    clone = make_tiny(tmp_path / "registry")
    clone.build("letters", 10)
    witness = Witness(clone)
    shifted = clone.copied(tmp_path / "shifted")
    shifted.build("letters", 30)
    replace = f"cp -r {shifted.folder}/data/letters {clone.folder}/data/"
    printed = clone.interfered("after:registry.storage.dvc.Store.push:1", replace, code=1)
    assert "changed while it was being released" in printed
    assert clone.tags() == []
    clone.git("checkout", "--quiet", "--", ".")
    clone.build("letters", 30)
    clone.registry("publish")
    witness.check_with_dvc(tmp_path)


def test_a_publish_killed_after_origin_took_it_does_not_stop_the_next_release(server, tmp_path):
    one, _, witness = two_clones(server, tmp_path)
    one.build("letters", 20)
    one.interfered("after:git push:1")
    one.build("numbers", 20)
    printed = one.registry("publish")
    assert "numbers: released as numbers-v1.1.0" in printed
    assert set(one.tags()) == set(witness.look()) == {f"{n}-v1.{m}.0" for n in ("letters", "numbers") for m in (0, 1)}
    assert one.git("status", "--porcelain") == ""
    assert one.head() == one.git("rev-parse", "refs/remotes/origin/main")
