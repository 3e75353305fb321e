"""The rules of a checkout as Snakemake understands them."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from support import ROOT


@cache
def parsed_rules(checkout: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Return {rule: its input, output, log, script, code, ...}; an input that is a function is None."""
    return json.loads(
        subprocess.run([sys.executable, __file__], cwd=checkout, check=True, stdout=subprocess.PIPE).stdout
    )


def _parse() -> dict[str, dict[str, Any]]:
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(ResourceSettings(), snakefile=Path("workflow/Snakefile"))._workflow
        return {
            rule.name: {
                "input": [file if isinstance(file, str) else None for file in rule.input],
                "output": dict(rule.output.items()) | {str(file): file for file in rule.output},
                "log": list(rule.log),
                "script": rule.script,
                "conda": rule.conda_env,
                "message": rule.message,
                "params": list(rule.params.keys()),
                "code": rule.params.get("code"),
                "resources": [name for name in ("mem_mb", "runtime") if name in rule.resources],
            }
            for rule in workflow.rules
        }


if __name__ == "__main__":
    print(json.dumps(_parse()))
