"""Kill a process group with SIGKILL at one step of it: when it is about to change a file, or to start a process.

Every Python of the group imports this module by itself, since PYTHONPATH has its folder. They count their steps together
in the file STEPS, a byte each; at number STEP_TO_KILL_AT the group of the process that was started first is killed.
"""

import os
import signal
import sys
from typing import Any

COUNTED = os.open(os.environ["STEPS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
KILL_AT, GROUP = int(os.environ["STEP_TO_KILL_AT"]), int(os.environ.setdefault("STEPS_GROUP", str(os.getpid())))
TOP = os.getcwd() + os.sep
CHANGES = {"os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _is_step(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "subprocess.Popen":
        return True
    if event not in CHANGES and not (event == "open" and arguments[2] & WRITES):
        return False
    if isinstance(arguments[0], int):
        return False
    path = os.path.abspath(os.fsdecode(arguments[0]))
    return path.startswith(TOP) and "__pycache__" not in path


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _is_step(event, arguments):
        os.write(COUNTED, b".")
        if os.lseek(COUNTED, 0, os.SEEK_CUR) == KILL_AT:
            os.killpg(GROUP, signal.SIGKILL)


sys.addaudithook(_hook)
