"""Run the workflows of .github/workflows with act, on this machine. Their runner clones a bare repository."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from clone import Clone
from support import ROOT

BIN = Path(sys.executable).parent
CHECKOUT = """\
const { execFileSync } = require('child_process'), fs = require('fs')
const git = (...words) => execFileSync('git', words, { stdio: 'inherit' })
const { ORIGIN, VENV, MERGE } = process.env, given = (name) => process.env['INPUT_' + name]
const depth = given('FETCH-DEPTH') || '1'
git('init', '--quiet', '--initial-branch', 'main')
git('remote', 'add', 'origin', ORIGIN)
const much = depth === '0' ? ['--tags'] : ['--no-tags', '--depth', depth]
git('fetch', '--quiet', ...much, 'origin', '+refs/heads/*:refs/remotes/origin/*')
if (given('REF') || MERGE) git('checkout', '--quiet', '--detach', given('REF') || MERGE)
else git('checkout', '--quiet', '-B', 'main', '--track', 'origin/main')
fs.symlinkSync(VENV, '.venv')
for (const lock of fs.readdirSync('envs')) fs.utimesSync('envs/' + lock, 0, 0)
"""
"""What actions/checkout does, from ORIGIN, and a .venv that is set up, so that `make` has nothing to do."""
UPLOAD = """\
const { INPUT_PATH, INPUT_NAME, ARTIFACTS } = process.env, fs = require('fs')
if (fs.existsSync(INPUT_PATH)) fs.cpSync(INPUT_PATH, ARTIFACTS + '/' + INPUT_NAME, { recursive: true })
"""
PAGES = UPLOAD.replace("INPUT_NAME", "GITHUB_JOB")
"""The same of a site, which has no name."""
STUBS = {
    "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683": CHECKOUT,
    "actions/setup-python@0b93645e9fea7318ecaed2b359559ac225c90a2b": "",
    "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02": UPLOAD,
    "actions/upload-pages-artifact@56afc609e74202658d3ffba0e8f6dda462b719fa": PAGES,
    "actions/deploy-pages@d6db90164ac5ed86f2b6aed7e0febac5b3c0c03e": "",
}
"""Actions of others, which cannot be fetched here, and what stands for each."""
SUMMARY = re.compile(r"  Summary - (.*?)^\[", re.MULTILINE | re.DOTALL)


class Ended(NamedTuple):
    """How a workflow ended, what it printed, the summary of its job, and the folder of its artifacts."""

    code: int
    printed: str
    summary: str
    artifacts: Path


class Actions:
    """Where workflows run that are in a clone, and whose runner clones `origin`."""

    def __init__(self, clone: Clone, origin: Path, folder: Path) -> None:
        self.clone, self.origin, self.folder, self._runs = clone, origin, folder, 0
        self._stubs = []
        for name, script in STUBS.items():
            stub = folder / name.partition("@")[0]
            stub.mkdir(parents=True)
            (stub / "action.yml").write_text("name: stub\nruns: {using: node20, main: main.js}\n")
            (stub / "main.js").write_text(script)
            self._stubs += ["--local-repository", f"{name}={stub}"]

    def run(
        self,
        workflow: str,
        event: str,
        *,
        job: str | None = None,
        matrix: str | None = None,
        inputs: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> Ended:
        """Run a workflow, or one job of it, on a new runner."""
        self._runs += 1
        folder = self.folder / str(self._runs)
        artifacts = folder / "artifacts"
        artifacts.mkdir(parents=True)
        (folder / "event.json").write_text(json.dumps({"inputs": inputs or {}, **(payload or {})}))
        command = [str(BIN / "act"), event, "-W", f".github/workflows/{workflow}", "-P", "ubuntu-latest=-self-hosted"]
        command += ["--action-offline-mode", "--no-skip-checkout", "--no-cache-server", *self._stubs]
        command += ["--eventpath", str(folder / "event.json"), *(["--job", job] if job else [])]
        command += ["--matrix", matrix] if matrix else []
        given = {"ORIGIN": self.origin.as_uri(), "VENV": str((ROOT / ".venv").resolve()), "ARTIFACTS": str(artifacts)}
        given |= {"PYTHONPATH": "scripts", **(environment or {})}
        told = {"GITHUB_TOKEN": "token-of-the-job", **(secrets or {})}
        for option, values in (("input", inputs), ("var", variables), ("secret", told), ("env", given)):
            for name, value in (values or {}).items():
                command += [f"--{option}", f"{name}={value}"]
        env = self.clone.environment(XDG_CACHE_HOME=str(folder / "cache"), HOME=str(folder))
        done = subprocess.run(
            command,
            cwd=self.clone.folder,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
        )
        return Ended(done.returncode, done.stdout, "\n".join(SUMMARY.findall(done.stdout)), artifacts)
