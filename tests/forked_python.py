"""Python for a Snakemake that was forked: the scripts of its jobs and `registry` are forked, too, the rest is started.

Runs as `python -I -S forked_python.py ARGUMENTS`, since nothing that is imported here is needed.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path


def main() -> None:
    """Do what Python would do with these arguments."""
    arguments = sys.argv[1:]
    if arguments[:2] == ["-m", "registry"]:
        run("registry", "forks:registry", arguments[2:])
    elif "/.snakemake/scripts/" in arguments[0]:
        run("jobs", "forks:script", arguments)
    else:
        os.execv(sys.executable, [sys.executable, *arguments])


def run(server: str, function: str, arguments: list[str]) -> None:
    """Have a server call a function, with the streams of this process, and end as that process ends."""
    request = {"function": function, "arguments": arguments, "cwd": str(Path.cwd()), "env": {**os.environ}}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(str(Path(os.environ["FORKS"]) / server))
        socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
        code = os.waitstatus_to_exitcode(int(connection.recv(16)))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
