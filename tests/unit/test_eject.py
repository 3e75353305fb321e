"""`registry eject`: the rules and scripts that take the place of a kind."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from registry.authoring.eject import eject
from registry.config.load import load_datasets
from registry.config.schema import breaches
from registry.errors import RegistryError
from registry.storage.repository import read_config
from support import ROOT

BIN = Path(sys.executable).parent
EXAMPLES = re.findall(r"^```yaml\n(kind: .*?)^```", (ROOT / "docs/kinds.md").read_text(), re.MULTILINE | re.DOTALL)
CONFIG = EXAMPLES[0]
DOCUMENTS = next(example for example in EXAMPLES if example.startswith("kind: documents\n"))
"""Of which the embeddings are, under the name handbook."""
NAME = "my-dataset"
"""Named as what stands in the rules for the name of any."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A registry with a dataset that has a kind."""
    for folder in ("scripts/kinds", "scripts/registry/kinds", "workflow/rules"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "config" / "datasets").mkdir(parents=True)
    (tmp_path / "config" / "config.yaml").write_bytes((ROOT / "config" / "config.yaml").read_bytes())
    (tmp_path / "config" / "datasets" / f"{NAME}.yaml").write_text(f"# From the sea\n{CONFIG}# The end\n")
    return tmp_path


def formatted(*command: str) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


OF_FILES, OF_EMBEDDINGS = ("download", "process", "analyze"), ("chunk", "shard", "embed", "analyze")


@pytest.mark.parametrize(
    ("kind", "steps", "others"),
    [
        ("table", OF_FILES, ["process.py", "analyze.py", "params.schema.yaml"]),
        (
            "embeddings",
            OF_EMBEDDINGS,
            [*(f"{step}.py" for step in OF_EMBEDDINGS), "params.schema.yaml", "metadata.schema.yaml"],
        ),
    ],
)
def test_it_reads_as_if_somebody_had_written_it(root, kind, steps, others):
    example = next(example for example in EXAMPLES if example.startswith(f"kind: {kind}\n"))
    (root / "config/datasets/handbook.yaml").write_text(DOCUMENTS)
    (root / f"config/datasets/{NAME}.yaml").write_text(example)
    files = eject(root, NAME).files
    module, scripts = root / "workflow/rules/my_dataset.smk", root / "scripts/my_dataset"
    assert {root / path for path in files} == {
        module,
        *(scripts / name for name in others),
        root / f"config/datasets/{NAME}.yaml",
    }
    assert "kind" not in re.sub(r"registry\.kinds", "", (scripts / others[0]).read_text())
    rules = module.read_text()
    assert re.findall(r"^rule (\w+):", rules, re.MULTILINE) == [f"my_dataset_{step}" for step in steps]
    assert not re.search(r'\bf"|\{dataset\}|rule_of|getattr|scripts/kinds|\["kind"\]', rules)
    formatted("snakefmt", "--check", "--config", str(ROOT / "pyproject.toml"), str(module))
    for check in (["check"], ["format", "--check"]):
        formatted("ruff", *check, "--config", str(ROOT / "pyproject.toml"), str(scripts))
    formatted("check-jsonschema", "--check-metaschema", str(scripts / "params.schema.yaml"))


def test_nothing_but_the_kind_goes_from_its_file_and_params_are_still_checked(root):
    path = root / f"config/datasets/{NAME}.yaml"
    before = load_datasets(read_config(root), root)[NAME]
    eject(root, NAME)
    assert path.read_text() == f"# From the sea\n{CONFIG}# The end\n".replace("kind: table\n\n", "")
    after = load_datasets(read_config(root), root)
    assert before == after[NAME] | {"kind": "table"}
    path.write_text(path.read_text().replace("duplicates: drop", "duplicates: dropped"))
    assert "params" in str(load_datasets(read_config(root), root).broken[NAME])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split()[1])
def test_the_schema_of_its_params_takes_and_refuses_what_that_of_its_kind_does(root, example):
    (root / "config/datasets/handbook.yaml").write_text(DOCUMENTS)
    (root / f"config/datasets/{NAME}.yaml").write_text(example)
    eject(root, NAME)
    kind, params = example.split()[1], yaml.safe_load(example).get("params", {})
    schemas = [root / "scripts/my_dataset/params.schema.yaml", root / f"scripts/registry/kinds/{kind}.schema.yaml"]
    parts = (
        {"root": "../a"},
        {"split": {"ratios": {"A": 1}}},
        {"problems": {"duplicates": "no"}},
        {"columns": {"a": 1}},
    )
    for changed in ({}, *parts, {"limits": {"max_bytes": 0}}, {"format": {"type": "xml"}}, {"path": "{"}):
        taken, expected = (breaches(params | changed, schema) for schema in schemas)
        assert taken == expected
        assert changed or not taken


def test_a_dry_run_writes_nothing_and_a_second_run_has_nothing_to_do(root):
    before = sorted(root.rglob("*"))
    planned = eject(root, NAME, dry_run=True)
    assert sorted(root.rglob("*")) == before
    assert eject(root, NAME) == planned
    assert eject(root, NAME).files == {}


@pytest.mark.parametrize("file", ["workflow/rules/my_dataset.smk", "scripts/my_dataset/process.py"])
def test_nothing_is_overwritten(root, file):
    (root / file).parent.mkdir(exist_ok=True)
    (root / file).write_text("mine\n")
    with pytest.raises(RegistryError, match=f"{file} would be overwritten"):
        eject(root, NAME)
    assert (root / file).read_text() == "mine\n"
    assert "kind" in yaml.safe_load((root / f"config/datasets/{NAME}.yaml").read_text())


def test_one_that_was_interrupted_goes_on(root):
    path = root / f"config/datasets/{NAME}.yaml"
    text = path.read_text()
    planned = eject(root, NAME).files
    path.write_text(text)
    assert eject(root, NAME).files == planned
    assert "kind" not in yaml.safe_load(path.read_text())


@pytest.mark.parametrize("line", ["{kind: table, ", '"kind": table\n', "kind: >-\n  table\n"])
def test_a_kind_that_is_written_oddly_is_refused(root, line):
    path = root / f"config/datasets/{NAME}.yaml"
    content = {key: value for key, value in yaml.safe_load(CONFIG).items() if key != "kind"}
    rest = yaml.safe_dump(content, default_flow_style=True, width=10_000)
    path.write_text(line + rest.removeprefix("{") if line.startswith("{") else line + yaml.safe_dump(content))
    with pytest.raises(RegistryError, match="its kind is not on a line of its own"):
        eject(root, NAME)
    assert not (root / "scripts/my_dataset").exists()


def test_a_dataset_that_is_not_there_is_an_error(root):
    with pytest.raises(RegistryError, match="no such file"):
        eject(root, "other")


def test_a_dataset_that_is_made_of_a_part_of_its_sources_keeps_its_kind(root):
    path = root / f"config/datasets/{NAME}.yaml"
    path.write_text(path.read_text().replace("sources:\n", "sources:\n  sample: {rows: 3}\n"))
    with pytest.raises(RegistryError, match="built from a part of its sources\n.*take sources.sample out"):
        eject(root, NAME)
    assert not (root / "workflow/rules/my_dataset.smk").exists()
