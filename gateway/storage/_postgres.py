"""PostgreSQL as the store's engine: many nodes on one database (docs/decisions/0023).

The url is libpq's own, with `+psycopg` as SQLAlchemy writes it: several hosts, TLS, sockets and all else libpq knows.
What is not said there has the defaults below. Connections are to a server that can write: with several hosts that is
how the new primary is found. Writers are in READ COMMITTED and hold what they decide on; reads see one moment.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from itertools import count
from typing import Any, Final, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8BinaryDumper
from sqlalchemy import Dialect, bindparam, func, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from gateway.database import POSTGRES, Database
from gateway.errors import Misconfigured
from gateway.storage import _partitions
from gateway.storage.databases import Companion, Connection, Engine, Fate
from gateway.storage.session import Cursor, Query, Row

# A peer that is gone is noticed within seconds, also by a connection that waits for an answer.
_DEFAULTS: Final = {
    "application_name": "gateway", "connect_timeout": "5", "target_session_attrs": "read-write", "keepalives": "1",
    "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "15000",
    "client_encoding": "UTF8",
}
# Every statement is an index search (tests/contract): the planner must not take a table that is small today for one
# that may be read whole. Without that guess there is nothing that would be worth compiling either.
_SESSION: Final = {"enable_seqscan": "off", "jit": "off", "default_transaction_isolation": "read\\ committed",
                   "client_min_messages": "error"}
_IDLE_SECONDS: Final = 60  # in a transaction that says nothing: its process hangs, and holds locks
_STATEMENTS_KEPT: Final = 256  # prepared, per connection; the room has fewer

_LOST: Final = frozenset({
    "57P01", "57P02", "57P03", "57P05",  # shut down, crashed, starting up, idle for too long
    "25006", "25P03",  # read-only: the old primary; idle in a transaction
    "53300",  # no connection free
})
_LOST_CLASS: Final = "08"
_AGAIN: Final = frozenset({"40001", "40P01", "55P03"})  # serialization, deadlock, a lock not free in time
_CLASH_CLASS: Final = "23"  # a key that is there already, or one that is there no more
_DURABLE: Final = frozenset({"on", "remote_apply", "remote_write"})


class Postgres(Engine):
    """One database, on whichever of its hosts can write."""

    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED"
    begin_upgrade = (
        begin_write, "SET LOCAL statement_timeout = 0", "SET LOCAL lock_timeout = 0",
        "SELECT pg_advisory_xact_lock(hashtextextended('upgrade of the store', 0))",
        "SET LOCAL lock_timeout = '5s'")  # a table that is in use is not waited for with everybody behind us in line
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    forget: str | None = None
    error = psycopg.Error
    guard = Query(select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("key"), 0))))

    def __init__(self, database: Database) -> None:
        self.readers = database.pool
        self.patience = float(database.retry_seconds)
        self.dialect: Dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
        self._database = database
        self._parameters = _parameters(database)

    def require(self) -> None:
        """See Engine: connecting makes nothing. But a server that answers before it has written is refused."""
        try:
            with cast("psycopg.Connection[Any]", self.connect()) as connection:
                row = connection.execute("SHOW synchronous_commit").fetchone()
        except psycopg.Error as cause:
            raise Misconfigured("the store's database can't be reached or does not let us in "
                                f"({cause.sqlstate or type(cause).__name__}); remedy: see 'url' and 'password_file' "
                                "of [store] in gateway.toml, and docs/operations.md on PostgreSQL") from cause
        if row is None or row[0] not in _DURABLE:
            raise Misconfigured(f"synchronous_commit is {row and row[0]}: a receipt would promise what may be lost; "
                                "remedy: ALTER DATABASE … SET synchronous_commit = on")

    def connect(self) -> Connection:
        """See Engine. The password is read anew each time: it may have been changed."""
        parameters = dict(self._parameters)
        file = self._database.password_file
        if file is not None:
            try:
                parameters["password"] = file.read_text("utf-8").partition("\n")[0].rstrip("\r")
            except (OSError, UnicodeDecodeError) as cause:
                raise psycopg.OperationalError(f"{file.name} can't be read: {type(cause).__name__}") from cause
        told = cast("Mapping[str, Any]", parameters)
        connection = psycopg.connect("", autocommit=True, cursor_factory=_Cursor, **told)
        connection.adapters.register_dumper(int, Int8BinaryDumper)  # or each size of number prepares a statement anew
        connection.prepared_max = _STATEMENTS_KEPT
        return cast(Connection, connection)

    def connect_plain(self) -> Connection:
        """See Engine: SQLAlchemy reads the server's own tables in text form."""
        connection = self.connect()
        cast("psycopg.Connection[Any]", connection).cursor_factory = psycopg.Cursor
        return connection

    def walker(self, connection: Connection) -> Cursor:
        """See Engine: the server keeps the result."""
        return _Walker(connection.cursor())

    def within(self, connection: Connection) -> bool:
        """See Engine."""
        status = cast("psycopg.Connection[Any]", connection).info.transaction_status
        return status is psycopg.pq.TransactionStatus.INTRANS

    def fate(self, error: BaseException) -> Fate:
        """See Engine. An error without a state is the connection's: libpq had no answer to read one from."""
        if not isinstance(error, psycopg.Error):
            return Fate.OWN
        state = error.sqlstate
        if state is None:
            lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
            return Fate.LOST if lost else Fate.OWN
        if state in _LOST or state.startswith(_LOST_CLASS):
            return Fate.LOST
        if state in _AGAIN:
            return Fate.AGAIN
        return Fate.CLASH if state.startswith(_CLASH_CLASS) else Fate.OWN

    def maintain(self, now: datetime | None) -> list[str]:
        """See Engine: partitions are made ahead, and dropped."""
        with self._plain() as connection:
            row = connection.execute("SELECT now()").fetchone() if now is None else (now,)
            assert row is not None
            return _partitions.keep(connection, row[0])

    def remarks(self) -> list[str]:
        """See Engine."""
        with self._plain() as connection:
            strays = ", ".join(_partitions.strays(connection))
            unsafe = [name for name in ("fsync", "full_page_writes")
                      if connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone() != ("on",)]
        found = [f"{name} is off: what a receipt promises does not survive a power cut; switch it on"
                 for name in unsafe]
        if strays:
            found.append(f"rows of {strays} lie in no month's partition; see that the duty `partitions` runs, and "
                         "docs/operations.md on PostgreSQL")
        return found

    def _plain(self) -> "psycopg.Connection[Any]":
        return cast("psycopg.Connection[Any]", self.connect_plain())

    def accompany(self) -> Companion:
        """See Engine."""
        return _Beside()


