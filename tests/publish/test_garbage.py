"""Which `dvc gc` keeps what was released, as docs/storage.md says."""

import pytest

from tiny import Tiny, make_tiny


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Two versions of both datasets, the newer of which is checked out."""
    clone = make_tiny(tmp_path_factory.mktemp("tiny") / "registry")
    for rows in (10, 20):
        for name in ("letters", "numbers"):
            clone.build(name, rows)
        clone.registry("publish")
    return clone


@pytest.mark.parametrize(
    ("options", "lost"), [("-w --all-tags -c", False), ("-w", False), ("-w -c", True), ("-a -c", True)]
)
def test_what_stays_in_the_remote(options, lost, once, tmp_path):
    clone = once.copied(tmp_path / "registry")
    clone.run("dvc", "gc", "--force", *options.split())
    printed = clone.registry("verify", "--remote", "local", code=1 if lost else 0)
    assert ("letters-v1.0.0: data/letters/processed is missing" in printed) == lost
    assert "letters-v1.1.0: " not in printed
