"""Waits with modules imported, and does what it is asked for in processes forked from this one, many at a time.

    python fork_server.py LISTENER MODULE ...

LISTENER is the number of a listening socket (AF_UNIX, SOCK_SEQPACKET). A client sends one message, JSON with `function`
(module:name), `arguments`, `cwd` and `env`, and with it the three standard streams; it gets the status that the process
ended with, as os.waitpid has it. When a client is gone, so is its process. Ends with its own standard input.
"""

import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

LONGEST_REQUEST = 200_000


def end_with(function: Callable[[], None]) -> NoReturn:
    """Call a function and end this process as Python would after it.

    Only that nothing of what was inherited is freed: that would copy all of it.
    """
    code = 0
    try:
        function()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _be(request: dict[str, Any], streams: list[int]) -> None:
    """Make this process what was asked for."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    module, _, function = request["function"].partition(":")
    getattr(importlib.import_module(module), function)(*request["arguments"])


def _serve(listener: socket.socket) -> None:
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin, selectors.EVENT_READ)
    waiting.register(listener, selectors.EVENT_READ)
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for key, _ in waiting.select():
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listener:
                connection = listener.accept()[0]
                message, streams, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 3)
                pid = os.fork()
                if pid == 0:
                    end_with(lambda message=message, streams=streams: _be(json.loads(message), streams))
                for stream in streams:
                    os.close(stream)
                ended = os.pidfd_open(pid)
                running[ended] = pid, connection
                waiting.register(ended, selectors.EVENT_READ)
                waiting.register(connection, selectors.EVENT_READ, pid)
            elif key.fileobj in running:
                waiting.unregister(key.fileobj)
                pid, connection = running.pop(key.fileobj)
                os.close(key.fileobj)
                status = os.waitpid(pid, 0)[1]
                with suppress(KeyError):
                    waiting.unregister(connection)
                with suppress(BrokenPipeError):
                    connection.send(str(status).encode())
                connection.close()
            else:
                waiting.unregister(key.fileobj)
                with suppress(ProcessLookupError):
                    os.killpg(key.data, signal.SIGKILL)


def main() -> None:
    """Import the modules and wait for clients."""
    for name in sys.argv[2:]:
        importlib.import_module(name)
    # So that no child looks for garbage among what is here.
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)


if __name__ == "__main__":
    main()
