"""The read connections of one open store: kept for the next who reads, and never more than the engine allows."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore
from time import monotonic, sleep
from typing import Final

from gateway.errors import Draining, Overloaded, StorageError
from gateway.storage.databases import Connection, Engine, Fate
from gateway.storage.session import Cursor

_KEPT: Final = 16  # idle; more are opened under load and closed again
_SLOT_SECONDS: Final = 10.0  # how long one may wait for another to have read
_PAUSE: Final = 0.1  # seconds between two attempts to find the database


class Readers:
    """Hands out cursors inside a transaction that reads. Safe between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: deque[Connection] = deque()
        self._slots = BoundedSemaphore(engine.readers) if engine.readers is not None else None
        self._closed = False

    @contextmanager
    def cursor(self, *, large: bool = False) -> Iterator[Cursor]:
        """A cursor on one moment of the database; the transaction ends with the block. `large`: for what is read once,
        and would only fill the connection's cache.

        Raises Draining after close, Overloaded, StorageError when the database can't be reached, and what the driver
        raises.
        """
        if self._closed:
            raise Draining("the store is closed")
        if self._slots is not None and not self._slots.acquire(timeout=_SLOT_SECONDS):
            raise Overloaded(f"{self._engine.readers} read from the store already")
        try:
            connection, cursor = self._begun()
            keep = False
            try:
                try:
                    yield cursor
                finally:
                    with suppress(self._engine.error):  # nothing was written: what was read is true without it
                        cursor.execute("COMMIT")
                        if large and self._engine.forget is not None:
                            cursor.execute(self._engine.forget)
                        cursor.close()
                        keep = not self._closed and len(self._idle) < _KEPT
            finally:
                self._idle.append(connection) if keep else self._drop(connection)
        finally:
            if self._slots is not None:
                self._slots.release()

    def close(self) -> None:
        """Close those that are idle; the others when they are given back. May be called again."""
        self._closed = True
        while self._idle:
            self._drop(self._idle.pop())

    def _begun(self) -> tuple[Connection, Cursor]:
        """A connection with a transaction begun. One that was kept may have died with the server it was to."""
        deadline = monotonic() + self._engine.patience
        while True:
            connection: Connection | None = None
            try:
                connection = self._kept() or self._engine.connect_reader()
                cursor = connection.cursor()
                cursor.execute(self._engine.begin_read)
                return connection, cursor
            except self._engine.error as cause:
                if connection is not None:
                    self._drop(connection)
                if self._engine.fate(cause) is not Fate.LOST or monotonic() > deadline:
                    raise StorageError(f"the store could not be opened: {type(cause).__name__}") from cause
            sleep(0 if connection is not None else _PAUSE)

    def _kept(self) -> Connection | None:
        with suppress(IndexError):
            return self._idle.pop()
        return None

    def _drop(self, connection: Connection) -> None:
        with suppress(self._engine.error):
            connection.close()
