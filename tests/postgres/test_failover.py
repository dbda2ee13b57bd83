"""Connections that are cut, servers that die: nothing that was answered is lost, nothing is done twice."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest

from gateway.database import Database
from gateway.errors import GatewayError, Misconfigured, Overloaded, StorageError
from gateway.storage import Store, open_store, upgrade, verify_chain
from gateway.values import Entry
from tests.contract.conftest import Hub
from tests.contract.samples import ENERGIE, NOW, acceptance, number
from tests.postgres.cluster import Cluster, NotInstalled, binaries, cluster, free_port
from tests.postgres.databases import GIVEN, ask, fresh, make, named

try:
    binaries()
    INSTALLED = True
except NotInstalled:
    INSTALLED = False

own_server = pytest.mark.skipif(not INSTALLED, reason="needs a PostgreSQL server of its own, to kill it")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with fresh() as url, open_store(url, node="north") as store:
        yield Hub(url=url, folder=tmp_path, store=store)


class Cut:
    """A cursor that ends its own connection, once, before or after a statement has done its work."""

    def __init__(self, real: Any, url: str, *, at: str, after: bool, cuts: list[str]) -> None:
        self._real, self._url, self._at, self._after, self._cuts = real, url, at, after, cuts

    def execute(self, sql: str, *parameters: Any) -> object:
        if self._at not in sql or self._cuts:
            return self._real.execute(sql, *parameters)
        self._cuts.append(sql)
        if self._after:
            self._real.execute(sql, *parameters)
        end = self._real.connection.info.backend_pid
        ask(self._url, f"SELECT pg_terminate_backend({end}, 5000)")
        return self._real.execute("SELECT 1")  # which finds the connection gone, as the lost answer would have

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def cut(hub: Hub, at: str, *, after: bool = False) -> list[str]:
    """Cut the writer's connection at its next statement with this text."""
    writer, cuts = hub.store._writer, list[str]()

    class Connection:
        def __init__(self, real: Any) -> None:
            self._real = real

        def cursor(self) -> Cut:
            return Cut(self._real.cursor(), hub.url, at=at, after=after, cuts=cuts)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    writer._connection = Connection(writer._connection)
    return cuts


WHERE = [("BEGIN", False), ("chain_heads", False), ("INSERT INTO messages", True), ("INSERT INTO payloads", True),
         ("UPDATE chain_heads", True), ("COMMIT", False), ("COMMIT", True)]


@pytest.mark.parametrize(("at", "after"), WHERE)
def test_a_cut_connection_costs_no_message_and_doubles_none(hub: Hub, at: str, after: bool) -> None:
    hub.accept(acceptance("before"))
    cuts = cut(hub, at, after=after)
    entry = hub.accept(acceptance("a"))
    assert cuts
    assert (entry.position, entry.repeated) == (2, False)
    assert ask(hub.url, "SELECT count(*) FROM entries") == [(2,)]
    assert hub.accept(acceptance("a")).journal_hash == entry.journal_hash
    assert all(report.holds for report in verify_chain(hub.url))


def collect(hub: Hub) -> object:
    return hub.mailbox.collect(ENERGIE.id, number("a"), NOW)[0].status


def confirm(hub: Hub) -> object:
    return hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW)


def cancel(hub: Hub) -> object:
    return hub.operator.cancel(number("b"), ENERGIE.id, who="b", why="proef", now=NOW).status


def note(hub: Hub) -> object:
    return hub.operator.note("parties apply", who="b", why="proef", now=NOW)


@pytest.mark.parametrize("act", [collect, confirm, cancel, note])
def test_an_act_whose_commit_had_no_answer_is_done_once_and_told(hub: Hub, act: Callable[[Hub], object]) -> None:
    """Cancelling twice would be refused, a note would stand there twice: so these were not run again."""
    hub.accept(acceptance("a"))
    hub.accept(acceptance("b"))
    if act is confirm:
        collect(hub)
    before = hub.position()
    cuts = cut(hub, "COMMIT", after=True)
    result = act(hub)
    assert cuts
    assert result == {collect: "OPGEHAALD", confirm: {number("a"): True}, cancel: "GEANNULEERD",
                      note: before + 1}[act]
    assert hub.position() == before + 1


