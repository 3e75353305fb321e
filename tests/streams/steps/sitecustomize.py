"""Kill a process group with SIGKILL at one step of it: when it is about to change a file, or to start a process.

Every Python of the group imports this module by itself, since PYTHONPATH has its folder. They count their steps
together, as bytes in the file STEPS; at number STEP_TO_KILL_AT the group of the one that was started first is killed.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

COUNTED = os.open(os.environ["STEPS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
KILL_AT, GROUP = int(os.environ["STEP_TO_KILL_AT"]), int(os.environ.setdefault("STEPS_GROUP", str(os.getpid())))
TOP = Path.cwd()
CHANGES = {"os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _is_step(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "subprocess.Popen":
        return True
    if event not in CHANGES and not (event == "open" and arguments[2] & WRITES):
        return False
    if isinstance(arguments[0], int):
        return False
    path = Path(os.fsdecode(arguments[0])).absolute()
    return path.is_relative_to(TOP) and "__pycache__" not in path.parts


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _is_step(event, arguments):
        os.write(COUNTED, b".")
        if os.lseek(COUNTED, 0, os.SEEK_CUR) == KILL_AT:
            os.killpg(GROUP, signal.SIGKILL)


sys.addaudithook(_hook)
