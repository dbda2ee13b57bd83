"""Statements are written in SQLAlchemy Core, compiled once per store, and run straight on the driver's cursor.

Core's own execution costs about 45 µs a statement; a message needs a dozen. Compiled once, the same statement costs
what the driver costs. This module is the only place where that is done; no SQL text is written anywhere in the room
except transaction control (engine.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Protocol, cast

from sqlalchemy import Column, Dialect, Insert
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

Row = tuple[Any, ...]


class Cursor(Protocol):
    """As much of a DB-API cursor as is used here."""

    def execute(self, sql: str, parameters: Any = ..., /) -> object: ...

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""
        return -1

    @property
    def lastrowid(self) -> int | None:
        """The number of the row that was added last, where the driver tells it."""
        return None

    def fetchall(self) -> list[Row]: ...

    def fetchmany(self, size: int, /) -> list[Row]: ...

    def close(self) -> None: ...


class Query:
    """A statement with named bind parameters; none of them may be a list: those of `in_` stand in the statement."""

    __slots__ = ("construct",)

    def __init__(self, construct: Executable) -> None:
        self.construct = construct

    def on(self, dialect: Dialect) -> Executable:
        """The statement as it is written for this kind of database."""
        return self.construct


class Adding(Query):
    """Adds one row whose number the database makes (Session.add).

    RETURNING only where the driver does not tell that number by itself: with it, SQLite makes a copy of every page
    that the statement changes, to undo it alone.
    """

    __slots__ = ("_number",)

    def __init__(self, construct: Insert, number: "Column[int]") -> None:
        super().__init__(construct)
        self._number = number

    def on(self, dialect: Dialect) -> Executable:
        """See Query."""
        assert isinstance(self.construct, Insert)
        tells = cast(DefaultDialect, dialect).postfetch_lastrowid
        return self.construct if tells else self.construct.returning(self._number)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    sql: str
    arguments: Callable[[dict[str, object]], object]  # the values by name → as the driver takes them
    writes: bool


def _arguments(names: tuple[str, ...] | None, fixed: dict[str, object]) -> Callable[[dict[str, object]], object]:
    """`names`: order of the positional parameters, None when the driver takes names; `fixed`: the statement's own."""
    if fixed:
        arrange = _arguments(names, {})
        return lambda given: arrange(fixed | given)
    if names is None:
        return lambda given: given
    if len(names) < 2:
        return lambda given: tuple([given[name] for name in names])
    return itemgetter(*names)


class Statements:
    """The compiled form of every Query of one store."""

    __slots__ = ("_compiled", "_dialect")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: dict[Query, _Compiled] = {}

    def of(self, query: Query) -> _Compiled:
        """The compiled statement, remembered. Two threads may compile the same one; either result will do."""
        found = self._compiled.get(query)
        if found is None:
            found = self._compiled[query] = self.compile(query)
        return found

    def compile(self, query: Query) -> _Compiled:
        """Compile without remembering: for the statements of a log search, which differ each time."""
        construct = query.on(self._dialect)
        compiled = cast(SQLCompiler, cast(ClauseElement, construct).compile(
            dialect=self._dialect, compile_kwargs={"render_postcompile": True}))
        return _Compiled(
            sql=str(compiled), writes=construct.is_dml,
            arguments=_arguments(
                tuple(compiled.positiontup or ()) if compiled.positional else None,
                {name: value for name, value in compiled.params.items() if value is not None}),
        )


class Session:
    """Runs statements on one cursor. Lives as long as its transaction."""

    __slots__ = ("_cursor", "_statements")

    def __init__(self, cursor: Cursor, statements: Statements) -> None:
        self._cursor = cursor
        self._statements = statements

    def _execute(self, query: Query, values: dict[str, object]) -> None:
        statement = self._statements.of(query)
        self._cursor.execute(statement.sql, statement.arguments(values))

    def run(self, query: Query, /, **values: object) -> None:
        """Run a statement that gives no rows."""
        self._execute(query, values)

    def all(self, query: Query, /, **values: object) -> list[Row]:
        self._execute(query, values)
        return self._cursor.fetchall()

    def one(self, query: Query, /, **values: object) -> Row | None:
        """The first row. All rows are fetched: a statement left open would hold its snapshot."""
        self._execute(query, values)
        rows = self._cursor.fetchall()
        return rows[0] if rows else None

    def adhoc(self, query: Query, /) -> list[Row]:
        """Run a statement that is built for this one time, with its values in it."""
        statement = self._statements.compile(query)
        self._cursor.execute(statement.sql, statement.arguments({}))
        return self._cursor.fetchall()

    def stream(self, query: Query, /, **values: object) -> Iterator[Row]:
        """The rows a thousand at a time, for walks too long to hold. Run nothing else meanwhile."""
        self._execute(query, values)
        while rows := self._cursor.fetchmany(1000):
            yield from rows
