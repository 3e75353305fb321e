"""What a release adds, card and Croissant: nothing is released for its sake, and what a user wrote stays."""

import json
from datetime import UTC, date, datetime

import pytest
from huggingface_hub import DatasetCard

from commands import republish
from registry.files import sha256_of
from tiny import Tiny, make_tiny

CARD = "data/letters/README.md"
CROISSANT = "data/letters/croissant.json"
ADDED = (CARD, CROISSANT)
NOTES = "config/datasets/letters.md"


@pytest.fixture(scope="session")
def carded_once(once) -> Tiny:
    """A registry with `letters` 1.0.0; look but do not touch."""

    def make(folder):
        clone = make_tiny(folder)
        clone.build("letters", 10)
        return clone.registry("publish", "letters")

    return Tiny(once("carded", make))


@pytest.fixture
def clone(carded_once, tmp_path) -> Tiny:
    """A copy of its own of that registry."""
    return carded_once.copied(tmp_path / "registry")


def card(clone: Tiny, revision: str = "HEAD") -> str:
    return clone.git("show", f"{revision}:{CARD}")


def croissant(clone: Tiny, revision: str = "HEAD") -> dict:
    return json.loads(clone.git("show", f"{revision}:{CROISSANT}"))


def test_a_release_commits_its_card(clone):
    text = (clone.folder / CARD).read_text()
    assert clone.git("status", "--porcelain", "--", "data") == ""
    assert card(clone, "letters-v1.0.0") == text.rstrip("\n")
    size = (clone.folder / "data/letters/processed/rest.parquet").stat().st_size
    found = DatasetCard.load(clone.folder / CARD)
    assert found.data.to_dict() == {
        "pretty_name": "letters",
        "license": "apache-2.0",
        "size_categories": ["n<1K"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "processed/rest.parquet"}]}],
        "dataset_info": {
            "features": [{"name": "value", "dtype": "int64"}],
            "splits": [{"name": "train", "num_bytes": size, "num_examples": 10}],
        },
    }
    assert "- **1.0.0** (this one): first release" in text
    assert 'dvc get "$REPO" data/letters/processed --rev letters-v1.0.0' in text
    assert "REPO=ADDRESS-OF-THIS-REGISTRY" in text and str(clone.folder) not in text


def test_a_release_commits_its_description_as_croissant(clone):
    assert clone.git("show", f"letters-v1.0.0:{CROISSANT}") == (clone.folder / CROISSANT).read_text().rstrip("\n")
    found, table = croissant(clone), clone.folder / "data/letters/processed/rest.parquet"
    (file,) = found["distribution"]
    assert (file["contentUrl"], file["sha256"]) == ("processed/rest.parquet", sha256_of(table))
    assert file["contentSize"] == f"{table.stat().st_size} B"
    assert (found["version"], found["identifier"]) == ("1.0.0", "letters-v1.0.0")
    assert 0 <= (datetime.now(UTC).date() - date.fromisoformat(found["datePublished"])).days <= 1
    assert [node["name"] for node in found["recordSet"][0]["field"]] == ["value"]
    assert str(clone.folder) not in json.dumps(found)


def test_the_next_card_tells_of_the_versions_before(clone):
    clone.git("remote", "add", "origin", "https://me:hunter2@example.org/acme/data.git")
    clone.build("letters", 12)
    clone.registry("publish")
    text = card(clone)
    assert "- **1.1.0** (this one): 2 rows added to all\n- 1.0.0, 20" in text and ": first release" in text
    assert "REPO=https://example.org/acme/data\n" in text and "hunter2" not in text
    assert "(this one)" in card(clone, "letters-v1.0.0"), "the card of a version stays as it is"


def test_sections_by_hand_are_in_the_next_card_and_make_none(clone):
    clone.write(NOTES, "## Who labelled it\n\nThree people.\n")
    before = clone.git("rev-parse", "HEAD")
    clone.registry("publish")
    assert clone.git("rev-parse", "HEAD") == before
    clone.build("letters", 12)
    clone.registry("publish")
    assert "\n\n## Who labelled it\n\nThree people.\n\n## Splits\n" in card(clone)
    assert clone.git("status", "--porcelain", "--", NOTES) == "", "it is committed with the release that has it"


def test_sections_behind_a_link_are_not_read(clone, tmp_path):
    (tmp_path / "secret").write_text("hunter2")
    (clone.folder / NOTES).symlink_to(tmp_path / "secret")
    clone.build("letters", 12)
    printed = clone.registry("publish", code=1)
    assert NOTES in printed and "hunter2" not in printed and "Traceback" not in printed
    assert clone.tags() == ["letters-v1.0.0"]


def test_sections_that_are_not_utf_8_are_said_and_in_the_card(clone):
    odd = "## Who\n\nZoë, ".encode() + "and Zoë.\n".encode("latin-1")
    (clone.folder / NOTES).write_bytes(odd)
    clone.build("letters", 12)
    printed = clone.registry("publish")
    assert f"{NOTES}: line 3 is not UTF-8, so the card has \ufffd" in printed and "save it as UTF-8" in printed
    assert "\n\n## Who\n\nZoë, and Zo\ufffd.\n\n## Splits\n" in card(clone)
    clone.write(NOTES, "Zoë.\n")
    clone.build("letters", 14)
    assert "UTF-8" not in clone.registry("publish") and "\n\nZoë.\n\n## Splits\n" in card(clone)
    (clone.folder / NOTES).write_bytes(odd)
    assert f"{NOTES}: line 3 is not UTF-8" in clone.registry(*republish("letters", "1.0.0", "four too many"))