class _Cursor(psycopg.Cursor[Any]):
    """Takes its results in binary: octets are not written out in hex and read back."""

    def __init__(self, connection: psycopg.Connection[Any], *, row_factory: Any = None) -> None:
        super().__init__(connection, row_factory=row_factory)
        self.format = psycopg.pq.Format.BINARY


class _Walker(Cursor):
    """A cursor of the server's, on which rows are fetched as they are needed. It ends with the transaction."""

    _numbers = count(1)

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._name = ""

    def execute(self, sql: str, parameters: Any = (), /) -> object:
        self._name = f"walk{next(self._numbers)}"
        return self._cursor.execute(f"DECLARE {self._name} NO SCROLL CURSOR FOR {sql}", parameters)

    def fetchall(self) -> list[Row]:
        return self._fetch("ALL")

    def fetchmany(self, size: int, /) -> list[Row]:
        return self._fetch(str(size))

    def close(self) -> None:
        self._cursor.close()

    def _fetch(self, many: str) -> list[Row]:
        self._cursor.execute(f"FETCH {many} FROM {self._name}")
        return self._cursor.fetchall()


class _Beside(Companion):
    """Nothing: writers of a node take turns at the end of their chain (chain.py), and the server keeps its own log."""

    def turn(self) -> AbstractContextManager[None]:
        """See Companion."""
        return nullcontext()

    def committed(self, connection: Connection) -> None:
        """See Companion."""

    def close(self) -> None:
        """See Companion."""


def _parameters(database: Database) -> dict[str, str]:
    """What libpq is told. Raises Misconfigured."""
    try:
        given = conninfo_to_dict("postgresql://" + database.url.removeprefix(POSTGRES))
    except psycopg.ProgrammingError:  # whose text quotes the url
        raise Misconfigured("the store's url is none that libpq understands; "
                            f"remedy: {POSTGRES}user@host1,host2/name?sslmode=verify-full") from None
    session = _SESSION | {
        "statement_timeout": f"{database.statement_seconds}s", "lock_timeout": f"{database.lock_seconds}s",
        "idle_in_transaction_session_timeout": f"{_IDLE_SECONDS}s"}
    ours = " ".join(f"-c {name}={value}" for name, value in session.items())
    stated = {name: str(value) for name, value in given.items() if value is not None}
    return _DEFAULTS | stated | {"options": f"{ours} {stated.get('options', '')}".strip()}  # the later one counts
