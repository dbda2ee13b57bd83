"""The `gateway` command, also as `python -m gateway`: what must be settled before anything else is loaded.

A serving hub must not keep what it has forgotten. The memory of a finished request is free, but its octets stay in it
until somebody needs the room. So `serve` begins anew with an allocator that overwrites what is freed
(docs/decisions/0020). Python's own allocator for small objects and glibc's cache per thread would pass by it, and
can be switched off only at the start of a process; overwriting begins once the hub is loaded (app/hub.py, settle).
"""

import gc
import os
import resource
import sys
from typing import Final

_TUNABLES: Final = "glibc.malloc.tcache_count=0"


def main() -> None:
    """Entry point; exit codes as cli.main has them."""
    if sys.argv[1:2] == ["serve"]:
        forget_what_is_freed()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold what is at work at that moment
        gc.disable()  # while what stays is loaded; settle() switches it on
    from gateway.cli import main as command  # loading it takes most of a second, which a new beginning would take twice

    command()


def forget_what_is_freed() -> None:
    """Begin this process anew where its memory is not set up to be overwritten; otherwise do nothing."""
    given = os.environ.get("GLIBC_TUNABLES", "")
    if _TUNABLES not in given:
        tunables = f"{given}:{_TUNABLES}" if given else _TUNABLES
        environment = {**os.environ, "GLIBC_TUNABLES": tunables, "PYTHONMALLOC": "malloc"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606  # ourselves again


if __name__ == "__main__":
    main()
