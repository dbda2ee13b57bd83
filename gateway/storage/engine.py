"""Opening the store: one writer, read connections, whatever database it is (databases.py)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import Column, MetaData, Table, Text, select

from gateway.database import Database
from gateway.errors import Draining, Misconfigured, StorageError
from gateway.storage.databases import Engine, engine_of
from gateway.storage.readers import Readers
from gateway.storage.session import Query, Session, Statements
from gateway.storage.tables import REVISION
from gateway.storage.writer import Write, Writer

T = TypeVar("T")

_alembic = Table("alembic_version", MetaData(), Column("version_num", Text))
_REVISION: Final = Query(select(_alembic.c.version_num))


class Store:
    """One open database: `write` for works, `read` for snapshots. Safe to use from many threads."""

    def __init__(self, engine: Engine, *, node: str, queue_limit: int, batch_limit: int) -> None:
        self._engine = engine
        self.node = node
        self._statements = Statements(engine.dialect)
        self._readers = Readers(engine)
        engine.require()
        try:
            self._check_revision()
            self._companion = engine.accompany()
        except OSError as cause:
            self._readers.close()
            raise Misconfigured(f"the folder of the store can't be written: {type(cause).__name__}") from cause
        except Misconfigured:
            self._readers.close()
            raise
        try:
            self._writer = Writer(engine, self._companion, self._statements, node=node, queue_limit=queue_limit,
                                  batch_limit=batch_limit)
        except engine.error as cause:  # a database that went away while it was opened
            self._companion.close()
            self._readers.close()
            raise Misconfigured(f"the store can't be opened ({type(cause).__name__}); "
                                "remedy: start the hub again once its database is up") from cause

    def write(self, work: Callable[[Write], T]) -> T:
        """Run `work` in the next commit; its result once that is durable (see writer.py)."""
        return self._writer.write(work)

    @contextmanager
    def read(self, *, large: bool = False) -> Iterator[Session]:
        """A session that sees one moment of the database and never waits for the writer. `large`: see Readers.cursor.

        Raises StorageError, and Overloaded when too many read.
        """
        try:
            with self._readers.cursor(large=large) as cursor:
                yield Session(cursor, self._statements)
        except self._engine.error as cause:
            raise StorageError(f"the store could not read: {type(cause).__name__}") from cause

    @property
    def waiting(self) -> int:
        """Works that wait for a commit."""
        return self._writer.waiting

    def maintain(self, now: datetime) -> list[str]:
        """Look after the engine's own tables; what was done, in words. Raises StorageError."""
        try:
            return self._engine.maintain(now)
        except self._engine.error as cause:
            raise StorageError(f"the store could not be looked after: {type(cause).__name__}") from cause

    def remarks(self) -> list[str]:
        """What an operator must know of the database, each with its remedy. Raises StorageError."""
        try:
            return self._engine.remarks()
        except self._engine.error as cause:
            raise StorageError(f"the store could not be looked at: {type(cause).__name__}") from cause

    def close(self) -> None:
        """Finish the works that wait, close every connection. May be called again."""
        self._writer.close()
        self._companion.close()
        self._readers.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_revision(self) -> None:
        try:
            with self.read() as session:
                row = session.one(_REVISION)
        except (StorageError, Draining) as cause:
            raise Misconfigured("the store has no tables or can't be opened; remedy: gateway db upgrade") from cause
        found = None if row is None else str(row[0])
        if found is not None and found.isdigit() and found > REVISION:
            raise Misconfigured(f"the store is at revision {found}, which is newer than this gateway's {REVISION}; "
                                "remedy: install the gateway that upgraded it, or a later one")
        if found != REVISION:
            raise Misconfigured(f"the store is at revision {found}, this gateway needs {REVISION}; "
                                "remedy: gateway db upgrade")


def open_store(where: str | Database, *, node: str = "hub", queue_limit: int = 1024, batch_limit: int = 64) -> Store:
    """Open an existing, upgraded database.

    Takes   a database or its url alone; `node` names the journal chain this process writes (processes of one node
            share it); how many works may wait, and how many share a commit.
    Raises  Misconfigured: no such engine, no tables, or another revision than this code's.
    """
    return Store(engine_of(where), node=node, queue_limit=queue_limit, batch_limit=batch_limit)
