"""What a schedule starts every night: `registry refresh`."""

from clone import under_git
from nights import CORPUS, EMBEDDINGS, FIRST, NIGHT, SAMPLES
from project import copy_repository
from support import PATIENCE


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


def test_a_summary_of_nothing_or_of_what_no_run_wrote_is_one_message(tmp_path):
    fresh = under_git(copy_repository(tmp_path / "registry"))
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
