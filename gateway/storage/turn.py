"""Turns among the processes that write one SQLite file.

SQLite has a lock but no queue: whoever finds it taken sleeps up to 100 ms and tries again, and a busy process takes it
back in between; measured, one of two stood still for more than a second. Here those who want to write stand in line:
the first in line holds `queue` until it has `turn`, so the one that just wrote must stand behind it.

This is courtesy, not safety: that rests on BEGIN IMMEDIATE. Whoever waits too long goes on without a turn; the kernel
takes the locks of a process that dies.
"""

import fcntl
import os
from pathlib import Path
from time import monotonic, sleep
from typing import Final

_PAUSE: Final = 0.0003  # seconds between two looks; a batch takes a few milliseconds
_PATIENCE: Final = 2.0  # seconds; a process that was stopped while it wrote must not stop the others


class Turn:
    """A place in line, as a context manager. Of one thread; each writer has its own."""

    def __init__(self, database: Path) -> None:
        """Open the two lock files beside the database. Raises OSError."""
        self._queue = os.open(f"{database}-queue", os.O_RDWR | os.O_CREAT, 0o600)
        self._turn = os.open(f"{database}-turn", os.O_RDWR | os.O_CREAT, 0o600)
        self._handles: tuple[int, ...] = (self._queue, self._turn)

    def __enter__(self) -> None:
        _lock(self._queue)
        _lock(self._turn)
        fcntl.flock(self._queue, fcntl.LOCK_UN)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the files. May be called again."""
        handles, self._handles = self._handles, ()
        for handle in handles:
            os.close(handle)


def _lock(handle: int) -> None:
    deadline = monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if monotonic() > deadline:
                return
            sleep(_PAUSE)
