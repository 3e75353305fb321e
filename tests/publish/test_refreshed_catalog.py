"""The catalog after a release, where the configuration asks for it: it follows the release, and never stops one."""

import pytest

from tiny import Tiny, make_tiny


@pytest.fixture
def clone(tmp_path) -> Tiny:
    """A registry that draws its catalog after each release, with `letters` built."""
    clone = make_tiny(tmp_path / "registry")
    clone.edit("config/config.yaml", "catalog: false", "catalog: true")
    clone.commit("Draw the catalog")
    clone.build("letters", 10)
    return clone


def test_each_release_draws_what_it_changed(clone):
    clone.registry("publish", "letters")
    site = clone.folder / "site"
    first = (site / "datasets" / "letters-v1.0.0.html").read_text()
    assert "first release" in first
    clone.build("letters", 12)
    clone.registry("publish", "letters")
    assert "2 rows added" in (site / "datasets" / "letters.html").read_text()
    assert (site / "datasets" / "letters-v1.1.0.html").is_file()
    assert clone.git("status", "--porcelain", "--", "site") == ""
    clone.registry("publish", "--dry-run", "letters")


def test_a_catalog_that_cannot_be_drawn_stops_no_release(clone):
    clone.write("site/mine.txt", "mine\n")
    said = clone.registry("publish", "letters")
    assert clone.tags() == ["letters-v1.0.0"]
    assert "the catalog is not drawn: " in said
    assert [path.name for path in (clone.folder / "site").iterdir()] == ["mine.txt"]


def test_nothing_is_drawn_unless_asked_for(clone):
    clone.edit("config/config.yaml", "catalog: true", "catalog: false")
    clone.commit("Draw none")
    clone.registry("publish", "letters")
    assert not (clone.folder / "site").exists()
