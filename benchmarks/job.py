"""Run one rule's script as a process of its own, as Snakemake would: python benchmarks/job.py SCRIPT JOB.json.

JOB.json has `input`, `output`, `params`, `wildcards`, `config`, `threads` and `log`, as in the rule; lists stay
positional.
"""

import json
import runpy
import sys
from pathlib import Path

import snakemake.logging  # noqa: F401  what Snakemake's own preamble imports
from snakemake.iocontainers import Namedlist

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


def named(items: dict) -> Namedlist:
    """Return items under their names; a list is several items under one, as Snakemake has it."""
    found = Namedlist()
    for name, item in items.items():
        start = len(found)
        found.extend(item if isinstance(item, list) else [item])
        found._set_name(name, start, end=len(found) if isinstance(item, list) else None)
    return found


class Job:
    """Stands in for the `snakemake` object of a script."""

    def __init__(self, job: dict) -> None:
        self.input, self.output, self.params, self.wildcards = (
            named(job[key]) if isinstance(job[key], dict) else Namedlist(toclone=job[key])
            for key in ("input", "output", "params", "wildcards")
        )
        self.config, self.threads, self.log = job["config"], job["threads"], [job["log"]]
        self.resources = {}


if __name__ == "__main__":
    script, job = sys.argv[1:]
    sys.path.insert(0, str(SCRIPTS))
    runpy.run_path(
        str(SCRIPTS / script), init_globals={"snakemake": Job(json.loads(Path(job).read_text()))}, run_name="__main__"
    )
