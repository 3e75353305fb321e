"""Build a dataset in a folder apart from the checkout, which nothing of it touches."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from registry.config.names import rule_of
from registry.workflow.snakemake import run_quietly

NOT_INHERITED = ("SNAKEMAKE_PROFILE",)
"""What must not reach the build: how this machine runs other jobs."""


def build_apart(
    folder: Path, name: str, config: Mapping[str, Any], *, cores: str = "all", say: Callable[[str], None]
) -> tuple[int, str]:
    """Build a dataset in a folder that has code and configuration of its own, and release nothing.

    `config` has settings beside those of that configuration. Returns Snakemake's exit code and all that it printed.
    """
    # In a file of this user's own: all see the arguments of a process, and a mirror's address may hold a password.
    with NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as settings:
        json.dump({**config, "publish": False, "datasets": [name]}, settings)
        settings.flush()
        return run_quietly(
            folder,
            ["--cores", cores, "--configfile", settings.name, "--", rule_of(name)],
            say=say,
            env={
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
                **dict.fromkeys(NOT_INHERITED),
            },
        )
