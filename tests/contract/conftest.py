"""A fresh database per test: SQLite, or PostgreSQL where a server is given (tests/postgres)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from gateway import ports
from gateway.storage import (
    KeyDirectory,
    Operator,
    Reports,
    Sealer,
    SqlJournal,
    SqlMailbox,
    SqlOutbox,
    Store,
    open_store,
    upgrade,
)
from gateway.values import Acceptance, Entry
from tests.contract.samples import NOW, accept
from tests.postgres.databases import GIVEN, fresh

ENGINES = ["sqlite"] if GIVEN is None else ["postgres"]


@dataclass(slots=True)
class Hub:
    """One open store with everything that stands on it, and a clock the test turns."""

    url: str
    folder: Path
    store: Store
    now: datetime = NOW
    keys: KeyDirectory = field(init=False)
    journal: ports.Journal = field(init=False)
    mailbox: SqlMailbox = field(init=False)
    outbox: SqlOutbox = field(init=False)
    reports: Reports = field(init=False)
    operator: Operator = field(init=False)

    def __post_init__(self) -> None:
        self.keys = KeyDirectory(self.folder / "keys")
        self.journal, self.mailbox = self.over(Sealer(self.keys))
        self.outbox = SqlOutbox(self.store, Sealer(self.keys))
        self.reports = Reports(self.store)
        self.operator = Operator(self.store)

    def over(self, sealer: Sealer) -> tuple[ports.Journal, SqlMailbox]:
        """Journal and mailbox of this store with another sealer."""
        return SqlJournal(self.store, sealer), SqlMailbox(self.store, sealer, lambda: self.now)

    def accept(self, message: Acceptance, state: str = "GEMELD") -> Entry:
        return self.journal.transaction(accept(message, state))

    def payloads(self, table: str = "payloads") -> int:
        """How many sealed payloads the database holds, in this table."""
        return self.rows(table)

    def rows(self, table: str) -> int:
        """How many rows the table has."""
        from sqlalchemy import func, select

        from gateway.storage.session import Query
        from gateway.storage.tables import metadata

        with self.store.read() as session:
            row = session.one(Query(select(func.count()).select_from(metadata.tables[table])))
        assert row is not None
        return int(row[0])

    def position(self) -> int:
        """The end of the journal."""
        return max((head.position for head in self.reports.heads()), default=0)


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        where = f"sqlite:///{tmp_path}/gateway.db"
        upgrade(where)
        yield where
    else:
        with fresh() as where:
            yield where


@pytest.fixture
def hub(url: str, tmp_path: Path) -> Iterator[Hub]:
    with open_store(url, node="hub") as store:
        yield Hub(url=url, folder=tmp_path, store=store)
