import signal
import subprocess
import sys

import pytest

COMMAND = """
import atexit, os, signal, sys
from registry import cli

def be_told_to_stop():
    os.kill(os.getpid(), signal.SIGTERM)

atexit.register(print, "cleaned up")
atexit.register(be_told_to_stop)
{before}
sys.argv = ["registry", {argument!r}]
cli.main()
"""
"""A command that gets SIGTERM at its very end, when Python cleans up."""


def ended(argument: str = "--help", before: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND.format(argument=argument, before=before)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--no-such-option", 2)])
def test_a_signal_at_the_end_of_a_command_cuts_nothing_short(argument, code):
    command = ended(argument)
    assert command.returncode == code, command.stderr
    assert command.stdout.endswith("cleaned up\n")
    assert "Traceback" not in command.stderr


def test_a_command_that_is_told_to_stop_twice_cleans_up_and_says_so_once():
    command = ended(before="cli.app = be_told_to_stop")
    assert command.returncode == 128 + signal.SIGTERM, command.stderr
    assert command.stdout == "cleaned up\n"
    assert command.stderr.count("SIGTERM") == 1
    assert "Traceback" not in command.stderr
