"""Release at the end of a run, by the same command that a person would use."""

import subprocess
import sys
from typing import Any

SKIPPED = 3
"""Exit code of `registry publish` when it had a reason not to release something."""


def release_after_run(workflow: Any, *, publish: bool) -> None:
    """Run `registry publish` in the folder of the run, unless it was told not to, touched files only, or was cut short.

    A run that failed releases what it completed only with --keep-going. Raises SystemExit when the release fails.
    """
    scheduler = workflow.scheduler
    cut_short = scheduler.running or scheduler.open_jobs
    failed_fast = scheduler.failed and not workflow.execution_settings.keep_going
    if not publish or workflow.touch or cut_short or failed_fast:
        return
    command = [sys.executable, "-m", "registry", "publish"]
    done = subprocess.run(command, stdout=sys.stderr.fileno())  # noqa: S603
    if done.returncode not in (0, SKIPPED):
        sys.exit(
            "The data is built, but not released. To release it, mend what is said above and run: registry publish"
        )
