"""Works that share a commit: none is run more often than it must be, and one that fails is undone alone."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event
from time import sleep
from typing import Any

import pytest
from sqlalchemy import text

from gateway.errors import DuplicateConflict, MailboxUnknown, StorageError
from gateway.storage import verify_chain
from gateway.storage.session import Query
from gateway.storage.writer import Write
from tests.contract.conftest import Hub
from tests.contract.samples import ENERGIE, NOW, acceptance, number

Work = Callable[[Write], object]


def together(hub: Hub, *calls: Callable[[], object]) -> list["Future[Any]"]:
    """Calls that each write once, in one commit: they are queued in this order while the writer is held."""
    held, release = Event(), Event()
    with ThreadPoolExecutor(len(calls) + 1) as pool:
        first = pool.submit(hub.store.write, lambda write: held.set() or release.wait())
        held.wait()
        made: list[Future[Any]] = []
        for call in calls:
            made.append(pool.submit(call))
            while hub.store._writer.waiting < len(made):
                sleep(0.001)
        release.set()
        first.result()
    return made


def said(hub: Hub, name: str, ran: list[str], then: Exception | None = None) -> Callable[[], object]:
    """A work that journals something, notes that it ran, and then may raise."""
    def work(write: Write) -> int:
        ran.append(name)
        position, _ = write.chain.append("operator", at=NOW, facts={"action": name})
        if then is not None:
            raise then
        return position

    return partial(hub.store.write, work)


def refused(hub: Hub, name: str, ran: list[str]) -> Callable[[], object]:
    """A work that looks, and raises before it writes."""
    def work(write: Write) -> None:
        ran.append(name)
        write.chain.next_position()
        raise DuplicateConflict(name)

    return partial(hub.store.write, work)


def test_one_that_raises_before_it_writes_lets_the_others_run_once(hub: Hub) -> None:
    ran: list[str] = []
    before, bad, after = together(hub, said(hub, "a", ran), refused(hub, "b", ran), said(hub, "c", ran))
    assert ran == ["a", "b", "c"]
    assert (before.result(), after.result()) == (1, 2)
    assert isinstance(bad.exception(), DuplicateConflict)


def test_one_that_raises_after_it_wrote_is_undone_and_the_others_stand(hub: Hub) -> None:
    ran: list[str] = []
    before, bad, after = together(
        hub, said(hub, "a", ran), said(hub, "b", ran, DuplicateConflict("b")), said(hub, "c", ran))
    assert ran == ["a", "b", "a", "b", "c"]
    assert (before.result(), after.result()) == (1, 2)
    assert isinstance(bad.exception(), DuplicateConflict)
    assert [report.entries for report in verify_chain(hub.url) if report.holds] == [2]


def test_a_statement_the_database_refuses_fails_its_own_work_alone(hub: Hub) -> None:
    wrong = Query(text("SELECT nothing FROM nowhere"))
    ran: list[str] = []
    before, bad, after = together(
        hub, said(hub, "a", ran), lambda: hub.store.write(lambda write: write.run(wrong)), said(hub, "c", ran))
    assert isinstance(bad.exception(), StorageError)
    assert (before.result(), after.result()) == (1, 2)


def test_a_message_sees_what_those_before_it_in_its_commit_wrote(hub: Hub) -> None:
    send = partial(hub.accept, acceptance("a"))
    first, again = together(hub, send, send)
    assert (first.result().repeated, again.result().repeated) == (False, True)
    assert hub.position() == 1


@pytest.mark.parametrize("spoiled", [False, True])
def test_what_the_database_numbers_hangs_together_in_a_batch(hub: Hub, spoiled: bool) -> None:
    """Messages, their conversations and contents; also when the commit ran again for another work in it."""
    messages = [acceptance(name, payload=name.encode(), conversatie=name) for name in ("a", "b", "c")]
    more = [said(hub, "x", [], DuplicateConflict("x"))] if spoiled else []
    made = together(hub, *(partial(hub.accept, message) for message in messages), *more)
    assert [one.result().position for one in made[:3]] == [1, 2, 3]
    for message in messages:
        assert hub.mailbox.collect(ENERGIE.id, message.header.referentienummer, NOW)[1] == message.payload
        found = hub.journal.transaction(lambda tx, message=message: tx.conversation(message, ENERGIE.id))  # type: ignore[misc]
        assert found.conversatie == message.header.conversatie


def test_what_was_collected_meanwhile_is_collected_once(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    collect = partial(hub.mailbox.collect, ENERGIE.id, number("a"), NOW)
    one, other = together(hub, collect, collect)
    assert one.result() == other.result()
    assert hub.position() == 2


def test_what_was_cancelled_meanwhile_is_not_collected(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    cancelled, collected = together(
        hub, partial(hub.operator.cancel, number("a"), ENERGIE.id, who="beheer", why="vergissing", now=NOW),
        partial(hub.mailbox.collect, ENERGIE.id, number("a"), NOW))
    assert cancelled.exception() is None
    assert isinstance(collected.exception(), MailboxUnknown)
    assert hub.position() == 2