def test_backends_that_are_ended_all_the_time_lose_nothing(hub: Hub) -> None:
    """Four threads send, while somebody ends whatever connection there is."""
    done, ended = Event(), list[int]()

    def end() -> None:
        while not done.wait(0.1):
            ended.append(len(ask(hub.url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                          "WHERE datname = current_database() AND pid <> pg_backend_pid()")))

    with ThreadPoolExecutor(5) as pool:
        ending = pool.submit(end)
        until = monotonic() + 30

        def send(who: int) -> list[Entry]:
            sent: list[Entry] = []
            while (len(sent) < 5 or sum(ended) < 10) and monotonic() < until:
                sent.append(hub.accept(acceptance(f"{who}-{len(sent)}")))
            return sent

        entries = [entry for sent in pool.map(send, range(4)) for entry in sent]
        done.set()
        ending.result()
    assert sum(ended) >= 10
    assert len(entries) >= 20
    assert {entry.position for entry in entries} == set(range(1, len(entries) + 1))
    assert not any(entry.repeated for entry in entries)
    assert [report.entries for report in verify_chain(hub.url)] == [len(entries)]


def test_a_read_gets_a_connection_that_works(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    for _ in range(3):
        ask(hub.url, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                     "WHERE datname = current_database() AND pid <> pg_backend_pid()")
        assert len(hub.mailbox.waiting(ENERGIE.id, berichttype=None, conversatie=None, limit=9)) == 1


def test_no_more_read_than_the_pool_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.storage.readers._SLOT_SECONDS", 0.01)
    with fresh() as url, open_store(Database(url=url, pool=1)) as store:
        with store.read(), pytest.raises(Overloaded), store.read():
            pass
        with store.read():
            pass


def test_what_waits_for_a_lock_too_long_is_an_error_in_bounded_time(hub: Hub, tmp_path: Path) -> None:
    short = Database(url=hub.url, lock_seconds=1, retry_seconds=1)
    hub.accept(acceptance("a"))
    with open_store(short, node="north") as store, psycopg.connect(hub.url.replace("+psycopg", "")) as other:
        other.execute("SELECT 1 FROM chain_heads FOR UPDATE")
        began = monotonic()
        with pytest.raises(StorageError):
            Hub(url=hub.url, folder=tmp_path, store=store).accept(acceptance("b"))
        assert monotonic() - began < 8
        other.rollback()
        assert Hub(url=hub.url, folder=tmp_path, store=store).accept(acceptance("b")).position == 2


# --- servers of our own, that are killed --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


def opened(url: str, stack: ExitStack, folder: Path, **bounds: Any) -> Hub:
    store: Store = stack.enter_context(open_store(Database(url=url, **bounds), node="north"))
    return Hub(url=url, folder=folder, store=store)


@own_server
@pytest.mark.parametrize("way", ["fast", "immediate", "kill"])
def test_a_server_that_is_restarted_under_load_loses_nothing(server: Cluster, tmp_path: Path, way: str) -> None:
    """Works and reads wait for it to come back."""
    url = make(server.tcp)
    upgrade(url)
    with ExitStack() as stack:
        hub = opened(url, stack, tmp_path)
        down, until, broken = Event(), monotonic() + 4, list[StorageError]()

        def send(who: int) -> list[Entry]:
            sent: list[Entry] = []
            while monotonic() < until:
                sent.append(hub.accept(acceptance(f"{who}-{len(sent)}")))
                if down.is_set() and who == 0:
                    look(hub, broken)
            return sent

        with ThreadPoolExecutor(3) as pool:
            sending = [pool.submit(send, who) for who in range(3)]
            sleep(1)
            down.set()
            server.kill() if way == "kill" else server.stop(way)
            sleep(0.5)
            _start_again(server)
            entries = [entry for sent in sending for entry in sent.result(60)]
        assert sorted(entry.position for entry in entries) == list(range(1, len(entries) + 1))
        assert not any(entry.repeated for entry in entries)
        assert len(broken) <= 1  # the one that was under way
        assert [report.entries for report in verify_chain(url)] == [len(entries)]


def look(hub: Hub, broken: list[StorageError]) -> None:
    try:
        hub.mailbox.waiting(ENERGIE.id, berichttype=None, conversatie=None, limit=1)
    except StorageError as error:
        broken.append(error)


def _start_again(server: Cluster) -> None:
    """After SIGKILL the last of its processes may still hold its memory."""
    until = monotonic() + 20
    while True:
        try:
            server.start()
            return
        except Exception:
            if monotonic() > until:
                raise
            sleep(0.2)


@own_server
def test_a_server_that_stays_away_is_an_error_in_bounded_time(server: Cluster, tmp_path: Path) -> None:
    url = make(server.tcp)
    upgrade(url)
    with ExitStack() as stack:
        hub = opened(url, stack, tmp_path, retry_seconds=1)
        hub.accept(acceptance("a"))
        server.stop("immediate")
        try:
            began = monotonic()
            with pytest.raises(StorageError):
                hub.accept(acceptance("b"))
            with pytest.raises(StorageError):
                hub.mailbox.waiting(ENERGIE.id, berichttype=None, conversatie=None, limit=1)
            assert monotonic() - began < 8
            with pytest.raises(Misconfigured, match="can't be reached"):
                open_store(url)
        finally:
            server.start()
        assert hub.accept(acceptance("b")).position == 2


@own_server
def test_of_several_hosts_the_one_that_can_write_is_found(server: Cluster, tmp_path: Path) -> None:
    """Nothing listens at the first; the second is read-only, as a standby is; the third is the primary."""
    with cluster() as standby, ExitStack() as stack:
        ask(standby.tcp, "ALTER SYSTEM SET default_transaction_read_only = on")
        ask(standby.tcp, "SELECT pg_reload_conf()")
        url = make(server.tcp)
        upgrade(url)
        hosts = f"127.0.0.1:{free_port()},127.0.0.1:{standby.port},127.0.0.1:{server.port}"
        hub = opened(url.replace(f"127.0.0.1:{server.port}", hosts), stack, tmp_path)
        assert hub.accept(acceptance("a")).position == 1
    assert ask(url, "SELECT count(*) FROM messages") == [(1,)]


@own_server
def test_a_primary_that_becomes_read_only_is_left(server: Cluster, tmp_path: Path) -> None:
    """Its connections stay open, and refuse to write (25006) until the other is found."""
    url = make(server.tcp)
    upgrade(url)
    with ExitStack() as stack:
        hub = opened(url, stack, tmp_path)
        hub.accept(acceptance("a"))
        name = url.rpartition("/")[2]
        writer = hub.store._writer._connection.cursor()  # type: ignore[union-attr]
        writer.execute("SET default_transaction_read_only = on")
        assert hub.accept(acceptance("b")).position == 2
        assert ask(named(server.tcp, name), "SELECT count(*) FROM entries") == [(2,)]


# --- what is refused at the door ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("url", "says"), [
    ("postgresql+psycopg://gateway@127.0.0.1:1/gateway", "can't be reached"),
    ("postgresql+psycopg://gateway@db/gateway?sslmod=verify-full", "none that libpq understands"),
    ("mysql://gateway@db/gateway", "does not run on mysql"),
])
def test_a_store_that_can_not_be_opened_says_why_and_shows_no_url(url: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as refused:
        open_store(url)
    assert "gateway@db" not in str(refused.value.detail)


def test_a_database_that_answers_before_it_has_written_is_refused() -> None:
    with fresh() as url:
        name = url.partition("?")[0].rpartition("/")[2]
        ask(url, f"ALTER DATABASE {name} SET synchronous_commit = off")
        with pytest.raises(Misconfigured, match="synchronous_commit is off"):
            open_store(url)


@pytest.mark.parametrize(("revision", "remedy"), [("0001", "gateway db upgrade"), ("9999", "install the gateway")])
def test_a_store_of_another_revision_is_refused_with_the_remedy(revision: str, remedy: str) -> None:
    with fresh() as url:
        ask(url, f"UPDATE alembic_version SET version_num = '{revision}'")
        with pytest.raises(Misconfigured, match=remedy):
            open_store(url)


def test_a_node_goes_on_while_the_store_is_upgraded(hub: Hub, tmp_path: Path) -> None:
    """It only refuses to start again."""
    hub.accept(acceptance("a"))
    ask(hub.url, "ALTER TABLE messages ADD COLUMN later text")
    ask(hub.url, "UPDATE alembic_version SET version_num = '9999'")
    assert hub.accept(acceptance("b")).position == 2
    assert len(hub.mailbox.waiting(ENERGIE.id, berichttype=None, conversatie=None, limit=9)) == 2


def test_upgrades_at_once_take_turns() -> None:
    """Four at once on an empty database."""
    assert GIVEN is not None
    url = make(GIVEN)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(upgrade, [url] * 4))) == 1
    open_store(url).close()


def test_no_password_is_ever_shown(tmp_path: Path) -> None:
    """Neither by what is refused nor by what caused it; read anew for each connection."""
    file = tmp_path / "password"
    file.write_text("geheim\n", "utf-8")
    database = Database(url="postgresql+psycopg://gateway@127.0.0.1:1/gateway", password_file=file)
    with pytest.raises(GatewayError) as refused:
        open_store(database)
    error: BaseException | None = refused.value
    while error is not None:
        assert "geheim" not in f"{error!r} {error}"
        error = error.__cause__ or error.__context__
