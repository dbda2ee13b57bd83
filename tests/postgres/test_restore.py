"""The restore of docs/operations/backup.md on PostgreSQL, with its own tools: a base backup and the log after it."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import Misconfigured
from gateway.storage import Restores, open_store, upgrade, verify_chain
from gateway.storage.restores import State
from gateway.storage.tree import Tree
from tests.contract.conftest import Hub
from tests.contract.samples import ENERGIE, NOW, acceptance
from tests.postgres.cluster import Cluster, NotInstalled, binaries, cluster
from tests.postgres.databases import ask, make

try:
    binaries()
    INSTALLED = True
except NotInstalled:
    INSTALLED = False

pytestmark = pytest.mark.skipif(not INSTALLED, reason="needs a PostgreSQL server of its own, to lose its disk")


@pytest.fixture
def server() -> Iterator[Cluster]:
    """A server that archives its log beside its data."""
    with cluster() as made:
        archive = made.folder / "archive"
        archive.mkdir()
        archive.chmod(0o777)
        made.stop()
        with (made.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"archive_mode = on\narchive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'\n")
        made.start()
        yield made


def base_backup(server: Cluster) -> None:
    server._run("pg_basebackup", "-h", str(server.folder), "-p", str(server.port), "-U", "gateway",
                "-D", f"{server.folder}/base", "-X", "stream", "-c", "fast", "--no-sync")


def lose_the_disk_and_restore(server: Cluster, *, log: bool) -> None:
    """The data is gone; the base backup takes its place, with the archived log or without."""
    server.stop("immediate")
    shutil.rmtree(server.folder / "data")
    (server.folder / "base").rename(server.folder / "data")
    if log:
        with (server.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"restore_command = 'cp {server.folder}/archive/%f %p'\nrecovery_target_timeline = 'latest'\n")
        signal = server.folder / "data" / "recovery.signal"
        signal.touch()
        if server.user:
            shutil.chown(signal, server.user)
    server.start()


def lived(url: str, folder: Path, server: Cluster) -> State:
    """A message before the base backup, one after it, archived, and one that is not; the state at the end."""
    with open_store(url, node="north") as store:
        hub = Hub(url=url, folder=folder, store=store)
        hub.accept(acceptance("before"))
        base_backup(server)
        hub.accept(acceptance("archived"))
        ask(url, "SELECT pg_switch_wal()")
        ask(url, "CHECKPOINT")
        _until_archived(server)
        hub.accept(acceptance("lost"))
        with store.read() as session:
            end = hub.reports.heads()[0]
            return State(node="north", size=end.position, root=Tree(session, "north").root(end.position),
                         chain=end.hash)


def _until_archived(server: Cluster) -> None:
    for _ in range(200):
        if ask(server.url, "SELECT 1 FROM pg_stat_archiver WHERE archived_count > 0 AND last_archived_wal >= "
                           "(SELECT pg_walfile_name(pg_current_wal_lsn() - 16777216))"):
            return
        ask(server.url, "SELECT pg_sleep(0.05)")
    raise AssertionError("the log was not archived")


@pytest.mark.parametrize(("log", "kept"), [(True, 2), (False, 1)], ids=["with the log", "a base backup alone"])
def test_what_the_log_has_comes_back_and_the_rest_is_a_declared_gap(
    server: Cluster, tmp_path: Path, log: bool, kept: int
) -> None:
    url = make(server.url)
    upgrade(url)
    published = lived(url, tmp_path, server)
    lose_the_disk_and_restore(server, log=log)
    for _ in range(200):
        if ask(url, "SELECT pg_is_in_recovery()") == [(False,)]:
            break
        ask(url, "SELECT pg_sleep(0.05)")
    assert [one.holds for one in verify_chain(url, published=[published])] == [False]
    with open_store(url, node="north") as store, pytest.raises(Misconfigured, match="north-2"):
        Restores(store).declare([published], who="a", why="b", now=NOW)
    with open_store(url, node="north-2") as store:
        hub = Hub(url=url, folder=tmp_path, store=store)
        (ended,) = Restores(store).declare([published], who="a", why="b", now=NOW)
        assert (ended.node, ended.size, ended.signed) == ("north", kept, 3)
        later = NOW + timedelta(minutes=1)
        again = [hub.accept(acceptance(name, at=later)) if name not in ("before", "archived")[:kept] else None
                 for name in ("before", "archived", "lost")]
        assert sum(one is not None for one in again) == 3 - kept
        waiting = hub.mailbox.waiting(ENERGIE.id, berichttype=None, conversatie=None, limit=10)
        assert len(waiting) == len({one.referentienummer for one in waiting}) == 3
    assert all(one.holds for one in verify_chain(url, published=[published]))
