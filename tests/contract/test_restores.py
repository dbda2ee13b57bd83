"""A store that was put back: where chains ended, what may go on then, what is still found. And copies of it."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from gateway.app.checkpoints import audit, published_states
from gateway.app.restore import backup_store, behind
from gateway.database import Database
from gateway.errors import Misconfigured, StorageError
from gateway.storage import Checkpoints, Pruning, Restores, Store, backup, months_later, open_store, verify_chain
from tests.contract.test_checkpoints import Bench, bench
from tests.postgres.databases import in_a_file

__all__ = ["bench"]
pytestmark = in_a_file


def add(store: Store, bench: Bench, count: int = 1) -> None:
    bench.now += timedelta(seconds=1)  # other entries than those that were lost
    bench.add(count, store)


def copied(bench: Bench) -> Path:
    """The store as it is now."""
    target = bench.settings.folder / "copy.db"
    backup(bench.settings.store.database, target, lambda done, of: None)
    return target


def put_back(bench: Bench, copy: Path) -> None:
    bench.store.close()
    shutil.copyfile(copy, bench.settings.folder / "gateway.db")


@pytest.fixture
def restored(bench: Bench) -> Bench:
    """Two entries in the store, of five that were published."""
    bench.add(2)
    bench.writer().write()
    copy = copied(bench)
    bench.add(3)
    bench.writer().write()
    put_back(bench, copy)
    return bench


def reopened(bench: Bench, node: str = "hub") -> Store:
    return open_store(bench.settings.store.database, node=node)


def named(bench: Bench, node: str) -> Bench:
    bench.settings = replace(bench.settings, hub=replace(bench.settings.hub, node=node))
    return bench


def declare(bench: Bench, node: str = "hub-2") -> None:
    with reopened(named(bench, node), node) as store:
        Restores(store).declare(published_states(bench.settings), who="a", why="b", now=bench.now)


def reasons(bench: Bench) -> list[str]:
    return [one.reason for one in audit(bench.settings, bench.instance.signing, lambda done: None) if not one.holds]


def test_a_node_does_not_go_on_behind_what_it_published_nor_in_a_chain_that_ended(restored: Bench) -> None:
    with reopened(restored) as store:
        assert "5 entries of hub" in behind(restored.settings, store)
    declare(restored)
    with reopened(restored, "hub-2") as store:
        assert behind(restored.settings, store) == ""
        assert '"hub-2"' in behind(named(restored, "hub").settings, store)


def test_a_longer_fork_does_not_take_the_place_of_what_was_published(restored: Bench) -> None:
    before = (restored.settings.journal.checkpoints / "hub.txt").read_bytes()
    with reopened(restored) as store:
        add(store, restored, 9)
        restored.writer(store).write()
    assert restored.events[-1][0] == "checkpoint-not-written"
    assert (restored.settings.journal.checkpoints / "hub.txt").read_bytes() == before
    assert reasons(restored) == ["entries 3 to 5 are not those that were published"]


def test_a_fork_can_be_declared_too_and_only_what_was_declared_is_excused(restored: Bench) -> None:
    with reopened(restored) as store:
        add(store, restored, 9)
    declare(restored)
    assert reasons(restored) == []
    other = replace(published_states(restored.settings)[0], root=bytes(32))
    found = verify_chain(restored.settings.store.database, published=[other])
    assert [one.holds for one in found] == [False, True]


def test_an_entry_after_the_declared_end_is_found(restored: Bench) -> None:
    declare(restored)
    with reopened(restored) as store:
        add(store, restored)
    assert reasons(restored) == ["it ended at 2, as hub-2 says since a restore"]


def test_an_entry_taken_from_a_chain_that_ended_is_found(restored: Bench) -> None:
    declare(restored)
    with closing(sqlite3.connect(restored.settings.folder / "gateway.db")) as database, database:
        database.execute("DELETE FROM checkpoints WHERE node = 'hub'")
        database.execute("DELETE FROM entries WHERE node = 'hub' AND position = 2")
        database.execute("UPDATE chain_heads SET position = 1, hash = (SELECT hash FROM entries WHERE node = 'hub' "
                         "AND position = 1) WHERE node = 'hub'")
    assert reasons(restored) == ["it ended at 2, as hub-2 says since a restore"]


def test_the_end_of_a_chain_is_signed_and_what_was_published_of_it_stays(restored: Bench) -> None:
    before = (restored.settings.journal.checkpoints / "hub.txt").read_bytes()
    with reopened(restored) as store:
        add(store, restored)  # of before the restore was noticed
    declare(restored)
    with reopened(restored, "hub-2") as store:
        restored.writer(store).write("hub")
        restored.writer(store).write("hub-2")
        assert {one.node: one.size for one in Checkpoints(store).all()} == {"hub": 3, "hub-2": 2}
    assert "checkpoint-not-written" not in [event for event, _ in restored.events]
    assert (restored.settings.journal.checkpoints / "hub.txt").read_bytes() == before
    assert reasons(restored) == []


def test_an_older_copy_still_ends_the_journal_that_a_restore_began(restored: Bench) -> None:
    copy = Path(shutil.copyfile(restored.settings.folder / "gateway.db", restored.settings.folder / "again.db"))
    declare(restored)
    with reopened(restored, "hub-2") as store:
        restored.writer(store).write()
    shutil.copyfile(copy, restored.settings.folder / "gateway.db")
    with pytest.raises(Misconfigured, match="hub-3"):
        declare(restored)
    declare(restored, "hub-3")
    with reopened(restored, "hub-3") as store:
        assert {one.node: (one.size, one.signed) for one in Restores(store).ended().values()} == {
            "hub": (2, 5), "hub-2": (0, 2)}
    assert reasons(restored) == []


def test_the_retention_rule_leaves_what_a_restore_says(restored: Bench) -> None:
    declare(restored)
    later = months_later(restored.now, 30)
    with reopened(restored, "hub-2") as store:
        assert Pruning(store).prune(before=months_later(later, -24), now=later).entries
        assert set(Restores(store).ended()) == {"hub"}
    with closing(sqlite3.connect(restored.settings.folder / "gateway.db")) as database:
        kept = database.execute("SELECT node, kind FROM entries WHERE record <> '' ORDER BY node, position").fetchall()
    assert ("hub-2", "restored") in kept
    assert {kind for node, kind in kept} == {"restored", "pruned"}  # the operator's name and reason went
    assert reasons(restored) == []


def test_a_copy_is_one_moment_while_others_write(bench: Bench, tmp_path: Path) -> None:
    bench.add(20_000)
    stop = Event()

    def write() -> None:
        while not stop.is_set():
            bench.add(5)

    writer = Thread(target=write)
    writer.start()
    told: list[tuple[int, int]] = []
    try:
        octets = backup(bench.settings.store.database, tmp_path / "copy.db", lambda done, of: told.append((done, of)))
    finally:
        stop.set()
        writer.join()
    assert told[-1][0] == told[-1][1] > 0
    assert (tmp_path / "copy.db").stat().st_size == octets
    (report,) = verify_chain(f"sqlite:///{tmp_path}/copy.db")
    assert report.holds
    assert report.entries >= 20_000
    assert not list(tmp_path.glob("copy.db?*"))  # one file, nothing beside it


def test_a_copy_goes_over_nothing_and_not_where_keys_are(bench: Bench, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("x", "utf-8")
    for target in (taken, tmp_path / "nowhere" / "copy.db", bench.settings.folder / "keys" / "copy.db"):
        with pytest.raises(Misconfigured):
            backup_store(bench.settings.folder, target, lambda done, of: None)
    assert taken.read_text("utf-8") == "x"
    with pytest.raises(Misconfigured, match="pg_basebackup"):
        backup(Database(url="postgresql+psycopg://x@y/z"), tmp_path / "copy.db", lambda done, of: None)
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"SQLite format 3\0" + bytes(5000))
    with pytest.raises(StorageError):
        backup(Database(url=f"sqlite:///{damaged}"), tmp_path / "copy.db", lambda done, of: None)
    assert not list(tmp_path.glob("copy.db*"))
