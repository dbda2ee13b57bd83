"""Two nodes on one database, at the same moment: one of them is stopped just before its COMMIT, the other runs into it.

What must come out is what would have come out if the second had come a moment later.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event
from time import monotonic, sleep
from typing import Any

import pytest

from gateway.errors import DuplicateConflict, MailboxUnknown, Replayed
from gateway.storage import Checkpoints, Pruning, SqlTolerances, open_store, verify_chain
from gateway.storage.mailbox import _FIND_TO_CHANGE as _HOLD
from gateway.values import Acceptance, DeliveryState, Entry
from tests.contract.conftest import Hub
from tests.contract.samples import ANTWOORD, BANK, ENERGIE, GEMEENTE, NOW, TERM, accept, acceptance, number
from tests.contract.test_pruning import BEFORE, LATER, old_and_young
from tests.postgres.databases import ask, fresh

PATIENCE = 20


class Race:
    """Node `north` stops before its COMMIT until `south` waits for it, or is through."""

    def __init__(self, url: str, north: Hub, south: Hub) -> None:
        self.url, self.north, self.south = url, north, south

    def run(self, first: Callable[[Hub], Any], second: Callable[[Hub], Any], *, crowd: bool = False) -> tuple[Any, Any]:
        """What both gave, or the exception; `crowd`: the second shares its commit with another work."""
        entered, release = Event(), Event()
        plain = self.north.store.write

        def stopped(work: Callable[[Any], Any]) -> Any:
            def stop(write: Any) -> Any:
                result = work(write)
                entered.set()
                assert release.wait(PATIENCE)
                return result
            return plain(stop)

        self.north.store.write = stopped  # type: ignore[method-assign]
        with ThreadPoolExecutor(4) as pool:
            one = pool.submit(_outcome, first, self.north)
            assert entered.wait(PATIENCE)
            others = self._crowd(pool) if crowd else []
            two = pool.submit(_outcome, second, self.south)
            for other in others:
                other()
            until = monotonic() + PATIENCE
            while not two.done() and not self.waiting() and monotonic() < until:
                sleep(0.005)
            release.set()
            return one.result(PATIENCE), two.result(PATIENCE)

    def _crowd(self, pool: ThreadPoolExecutor) -> list[Callable[[], object]]:
        """Keep south's writer busy until two works wait for it: they are one batch then."""
        begun, go = Event(), Event()

        def hold(_: Any) -> None:
            begun.set()
            assert go.wait(PATIENCE)

        held = pool.submit(self.south.store.write, hold)
        assert begun.wait(PATIENCE)
        beside = pool.submit(self.south.accept, acceptance("beside", conversatie="beside"))

        def let_go() -> None:
            until = monotonic() + PATIENCE
            while self.south.store._writer.waiting < 2 and monotonic() < until:
                sleep(0.005)
            go.set()
            held.result(PATIENCE)

        return [let_go, lambda: beside]

    def waiting(self) -> bool:
        """Does a transaction wait for a lock?"""
        return ask(self.url, "SELECT count(*) FROM pg_stat_activity "
                             "WHERE wait_event_type = 'Lock' AND datname = current_database()") != [(0,)]

    def kinds(self, kind: str) -> int:
        return int(str(ask(self.url, f"SELECT count(*) FROM entries WHERE kind = '{kind}'")[0][0]))


def _outcome(act: Callable[[Hub], Any], hub: Hub) -> Any:
    try:
        return act(hub)
    except Exception as error:
        return error


@pytest.fixture
def race(tmp_path: Path) -> Iterator[Race]:
    """Two nodes that share database and keys; at the end both chains hold."""
    with ExitStack() as stack:
        url = stack.enter_context(fresh())
        hubs = [Hub(url=url, folder=tmp_path, store=stack.enter_context(open_store(url, node=node)))
                for node in ("north", "south")]
        yield Race(url, *hubs)
        assert all(report.holds for report in verify_chain(url))


def send(message: Acceptance, state: str = "GEMELD") -> Callable[[Hub], Entry]:
    return lambda hub: hub.journal.transaction(accept(message, state))


def facts(entry: Entry) -> tuple[object, ...]:
    return entry.position, entry.journal_hash, entry.received_at


@pytest.mark.parametrize("crowd", [False, True], ids=["alone", "in a batch"])
def test_the_same_message_twice_gets_the_same_receipt(race: Race, crowd: bool) -> None:
    one, two = race.run(send(acceptance("a")), send(acceptance("a")), crowd=crowd)
    assert facts(one) == facts(two)
    assert (one.repeated, two.repeated) == (False, True)
    assert race.kinds("accepted") == 1 + crowd


