"""An environment of its own, that has datasets and torch, as those who train have one."""

import inspect
import json
import os
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import ROOT


def call_in_trainer(folder: Path, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function, which imports what it needs, in that environment; `folder` is for what it writes.

    It takes and returns what JSON has.
    """
    python = os.environ.get("HF_PYTHON")
    if not python:
        pytest.skip("needs datasets and torch: set HF_PYTHON to a Python of another environment that has them")
    code = textwrap.dedent(inspect.getsource(function))
    main = f"print(json.dumps({function.__name__}(*json.loads({json.dumps(arguments)!r}))))"
    # In a file, and behind this condition, so that workers of a DataLoader can be spawned.
    script = folder / "trainer.py"
    script.write_text(f"import json\n{code}\nif __name__ == '__main__':\n    {main}\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "HF_HOME": str(folder / ".hf")}
    done = subprocess.run([python, script], env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])
