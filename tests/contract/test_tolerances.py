"""The counts of tolerances: kept in memory until flushed, added to what other processes wrote, read per party."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import StorageError
from gateway.storage import SqlTolerances, current, open_store, upgrade
from gateway.storage.migrations import _config, _connected
from gateway.storage.tables import REVISION
from gateway.values import ToleranceUse
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, NOW


def test_a_count_is_written_at_the_flush_and_adds_up_over_processes(hub: Hub) -> None:
    one, other = SqlTolerances(hub.store), SqlTolerances(hub.store)
    one.note(BANK.id, ("from-absent", "clock-skew"), NOW)
    one.note(BANK.id, ("from-absent",), NOW + timedelta(minutes=1))
    other.note(BANK.id, ("from-absent",), NOW - timedelta(minutes=1))
    assert hub.reports.tolerances(BANK.id) == []
    for each in (one, other, one):
        each.flush()
    assert hub.reports.tolerances(BANK.id) == [
        ToleranceUse(tolerance="clock-skew", first_seen=NOW, last_seen=NOW, count=1),
        ToleranceUse(tolerance="from-absent", first_seen=NOW - timedelta(minutes=1),
                     last_seen=NOW + timedelta(minutes=1), count=3)]
    assert hub.reports.tolerances(ENERGIE.id) == []
    assert hub.position() == 0, "no entry of the journal: it decides nothing"


def test_any_order_of_notes_and_flushes_gives_the_same(hub: Hub) -> None:
    moments = [NOW + timedelta(seconds=second) for second in range(40)]
    random.Random(4).shuffle(moments)
    several = [SqlTolerances(hub.store) for _ in range(3)]
    for turn, moment in enumerate(moments):
        several[turn % 3].note(BANK.id, ("from-absent",), moment)
        if turn % 7 == 0:
            several[turn % 2].flush()
    for each in several:
        each.flush()
    assert hub.reports.tolerances(BANK.id) == [ToleranceUse(
        tolerance="from-absent", first_seen=min(moments), last_seen=max(moments), count=40)]


def test_what_could_not_be_written_is_kept_for_the_next_time(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = SqlTolerances(hub.store)
    noted.note(BANK.id, ("from-absent",), NOW)
    with monkeypatch.context() as patch:
        patch.setattr(type(hub.store), "write", lambda self, work: (_ for _ in ()).throw(StorageError("full")))
        with pytest.raises(StorageError):
            noted.flush()
    noted.note(BANK.id, ("from-absent",), NOW + timedelta(seconds=1))
    noted.flush()
    (found,) = hub.reports.tolerances(BANK.id)
    assert (found.count, found.first_seen, found.last_seen) == (2, NOW, NOW + timedelta(seconds=1))


def test_notes_of_many_threads_are_all_counted(hub: Hub) -> None:
    noted = SqlTolerances(hub.store)

    def once(turn: int) -> None:
        noted.note(BANK.id, ("from-absent",), NOW)
        if turn % 50 == 0:
            noted.flush()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(once, range(400)))
    noted.flush()
    assert [one.count for one in hub.reports.tolerances(BANK.id)] == [400]


def test_a_store_of_the_first_revision_is_upgraded_and_keeps_what_it_holds(tmp_path: Path) -> None:
    from alembic import command

    url = f"sqlite:///{tmp_path}/old.db"
    with _connected(url) as connection:
        command.upgrade(_config(connection), "0001")
        connection.exec_driver_sql("INSERT INTO chain_heads VALUES ('hub', 7, x'00')")
    assert current(url) == "0001"
    assert upgrade(url) == REVISION
    with open_store(url) as store:
        SqlTolerances(store).flush()
    with _connected(url) as connection:
        assert connection.exec_driver_sql("SELECT position FROM chain_heads").scalar() == 7
