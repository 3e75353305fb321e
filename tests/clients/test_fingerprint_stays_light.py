"""What builds data does not depend on the client, or a change of the client would rebuild everything."""

import subprocess
import sys

import pytest

from registry.config.fingerprint import SCRIPTS, code_files
from support import ROOT

SCRIPT_FILES = sorted(
    path.relative_to(SCRIPTS).as_posix()
    for path in SCRIPTS.glob("*/*.py")
    if path.parent.name not in ("ci", "registry")
)


@pytest.mark.parametrize("script", SCRIPT_FILES)
def test_no_script_depends_on_the_client(script):
    names = {path.relative_to(SCRIPTS).as_posix() for path in code_files(script)}
    assert script in names
    assert "registry/__init__.py" in names
    assert "registry/client.py" not in names


def test_the_registry_loads_the_client_only_when_it_is_asked_for():
    code = """
import sys, registry, registry.errors
assert 'registry.client' not in sys.modules
from registry import open_dataset
assert open_dataset is sys.modules['registry.client'].open_dataset
heavy = {'dvc', 'polars', 'pyarrow', 'ray', 'mlflow'} & set(sys.modules)
assert not heavy, heavy
assert not hasattr(registry, 'another')
"""
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "scripts")}, check=True)