def test_another_template_makes_no_release(clone):
    clone.edit("scripts/registry/cards/templates/card.md.jinja", "## Splits", "## Parts")
    clone.commit("Say parts")
    before = clone.git("rev-parse", "HEAD")
    clone.registry("publish")
    assert clone.git("rev-parse", "HEAD") == before


@pytest.mark.parametrize("added", ADDED)
def test_a_text_of_the_users_own_stays(clone, added):
    others = {*ADDED} - {added}
    for own in ("mine\n", None):
        version, before = ("1.1.0", "1.0.0") if own else ("1.2.0", "1.2.0")
        clone.build("letters", 12 if own else 14)
        if own:
            clone.write(added, own)
        else:
            clone.git("checkout", "--", added)
        printed = clone.registry("publish")
        assert (f"{added} is your own, and stays" in printed) == bool(own)
        assert ("config/datasets/letters.md would be" in printed) == bool(own and added == CARD)
        assert (clone.folder / added).read_text() == own or not own
        assert said(clone, added) == before
        assert {said(clone, other) for other in others} == {version}


def said(clone: Tiny, added: str) -> str:
    """The version that a file says it is of."""
    return croissant(clone)["version"] if added == CROISSANT else card(clone).partition("** (this one)")[0][-5:]


@pytest.mark.parametrize("added", ADDED)
def test_what_a_killed_release_left_is_written_again(clone, added):
    clone.build("letters", 12)
    clone.write(added, (clone.folder / added).read_text() + "of a release that never was\n")
    clone.registry("publish")
    assert said(clone, added) == "1.1.0" and "never was" not in (clone.folder / added).read_text()
    assert clone.git("status", "--porcelain", "--", "data") == ""


def test_cards_go_back_and_forth_with_their_versions(clone):
    clone.build("letters", 12)
    clone.write("reports/letters/cleaning.json", '{"found": {"nulls": 3}}')
    clone.registry("publish")
    assert "| `found, nulls` | 3 |" in card(clone)
    clone.registry("rollback", "letters", "1.0.0")
    for added in ADDED:
        text = (clone.folder / added).read_text().rstrip("\n")
        assert clone.git("show", f"HEAD:{added}") == clone.git("show", f"letters-v1.0.0:{added}") == text
    clone.registry("republish", "letters", "1.0.0", "--reason", "1.1.0 is wrong")
    again = card(clone, "letters-v2.0.0")
    assert "- **2.0.0** (this one): content of 1.0.0; reason: 1.1.0 is wrong; 2 rows removed from all\n- 1.1.0" in again
    assert (clone.folder / CARD).read_text().rstrip("\n") == again
    assert "nulls" not in again, "that was found in 1.1.0"
    old, new = (croissant(clone, f"letters-v{version}") for version in ("1.0.0", "2.0.0"))
    assert (new["version"], new["distribution"]) == ("2.0.0", old["distribution"])
    clone.registry("unpin", "letters", code=None)  # No rule makes it, which Snakemake then says.
    assert clone.git("status", "--porcelain", "--", "data") == "" and card(clone) == again
    assert croissant(clone) == new


@pytest.mark.parametrize("added", ADDED)
def test_one_that_was_edited_is_not_lost_by_a_rollback(clone, added):
    clone.build("letters", 12)
    clone.registry("publish")
    clone.write(added, "mine\n")
    assert f"unpublished work would be lost: {added}" in clone.registry("rollback", "letters", "1.0.0", code=1)
    assert (clone.folder / added).read_text() == "mine\n"


def test_a_version_without_a_card_has_none_after_a_rollback(clone):
    """As all that were released before there were cards."""
    clone.build("letters", 12)
    clone.git("rm", "--quiet", *ADDED)
    clone.git("commit", "--quiet", "--message", "No card")
    for added in ADDED:
        clone.write(added, "mine\n")
    clone.registry("publish")
    assert clone.git("ls-tree", "--name-only", "letters-v1.1.0", *ADDED) == ""
    for added in ADDED:
        (clone.folder / added).unlink()
    clone.registry("rollback", "letters", "1.0.0")
    assert all((clone.folder / added).is_file() for added in ADDED)
    clone.registry("rollback", "letters", "1.1.0")
    assert not any((clone.folder / added).exists() for added in ADDED)


def test_a_version_of_before_gets_one_when_it_is_released_again(clone):
    clone.build("letters", 12)
    clone.git("rm", "--quiet", *ADDED)
    clone.git("commit", "--quiet", "--message", "No card")
    clone.write(CROISSANT, "mine\n")
    clone.registry("publish")
    (clone.folder / CROISSANT).unlink()
    clone.build("letters", 14)
    clone.registry("publish")
    clone.registry("republish", "letters", "1.1.0", "--reason", "as before")
    assert croissant(clone, "letters-v2.0.0")["version"] == "2.0.0"
    assert clone.git("ls-tree", "--name-only", "letters-v1.1.0", CROISSANT) == ""
