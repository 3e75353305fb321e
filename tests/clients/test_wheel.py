"""The wheel, installed alone: every command of `registry` works, or says in one line which extra it needs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from command_line import COMMANDS
from support import ROOT
from tiny import Tiny

MEGABYTES = 420
NEEDS = re.compile(r"error: needs (\w+): pip install 'data-registry\[(\w+)\]'\n")
CALLS = {
    "catalog": ("", "build"),
    "check": ("numbers", "build"),
    "diff": ("numbers 1.0.0 2.0.0", "polars"),
    "eject": ("numbers", None),
    "follow": ("", None),
    "find": ("{sample}", None),
    "get": (". numbers@^1 --out fetched", None),
    "graph": ("", None),
    "ingest": ("numbers", "kafka"),
    "list": (".", None),
    "log": ("numbers", None),
    "new": ("other numbers.csv", "build"),
    "publish": ("--dry-run", None),
    "pull": ("numbers", "build"),
    "refresh": ("numbers", "build"),
    "push": ("local numbers", None),
    "remove": ("numbers --dry-run", None),
    "republish": ("numbers 1.0.0 --reason broken --dry-run", "polars"),
    "rollback": ("numbers 1.0.0", None),
    "run": ("-- --dry-run", "build"),
    "samples": ("numbers-v1.0.0 --split all", None),
    "search": ("anything", "vectors"),
    "status": ("", None),
    "summary": ("", None),
    "unpin": ("numbers", "build"),
    "vectors list": ("", "vectors"),
    "vectors load": ("", "vectors"),
    "vectors use": ("1.0.0", "vectors"),
    "verify": ("numbers-v1.0.0", "build"),
}
"""How each command is called, and which extra it says it needs there."""
RECORD = {
    **{"ending": "nothing to do", "reason": None, "started": "2026-01-01T00:00:00+00:00", "ended": None},
    **{"datasets": [], "failed_jobs": [], "unreleased": []},
    "release": {"remote": None, "commit": None, "skipped": None, "hint": None},
}
"""What a run left."""


def run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def must(*command: str, **options: object) -> str:
    done = run(*command, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="session")
def client(once) -> Path:
    """An environment with nothing but the wheel and what it asks for, in the versions of the lock."""

    def make(folder: Path) -> str:
        source = folder.with_name("source")
        kept = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "scripts" / "registry", source / "scripts" / "registry", ignore=kept)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copyfile(ROOT / name, source / name)
        must(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(source), cwd=source)
        (wheel,) = source.glob("*.whl")
        locked = (ROOT / "envs" / "requirements.txt").read_text(encoding="utf-8")
        constraints = source / "constraints.txt"
        constraints.write_text("\n".join(re.findall(r"^[\w.\[\]-]+==[^\\\n]+", locked, re.MULTILINE)), encoding="utf-8")
        must(sys.executable, "-m", "venv", str(folder))
        uv = shutil.which("uv")
        pip = [uv, "pip", "install", "--python", str(folder), "--compile-bytecode"]
        if not uv:
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install"]
        return must(*pip, "--quiet", "--constraint", str(constraints), str(wheel), cwd=folder)

    return once("client", make)


@pytest.fixture
def tiny(released_tiny, tmp_path) -> Tiny:
    tiny = Tiny(released_tiny).copied(tmp_path / "registry")
    tiny.git("remote", "add", "origin", ".")
    tiny.write("logs/run.json", json.dumps(RECORD))
    return tiny


def registry(client: Path, tiny: Tiny, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed `registry` in a checkout, without anything of this environment."""
    environment = tiny.environment(
        PATH=f"{client / 'bin'}{os.pathsep}{os.environ['PATH']}",
        REGISTRY_CACHE=str(tiny.folder.parent / "cache"),
        HOME=str(tiny.folder.parent),
    )
    del environment["PYTHONPATH"]
    return run(str(client / "bin" / "registry"), *arguments, cwd=tiny.folder, env=environment)


def test_its_size(client):
    packages = json.loads(must(str(client / "bin" / "python"), "-m", "pip", "list", "--format", "json"))
    assert {"dvc", "pyarrow"} <= {package["name"] for package in packages}
    assert {"polars", "numpy", "snakemake", "onnxruntime"}.isdisjoint(package["name"] for package in packages)
    size = sum(path.lstat().st_blocks * 512 for path in client.rglob("*")) / 2**20
    print(f"{len(packages)} packages, {size:.0f} MB")
    assert size <= MEGABYTES