@pytest.mark.parametrize("crowd", [False, True], ids=["alone", "in a batch"])
def test_the_same_number_with_other_content_is_a_conflict(race: Race, crowd: bool) -> None:
    _, two = race.run(send(acceptance("a")), send(acceptance("a", payload=b"<other/>")), crowd=crowd)
    assert isinstance(two, DuplicateConflict)


def test_the_same_message_id_with_other_content_is_a_replay(race: Race) -> None:
    _, two = race.run(send(acceptance("a", message_id="urn:uuid:same")),
                      send(acceptance("b", message_id="urn:uuid:same", payload=b"<other/>")))
    assert isinstance(two, Replayed)


def test_one_certificate_that_comes_twice_is_stored_once(race: Race) -> None:
    one, two = race.run(send(acceptance("a")), send(acceptance("b")))
    assert not one.repeated
    assert not two.repeated
    assert race.north.rows("certificates") == 1


@pytest.mark.parametrize("crowd", [False, True], ids=["alone", "in a batch"])
@pytest.mark.parametrize("turned", [False, True], ids=["same side", "other side"])
def test_two_openings_of_one_conversation_are_one_conversation(race: Race, turned: bool, crowd: bool) -> None:
    """The second sees what the first opened, whichever party it is from."""
    sender, receiver = (ENERGIE, GEMEENTE) if turned else (GEMEENTE, ENERGIE)
    other = acceptance("b", conversatie="one", sender=sender, receivers=(receiver,))
    seen: list[object] = []

    def second(hub: Hub) -> Entry:
        def work(tx: Any) -> Entry:
            found = tx.conversation(other, receiver.id)
            seen.append(found and (found.initiator, found.state))
            return accept(other, "VERDER")(tx)
        return hub.journal.transaction(work)

    race.run(send(acceptance("a", conversatie="one"), "GEOPEND"), second, crowd=crowd)
    assert seen[-1] == (GEMEENTE.id, "GEOPEND")
    assert ask(race.url, f"SELECT initiator, state FROM conversations WHERE conversatie = '{number('one')}'") == [
        (GEMEENTE.id, "VERDER")]


def test_a_third_party_sees_who_opened_the_number(race: Race) -> None:
    """As the choreography asks it: first for its own conversation, then for the number's initiator."""
    other = acceptance("b", conversatie="one", sender=BANK)

    def second(hub: Hub) -> object:
        return hub.journal.transaction(lambda tx: (
            tx.conversation(other, ENERGIE.id), tx.initiator(other.key.module, other.header.conversatie)))

    assert race.run(send(acceptance("a", conversatie="one")), second)[1] == (None, GEMEENTE.id)


def test_a_question_is_answered_once(race: Race) -> None:
    race.south.accept(acceptance("question", conversatie="one"))
    reply = acceptance("answer", conversatie="one", sender=ENERGIE, receivers=(GEMEENTE,), kind=ANTWOORD,
                       cross=number("question"))
    again = acceptance("again", conversatie="one", sender=ENERGIE, receivers=(GEMEENTE,), kind=ANTWOORD,
                       cross=number("question"))

    def second(hub: Hub) -> object:
        def work(tx: Any) -> object:
            conversation = tx.conversation(again, GEMEENTE.id)
            question = tx.question(conversation, number("question"))
            return question.answered, tx.count(conversation, ANTWOORD.correlates_as)
        return hub.journal.transaction(work)

    assert race.run(send(reply), second)[1] == (True, 1)


def test_two_collections_at_once_are_one(race: Race) -> None:
    race.north.accept(acceptance("a"))
    race.run(*[lambda hub: hub.mailbox.collect(ENERGIE.id, number("a"), NOW)] * 2)
    assert race.kinds("collected") == 1


def test_two_confirmations_at_once_are_one_and_both_hear_yes(race: Race) -> None:
    race.north.accept(acceptance("a"))
    race.north.mailbox.collect(ENERGIE.id, number("a"), NOW)
    both = race.run(*[lambda hub: hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW)] * 2)
    assert both == ({number("a"): True},) * 2
    assert race.kinds("confirmed") == 1


def test_the_last_of_two_addressees_who_confirm_at_once_erases_the_content(race: Race) -> None:
    race.north.accept(acceptance("a", receivers=(ENERGIE, BANK)))
    for party in (ENERGIE, BANK):
        race.north.mailbox.collect(party.id, number("a"), NOW)
    race.run(lambda hub: hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW),
             lambda hub: hub.mailbox.confirm(BANK.id, (number("a"),), NOW))
    assert race.north.payloads() == 0


def test_what_is_cancelled_is_not_collected_at_the_same_moment(race: Race) -> None:
    race.north.accept(acceptance("a"))
    _, two = race.run(lambda hub: hub.operator.cancel(number("a"), ENERGIE.id, who="b", why="proef", now=NOW),
                      lambda hub: hub.mailbox.collect(ENERGIE.id, number("a"), NOW))
    assert isinstance(two, MailboxUnknown)
    assert race.kinds("collected") == 0


