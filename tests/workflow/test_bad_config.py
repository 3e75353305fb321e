"""Configuration that cannot be: one message that names the key, before any job.

One run for each way in: the command line, the file of a dataset, and what rules ask for while they are read. Each
mistake has its test in tests/unit/test_config.py.
"""

import pytest
from snakemake.cli import parse_config
from snakemake.common.configfile import load_configfile

from registry.config.load import load_datasets, normalise
from registry.errors import RegistryError
from support import ROOT


def refused(project, *arguments):
    printed = project.snakemake("-n", *arguments, fails=True)
    assert "Traceback" not in printed
    return printed


def test_on_the_command_line(bare):
    assert "source: 'upstrem' is not one of" in refused(bare, "--config", "source=upstrem")


def test_in_the_file_of_a_dataset(bare):
    bare.edit("config/datasets/wine-quality.yaml", "about:", "abuot:")
    printed = refused(bare)
    assert "config/datasets/wine-quality.yaml: not valid" in printed
    assert "'abuot' was unexpected" in printed


def test_a_sample_that_is_not_there(bare):
    sums = bare.folder / "data" / "samples" / "SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if "winequality-red" not in line))
    assert "no sample of winequality-red.csv" in refused(bare)


def handed_over(argument):
    """Return the configuration of this repository with an argument of --config, as Snakemake hands both over."""
    return normalise(load_configfile(str(ROOT / "config" / "config.yaml")) | parse_config([argument]))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("sauce=mirror", "'sauce' was unexpected"),
        ("source=mirror", "source is mirror, but mirror names no folder or URL"),
        ("datasets=[emotion,emotions]", "there is no emotions"),
        ("datasets=[]", "datasets:"),
        ("publish=perhaps", "publish: 'perhaps' is not of type 'boolean'"),
    ],
)
def test_what_a_command_line_hands_over_is_refused_by_name(argument, message):
    with pytest.raises(RegistryError) as raised:
        load_datasets(handed_over(argument), ROOT)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("word", "meant"), [(w, w in ("true", "yes", "on")) for w in ("false", "False", "no", "off", "true", "yes", "on")]
)
def test_publish_takes_the_words_that_a_command_line_hands_over(word, meant):
    assert load_datasets(handed_over(f"publish={word}"), ROOT)
    assert handed_over(f"publish={word}")["publish"] is meant
