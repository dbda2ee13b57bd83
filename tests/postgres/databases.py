"""A fresh, upgraded database for each test: a copy of one that was upgraded once per process.

With DATABASE_URL the tests are on that server, whose user may create databases; without it they are on SQLite.
"""

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from gateway.settings import load_settings
from gateway.storage import upgrade
from gateway.storage.tables import metadata

GIVEN = os.environ.get("DATABASE_URL")
in_a_file = pytest.mark.skipif(GIVEN is not None, reason="looks into SQLite's file, or writes into it")

_numbers = count(1)
_made: list[tuple[str, str]] = []  # server and name


def named(url: str, name: str) -> str:
    """The same server, another database."""
    return re.sub(r"^([^/]*//[^/]*/)[^?]*", rf"\g<1>{name}", url)


def libpq(url: str) -> str:
    """The url as psycopg itself takes it."""
    return url.replace("+psycopg", "", 1)


def ask(url: str, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Rows of one statement, on a connection of its own; a `?` in it for each value."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
            return list(database.execute(sql, values))
    import psycopg

    with psycopg.connect(libpq(url), autocommit=True) as connection:
        cursor = connection.execute(sql.replace("?", "%s"), values or None)  # type: ignore[call-overload]
        return list(cursor.fetchall()) if cursor.description else []


def asked(folder: Path, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Rows of one statement on the store of an instance folder, whatever it is: past everything the gateway does."""
    return ask(load_settings(folder).store.database.url, sql, *values)


def everything(folder: Path) -> bytes:
    """Every cell of every table of the store of an instance folder."""
    rows = (row for table in metadata.tables for row in asked(folder, f"SELECT * FROM {table}"))
    return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row)


def make(server: str, template: str | None = None) -> str:
    """The url of a new database."""
    name = f"gateway_test_{os.getpid()}_{next(_numbers)}"
    ask(server, f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    _made.append((server, name))
    return named(server, name)


@cache
def _template(server: str) -> str:
    url = make(server)
    upgrade(url)
    return _made[-1][1]


@contextmanager
def fresh(server: str | None = None) -> Iterator[str]:
    """An upgraded database on this server (default: the one that the tests were given); gone afterwards."""
    where = server or GIVEN
    assert where is not None
    url = make(where, _template(where))
    made = _made[-1]
    try:
        yield url
    finally:
        _made.remove(made)
        ask(where, f"DROP DATABASE {made[1]} WITH (FORCE)")


def place(folder: Path) -> None:
    """Where a server was given, give this instance folder a database on it, until the end of the run."""
    if GIVEN is None:
        return
    file = folder / "gateway.toml"
    url = make(GIVEN, _template(GIVEN))
    file.write_text(file.read_text("utf-8").replace("sqlite:///gateway.db", url), "utf-8")


def copied(template: Path, folder: Path) -> Path:
    """A fresh copy of an instance that was never used, on a store of its own."""
    shutil.copytree(template, folder)
    place(folder)
    return folder


def no_store(folder: Path) -> None:
    """Take away the store of an instance folder: the file, or all that the database holds."""
    if GIVEN is None:
        (folder / "gateway.db").unlink()
    else:
        asked(folder, "DROP SCHEMA public CASCADE")
        asked(folder, "CREATE SCHEMA public")


def drop_all() -> None:
    """At the end of a run: what this process made and did not drop."""
    while _made:
        server, name = _made.pop()
        if server == GIVEN:  # a server of a test's own is gone with what it held
            ask(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
