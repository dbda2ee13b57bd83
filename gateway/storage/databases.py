"""What an engine must be able to do for the store. One class for each: _sqlite.py, _postgres.py.

The statements of the room are SQLAlchemy Core without dialect options; how a connection is made, how a transaction
begins and what an error of the driver means is the engine's own, and stands behind this interface.
"""

from contextlib import AbstractContextManager
from datetime import datetime
from enum import Enum
from typing import Protocol

from sqlalchemy import Dialect

from gateway.database import POSTGRES, Database
from gateway.errors import Misconfigured
from gateway.storage.session import Cursor, Query


class Fate(Enum):
    """What is to become of a transaction after an error of its database."""

    OWN = "the statement was wrong, or asked too much: the work that said it has failed"
    CLASH = "another writer was first: the work may run once more, and then sees what the other wrote"
    AGAIN = "nobody is to blame: the whole transaction runs again"
    LOST = "the connection is of no use any more: again, on a new one"


class Connection(Protocol):
    """As much of a DB-API connection as is used here; it is in autocommit, so that BEGIN is ours to say."""

    def cursor(self) -> Cursor: ...

    def close(self) -> None: ...


class Companion(Protocol):
    """What an engine does beside the writer of one open store."""

    def turn(self) -> AbstractContextManager[None]:
        """A place in line among the processes that write."""

    def committed(self, connection: Connection) -> None:
        """Called after each batch, on the writer's thread, when the callers have been told."""

    def close(self) -> None: ...


class Engine(Protocol):
    """One kind of database, and where this one is."""

    dialect: Dialect
    error: type[Exception]  # what its driver raises
    begin_write: str
    begin_upgrade: tuple[str, ...]  # … one that changes tables: two at once take turns
    begin_read: str  # one moment of the database, for all that is read
    forget: str | None  # makes a connection give its page cache back; None: it has none
    readers: int | None  # read connections at once; None: as many as are asked for
    patience: float  # seconds: for how long a transaction is tried again, and for a read connection
    guard: Query | None  # takes `key` (text) for this transaction alone; None: there is one writer anyway

    def require(self) -> None:
        """Raises Misconfigured when there is no such database, and connecting would make one."""

    def connect(self) -> Connection:
        """A connection in autocommit, usable from any one thread at a time."""

    def connect_reader(self) -> Connection:
        """One of many that only read: it keeps little in memory."""
        return self.connect()

    def connect_plain(self) -> Connection:
        """The same for SQLAlchemy's own use, which looks at tables and makes them."""

    def walker(self, connection: Connection) -> Cursor:
        """A cursor for results too long to hold; several may be open at once, in one transaction."""

    def within(self, connection: Connection) -> bool:
        """Is a transaction open? An engine may end one by itself, when its disk is full."""

    def fate(self, error: BaseException) -> Fate: ...

    def maintain(self, now: datetime | None) -> list[str]:
        """What the engine's own tables need now and then; what was done, in words. Raises its error.

        `now` is None for the time of the server's clock.
        """

    def remarks(self) -> list[str]:
        """What an operator must know of this database: each with its remedy. Raises its error."""

    def accompany(self) -> Companion:
        """Begin what is done beside the writer. Raises OSError."""


def engine_of(where: str | Database) -> Engine:
    """The engine for this database. Raises Misconfigured for one that the gateway does not have."""
    database = where if isinstance(where, Database) else Database(url=where)
    if database.url.startswith("sqlite://"):
        from gateway.storage._sqlite import Sqlite
        return Sqlite(database)
    if database.on_postgres:
        from gateway.storage._postgres import Postgres  # only now: its driver is slow to import
        return Postgres(database)
    name = database.url.partition(":")[0]
    raise Misconfigured(f"the store does not run on {name if name.isidentifier() else 'this'}; "
                        f"remedy: sqlite:///gateway.db, or {POSTGRES}user@host/name")
