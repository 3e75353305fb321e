"""Configuration that cannot be: one message that names the key, before any job."""

import pytest


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("source=upstrem", "source: 'upstrem' is not one of"),
        ("sauce=mirror", "'sauce' was unexpected"),
        ("source=mirror", "source is mirror, but mirror names no folder or URL"),
        ("datasets=[emotion,emotions]", "there is no emotions"),
        ("datasets=[]", "datasets:"),
        ("publish=perhaps", "publish: 'perhaps' is not of type 'boolean'"),
    ],
)
def test_on_the_command_line(bare, config, message):
    printed = bare.snakemake("-n", "--config", config, fails=True)
    assert message in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("word", ["false", "False", "no", "off", "true", "yes", "on"])
def test_publish_takes_the_words_that_a_command_line_hands_over(bare, word):
    bare.snakemake("-n", "tabular", "--config", f"publish={word}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("about:", "abuot:", "'abuot' was unexpected"),
        ("  title: Wine quality\n", "", "about: 'title' is a required property"),
        ("{dtype: int64, values: [0, 1]}", "{dtype: int65}", "contract.columns.wine_type.dtype: 'int65'"),
        ("file: winequality-red.csv", "file: ../../winequality-red.csv", "sources.files.0.file"),
        ("params: {}", "params: {", "not valid YAML"),
    ],
)
def test_in_the_file_of_a_dataset(bare, old, new, message):
    bare.edit("config/datasets/wine-quality.yaml", old, new)
    printed = bare.snakemake("-n", fails=True)
    assert "wine-quality.yaml" in printed
    assert message in printed
    assert "Traceback" not in printed


def test_a_sample_that_is_not_there(bare):
    sums = bare.folder / "data" / "samples" / "SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if "winequality-red" not in line))
    printed = bare.snakemake("-n", fails=True)
    assert "no sample of winequality-red.csv" in printed
    assert "Traceback" not in printed
