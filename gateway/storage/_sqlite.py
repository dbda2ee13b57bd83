"""SQLite as the store's engine: one file, one writer at a time, readers beside it.

WAL lets readers go on while one writes. synchronous=FULL syncs the log at every commit: a receipt survives a power
cut. secure_delete overwrites what is deleted: an erased payload is not left on a free page. Beside the file
`gateway.db` stand its log (-wal, -shm) and the two files by which processes take turns (-queue, -turn; turn.py).
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Final, cast

from sqlalchemy import Dialect
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from gateway.database import Database
from gateway.errors import Misconfigured
from gateway.storage.databases import Companion, Connection, Engine, Fate
from gateway.storage.session import Cursor
from gateway.storage.turn import Turn

_BUSY_SECONDS: Final = 10.0  # another process' batch takes milliseconds; a stopped one must not hang us for ever
_READER_CACHE: Final = 2048  # KiB of each, of which there are up to one per thread
_CHECKPOINT_SECONDS: Final = 0.5
_LOG_LIMIT: Final = 8192  # pages (32 MiB): above this the writer pauses for the checkpoint of what is left


class Sqlite(Engine):
    """One file."""

    begin_write = "BEGIN IMMEDIATE"  # takes the write lock now: no upgrade that could fail half-way
    begin_upgrade = (begin_write,)
    begin_read = "BEGIN"
    forget: str | None = "PRAGMA shrink_memory"
    error = sqlite3.Error
    readers = None
    patience = 0.0
    guard = None

    def __init__(self, database: Database) -> None:
        name = database.url.removeprefix("sqlite://").removeprefix("/")
        if not name or name == ":memory:" or "?" in name:
            raise Misconfigured("the store's url names no file; remedy: sqlite:///gateway.db")
        self.path = Path(name)
        self.dialect: Dialect = SQLiteDialect_pysqlite()

    def require(self) -> None:
        """See Engine."""
        if not self.path.exists():
            raise Misconfigured("the store's file is not there; remedy: gateway db upgrade")

    def connect(self) -> Connection:
        """See Engine."""
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None,
                                     check_same_thread=False, cached_statements=256)
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON",
                           "wal_autocheckpoint=0", "journal_size_limit=67108864", "cache_size=-32768",
                           "temp_store=MEMORY"):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return cast(Connection, connection)

    def connect_reader(self) -> Connection:
        """See Engine: what it does not keep, the system does, once for all of them."""
        connection = self.connect()
        connection.cursor().execute(f"PRAGMA cache_size=-{_READER_CACHE}")
        return connection

    def connect_plain(self) -> Connection:
        """See Engine."""
        return self.connect()

    def walker(self, connection: Connection) -> Cursor:
        """See Engine: SQLite makes the rows one by one as they are asked for."""
        return connection.cursor()

    def within(self, connection: Connection) -> bool:
        """See Engine."""
        return cast(sqlite3.Connection, connection).in_transaction

    def fate(self, error: BaseException) -> Fate:
        """See Engine. There is one writer: nothing that happens to it is another's doing, or passes."""
        return Fate.OWN

    def maintain(self, now: datetime | None) -> list[str]:
        """See Engine: the file keeps its room and uses it again."""
        return []

    def remarks(self) -> list[str]:
        """See Engine."""
        return []

    def accompany(self) -> Companion:
        """See Engine."""
        return _Beside(self.path, self.connect)


class _Beside(Companion):
    """Turns among processes, and the copying of the log into the file."""

    def __init__(self, path: Path, connect: Callable[[], Connection]) -> None:
        self._turn = Turn(path)
        self._connect = connect
        self._dirty = Event()
        self._stop = Event()
        self._log_long = Event()
        self._checkpointer = Thread(target=self._checkpoints, name="store-checkpoint", daemon=True)
        self._checkpointer.start()

    def turn(self) -> Turn:
        """See Companion and turn.py."""
        return self._turn

    def committed(self, connection: Connection) -> None:
        """Between two batches: the one moment in which a checkpoint can catch up."""
        if self._log_long.is_set():
            self._log_long.clear()
            with suppress(sqlite3.Error):
                _checkpoint(connection)
        self._dirty.set()

    def close(self) -> None:
        """Move the log into the file. May be called again."""
        self._stop.set()
        self._dirty.set()
        self._checkpointer.join()
        self._turn.close()

    def _checkpoints(self) -> None:
        """Beside the writer: does nearly all of the copying, so that little is left for the moment it must pause."""
        connection: Connection | None = None
        while not self._stop.is_set():
            self._dirty.wait()
            self._stop.wait(_CHECKPOINT_SECONDS)
            self._dirty.clear()
            with suppress(sqlite3.Error):  # the log stays; the next time will do
                connection = connection or self._connect()
                if _checkpoint(connection):
                    self._log_long.set()
        if connection is not None:
            connection.close()


def _checkpoint(connection: Connection) -> bool:
    """Copy the log into the file, as far as readers allow; is the log longer than it should be?

    PASSIVE waits for nobody and stops nobody. The log begins again at its start when all of it was copied and
    somebody writes; under steady writing a checkpoint beside the writer never catches up with it.
    """
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        (_, pages, _), = cursor.fetchall()
        return bool(pages > _LOG_LIMIT)
    finally:
        cursor.close()
