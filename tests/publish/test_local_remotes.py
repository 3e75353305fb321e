"""A remote that is a folder is known for one, however its url spells it."""

import pytest

from invariants import one_message
from tiny import Tiny, make_tiny


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Two datasets that are built and not released, with an origin to which releases are to be pushed."""
    clone = make_tiny(tmp_path_factory.mktemp("tiny") / "registry")
    for name in ("letters", "numbers"):
        clone.build(name, 10)
    return clone.with_origin(clone.folder.parent / "origin.git")


def refused(clone: Tiny, url: str) -> str:
    """Publish to a remote with this url, check that nothing was written or released, and return the message."""
    local = clone.folder.joinpath(".dvc", "config").read_text(encoding="utf-8")
    clone.write(
        ".dvc/config", local.replace("remote = local", "remote = team") + f"['remote \"team\"']\n    url = {url}\n"
    )
    clone.commit("Name a remote")
    printed = clone.registry("publish", code=1)
    one_message(printed)
    assert clone.tags() == []
    assert clone.git("status", "--porcelain") == ""
    assert not (clone.folder.parent / "store").exists()
    return printed


@pytest.mark.parametrize("url", ["file://{store}", "file:{store}"])
def test_one_that_is_spelled_as_a_file_url_is_refused(url, once, tmp_path):
    clone, store = once.copied(tmp_path / "registry"), tmp_path / "store"
    printed = refused(clone, url.format(store=store))
    assert f"dvc remote modify team url {store}" in printed
    assert "dvc remote modify team url" in clone.registry("verify", "--remote", "team", code=1)


@pytest.mark.parametrize("url", ["{store}", "../../store", "remote://local/below", "~/store"])
def test_no_release_is_pushed_whose_data_is_in_a_folder(url, once, tmp_path):
    clone, store = once.copied(tmp_path / "registry"), tmp_path / "store"
    assert "is a local folder that nobody else reaches" in refused(clone, url.format(store=store))
