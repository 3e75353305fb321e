"""The card of a version: each release writes one, nothing is released for its sake, and what a user wrote stays."""

import pytest
from huggingface_hub import DatasetCard

from tiny import Tiny, make_tiny

CARD = "data/letters/README.md"
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


def test_another_template_makes_no_release(clone):
    clone.edit("scripts/registry/cards/templates/card.md.jinja", "## Splits", "## Parts")
    clone.commit("Say parts")
    before = clone.git("rev-parse", "HEAD")
    clone.registry("publish")
    assert clone.git("rev-parse", "HEAD") == before


def test_a_text_of_the_users_own_stays(clone):
    for own in ("mine\n", None):
        clone.build("letters", 12 if own else 14)
        if own:
            clone.write(CARD, own)
        else:
            clone.git("checkout", "--", CARD)
        printed = clone.registry("publish")
        assert ("data/letters/README.md is your own, and stays" in printed) == bool(own)
        if own:
            assert (clone.folder / CARD).read_text() == own
            assert "- **1.0.0** (this one)" in card(clone)
        else:
            assert "- **1.2.0** (this one)" in card(clone)


def test_what_a_killed_release_left_is_written_again(clone):
    clone.build("letters", 12)
    clone.write(CARD, (clone.folder / CARD).read_text() + "of a release that never was\n")
    clone.registry("publish")
    assert "- **1.1.0** (this one)" in card(clone) and "never was" not in card(clone)
    assert clone.git("status", "--porcelain", "--", "data") == ""


def test_cards_go_back_and_forth_with_their_versions(clone):
    clone.build("letters", 12)
    clone.write("reports/letters/cleaning.json", '{"found": {"nulls": 3}}')
    clone.registry("publish")
    assert "| `found, nulls` | 3 |" in card(clone)
    clone.registry("rollback", "letters", "1.0.0")
    assert card(clone) == card(clone, "letters-v1.0.0") == (clone.folder / CARD).read_text().rstrip("\n")
    clone.registry("republish", "letters", "1.0.0", "--reason", "1.1.0 is wrong")
    again = card(clone, "letters-v2.0.0")
    assert "- **2.0.0** (this one): content of 1.0.0; reason: 1.1.0 is wrong; 2 rows removed from all\n- 1.1.0" in again
    assert (clone.folder / CARD).read_text().rstrip("\n") == again
    assert "nulls" not in again, "that was found in 1.1.0"
    clone.registry("unpin", "letters", code=None)  # No rule makes it, which Snakemake then says.
    assert clone.git("status", "--porcelain", "--", "data") == "" and card(clone) == again


def test_an_edited_card_is_not_lost_by_a_rollback(clone):
    clone.build("letters", 12)
    clone.registry("publish")
    clone.write(CARD, "mine\n")
    assert "unpublished work would be lost: data/letters/README.md" in clone.registry(
        "rollback", "letters", "1.0.0", code=1
    )
    assert (clone.folder / CARD).read_text() == "mine\n"


def test_a_version_without_a_card_has_none_after_a_rollback(clone):
    """As all that were released before there were cards."""
    clone.build("letters", 12)
    clone.git("rm", "--quiet", CARD)
    clone.git("commit", "--quiet", "--message", "No card")
    clone.write(CARD, "mine\n")
    clone.registry("publish")
    assert clone.git("ls-tree", "--name-only", "letters-v1.1.0", CARD) == ""
    (clone.folder / CARD).unlink()
    clone.registry("rollback", "letters", "1.0.0")
    assert (clone.folder / CARD).is_file()
    clone.registry("rollback", "letters", "1.1.0")
    assert not (clone.folder / CARD).exists()
