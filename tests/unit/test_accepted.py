"""Whether the sources that data was made from are those that a checkout accepts."""

import pytest
import yaml

from registry.errors import RegistryError
from registry.gate import GateError
from registry.sources.accepted import changed_sources, own_files

A, B = "a" * 64, "b" * 64
ENTRY = {"file": "a.csv", "urls": ["https://example.org/a.csv"], "max_bytes": 10}


def dataset(mode: str, accept: list | None = None, **sources) -> dict:
    accept = [{"sha256": A, "note": "as published"}] if accept is None else accept
    return {"name": "one", "source": mode, "sources": sources or {"files": [ENTRY | {"accept": accept}]}}


def made_from(mode: str, **files: str) -> dict:
    return {"mode": mode, "files": [{"file": f"{name}.csv", "sha256": sha256} for name, sha256 in files.items()]}


@pytest.fixture
def here(tmp_path):
    (tmp_path / "data/samples").mkdir(parents=True)
    (tmp_path / "data/samples/SHA256SUMS").write_text(f"{A}  one/a.csv\n{B}  two/HEAD/docs/README.md\n")
    return tmp_path


def test_accepted(here):
    assert changed_sources(dataset("upstream"), made_from("upstream", a=A), here) == []
    assert changed_sources(dataset("samples"), made_from("samples", a=A), here) == []
    both = dataset("mirror", [{"sha256": A}, {"sha256": B, "modes": ["mirror"]}])
    assert changed_sources(both, made_from("mirror", a=B), here) == []


def test_no_longer_accepted(here):
    assert changed_sources(dataset("upstream"), made_from("upstream", a=B), here) == ["a.csv"]
    assert changed_sources(dataset("samples"), made_from("samples", a=B), here) == ["a.csv"]
    both = dataset("upstream", [{"sha256": A}, {"sha256": B, "modes": ["mirror"]}])
    assert changed_sources(both, made_from("upstream", a=B), here) == ["a.csv"]


def test_a_file_more_or_less(here):
    assert changed_sources(dataset("upstream"), made_from("upstream", a=A, b=B), here) == ["b.csv"]
    assert changed_sources(dataset("upstream"), made_from("upstream"), here) == ["a.csv"]


def test_the_lock_holds_what_nobody_pinned(here):
    unpinned = dataset("upstream", [])
    assert changed_sources(unpinned, made_from("upstream", a=B), here) == []
    lock = here / "config/locks/one.yaml"
    lock.parent.mkdir(parents=True)
    lock.write_text(yaml.safe_dump({"mirror": {"a.csv": A}}))
    assert changed_sources(unpinned, made_from("upstream", a=B), here) == []
    lock.write_text(yaml.safe_dump({"upstream": {"a.csv": A}}))
    assert changed_sources(unpinned, made_from("upstream", a=B), here) == ["a.csv"]
    assert changed_sources(unpinned, made_from("upstream", a=A), here) == []


@pytest.mark.parametrize(
    "text",
    ["- 1\n", "7\n", "upstream: 7\n", "upstream: [a]\n", "elsewhere: {}\n", "upstream: {a.csv: 7}\n", "[" * 3000, "\0",
     f"upstream: {{a.csv: '{A}x'}}\n", "upstream:\n  ? [a]\n  : b\n", "upstream: &a {}\nmirror: *a\n",
     "upstream: {a.csv: 2026-99-99}\n", "!!python/object:os.system x"],
)  # fmt: skip
def test_a_lock_that_is_none_is_one_message(here, text):
    (here / "config/locks").mkdir(parents=True)
    (here / "config/locks/one.yaml").write_text(text)
    with pytest.raises(RegistryError, match=r"config/locks/one\.yaml: not valid"):
        changed_sources(dataset("upstream", []), made_from("upstream", a=B), here)


def test_a_living_source(here):
    living = {"name": "two", "source": "samples", "sources": {"github": {"organisation": "two"}}}
    docs = {"mode": "samples", "files": [{"file": "docs.md", "sha256": B}]}
    assert changed_sources(living, docs, here) == []
    other = {"mode": "samples", "files": [{"file": "docs.md", "sha256": A}, {"file": "more.md", "sha256": A}]}
    assert changed_sources(living, other, here) == ["docs.md", "more.md"]
    assert changed_sources(living | {"source": "upstream"}, other | {"mode": "upstream"}, here) == []


def test_generated(here):
    assert changed_sources({"name": "one", "source": "generated"}, {"mode": "generated", "files": []}, here) == []


PROMPT = {"name": "p", "version": 1, "registry": "mlflow"}


def test_what_belongs_to_a_dataset_follows_from_its_configuration():
    own = ["config/datasets/one.yaml", "config/datasets/one.md", "config/locks/one.yaml"]
    assert own_files("one", {}, {}) == own
    assert own_files("one", {"params": {"prompt": PROMPT}}, {}) == [*own, "config/prompts/p.yaml"]
    assert own_files("one", {"params": {"prompt": PROMPT}}, {"MLFLOW_TRACKING_URI": "http://here"}) == own
    with pytest.raises(GateError, match="not a path below a folder"):
        own_files("one", {"params": {"prompt": PROMPT | {"name": "../../secrets"}}}, {})
