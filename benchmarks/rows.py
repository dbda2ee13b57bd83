"""The durable part of the ceiling: one row per message, threads that share a commit in the plainest way there is.

Who gets the lock writes what waits. Two stores, as the hub has them: a file of SQLite, a server of PostgreSQL; both
sync at every commit.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

import psycopg

from gateway.app.instance import Instance

_LOG = 48 * 1024 * 1024  # octets; more than a run writes


@dataclass(slots=True)
class Row:
    """One insert that waits for its commit."""

    number: str
    octets: bytes
    durable: bool = False


class Rows(Protocol):
    """Where rows are kept."""

    def commit(self, rows: Sequence[Row]) -> None:
        """Insert them in one durable transaction."""

    def close(self) -> None: ...


class FileRows:
    """A file of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._store = sqlite3.connect(folder / "ceiling.db", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0"):
            self._store.execute(f"PRAGMA {pragma}")
        self._store.execute(
            "CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, number TEXT UNIQUE, payload BLOB)")
        self._lengthen_log()

    def _lengthen_log(self) -> None:
        """While a log grows, each sync also writes that it did: half a commit dearer. A hub's has grown long ago."""
        for statement in (f"CREATE TABLE filler AS SELECT zeroblob({_LOG}) AS zeros", "PRAGMA wal_checkpoint(RESTART)",
                          "DROP TABLE filler", "PRAGMA wal_checkpoint(RESTART)"):
            self._store.execute(statement).fetchall()

    def commit(self, rows: Sequence[Row]) -> None:
        self._store.execute("BEGIN IMMEDIATE")
        for one in rows:
            self._store.execute("INSERT INTO message (number, payload) VALUES (?, ?)", (one.number, one.octets))
        self._store.execute("COMMIT")

    def close(self) -> None:
        self._store.close()


class ServerRows:
    """A table beside the hub's own, over one connection; statements prepared."""

    def __init__(self, url: str) -> None:
        self._store = psycopg.connect(url.replace("+psycopg", "", 1), prepare_threshold=1)
        with self._store.transaction():
            self._store.execute("CREATE TABLE IF NOT EXISTS ceiling_message (id bigint GENERATED ALWAYS AS IDENTITY "
                                "PRIMARY KEY, number text UNIQUE, payload bytea)")

    def commit(self, rows: Sequence[Row]) -> None:
        with self._store.transaction(), self._store.cursor() as cursor:
            cursor.executemany("INSERT INTO ceiling_message (number, payload) VALUES (%s, %s)",
                               [(one.number, one.octets) for one in rows])

    def close(self) -> None:
        self._store.close()


def rows_beside(instance: Instance) -> Rows:
    """Where the ceiling's inserts go: beside what the hub of this instance writes."""
    url = instance.settings.store.database.url
    return FileRows(instance.folder) if url.startswith("sqlite") else ServerRows(url)


class Shared:
    """Rows that many threads write."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._waiting: list[Row] = []
        self._lock = Lock()

    def keep(self, row: Row) -> None:
        """Come back when it is durable."""
        self._waiting.append(row)
        with self._lock:
            if row.durable:
                return
            batch, self._waiting = self._waiting, []
            self._rows.commit(batch)
            for one in batch:
                one.durable = True

    def close(self) -> None:
        self._rows.close()
