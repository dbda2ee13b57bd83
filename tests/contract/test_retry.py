"""What waits to be pushed is tried now when an operator says so; the journal has who and why."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from gateway.errors import MailboxUnknown, RefusedError
from gateway.storage.push_tables import breakers, outbox
from gateway.storage.records import micros
from gateway.storage.session import Query
from gateway.storage.tables import entries
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, NOW, TERM, acceptance, number

PUSHES = replace(ENERGIE, push="https://energie.example/ontvangst")
LATER = NOW + timedelta(hours=1)


def retry(hub: Hub, name: str = "a", *, reset: bool = False, receiver: str = ENERGIE.id) -> None:
    hub.operator.retry(number(name), receiver, reset=reset, who="beheer", why="dienst is terug", now=hub.now)


def next_at(hub: Hub) -> list[int]:
    with hub.store.read() as session:
        return [row[0] for row in session.all(Query(select(outbox.c.next_at).order_by(outbox.c.message)))]


def wait(hub: Hub, until: datetime = LATER, **more: object) -> None:
    hub.store.write(lambda write: write.run(Query(update(outbox).values(next_at=micros(until), **more))))


def open_breaker(hub: Hub) -> None:
    hub.store.write(lambda write: write.run(Query(insert(breakers).values(
        party=ENERGIE.id, state="open", failures=5, refusals=0, openings=1, until=micros(LATER)))))


def test_it_is_due_now_and_journaled(hub: Hub) -> None:
    hub.accept(acceptance("a", receivers=(PUSHES,)))
    wait(hub)
    retry(hub)
    assert next_at(hub) == [micros(NOW)]
    with hub.store.read() as session:
        (record,) = session.all(Query(select(entries.c.record).where(entries.c.kind == "operator")))
    facts = json.loads(record[0])
    assert (facts["action"], facts["who"], facts["why"], facts["referentienummer"], facts["ontvanger"]) == (
        "deliveries retry", "beheer", "dienst is terug", number("a"), ENERGIE.id)


def test_a_service_that_is_left_alone_is_called_only_when_told_so(hub: Hub) -> None:
    hub.accept(acceptance("a", receivers=(PUSHES,)))
    wait(hub)
    open_breaker(hub)
    with pytest.raises(RefusedError, match=r"not called before 2031-03-03T10:30:00Z; add --reset"):
        retry(hub)
    assert next_at(hub) == [micros(LATER)]
    retry(hub, reset=True)
    assert (next_at(hub), hub.rows("breakers")) == ([micros(NOW)], 0)


def test_what_makes_no_sense_is_refused_and_not_journaled(hub: Hub) -> None:
    for name in ("a", "b"):
        hub.accept(acceptance(name, receivers=(PUSHES,), conversatie="c"))
    hub.accept(acceptance("haalt", receivers=(BANK,)))
    before = hub.position()
    with pytest.raises(RefusedError, match="waits for an earlier message"):
        retry(hub, "b")
    with pytest.raises(RefusedError, match="is not pushed"):
        retry(hub, "haalt", receiver=BANK.id)
    with pytest.raises(MailboxUnknown):
        retry(hub, "nergens")
    wait(hub, claimed_by="worker", lease_until=micros(LATER))
    with pytest.raises(RefusedError, match="being tried at this moment"):
        retry(hub)
    hub.now = NOW + TERM
    with pytest.raises(RefusedError, match="VERLOPEN"):
        retry(hub)
    assert hub.position() == before


def test_what_is_on_its_way_is_neither_cancelled_nor_expired(hub: Hub) -> None:
    """Its receiver may have it in a second: what comes of that decides, not who was first."""
    hub.accept(acceptance("a", receivers=(PUSHES,)))
    end = NOW + TERM
    wait(hub, end + timedelta(minutes=1), claimed_by="worker", lease_until=micros(end + timedelta(minutes=1)))
    with pytest.raises(RefusedError, match="on its way"):
        hub.operator.cancel(number("a"), ENERGIE.id, who="w", why="y", now=NOW)
    assert hub.mailbox.expire(end, 10) == 0
    assert hub.mailbox.expire(end + timedelta(minutes=1), 10) == 1  # the lease ended without a word
    assert (hub.rows("outbox"), hub.payloads()) == (0, 0)
