"""A sample that was edited is not passed over: SHA256SUMS says what was checked."""

import subprocess

import pytest

from project import with_those_made_of

README = "data/samples/opencloudhub-readmes/HEAD/docs/README.md"


@pytest.mark.parametrize(
    "dataset, file", [("wine-quality", "winequality-red.csv"), ("radiology-mini", "data/train-00000-of-00001.parquet")]
)
def test_its_dataset_alone_wants_to_be_built_again(built, dataset, file):
    path = built.folder / "data/samples" / dataset / file
    path.write_bytes(path.read_bytes() + b"\n")
    assert built.planned() == {dataset}


def test_the_run_says_how_to_accept_it_and_then_takes_it(built):
    path = built.folder / README
    path.write_bytes(path.read_bytes() + b"One more line.\n")
    assert built.planned() == with_those_made_of("opencloudhub-readmes")
    printed = built.snakemake("--cores", "2", "--", "opencloudhub_readmes", fails=True)
    assert "Traceback" not in printed
    _, found, hint = printed.partition(f"{README}: not what data/samples/SHA256SUMS says\n  what to do: ")
    assert found
    command = "(" + hint.partition("(")[2].partition(" accepts it")[0]
    subprocess.run(command, shell=True, check=True, cwd=built.folder)
    built.snakemake("--cores", "2", "--", "opencloudhub_readmes")
    assert "One more line." in (built.folder / "data/opencloudhub-readmes/raw/docs.md").read_text()