def test_it_holds_the_schemas_and_nothing_but_the_package(client):
    (site,) = client.glob("lib/python*/site-packages")
    schemas = {path.name for path in (site / "registry" / "config" / "schemas").iterdir()}
    assert schemas == {path.name for path in (ROOT / "scripts/registry/config/schemas").iterdir()}
    listed = must(str(client / "bin" / "python"), "-c", "import registry; print(registry.__file__)", cwd=site.parent)
    assert Path(listed.strip()).is_relative_to(site)
    assert not (site / "tabular").exists()


def test_every_command_is_called():
    assert CALLS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command(client, tiny, command):
    arguments, extra = CALLS[command]
    sample = pq.read_table(tiny.folder / "data/numbers/manifest.parquet")["sample_id"][0].as_py().hex()
    done = registry(client, tiny, *command.split(), *arguments.format(sample=sample).split())
    assert "Traceback" not in done.stdout
    if extra is None:
        assert (done.returncode, NEEDS.search(done.stdout)) == (0, None), done.stdout
    else:
        needed = NEEDS.search(done.stdout)
        assert needed, done.stdout
        assert (done.returncode, needed[2]) == (1, extra), done.stdout


def test_help_of_every_command(client, tmp_path):
    code = f"""
from typer.testing import CliRunner
from registry.cli import app
for command in {["", *COMMANDS]}:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0 and "Usage: " in shown.output, (command, shown.output)
"""
    must(str(client / "bin" / "python"), "-c", code, cwd=tmp_path)


def test_a_page_of_a_difference(client, tiny):
    done = registry(client, tiny, "diff", "numbers", "1.0.0", "2.0.0", "--html", "difference.html")
    assert (done.returncode, done.stdout) == (1, "error: needs jinja2: pip install 'data-registry[build]'\n")
    assert not (tiny.folder / "difference.html").exists()


def test_a_release(client, tiny):
    """The first of a dataset takes no comparison; the next one, of rows that differ, does."""
    tiny.build("numbers", 9)
    tiny.commit("More numbers")
    done = registry(client, tiny, "publish", "numbers")
    assert (done.returncode, done.stdout) == (1, "error: needs polars: pip install 'data-registry[polars]'\n")
    assert tiny.git("status", "--short") == ""


def test_a_pull_restores_what_it_can(client, tiny):
    shutil.rmtree(tiny.folder / "data/numbers/processed")
    done = registry(client, tiny, "pull", "numbers")
    assert done.stdout == "error: needs snakemake: pip install 'data-registry[build]'\n"
    assert (tiny.folder / "data/numbers/processed/rest.parquet").exists()


def test_a_pin_stays_where_snakemake_is_not(client, tiny):
    assert registry(client, tiny, "rollback", "numbers", "1.0.0").returncode == 0
    head = tiny.head()
    done = registry(client, tiny, "unpin", "numbers")
    assert done.stdout == "error: needs snakemake: pip install 'data-registry[build]'\n"
    assert (tiny.head(), tiny.git("status", "--short")) == (head, "")
    assert (tiny.folder / "data/numbers/pin.json").exists()


def test_the_client_in_python(client, tiny):
    code = """
from registry import list_datasets, open_dataset
from registry.errors import RegistryError
print([one.tag for one in list_datasets("registry").versions])
data = open_dataset("numbers", "^1", "registry")
print(data.fetch("fetched"), len(data.urls), data.metadata["splits"])
print([batch.num_rows for batch in data.iter_batches(batch_size=20)])
for method in (data.to_polars, data.to_pandas, data.to_hf, data.to_torch, data.ray_dataset, data.log_to_mlflow):
    try:
        method()
    except RegistryError as error:
        print(error)
"""
    environment = tiny.environment(REGISTRY_CACHE=str(tiny.folder.parent / "cache"))
    del environment["PYTHONPATH"]
    printed = must(str(client / "bin" / "python"), "-c", code, cwd=tiny.folder.parent, env=environment)
    assert printed.splitlines() == [
        "['letters-v1.0.0', 'numbers-v2.0.0', 'numbers-v1.10.0', 'numbers-v1.9.0', 'numbers-v1.0.0']",
        "fetched/processed 3 {'all': {'num_samples': 30}}",
        "[20, 10]",
        "needs polars: pip install 'data-registry[polars]'",
        "needs pandas: pip install 'data-registry[pandas]'",
        "needs datasets: pip install 'data-registry[hf]'",
        "needs torch: pip install 'data-registry[torch]'",
        "needs ray: pip install 'data-registry[ray]'",
        "needs mlflow: pip install 'data-registry[mlflow]'",
    ]
