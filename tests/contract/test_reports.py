"""What the operator sees and does, and the evidence of one message."""

import json
from datetime import timedelta
from hashlib import sha256

import pytest

from gateway.errors import MailboxUnknown, RefusedError
from gateway.storage import leaf_hash, link_hash, verify_chain
from gateway.storage.records import entry_of, refusal_of
from gateway.values import DeliveryState, Refusal, Search
from tests.contract.conftest import Hub
from tests.contract.samples import BANK, ENERGIE, GEMEENTE, NOW, TERM, acceptance, number

WHO = {"who": "beheer-1", "why": "op verzoek van de afzender", "now": NOW}


def test_story_tells_legs_and_entries_of_one_message(hub: Hub) -> None:
    hub.accept(acceptance("a", receivers=(ENERGIE, BANK)))
    hub.accept(acceptance("b"))
    hub.mailbox.collect(BANK.id, number("a"), NOW)
    (story,) = hub.reports.stories(number("a"), NOW)
    assert {leg.ontvanger: leg.status for leg in story.legs} == {
        ENERGIE.id: DeliveryState.BESCHIKBAAR, BANK.id: DeliveryState.OPGEHAALD}
    assert [(one.position, one.kind) for one in story.recorded] == [(1, "accepted"), (3, "collected")]
    assert json.loads(story.recorded[1].record)["ontvanger"] == BANK.id
    with pytest.raises(MailboxUnknown):
        hub.reports.stories(number("x"), NOW)
    hub.accept(acceptance("a", sender=BANK))
    assert len(hub.reports.stories(number("a"), NOW)) == 2
    assert [row.referentienummer for row in hub.reports.messages(Search(ontvanger=BANK.id), NOW)] == [number("a")]


def test_counts_are_those_of_the_moment(hub: Hub) -> None:
    empty = hub.reports.counts(now=NOW, refused_since=NOW)
    assert (empty.waiting, empty.overdue, empty.oldest_uncollected, empty.refused) == (0, 0, None, 0)
    for i in range(4):
        hub.accept(acceptance(f"m{i}", at=NOW + timedelta(minutes=i)))
    hub.mailbox.collect(ENERGIE.id, number("m0"), NOW)
    hub.mailbox.collect(ENERGIE.id, number("m1"), NOW)
    hub.mailbox.confirm(ENERGIE.id, (number("m1"),), NOW)
    for at in (NOW, NOW + TERM):
        hub.journal.refuse(Refusal(ticket=number("t"), code="SKP001", error="NotXml", reason="", path="/", at=at))
    counts = hub.reports.counts(now=NOW, refused_since=NOW)
    assert (counts.available, counts.collected, counts.waiting, counts.overdue, counts.refused) == (2, 1, 3, 0, 2)
    assert counts.oldest_uncollected == NOW + timedelta(minutes=2)
    assert counts.next_expiry == NOW + timedelta(minutes=2) + TERM
    assert [(head.node, head.position) for head in counts.heads] == [("hub", hub.position())]
    later = hub.reports.counts(now=NOW + TERM + timedelta(minutes=2), refused_since=NOW + timedelta(microseconds=1))
    assert (later.available, later.collected, later.overdue, later.refused) == (1, 0, 2, 1)