def test_a_party_is_erased_while_it_collects(race: Race) -> None:
    race.north.accept(acceptance("a"))
    _, ended = race.run(lambda hub: hub.mailbox.collect(ENERGIE.id, number("a"), NOW),
                        lambda hub: hub.operator.erase_party(ENERGIE.id, who="b", why="vertrok", now=NOW))
    assert ended == 1
    assert ask(race.url, "SELECT state FROM deliveries") == [(DeliveryState.GEANNULEERD.value,)]


def test_expiry_on_two_nodes_ends_each_once_and_nobody_waits(race: Race) -> None:
    for name in "abc":
        race.north.accept(acceptance(name))
    late = NOW + 2 * TERM
    assert race.run(*[lambda hub: hub.mailbox.expire(late, 100)] * 2) == (3, 0)
    assert race.kinds("expired") == 3


def test_what_expires_is_not_confirmed_at_the_same_moment(race: Race) -> None:
    race.north.accept(acceptance("a"))
    race.north.mailbox.collect(ENERGIE.id, number("a"), NOW)
    _, two = race.run(lambda hub: hub.mailbox.expire(NOW + 2 * TERM, 9),
                      lambda hub: hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW))
    assert two == {number("a"): False}
    assert race.kinds("confirmed") == 0


def test_tolerances_counted_on_two_nodes_add_up(race: Race) -> None:
    def flush(hub: Hub) -> None:
        counted = SqlTolerances(hub.store)
        counted.note(ENERGIE.id, ("T1",), NOW)
        counted.flush()

    race.run(flush, flush)
    assert [one.count for one in race.north.reports.tolerances(ENERGIE.id)] == [2]


def test_retention_on_two_nodes_drops_everything_once(race: Race) -> None:
    old_and_young(race.south)
    ends = race.south.position()
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda hub: Pruning(hub.store).prune(before=BEFORE, now=LATER), (race.north, race.south)))
    assert race.north.rows("messages") == 1
    assert sum(one.messages for one in done) == 3
    assert all(one.entries in (0, ends - 2) for one in done)
    assert race.north.rows("prunings") == 1


def test_checkpoints_of_one_chain_made_on_two_nodes_are_one(race: Race) -> None:
    race.north.accept(acceptance("a"))
    drafts = [Checkpoints(hub.store).draft("north") for hub in (race.north, race.south)]

    def add(hub: Hub) -> bool:
        draft = drafts[0 if hub is race.north else 1]
        assert draft is not None
        return Checkpoints(hub.store).add(draft, note=b"note", at=NOW, certificate=b"der", digest="ab")

    assert race.run(add, add) == (True, False)


def test_a_deadlock_between_two_nodes_is_run_again(race: Race) -> None:
    for name in "ab":
        race.north.accept(acceptance(name, receivers=(ENERGIE,)))
        race.north.mailbox.collect(ENERGIE.id, number(name), NOW)
    met = Barrier(2)

    def confirm(hub: Hub, order: str) -> object:
        tries: list[int] = []

        def work(write: Any) -> None:
            tries.append(1)
            for i, name in enumerate(order):
                write.all(_HOLD, referentienummer=number(name), party=ENERGIE.id)
                if i == 0 and len(tries) == 1:
                    met.wait(PATIENCE)
            write.chain.append("operator", at=NOW, facts={"who": "x", "why": order})
        hub.store.write(work)
        return len(tries)

    with ThreadPoolExecutor(2) as pool:
        tries = list(pool.map(confirm, (race.north, race.south), ("ab", "ba")))
    assert sorted(tries) == [1, 2]
    assert race.kinds("operator") == 2


def test_many_of_both_nodes_at_once(race: Race) -> None:
    """Nothing is stopped here: eight threads a node send the same forty messages, and the parties collect meanwhile."""
    messages = [replace(acceptance(f"m{i % 40}", conversatie=f"c{i % 7}"), received_at=NOW + timedelta(seconds=1))
                for i in range(80)]

    def one(i: int) -> Entry:
        hub = (race.north, race.south)[i % 2]
        entry = hub.accept(messages[(i * 17) % 80])
        _outcome(lambda it: it.mailbox.collect(ENERGIE.id, entry.referentienummer, NOW), hub)
        hub.mailbox.confirm(ENERGIE.id, (entry.referentienummer,), NOW)
        return entry

    with ThreadPoolExecutor(16) as pool:
        entries = list(pool.map(one, range(160)))
    receipts = {(entry.referentienummer, *facts(entry)) for entry in entries}
    assert len(receipts) == 40
    assert (race.kinds("accepted"), race.kinds("collected"), race.kinds("confirmed")) == (40, 40, 40)
    assert race.north.payloads() == 0
