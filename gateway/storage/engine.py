"""Opening the store: the engine's own ways (SQLite here), one writer, read connections, checkpoints.

Everything that is SQLite's alone stands in class Sqlite: its settings, BEGIN IMMEDIATE, its write-ahead log. The
statements of the room are SQLAlchemy Core without dialect options; another engine is another class with these methods.

SQLite: WAL lets readers go on while one writes. synchronous=FULL syncs the log at every commit: a receipt survives a
power cut. secure_delete overwrites what is deleted: an erased payload is not left on a free page. Beside the file
`gateway.db` stand its log (-wal, -shm) and the two files by which processes take turns (-queue, -turn; turn.py).
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Final, TypeVar, cast

from sqlalchemy import Column, Dialect, MetaData, Table, Text, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from gateway.errors import Draining, Misconfigured, StorageError
from gateway.storage.session import Query, Session, Statements
from gateway.storage.tables import REVISION
from gateway.storage.turn import Turn
from gateway.storage.writer import Connection, Write, Writer

T = TypeVar("T")

_BUSY_SECONDS: Final = 10.0  # another process' batch takes milliseconds; a stopped one must not hang us for ever
_READERS_KEPT: Final = 16  # idle read connections; more are opened under load and closed again
_CHECKPOINT_SECONDS: Final = 0.5
_LOG_LIMIT: Final = 8192  # pages (32 MiB): above this the writer pauses for the checkpoint of what is left

_alembic = Table("alembic_version", MetaData(), Column("version_num", Text))
_REVISION = Query(select(_alembic.c.version_num))


class Sqlite:
    """How SQLite is opened, and how its transactions begin."""

    begin_write: Final = "BEGIN IMMEDIATE"  # takes the write lock now: no upgrade that could fail half-way
    begin_read: Final = "BEGIN"
    error: Final = sqlite3.Error

    def __init__(self, url: URL) -> None:
        if not url.database or url.database == ":memory:":
            raise Misconfigured("the store's url names no file; remedy: sqlite:///gateway.db")
        self.path = Path(url.database)
        self.dialect: Dialect = _dialect(url)

    def connect(self) -> Connection:
        """A connection in autocommit, usable from any one thread at a time."""
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None,
                                     check_same_thread=False, cached_statements=256)
        try:
            self._set(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return cast(Connection, connection)

    def require(self) -> None:
        """Opening would make an empty file where there is none. Raises Misconfigured instead."""
        if not self.path.exists():
            raise Misconfigured("the store's file is not there; remedy: gateway db upgrade")

    def _set(self, connection: sqlite3.Connection) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON",
                       "wal_autocheckpoint=0", "journal_size_limit=67108864", "cache_size=-32768", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")

    def checkpoint(self, connection: Connection) -> bool:
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


def _dialect(url: URL) -> Dialect:
    return url.get_dialect()()


def dialect_of(url: str) -> Sqlite:
    """The engine this url asks for. Raises Misconfigured for one that the gateway does not have."""
    try:
        parsed = make_url(url)
        name = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError) as cause:
        raise Misconfigured("the store's url is not an SQLAlchemy url; remedy: sqlite:///gateway.db") from cause
    if name != "sqlite":
        raise Misconfigured(f"the store does not run on {name}; remedy: sqlite:///gateway.db")
    return Sqlite(parsed)


class Store:
    """One open database: `write` for works, `read` for snapshots. Safe to use from many threads."""

    def __init__(self, engine: Sqlite, *, node: str, queue_limit: int, batch_limit: int) -> None:
        self._engine = engine
        self.node = node
        self._statements = Statements(engine.dialect)
        self._readers: deque[Connection] = deque()
        self._closed = False
        self._dirty = Event()
        self._stop = Event()
        self._log_long = Event()
        engine.require()
        try:
            self._check_revision()
            self._turn = Turn(engine.path)
        except OSError as cause:
            self._close_readers()
            raise Misconfigured(f"the folder of the store can't be written: {type(cause).__name__}") from cause
        except Misconfigured:
            self._close_readers()
            raise
        self._writer = Writer(engine.connect, self._statements, node=node, begin=engine.begin_write, turn=self._turn,
                              database_error=engine.error, queue_limit=queue_limit, batch_limit=batch_limit,
                              committed=self._after_batch)
        self._checkpointer = Thread(target=self._checkpoints, name="store-checkpoint", daemon=True)
        self._checkpointer.start()

    def write(self, work: Callable[[Write], T]) -> T:
        """Run `work` in the next commit; its result once that is durable (see writer.py)."""
        return self._writer.write(work)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of the database and never waits for the writer. Raises StorageError."""
        if self._closed:
            raise Draining("the store is closed")
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = self._connect_reader()
        keep = False
        try:
            cursor = connection.cursor()
            cursor.execute(self._engine.begin_read)
            try:
                yield Session(cursor, self._statements)
            finally:
                cursor.execute("COMMIT")
                cursor.close()
                keep = True
        except self._engine.error as cause:
            raise StorageError(f"the store could not read: {type(cause).__name__}") from cause
        finally:
            if keep and not self._closed and len(self._readers) < _READERS_KEPT:
                self._readers.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Finish the works that wait, move the log into the file, close every connection. May be called again."""
        self._writer.close()
        self._closed = True
        self._stop.set()
        self._dirty.set()
        self._checkpointer.join()
        self._turn.close()
        self._close_readers()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close_readers(self) -> None:
        while self._readers:
            self._readers.pop().close()

    def _connect_reader(self) -> Connection:
        try:
            return self._engine.connect()
        except self._engine.error as cause:
            raise StorageError(f"the store could not be opened: {type(cause).__name__}") from cause

    def _check_revision(self) -> None:
        try:
            with self.read() as session:
                row = session.one(_REVISION)
        except StorageError as cause:
            raise Misconfigured("the store has no tables or can't be opened; remedy: gateway db upgrade") from cause
        if row is None or row[0] != REVISION:
            raise Misconfigured(f"the store is at revision {row and row[0]}, this gateway needs {REVISION}; "
                                "remedy: gateway db upgrade")

    def _after_batch(self, connection: Connection) -> None:
        """On the writer's thread, between two batches: the one moment in which a checkpoint can catch up."""
        if self._log_long.is_set():
            self._log_long.clear()
            with suppress(self._engine.error):
                self._engine.checkpoint(connection)
        self._dirty.set()

    def _checkpoints(self) -> None:
        """Beside the writer: does nearly all of the copying, so that little is left for the moment it must pause."""
        connection: Connection | None = None
        while not self._stop.is_set():
            self._dirty.wait()
            self._stop.wait(_CHECKPOINT_SECONDS)
            self._dirty.clear()
            with suppress(self._engine.error):  # the log stays; the next time will do
                connection = connection or self._engine.connect()
                if self._engine.checkpoint(connection):
                    self._log_long.set()
        if connection is not None:
            connection.close()


def open_store(url: str, *, node: str = "hub", queue_limit: int = 1024, batch_limit: int = 64) -> Store:
    """Open an existing, upgraded database.

    Takes   an SQLAlchemy url; `node` names the journal chain this process writes (processes of one node share it);
            how many works may wait, and how many share a commit.
    Raises  Misconfigured: no such engine, no tables, or another revision than this code's.
    """
    return Store(dialect_of(url), node=node, queue_limit=queue_limit, batch_limit=batch_limit)
