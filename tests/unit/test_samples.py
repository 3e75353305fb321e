"""Samples that are not what SHA256SUMS says."""

import subprocess

import pytest

from registry.config.reading import parse_checksums
from registry.errors import RegistryError
from registry.files import sha256_of
from registry.sources.samples import edited_samples

FILES = {"name": "one", "source": "samples", "sources": {"files": [{"file": "a.csv"}, {"file": "a.csv.gz"}]}}
CORPUS = {"name": "two", "source": "samples", "sources": {"github": {}}}


@pytest.fixture
def samples(tmp_path):
    """Samples of two datasets, and the SHA256SUMS of all of them."""
    samples = tmp_path / "data/samples"
    files = ["one/a.csv", "one/a.csv.gz", "two/HEAD/docs/README.md"]
    for file in files:
        (samples / file).parent.mkdir(parents=True, exist_ok=True)
        (samples / file).write_text(file)
    (samples / "SHA256SUMS").write_text("".join(f"{sha256_of(samples / file)}  {file}\n" for file in files))
    return samples


def test_an_edited_one_is_named_and_the_command_accepts_it(samples):
    root = samples.parents[1]
    assert edited_samples(FILES, root) == edited_samples(CORPUS, root) == {}
    for dataset, file in (FILES, "one/a.csv"), (CORPUS, "two/HEAD/docs/README.md"):
        (samples / file).write_text("more")
        ((path, accept),) = edited_samples(dataset, root).items()
        assert path == f"data/samples/{file}"
        assert accept.endswith(f"else git restore data/samples/{file}")
        command = "(" + accept.partition("(")[2].partition(" accepts it")[0]
        subprocess.run(command, shell=True, check=True, cwd=root)
        assert edited_samples(dataset, root) == {}
    lines = (samples / "SHA256SUMS").read_text().splitlines()
    assert sorted(line.partition("  ")[2] for line in lines) == ["one/a.csv", "one/a.csv.gz", "two/HEAD/docs/README.md"]


def test_a_readme_that_is_not_listed_is_one_too(samples):
    (samples / "two/HEAD/new").mkdir()
    (samples / "two/HEAD/new/README.md").write_text("# New\n")
    assert list(edited_samples(CORPUS, samples.parents[1])) == ["data/samples/two/HEAD/new/README.md"]
    assert edited_samples(CORPUS | {"sources": {"github": {"exclude": ["new"]}}}, samples.parents[1]) == {}


def test_only_samples_in_use_count(samples):
    root = samples.parents[1]
    (samples / "one/a.csv").write_text("more")
    assert edited_samples(FILES | {"source": "upstream"}, root) == {}
    assert edited_samples({"name": "one", "source": "samples", "sources": {"datasets": ["two"]}}, root) == {}
    assert edited_samples({"name": "one", "source": "generated"}, root) == {}
    (samples / "one/a.csv").unlink()
    assert edited_samples(FILES, root) == {}


def test_two_lines_for_one_file():
    line = f"{'a' * 64}  one/a.csv\n"
    with pytest.raises(RegistryError, match="sums: line 3 is a second one for one/a.csv"):
        parse_checksums(f"{line}\n{line}", where="sums")
