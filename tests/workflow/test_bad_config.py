"""Configuration that cannot be: one message that names the key, before any job, and only for those whom it concerns.

One run for each way in: the command line, the file of everything, that of a dataset, and what rules ask for while they
are read. Each mistake has its test in tests/unit/test_config.py.
"""

import pytest
from snakemake.cli import parse_config
from snakemake.common.configfile import load_configfile

from registry.config.load import load_datasets, normalise
from registry.errors import RegistryError
from support import ROOT


def refused(project, *arguments):
    return project.snakemake("-n", *arguments, fails=True)


def test_on_the_command_line(bare):
    printed = refused(bare, "--config", "source=upstrem")
    assert "source: 'upstrem' is not one of" in printed
    assert "Traceback" not in printed


BOMB = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("source: upstream\n", "'source' is there twice as a key"),
        (BOMB, "it has aliases"),
        (f"mirror: {'[' * 50_000}{']' * 50_000}\n", "nested more than 50 deep"),
        ("No: 1\n", "'No' is no text as a key: quote it"),
    ],
    ids=["twice", "bomb", "deep", "no text"],
)
def test_in_the_file_of_everything_which_snakemake_itself_would_take(bare, more, message):
    path = bare.folder / "config" / "config.yaml"
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    printed = refused(bare)
    assert f"config/config.yaml: not valid YAML: {message}" in printed
    assert "Traceback" not in printed


DOUBLED = """
kind: table
about: {title: A, description: A, license: unknown}
source: upstream
sources: {files: [{file: a.csv, urls: [a.csv], accept: [], max_bytes: 1}]}
contract: {columns: {a: {dtype: int64}}, rows: {}}
"""


def test_a_broken_dataset_stops_itself_alone(bare):
    for name in ("events", "fashion-mnist", "opencloudhub-readmes-embeddings", "radiology-mini"):
        (bare.folder / "config" / "datasets" / f"{name}.yaml").unlink()
    for name in ("emotion", "opencloudhub_readmes"):
        (bare.folder / "workflow" / "rules" / f"{name}.smk").unlink()
    bare.edit("config/datasets/opencloudhub-readmes-rag-evaluation.yaml", "about:", "abuot:")

    bare.edit("workflow/rules/tabular.smk", "scripts/tabular/process.py", "scripts/tabular/proces.py")
    (bare.folder / "config" / "datasets" / "doubled.yaml").write_text(DOUBLED)
    (bare.folder / "workflow" / "rules" / "doubled.smk").write_text("rule doubled_download:\n    output: 'a'\n")

    printed = bare.snakemake("--cores", "1", fails=True)
    beginning, _, end = printed.partition(" wine-quality download: ")
    reasons = {
        "doubled": "workflow/rules/doubled.smk: it has a kind, and rules of its own",
        "emotion": "no rule makes data/emotion/",
        "opencloudhub-readmes": "no rule makes data/opencloudhub-readmes/",
        "opencloudhub-readmes-rag-evaluation": "'abuot' was unexpected",
        "tabular": "tabular_process: there is no script ../../scripts/tabular/proces.py",
    }
    for name, reason in reasons.items():
        assert f"{name} is left out: " in beginning
        assert f"{name} broken: " in end
        assert reason in beginning
        assert reason in end
    assert bare.complete("wine-quality")
    record = bare.record()
    assert (record["ending"], record["failed_jobs"]) == ("failed", [])
    assert record["reason"] == f"left out, since they are broken: {', '.join(reasons)}"
    assert {one["dataset"]: one["state"] for one in record["datasets"]} == {
        **dict.fromkeys(reasons, "broken"),
        "wine-quality": "built",
    }

    assert "config/datasets/radiology-mini.yaml: no such file" in refused(bare, "data/radiology-mini/processed")
    assert refused(bare, "data/emotion/processed").endswith(
        "\nerror: emotion: no rule makes data/emotion/\n  what to do: write its rules into workflow/rules/emotion.smk\n"
    )
    assert "'abuot' was unexpected" in refused(bare, "opencloudhub_readmes_rag_evaluation")
    assert "no rule makes data/emotion/" in refused(bare, "--config", "datasets=[emotion,wine-quality]")
    (bare.folder / "scripts" / "tabular" / "proces.py").write_text("def process(:\n")
    assert "proces.py: not Python: invalid syntax" in refused(bare, "tabular")
    assert "Nothing to be done" in bare.snakemake("-n", "wine_quality")
    assert "Nothing to be done" in bare.snakemake("-n", "--config", "datasets=[wine-quality]")


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("wine-quality", "wine_quality"),
        ("emotoin", "emotion"),
        ("data/emotoin/processed", "emotion"),
        ("tabular_proces", "tabular_process"),
    ],
)
def test_a_target_that_is_nearly_one_is_told_what_it_may_be_called(bare, target, meant):
    assert f"what to do: perhaps you mean {meant}\n" in refused(bare, target)


def test_what_is_here_and_of_no_rule_can_be_an_input(bare):
    for file in ("LICENSE", "data/lookup/x.csv"):
        (bare.folder / file).parent.mkdir(exist_ok=True)
        (bare.folder / file).write_text("x")
    path = bare.folder / "workflow" / "rules" / "tabular.smk"
    path.write_text(
        path.read_text().replace("    output:", "    input: 'LICENSE', 'data/lookup/x.csv'\n    output:", 1)
    )
    assert bare.jobs("tabular") == {"tabular_generate", "tabular_process", "tabular_analyze"}


def test_a_sample_that_is_not_there_stops_its_dataset_alone(bare):
    sums = bare.folder / "data" / "samples" / "SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if "winequality-red" not in line))
    assert "no sample of winequality-red.csv" in refused(bare, "wine_quality")
    assert bare.jobs("tabular") == {"tabular_generate", "tabular_process", "tabular_analyze"}


def test_a_prompt_that_is_not_there_stops_the_job_that_needs_it_alone(bare):
    bare.edit("config/datasets/radiology-mini.yaml", "registry: file}", "registry: mlflow}")
    (bare.folder / "config" / "prompts" / "radiology-caption.yaml").unlink()
    assert bare.jobs("tabular", "radiology_mini") >= {"tabular_process", "radiology_mini_prompt"}
    bare.snakemake("--cores", "1", "data/radiology-mini/raw/prompt.json", fails=True)
    log = (bare.folder / "logs" / "radiology-mini" / "prompt.log").read_text(encoding="utf-8")
    assert "radiology-caption.yaml: no such file, and MLFLOW_TRACKING_URI is not set\n  what to do: set it" in log


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
