"""Partitions by month, on PostgreSQL: of the journal by an entry's time, of what is sealed by the day of its key.

Months are made ahead, and of what is sealed a month that is over is dropped when it is empty: a table that was filled
and emptied again gives its room back at once, with nothing left to vacuum. What no month takes lies in the partition
`…_default`: nothing is refused because a duty was late, and `gateway doctor` says so.

Each step is a transaction of its own that waits for its locks two seconds at most: whoever comes behind it waits too.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from gateway.storage.records import micros

AHEAD: Final = 3  # months, after the present one
_SEALED: Final = ("payloads", "bridged_payloads", "addressed_payloads")
_TABLES: Final = {"entries": "at"} | dict.fromkeys(_SEALED, "epoch")  # and what each is partitioned by
_LOCK: Final = "SET LOCAL lock_timeout = '2s'"
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_lock(hashtextextended('partitions of the store', 0))"
_ATTACH: Final[tuple[LiteralString, ...]] = (
    "LOCK TABLE messages IN SHARE ROW EXCLUSIVE MODE",  # the foreign key takes it; writers take it first too
    "LOCK TABLE {stray} IN ACCESS EXCLUSIVE MODE",
    "CREATE TABLE {month} (LIKE {table} INCLUDING DEFAULTS)",
    "WITH moved AS (DELETE FROM {stray} WHERE {by} >= {start} AND {by} < {end} RETURNING *) "
    "INSERT INTO {month} SELECT * FROM moved",
    "ALTER TABLE {table} ATTACH PARTITION {month} FOR VALUES FROM ({start}) TO ({end})")

Connection = psycopg.Connection[Any]


def keep(connection: Connection, now: datetime) -> list[str]:
    """Make what is missing, drop what is over; the names of both, the dropped ones with a minus. Raises psycopg.Error.

    `connection` is in autocommit, has no other use, and is closed afterwards.
    """
    connection.execute(_ONE_AT_A_TIME)
    months = [_later(now.astimezone(UTC).date().replace(day=1), ahead) for ahead in range(AHEAD + 1)]
    done: list[str] = []
    for table, by in _TABLES.items():
        present = _names(connection, table)
        for month in months:
            if _name(table, month) not in present:
                _make(connection, table, by, month)
                done.append(_name(table, month))
        if table in _SEALED:
            over = [name for name in sorted(present - {f"{table}_default"}) if name < _name(table, months[0])]
            done += [f"-{name}" for name in over if _drop_empty(connection, table, name)]
    return done


def strays(connection: Connection) -> list[str]:
    """The tables of which a row lies in no month."""
    return [table for table in _TABLES if _any(connection, f"{table}_default")]


def _make(connection: Connection, table: str, by: str, month: date) -> None:
    """One month more. The default partition is searched for its rows, and gives them up: as a rule it is empty."""
    start, end = _bound(table, month), _bound(table, _later(month, 1))
    names = {"table": sql.Identifier(table), "month": sql.Identifier(_name(table, month)), "by": sql.Identifier(by),
             "stray": sql.Identifier(f"{table}_default"), "start": sql.Literal(start), "end": sql.Literal(end)}
    with connection.transaction():
        for statement in _ATTACH:
            _run(connection, statement, names)


def _drop_empty(connection: Connection, table: str, name: str) -> bool:
    """Drop a month that is over, if nothing waits in it; a last transaction of it may still have been under way."""
    if _any(connection, name):
        return False
    names = {"table": sql.Identifier(table), "month": sql.Identifier(name)}
    with connection.transaction():
        _run(connection, "LOCK TABLE messages, {table} IN ACCESS EXCLUSIVE MODE", names)  # as those who write do
        if _any(connection, name):
            return False
        _run(connection, "DROP TABLE {month}", names)
    return True


def _run(connection: Connection, statement: LiteralString, names: Mapping[str, sql.Composable]) -> None:
    connection.execute(_LOCK)
    connection.execute(sql.SQL(statement).format(**names))


def _names(connection: Connection, table: str) -> set[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = %s::regclass", [table])
    return {str(row[0]) for row in rows}


def _any(connection: Connection, name: str) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(sql.Identifier(name))
    row = connection.execute(query).fetchone()
    return bool(row and row[0])


def _name(table: str, month: date) -> str:
    return f"{table}_{month:%Y_%m}"


def _bound(table: str, month: date) -> str | int:
    """The first of a month, as the table's column has it."""
    return month.isoformat() if table in _SEALED else micros(datetime.combine(month, time(), UTC))


def _later(month: date, months: int) -> date:
    year, index = divmod(month.year * 12 + month.month - 1 + months, 12)
    return date(year, index + 1, 1)
