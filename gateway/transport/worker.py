"""What one worker process runs: `python -m gateway.transport.worker`, started by workers.Supervisor only."""

import importlib
import os
import signal
import socket
import sys
import threading


def main(arguments: list[str]) -> int:
    """Take the sockets over from the parent and run the target until told to stop; its exit code."""
    target, argument, index, *fds = arguments
    soap_fd, web_fd, life_fd, ready_fd = map(int, fds)
    threading.Thread(target=_live_with_parent, args=(life_fd,), name="parent", daemon=True).start()
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(module), name)

    def ready(soap_url: str, web_url: str) -> None:
        os.write(ready_fd, b"R")
        os.close(ready_fd)

    return int(function(argument, socket.socket(fileno=soap_fd), socket.socket(fileno=web_fd), int(index), ready) or 0)


def _live_with_parent(life_fd: int) -> None:
    """The parent never writes: the read ends when the parent is gone, even by SIGKILL."""
    while os.read(life_fd, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