def test_operator_cancels_what_nobody_collected(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    row = hub.operator.cancel(number("a"), ENERGIE.id, **WHO)
    assert row.status is DeliveryState.GEANNULEERD
    assert hub.payloads() == 0
    with pytest.raises(MailboxUnknown):
        hub.mailbox.collect(ENERGIE.id, number("a"), NOW)
    (story,) = hub.reports.stories(number("a"), NOW)
    assert story.legs == (row,)
    facts = json.loads(story.recorded[-1].record)
    assert (facts["kind"], facts["who"], facts["why"]) == ("cancelled", "beheer-1", "op verzoek van de afzender")


def test_operator_requeues_a_collected_message(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    hub.mailbox.collect(ENERGIE.id, number("a"), NOW)
    row = hub.operator.requeue(number("a"), ENERGIE.id, **WHO)
    assert (row.status, row.collected_at) == (DeliveryState.BESCHIKBAAR, None)
    assert hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW) == {number("a"): False}
    assert hub.mailbox.collect(ENERGIE.id, number("a"), NOW)[1]
    (story,) = hub.reports.stories(number("a"), NOW)
    assert [one.kind for one in story.recorded] == ["accepted", "collected", "operator", "collected"]
    assert json.loads(story.recorded[2].record)["action"] == "requeue"


def test_operator_is_told_why_not_and_nothing_is_written(hub: Hub) -> None:
    for name in ("waits", "collected", "confirmed", "expired", "cancelled"):
        hub.accept(acceptance(name, term=timedelta(hours=1) if name == "expired" else TERM))
    for name in ("collected", "confirmed"):
        hub.mailbox.collect(ENERGIE.id, number(name), NOW)
    hub.mailbox.confirm(ENERGIE.id, (number("confirmed"),), NOW)
    hub.operator.cancel(number("cancelled"), ENERGIE.id, **WHO)
    position, later = hub.position(), WHO | {"now": NOW + timedelta(hours=2)}
    for act, names in ((hub.operator.cancel, ("collected", "confirmed", "expired", "cancelled")),
                       (hub.operator.requeue, ("waits", "confirmed", "expired", "cancelled"))):
        for name in names:
            with pytest.raises(RefusedError, match=number(name) + " is [A-Z]+: ") as caught:
                act(number(name), ENERGIE.id, **later)
            assert not isinstance(caught.value, MailboxUnknown)
        with pytest.raises(MailboxUnknown):
            act(number("waits"), BANK.id, **later)
    assert hub.position() == position


def test_evidence_holds_the_proof_and_links_up_to_the_head(hub: Hub) -> None:
    hub.accept(acceptance("before"))
    message = acceptance("a", receivers=(ENERGIE,))
    entry = hub.accept(message)
    hub.accept(acceptance("between"))
    hub.mailbox.collect(ENERGIE.id, number("a"), NOW)
    hub.mailbox.confirm(ENERGIE.id, (number("a"),), NOW)
    hub.accept(acceptance("after"))
    evidence = hub.reports.evidence_of(number("a"))
    assert evidence.entry == entry
    assert evidence.proof == message.proof
    assert (evidence.body_digest, evidence.afzender) == (message.body_digest, GEMEENTE.id)
    assert [(one.position, one.kind) for one in evidence.recorded] == [(2, "accepted"), (4, "collected"),
                                                                       (5, "confirmed")]
    (stretch,) = evidence.stretches
    assert (stretch.first, stretch.end) == (2, hub.reports.heads()[0])
    end, hashes = stretch.previous, {}
    for position, leaf in enumerate(stretch.leaves, start=stretch.first):
        end = hashes[position] = link_hash(end, leaf)
    assert end == stretch.end.hash
    for one in evidence.recorded:
        assert leaf_hash(one.record) == stretch.leaves[one.position - stretch.first]
        assert hashes[one.position] == one.hash
    facts = json.loads(evidence.recorded[0].record)
    assert facts["certificate"] == sha256(message.proof.certificate).hexdigest()
    signed = message.proof.signed_info + message.proof.signature_value
    assert facts["signature_digest"] == sha256(signed).hexdigest()
    assert entry_of(2, evidence.recorded[0].hash, evidence.recorded[0].record) == entry


def test_evidence_needs_one_message(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    hub.accept(acceptance("a", sender=BANK))
    with pytest.raises(MailboxUnknown, match="name the sender"):
        hub.reports.evidence_of(number("a"))
    assert hub.reports.evidence_of(number("a"), afzender=BANK.id).afzender == BANK.id
    with pytest.raises(MailboxUnknown):
        hub.reports.evidence_of(number("x"))


def test_evidence_is_for_sender_and_addressees_and_each_addressee_sees_its_own_leg(hub: Hub) -> None:
    hub.accept(acceptance("a", receivers=(ENERGIE, BANK)))
    for who in (ENERGIE, BANK):
        hub.mailbox.collect(who.id, number("a"), NOW)
    hub.mailbox.confirm(BANK.id, (number("a"),), NOW)

    def legs(party: str) -> list[tuple[str, str | None]]:
        return [(one.kind, json.loads(one.record).get("ontvanger"))
                for one in hub.reports.evidence_of(number("a"), party=party).recorded]

    own = [("accepted", None), ("collected", ENERGIE.id)]
    assert legs(ENERGIE.id) == own
    assert legs(BANK.id) == [("accepted", None), ("collected", BANK.id), ("confirmed", BANK.id)]
    assert legs(GEMEENTE.id) == [*own, ("collected", BANK.id), ("confirmed", BANK.id)]
    with pytest.raises(MailboxUnknown):
        legs("11111111-1111-4111-8111-000000000099")


def test_one_number_of_two_senders_is_told_apart_by_who_may_see_it(hub: Hub) -> None:
    hub.accept(acceptance("a"))
    hub.accept(acceptance("a", sender=BANK))
    assert hub.reports.evidence_of(number("a"), party=GEMEENTE.id).afzender == GEMEENTE.id
    with pytest.raises(MailboxUnknown):  # the addressee of both has to say which
        hub.reports.evidence_of(number("a"), party=ENERGIE.id)
    assert hub.reports.evidence_of(number("a"), party=ENERGIE.id, afzender=BANK.id).afzender == BANK.id
    with pytest.raises(MailboxUnknown):
        hub.reports.evidence_of(number("a"), party=GEMEENTE.id, afzender=BANK.id)


def test_evidence_of_a_refusal_is_its_one_entry(hub: Hub) -> None:
    refusal = Refusal(ticket=number("t"), code="SKP001", error="NotXml", reason="line 1", path="/", at=NOW,
                      caller_oin=GEMEENTE.oin, octets=9, octets_digest=bytes(32))
    hub.accept(acceptance("before"))
    hub.journal.refuse(refusal)
    found = hub.reports.evidence_of_refusal(refusal.ticket)
    assert [(one.position, one.kind) for one in found.recorded] == [(2, "refused")]
    assert refusal_of(found.recorded[0].record) == refusal
    with pytest.raises(MailboxUnknown):
        hub.reports.evidence_of_refusal(number("another"))


def test_certificate_is_kept_once_and_a_missing_shell_stays_missing(hub: Hub) -> None:
    from dataclasses import replace

    message = acceptance("a")
    hub.accept(replace(message, proof=replace(message.proof, before=None, after=None)))
    hub.accept(acceptance("b"))
    proofs = [hub.reports.evidence_of(number(name)).proof for name in ("a", "b")]
    assert proofs[0].certificate == proofs[1].certificate
    assert (proofs[0].before, proofs[0].after, proofs[1].before) == (None, None, b"<soap:Body>")
    assert all(report.holds for report in verify_chain(hub.url))
