"""The fingerprint of code: it follows what a script imports, and nothing else."""

import shutil
import subprocess
import sys

import pytest

from registry.config.fingerprint import code_files, fingerprint
from registry.errors import RegistryError
from support import ROOT

TREE = {
    "task/run.py": "import json\nfrom pack import first\nimport pack.dotted\nfrom pack.named import thing\n",
    "pack/__init__.py": "",
    "pack/first.py": "def late():\n    from pack.deep import x\n",
    "pack/deep.py": "import pack.loop\n",
    "pack/loop.py": "import pack.deep\n",
    "pack/dotted.py": "",
    "pack/named.py": "thing = open('named.csv')\n",
    "pack/unrelated.py": "",
    "pack/json.py": "",
    "task/other.py": "",
    "task/words.txt": "",
    "task/params.schema.yaml": "",
    "pack/named.csv": "",
    "pack/nobody.csv": "",
}
USED = [
    "task/run.py",
    "pack/__init__.py",
    "pack/first.py",
    "pack/deep.py",
    "pack/loop.py",
    "pack/dotted.py",
    "pack/named.py",
    "task/words.txt",
    "task/params.schema.yaml",
    "pack/named.csv",
]
"""What is behind task/run.py: also the data beside it, and that beside a module which names it."""


@pytest.fixture
def scripts(tmp_path):
    """A folder scripts/ with the real fingerprint module and a few files that import each other."""
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for name in ("__init__.py", "errors.py", "shown.py", "config/__init__.py", "config/fingerprint.py"):
        (tmp_path / "registry" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "scripts" / "registry" / name, tmp_path / "registry" / name)
    return tmp_path


def computed(scripts, *names, of="fingerprint"):
    """Return what a fresh process computes: results are kept within one."""
    code = f"from registry.config.fingerprint import *; print({of}(*{names!r}))"
    return subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=scripts, env={}, check=True, capture_output=True, text=True
    ).stdout


def test_it_changes_with_every_file_behind_the_script_and_with_no_other(scripts):
    before = computed(scripts, "task/run.py")
    for name, text in TREE.items():
        (scripts / name).write_text(text + "# changed\n")
        assert (computed(scripts, "task/run.py") != before) == (name in USED), name
        (scripts / name).write_text(text)
    assert computed(scripts, "task/run.py") == before


def test_it_changes_when_two_files_swap_their_content(scripts):
    first, second = USED[1:3]
    found = {computed(scripts, "task/run.py")}
    for one, two in (("# 1\n", "# 2\n"), ("# 2\n", "# 1\n")):
        (scripts / first).write_text(TREE[first] + one)
        (scripts / second).write_text(TREE[second] + two)
        found.add(computed(scripts, "task/run.py"))
    assert len(found) == 3


def test_it_does_not_depend_on_the_place_of_the_checkout(scripts, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(scripts, elsewhere)
    assert computed(scripts, "task/run.py") == computed(elsewhere, "task/run.py")


def test_it_is_that_of_another_checkout_where_one_is_named(scripts):
    assert fingerprint("task/run.py", scripts) + "\n" == computed(scripts, "task/run.py")


@pytest.mark.parametrize("line", ["import pack.named", "from pack.named import thing", "from pack import named"])
def test_every_form_of_import_is_followed(scripts, line):
    (scripts / "task" / "run.py").write_text(line)
    files = computed(scripts, "task/run.py", of="code_files")
    assert "pack/named.py" in files
    assert "pack/__init__.py" in files
    assert "pack/first.py" not in files


def test_the_real_scripts_lead_to_the_package():
    names = {path.name for path in code_files("fashion_mnist/process.py")}
    assert names == {"process.py", "params.schema.yaml", "__init__.py", "errors.py", "files.py", "idx.py", "job.py"} | {
        "raw.py",
        "running.py",
        "shards.py",
        "shown.py",
    }
    assert len(fingerprint("fashion_mnist/process.py")) == 64


def test_what_an_editor_or_python_leaves_beside_a_script_does_not_count(scripts):
    before = computed(scripts, "task/run.py")
    for name in (".run.py.swp", "run.pyc", "__pycache__/run.cpython-311.pyc", "folder/words.txt"):
        (scripts / "task" / name).parent.mkdir(exist_ok=True)
        (scripts / "task" / name).write_text("left")
    assert computed(scripts, "task/run.py") == before


@pytest.mark.parametrize("line", ["from . import named", "from .named import thing", "from ..pack import named"])
@pytest.mark.parametrize("file", ["task/run.py", "pack/deep.py"])
def test_a_relative_import_is_refused_by_file_and_line(scripts, file, line):
    (scripts / file).write_text(f"import json\n\n\ndef late():\n    {line}\n")
    with pytest.raises(RegistryError, match=f"{file}: line 5 imports relatively.*\n  what to do: name the module"):
        fingerprint("task/run.py", scripts)


@pytest.mark.parametrize(
    ("schema", "scripts_of"),
    [
        ("registry/describe/metadata.schema.yaml", ["*/analyze*.py"]),
        ("registry/sources/lock.schema.yaml", ["shared/download.py", "radiology_mini/download.py"]),
        ("emotion/params.schema.yaml", ["emotion/*.py"]),
        ("registry/config/schemas/config.schema.yaml", []),
        ("registry/config/schemas/dataset.schema.yaml", []),
    ],
)
def test_a_schema_counts_where_something_is_checked_against_it_in_a_job(schema, scripts_of):
    folder = ROOT / "scripts"
    every = [path for path in folder.glob("*/*.py") if path.parent.name not in ("ci", "registry")]
    behind = {path for path in every if folder / schema in code_files(path.relative_to(folder).as_posix())}
    assert behind == {path for pattern in scripts_of for path in folder.glob(pattern)}


def test_every_script_of_the_workflow_has_a_fingerprint():
    for path in sorted((ROOT / "scripts").rglob("*.py")):
        assert fingerprint(path.relative_to(ROOT / "scripts").as_posix())
