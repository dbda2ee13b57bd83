"""What is past its term ends one way, whoever else is at it; and its sender is told exactly once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from gateway.errors import MailboxUnknown
from gateway.storage import Sealer, SqlMailbox, Store, open_store
from gateway.values import Acceptance, DeliveryState, Listed, Search, SetKey
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, GEMEENTE, NOW, TERM, acceptance, number, party

KNOOPPUNT = party("knooppunt", "00000099000000099000")
END = NOW + TERM
AFTER = END + timedelta(seconds=1)


@pytest.fixture
def second(hub: Hub) -> Iterator[Store]:
    with open_store(hub.url, node="tweede") as store:
        yield store


def notice(lost: Listed) -> Acceptance:
    """What is told about a lost message, under the number of its conversation."""
    made = acceptance(f"melding-{lost.referentienummer}-{lost.ontvanger}", sender=KNOOPPUNT, receivers=(GEMEENTE,),
                      payload=b"<kn:Verlopen/>", at=AFTER)
    return replace(made, key=SetKey(module="knooppunt", version="1.0"),
                   header=replace(made.header, conversatie=lost.conversatie))


def status(hub: Hub, name: str) -> list[DeliveryState]:
    return [one.status for one in hub.reports.messages(Search(referentienummer=number(name)), hub.now)]


def test_each_leg_that_is_lost_is_told_of_in_the_same_commit(hub: Hub) -> None:
    hub.accept(acceptance("a", receivers=(ENERGIE, BANK)))
    hub.now = AFTER
    assert hub.mailbox.expire(hub.now, 10, notice) == 2
    told = hub.mailbox.waiting(GEMEENTE.id, berichttype=None, conversatie=number("conversatie-a"), limit=10)
    assert {one.referentienummer for one in told} == {
        number(f"melding-{number('a')}-{receiver.id}") for receiver in (ENERGIE, BANK)}
    assert {one.module for one in told} == {"knooppunt"}
    assert hub.mailbox.expire(hub.now, 10, notice) == 0


def test_two_nodes_that_expire_at_once_tell_once(hub: Hub, second: Store) -> None:
    """The second does all of its work while the first has read what is due and written nothing yet."""
    other = SqlMailbox(second, Sealer(hub.keys), lambda: hub.now)
    for name in ("a", "b", "c"):
        hub.accept(acceptance(name))
    hub.now = AFTER

    def meanwhile(lost: Listed) -> Acceptance:
        other.expire(hub.now, 10, notice)
        return notice(lost)

    assert hub.mailbox.expire(hub.now, 10, meanwhile) == 0
    assert len(hub.mailbox.waiting(GEMEENTE.id, berichttype=None, conversatie=None, limit=10)) == 3
    assert hub.rows("messages") == 6


def test_what_became_due_in_between_waits_for_the_next_time(hub: Hub) -> None:
    """Of a message that the first reading did not see nobody could be told, so it does not end yet."""
    hub.accept(acceptance("a"))
    hub.now = AFTER

    def meanwhile(lost: Listed) -> Acceptance:
        hub.accept(acceptance("laat", at=NOW - timedelta(days=1)))
        return notice(lost)

    assert hub.mailbox.expire(hub.now, 10, meanwhile) == 1
    assert hub.mailbox.expire(hub.now, 10, notice) == 1
    assert status(hub, "laat") == [DeliveryState.VERLOPEN]


def test_nobody_is_told_of_what_was_confirmed_or_cancelled(hub: Hub) -> None:
    for name in ("a", "b"):
        hub.accept(acceptance(name))
    hub.mailbox.collect(ENERGIE.id, number("a"), NOW)
    hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW)
    hub.operator.cancel(number("b"), ENERGIE.id, who="w", why="y", now=NOW)
    hub.now = AFTER
    assert hub.mailbox.expire(hub.now, 10, notice) == 0
    assert hub.rows("messages") == 2


def test_the_last_moment_is_the_one_before_the_end(hub: Hub, second: Store) -> None:
    hub.accept(acceptance("a"))
    just = END - timedelta(microseconds=1)
    assert hub.mailbox.expire(just, 10) == 0
    hub.mailbox.collect(ENERGIE.id, number("a"), just)
    assert hub.mailbox.confirm(ENERGIE.id, (number("a"),), END) == {number("a"): False}
    with pytest.raises(MailboxUnknown):
        hub.mailbox.collect(ENERGIE.id, number("a"), END)
    assert hub.mailbox.expire(END, 10) == 1


def test_a_confirmation_and_the_end_of_the_term_at_one_moment_settle_one_way(hub: Hub, second: Store) -> None:
    """The addressee's clock says just in time, another node's says over: one of them wins, and all agree on which."""
    other, just = SqlMailbox(second, Sealer(hub.keys), lambda: hub.now), END - timedelta(microseconds=1)
    names = [f"r{one}" for one in range(20)]
    for name in names:
        hub.accept(acceptance(name))
        hub.mailbox.collect(ENERGIE.id, number(name), NOW)
    start = Barrier(2)

    def confirm() -> dict[str, bool]:
        start.wait()
        return {name: hub.mailbox.confirm(ENERGIE.id, (number(name),), just)[number(name)] for name in names}

    def expire() -> int:
        start.wait()
        return sum(other.expire(END, 1, notice) for _ in names)

    with ThreadPoolExecutor(2) as pool:
        confirmed, expired = pool.submit(confirm), pool.submit(expire)
        results, count = confirmed.result(), expired.result()
    hub.now = AFTER
    assert sum(results.values()) + count == len(names)
    for name, done in results.items():
        assert status(hub, name) == [DeliveryState.BEVESTIGD if done else DeliveryState.VERLOPEN]
    assert len(hub.mailbox.waiting(GEMEENTE.id, berichttype=None, conversatie=None, limit=100)) == count
    assert hub.payloads() == count  # of the notifications alone
