"""A message that some addressees get in another version: what each sees, what is kept, and when it is erased."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import bindparam, select, update

from gateway.errors import StorageError
from gateway.ports import Transaction
from gateway.storage.session import Query
from gateway.storage.tables import bridged_payloads
from gateway.values import Acceptance, Question, Search
from tests.contract.conftest import Hub
from tests.contract.samples import (
    ANTWOORD,
    BANK,
    ENERGIE,
    GEMEENTE,
    KEY,
    NOW,
    TERM,
    VRAAG,
    acceptance,
    bridged,
    number,
    party,
)

OLD, OLDER = (party(slug, f"0000000199999999001{digit}") for digit, slug in enumerate(("oud", "ouder")))
SENT = b"<sr:SaldoVerzoek/>"


def mixed(name: str = "a") -> Acceptance:
    """Four addressees: one gets it as it was sent, two in 1.1, one in 1.0."""
    message = acceptance(name, receivers=(ENERGIE, OLD, BANK, OLDER))
    return bridged(bridged(message, OLD, BANK), OLDER, version="1.0")


def forms(hub: Hub, receiver: str) -> list[tuple[str, str, str | None]]:
    listed = hub.mailbox.waiting(receiver, berichttype=None, conversatie=None, limit=9)
    return [(one.berichttype, one.versie, one.bridged_to) for one in listed]


def test_each_addressee_sees_and_gets_its_own_version(hub: Hub) -> None:
    hub.accept(mixed())
    assert forms(hub, ENERGIE.id) == [("SaldoVerzoek", "2.0", None)]
    assert forms(hub, OLD.id) == forms(hub, BANK.id) == [("SaldoVraag", "1.1", "1.1")]
    assert forms(hub, OLDER.id) == [("SaldoVraag", "1.0", "1.0")]
    for receiver, expected in ((ENERGIE, SENT), (OLD, b"<sr:SaldoVerzoek in='1.1'/>"),
                               (OLDER, b"<sr:SaldoVerzoek in='1.0'/>")):
        listed, octets = hub.mailbox.collect(receiver.id, number("a"), NOW)
        again, same = hub.mailbox.collect(receiver.id, number("a"), NOW)
        assert octets == same == expected
        assert [(one.berichttype, one.versie) for one in (listed, again)] == [forms(hub, receiver.id)[0][:2]] * 2


def test_a_list_by_type_goes_by_what_the_addressee_sees(hub: Hub) -> None:
    hub.accept(mixed())

    def count(receiver: str, kind: str) -> int:
        return len(hub.mailbox.waiting(receiver, berichttype=kind, conversatie=None, limit=9))

    assert (count(OLD.id, "SaldoVraag"), count(OLD.id, "SaldoVerzoek")) == (1, 0)
    assert (count(ENERGIE.id, "SaldoVraag"), count(ENERGIE.id, "SaldoVerzoek")) == (0, 1)


@pytest.mark.parametrize(("who", "kind", "versie", "rows"), [
    (GEMEENTE.id, "SaldoVerzoek", "2.0", 4), (GEMEENTE.id, "SaldoVraag", None, 0), (GEMEENTE.id, None, "1.1", 0),
    (OLD.id, "SaldoVraag", "1.1", 1), (OLD.id, "SaldoVerzoek", None, 0), (None, "SaldoVerzoek", "2.0", 4),
    (None, "SaldoVraag", None, 0),
])
def test_a_log_search_goes_by_what_the_one_who_searches_sees(
    hub: Hub, who: str | None, kind: str | None, versie: str | None, rows: int
) -> None:
    hub.accept(mixed())
    found = hub.mailbox.search(Search(party=who, berichttype=kind, versie=versie))
    assert len(found) == rows
    assert {one.bridged_to for one in found} <= {None, "1.0", "1.1"}
    for one in found:
        assert kind in (None, one.berichttype)
        assert versie in (None, one.versie)


def test_each_version_is_erased_with_the_last_addressee_that_waits_for_it(hub: Hub) -> None:
    hub.accept(mixed())
    for receiver in (ENERGIE, OLD, BANK, OLDER):
        hub.mailbox.collect(receiver.id, number("a"), NOW)
    assert (hub.payloads(), hub.payloads("bridged_payloads")) == (1, 2)
    for receiver, left in ((OLD, (1, 2)), (ENERGIE, (0, 2)), (BANK, (0, 1)), (OLDER, (0, 0))):
        hub.mailbox.confirm(receiver.id, (number("a"),), NOW)
        assert (hub.payloads(), hub.payloads("bridged_payloads")) == left


def test_expiry_and_cancelling_erase_it_too(hub: Hub) -> None:
    hub.accept(mixed())
    hub.operator.cancel(number("a"), OLDER.id, who="beheer", why="proef", now=NOW)
    assert hub.payloads("bridged_payloads") == 1
    assert hub.mailbox.expire(NOW + TERM, 99) == 3
    assert (hub.payloads(), hub.payloads("bridged_payloads")) == (0, 0)


def test_the_original_is_not_kept_when_nobody_gets_it(hub: Hub) -> None:
    entry = hub.accept(bridged(acceptance("a"), ENERGIE))
    assert (hub.payloads(), hub.payloads("bridged_payloads")) == (0, 1)
    assert entry.message_digest == acceptance("a").message_digest
    assert hub.accept(bridged(acceptance("a"), ENERGIE)) == replace(entry, repeated=True)


def test_the_journal_keeps_both_digests(hub: Hub) -> None:
    message = mixed()
    hub.accept(message)
    facts = json.loads(hub.reports.evidence_of(number("a")).recorded[0].record)
    assert facts["message_digest"] == message.message_digest.hex()
    assert (facts["set_version"], facts["berichttype"], facts["versie"]) == ("2.0", "SaldoVerzoek", "2.0")
    assert {one["ontvanger"]: (one["set_version"], one["berichttype"], one["versie"], one["delivered_digest"])
            for one in facts["bridged"]} == {
        receiver: (one.key.version, "SaldoVraag", one.key.version, one.message_digest.hex())
        for receiver, one in message.bridged.items()}
    hub.accept(acceptance("b"))
    assert "bridged" not in json.loads(hub.reports.evidence_of(number("b")).recorded[0].record)


def test_sealed_octets_open_as_their_own_version_only(hub: Hub) -> None:
    """The octets of one version in the place of another of the same message would be noticed."""
    hub.accept(mixed())
    table = bridged_payloads.c
    with hub.store.read() as session:
        ((wrapped, sealed),) = session.all(Query(
            select(table.wrapped, table.sealed).where(table.set_version == "1.0").limit(bindparam("limit"))), limit=1)
    hub.store.write(lambda write: write.run(
        Query(update(bridged_payloads).values(wrapped=bindparam("key"), sealed=bindparam("octets"))),
        key=wrapped, octets=sealed))
    assert hub.mailbox.collect(OLDER.id, number("a"), NOW)
    with pytest.raises(StorageError):
        hub.mailbox.collect(OLD.id, number("a"), NOW)


def test_keys_stay_as_long_as_a_bridged_payload_needs_them(hub: Hub) -> None:
    hub.accept(bridged(acceptance("a"), ENERGIE))
    in_term = NOW + TERM - timedelta(seconds=1)
    assert hub.mailbox.retire_keys(in_term) == []
    hub.mailbox.expire(NOW + TERM, 9)
    assert hub.mailbox.retire_keys(in_term) == [f"{NOW:%Y-%m-%d}"]


def test_questions_and_counts_go_by_family(hub: Hub) -> None:
    """The question was asked under its old name, the answer comes under its new one."""
    old = replace(VRAAG, element="Saldovraag", berichttype="Saldovraag", version="1.1", family="SaldoVerzoek")
    hub.accept(acceptance("vraag", conversatie="c", kind=old))
    answer = acceptance("antwoord", sender=ENERGIE, receivers=(GEMEENTE,), conversatie="c", cross=number("vraag"),
                        kind=ANTWOORD)

    def look(tx: Transaction) -> tuple[Question | None, int, int]:
        conversation = tx.conversation(answer, GEMEENTE.id)
        assert conversation is not None
        return (tx.question(conversation, number("vraag")), tx.count(conversation, "SaldoVerzoek"),
                tx.count(conversation, "Saldovraag"))

    assert hub.journal.transaction(look) == (
        Question(family="SaldoVerzoek", sender=GEMEENTE.id, answered=False, asked_at=NOW, key=KEY), 1, 0)
