"""Months of the journal and of what is sealed: made ahead, moved out of the default, dropped when empty."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from gateway.errors import StorageError
from gateway.storage import open_store, verify_chain
from tests.contract.conftest import Hub
from tests.contract.samples import ENERGIE, NOW, TERM, acceptance, number
from tests.postgres.databases import ask, fresh, libpq


def of(url: str, table: str) -> list[str]:
    rows = ask(url, f"SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid "
                    f"WHERE inhparent = '{table}'::regclass ORDER BY relname")
    return [str(row[0]).removeprefix(f"{table}_") for row in rows]


@pytest.fixture
def url() -> object:
    with fresh() as made:
        yield made


def test_an_upgraded_store_has_this_month_and_three_more(url: str) -> None:
    this = datetime.now(UTC)
    for table in ("entries", "payloads", "bridged_payloads", "addressed_payloads"):
        months = of(url, table)
        assert len(months) == 5
        assert months[0] == f"{this:%Y_%m}"
        assert months[-1] == "default"
    with open_store(url) as store:
        assert store.maintain(this) == []
        assert store.maintain(this + timedelta(days=31))


def test_what_came_before_its_month_was_made_is_moved_there(url: str, tmp_path: Path) -> None:
    with open_store(url) as store:
        hub = Hub(url=url, folder=tmp_path, store=store)
        hub.accept(acceptance("a"))
        assert any("entries, payloads lie in no month" in remark for remark in store.remarks())
        assert "entries_2031_03" in store.maintain(NOW)
        assert not any("no month" in remark for remark in store.remarks())
        assert ask(url, "SELECT count(*) FROM entries_2031_03") == [(1,)]
        hub.accept(acceptance("b", at=NOW + timedelta(days=31)))
        assert ask(url, "SELECT count(*) FROM entries_2031_04") == [(1,)]
        assert hub.accept(acceptance("a")).repeated
        assert hub.mailbox.collect(ENERGIE.id, number("b"), NOW + timedelta(days=31))
    assert [(report.entries, report.holds) for report in verify_chain(url)] == [(3, True)]


def test_a_month_of_sealed_octets_goes_when_it_is_over_and_empty(url: str, tmp_path: Path) -> None:
    with open_store(url) as store:
        store.maintain(NOW)
        hub = Hub(url=url, folder=tmp_path, store=store)
        hub.accept(acceptance("a"))
        later = NOW + timedelta(days=31)
        store.maintain(later)
        assert "2031_03" in of(url, "payloads")  # what waits keeps it
        hub.mailbox.expire(NOW + 2 * TERM, 9)
        assert "-payloads_2031_03" in store.maintain(later)
        assert of(url, "payloads")[0] == "2031_04"
        assert "2031_03" in of(url, "entries")  # the journal stays


def test_a_table_in_use_is_not_waited_for_with_everybody_behind_in_line(url: str) -> None:
    with open_store(url) as store, psycopg.connect(libpq(url)) as other:
        other.execute("LOCK TABLE messages IN ROW EXCLUSIVE MODE")
        with pytest.raises(StorageError, match="LockNotAvailable"):
            store.maintain(NOW)
        other.rollback()
        assert store.maintain(NOW)
