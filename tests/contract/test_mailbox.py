"""Mailboxes: list, collect, confirm, expire; whose message it is; what is erased and when."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.errors import MailboxUnknown, StorageError
from gateway.storage import verify_chain
from gateway.values import DeliveryState, Listed, Party
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, GEMEENTE, NOW, TERM, acceptance, number

LATER = NOW + timedelta(hours=1)
AFTER = NOW + TERM


def waiting(hub: Hub, party: Party = ENERGIE, **narrowed: str) -> list[Listed]:
    filters = {"berichttype": None, "conversatie": None} | narrowed
    return hub.mailbox.waiting(party.id, limit=100, **filters)


def state(hub: Hub, name: str, receiver: Party = ENERGIE, now: datetime = NOW) -> DeliveryState:
    (story,) = hub.reports.stories(number(name), now)
    (leg,) = [leg for leg in story.legs if leg.ontvanger == receiver.id]
    return leg.status


def kinds(hub: Hub, name: str) -> list[str]:
    (story,) = hub.reports.stories(number(name), NOW)
    return [one.kind for one in story.recorded]


def test_message_is_listed_collected_confirmed_and_gone(hub: Hub) -> None:
    message = acceptance("a", payload=b"<sr:SaldoVerzoek>inhoud</sr:SaldoVerzoek>")
    hub.accept(message)
    (row,) = waiting(hub)
    assert (row.referentienummer, row.afzender, row.ontvanger) == (number("a"), GEMEENTE.id, ENERGIE.id)
    assert (row.berichttype, row.versie, row.module) == ("SaldoVerzoek", "2.0", "schuldregeling")
    assert (row.status, row.opgehaald, row.received_at) == (DeliveryState.BESCHIKBAAR, False, NOW)

    collected, octets = hub.mailbox.collect(ENERGIE.id, number("a"), LATER)
    assert octets == message.payload
    assert (collected.status, collected.collected_at) == (DeliveryState.OPGEHAALD, LATER)
    assert [replace(one, set_version=None, family=None) for one in waiting(hub)] == [collected]

    assert hub.mailbox.confirm(ENERGIE.id, (number("a"),), LATER) == {number("a"): True}
    assert waiting(hub) == []
    assert hub.payloads() == 0
    assert kinds(hub, "a") == ["accepted", "collected", "confirmed"]
    with pytest.raises(MailboxUnknown):
        hub.mailbox.collect(ENERGIE.id, number("a"), LATER)


def test_list_is_oldest_first_and_limited_across_states(hub: Hub) -> None:
    for i in range(6):
        hub.accept(acceptance(f"m{i}", at=NOW + timedelta(seconds=i)))
    for i in (1, 4):
        hub.mailbox.collect(ENERGIE.id, number(f"m{i}"), LATER)
    assert [row.referentienummer for row in waiting(hub)] == [number(f"m{i}") for i in range(6)]
    first = hub.mailbox.waiting(ENERGIE.id, berichttype=None, conversatie=None, limit=3)
    assert [row.referentienummer for row in first] == [number(f"m{i}") for i in range(3)]


def test_list_narrows_to_type_and_conversation(hub: Hub) -> None:
    hub.accept(acceptance("a", conversatie="c"))
    hub.accept(acceptance("b", conversatie="d"))
    assert [row.referentienummer for row in waiting(hub, conversatie=number("d"))] == [number("b")]
    assert len(waiting(hub, berichttype="SaldoVerzoek")) == 2
    assert waiting(hub, berichttype="SaldoVerzoek", conversatie=number("x")) == []
    assert waiting(hub, berichttype="BetaalVoorstel") == []


def test_collecting_again_gives_the_same_and_writes_nothing(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    first = hub.mailbox.collect(ENERGIE.id, number("a"), NOW)
    position = hub.position()
    assert hub.mailbox.collect(ENERGIE.id, number("a"), LATER) == first
    assert hub.position() == position


def test_parallel_collecting_is_journalled_once(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda _: hub.mailbox.collect(ENERGIE.id, number("a"), LATER), range(16)))
    assert len({octets for _, octets in got}) == 1
    assert kinds(hub, "a") == ["accepted", "collected"]


def test_message_of_another_party_is_unknown_in_the_same_words(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    details = set()
    for party, name in ((BANK, "a"), (GEMEENTE, "a"), (ENERGIE, "never was")):
        with pytest.raises(MailboxUnknown) as caught:
            hub.mailbox.collect(party.id, number(name), NOW)
        details.add(caught.value.detail)
    assert len(details) == 1
    assert waiting(hub, BANK) == []
    assert hub.mailbox.confirm(BANK.id, (number("a"), number("never was")), NOW) == {
        number("a"): False, number("never was"): False}
    assert state(hub, "a") is DeliveryState.BESCHIKBAAR


def test_confirming_needs_collecting_and_may_be_repeated(hub: Hub) -> None:
    for name in ("a", "b"):
        hub.accept(acceptance(name))
    hub.mailbox.collect(ENERGIE.id, number("a"), NOW)
    both = (number("a"), number("b"))
    assert hub.mailbox.confirm(ENERGIE.id, both, NOW) == {number("a"): True, number("b"): False}
    position = hub.position()
    assert hub.mailbox.confirm(ENERGIE.id, both, LATER) == {number("a"): True, number("b"): False}
    assert hub.position() == position
    assert state(hub, "b") is DeliveryState.BESCHIKBAAR


def test_payload_stays_until_the_last_addressee_is_done(hub: Hub) -> None:
    hub.accept(acceptance("a", receivers=(ENERGIE, BANK)))
    for party in (ENERGIE, BANK):
        hub.mailbox.collect(party.id, number("a"), NOW)
    hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW)
    assert hub.payloads() == 1
    assert hub.mailbox.collect(BANK.id, number("a"), NOW)[1]
    hub.mailbox.confirm(BANK.id, (number("a"),), NOW)
    assert hub.payloads() == 0


def test_overdue_message_is_expired_before_the_job_has_run(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    hub.accept(acceptance("b"))
    hub.mailbox.collect(ENERGIE.id, number("b"), NOW)
    hub.now = AFTER
    assert waiting(hub) == []
    with pytest.raises(MailboxUnknown):
        hub.mailbox.collect(ENERGIE.id, number("a"), AFTER)
    assert hub.mailbox.confirm(ENERGIE.id, (number("b"),), AFTER) == {number("b"): False}
    assert state(hub, "a", now=AFTER) is DeliveryState.VERLOPEN
    hub.mailbox.collect(ENERGIE.id, number("a"), AFTER - timedelta(microseconds=1))  # the term's last moment


def test_expiry_erases_what_is_due_and_nothing_else(hub: Hub) -> None:
    hub.accept(acceptance("due"))
    hub.accept(acceptance("due too"))
    hub.mailbox.collect(ENERGIE.id, number("due too"), NOW)
    hub.accept(acceptance("later", term=TERM + timedelta(seconds=1)))
    assert hub.mailbox.expire(AFTER - timedelta(microseconds=1), 100) == 0
    assert hub.payloads() == 3
    assert hub.mailbox.expire(AFTER, 1) == 1
    assert hub.mailbox.expire(AFTER, 100) == 1
    position = hub.position()
    assert hub.mailbox.expire(AFTER, 100) == 0
    assert hub.position() == position
    assert hub.payloads() == 1
    assert (state(hub, "due"), state(hub, "due too")) == (DeliveryState.VERLOPEN, DeliveryState.VERLOPEN)
    assert kinds(hub, "due too") == ["accepted", "collected", "expired"]
    assert state(hub, "later") is DeliveryState.BESCHIKBAAR
    assert all(report.holds for report in verify_chain(hub.url))


def test_one_number_of_two_senders_is_collected_in_turn(hub: Hub) -> None:
    """A stranger who reuses a number can't hide the message that was there first."""
    hub.accept(acceptance("a", payload=b"<first/>"))
    hub.accept(acceptance("a", sender=BANK, conversatie="x", payload=b"<second/>"))
    for expected in (b"<first/>", b"<second/>"):
        assert hub.mailbox.collect(ENERGIE.id, number("a"), NOW)[1] == expected
        assert hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW) == {number("a"): True}
    assert hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW) == {number("a"): True}


def test_payload_that_does_not_open_is_not_marked_collected(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    for epoch in hub.keys.epochs():
        hub.keys.destroy(epoch)
    with pytest.raises(StorageError):
        hub.mailbox.collect(ENERGIE.id, number("a"), NOW)
    assert state(hub, "a") is DeliveryState.BESCHIKBAAR
