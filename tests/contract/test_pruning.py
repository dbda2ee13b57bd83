"""The retention rule: what is old goes, the journal still holds, and nothing else may be missing from it."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import MailboxUnknown
from gateway.security.keys import load_certificate
from gateway.storage import Pruned, Pruning, months_later, open_store, verify_chain
from gateway.storage.pruning import _drop_stretch
from gateway.storage.records import micros
from gateway.values import Refusal
from tests.contract.conftest import Hub
from tests.contract.samples import ANTWOORD, BANK, ENERGIE, GEMEENTE, NOW, TERM, acceptance, bridged, number
from tests.contract.test_sealing import on_disk

LATER = months_later(NOW, 24) + timedelta(days=30)
BEFORE = months_later(LATER, -24)


def refusal(name: str, at: datetime) -> Refusal:
    return Refusal(ticket=number(name), code="SKP001", error="SchemaInvalid", reason="geheim", at=at, path="/soap",
                   caller_oin=GEMEENTE.oin, caller_certificate="ab", message_id="urn:uuid:x", action=None,
                   referentienummer=None, octets=9, octets_digest=bytes(32))


def old_and_young(hub: Hub) -> None:
    """Old: a conversation of two messages, one in two versions, a refusal, an act. Young: a message and a refusal."""
    hub.accept(acceptance("question", conversatie="old"))
    hub.accept(acceptance("answer", conversatie="old", sender=ENERGIE, receivers=(GEMEENTE,), kind=ANTWOORD,
                          cross=number("question"), at=NOW + timedelta(minutes=1)))
    hub.accept(bridged(acceptance("bridged", receivers=(ENERGIE, BANK)), BANK))
    hub.mailbox.collect(ENERGIE.id, number("question"), NOW)
    hub.mailbox.confirm(ENERGIE.id, (number("question"),), NOW)
    hub.journal.refuse(refusal("old", NOW))
    hub.operator.note("parties apply", who="Beheerder Oud", why="begin", now=NOW)
    hub.mailbox.expire(NOW + 2 * TERM, 100)
    hub.accept(acceptance("young", at=LATER - timedelta(days=1)))
    hub.journal.refuse(refusal("young", LATER - timedelta(days=1)))


def prune(hub: Hub, before: datetime = BEFORE) -> Pruned:
    return Pruning(hub.store).prune(before=before, now=LATER)


def holds(hub: Hub) -> bool:
    return all(report.holds for report in verify_chain(hub.url))


def test_old_metadata_goes_and_the_journal_still_holds(hub: Hub) -> None:
    old_and_young(hub)
    ends = hub.position()
    done = prune(hub)
    assert (done.messages, done.entries) == (3, ends - 2)
    assert holds(hub)
    for name in ("question", "answer", "bridged"):
        with pytest.raises(MailboxUnknown):
            hub.reports.stories(number(name), LATER)
        with pytest.raises(MailboxUnknown):
            hub.reports.evidence_of(number(name))
    assert hub.reports.refusal(number("old")) is None
    assert hub.reports.refusal(number("young")) is not None
    assert hub.reports.evidence_of(number("young")).entry.referentienummer == number("young")
    assert {table: hub.rows(table) for table in (
        "messages", "deliveries", "conversations", "proofs", "refusals", "payloads", "bridged_payloads")} == {
        "messages": 1, "deliveries": 1, "conversations": 1, "proofs": 1, "refusals": 1, "payloads": 1,
        "bridged_payloads": 0}
    hub.store.close()
    if hub.url.startswith("postgresql"):
        return
    for gone in (number("question"), "Beheerder Oud", number("old")):  # overwritten, not only unlinked
        assert on_disk(hub.folder, gone.encode()) == []
    assert on_disk(hub.folder, number("young").encode())


def test_again_there_is_nothing_to_do_and_nothing_is_written(hub: Hub) -> None:
    old_and_young(hub)
    prune(hub)
    position = hub.position()
    assert prune(hub) == Pruned()
    assert hub.position() == position
    later = LATER + timedelta(days=3)
    hub.mailbox.expire(LATER + TERM, 10)
    assert Pruning(hub.store).prune(before=LATER - timedelta(hours=1), now=months_later(later, 24)).messages == 0
    assert Pruning(hub.store).prune(before=later + TERM, now=months_later(later, 26)).messages == 1
    assert holds(hub)


def test_what_a_conversation_still_needs_stays(hub: Hub) -> None:
    hub.accept(acceptance("question", conversatie="long"))
    hub.accept(acceptance("open", term=timedelta(days=900)))
    hub.mailbox.expire(NOW + TERM, 10)
    hub.accept(acceptance("again", conversatie="long", at=LATER - timedelta(days=1)))
    assert prune(hub).messages == 0
    assert holds(hub)
    assert hub.reports.evidence_of(number("question")).entry.referentienummer == number("question")
    young = hub.accept(acceptance("reply", conversatie="long", sender=ENERGIE, receivers=(GEMEENTE,), kind=ANTWOORD,
                                  cross=number("question"), at=LATER))
    assert young.position == hub.position()


def test_certificates_go_when_they_have_lapsed_and_no_proof_names_them(hub: Hub, template: Path) -> None:
    """Both certificates of the example world lapse before the year of these messages."""
    only_old, both = (load_certificate(template / "pki" / f"{slug}-sign.pem") for slug in ("gemeente", "energie"))
    for name, der, at in (("a", only_old, NOW), ("b", both, NOW), ("c", both, LATER - timedelta(days=1)),
                          ("d", b"no certificate", NOW)):
        if name == "c":
            hub.mailbox.expire(NOW + TERM, 10)
        message = acceptance(name, at=at)
        hub.accept(replace(message, proof=replace(message.proof, certificate=der)))
    hub.mailbox.expire(LATER, 10)
    done = prune(hub)
    assert (done.messages, done.certificates) == (2, 1)
    assert hub.rows("certificates") == 2
    assert hub.reports.evidence_of(number("c")).proof.certificate == both


@pytest.mark.parametrize("change", [
    "UPDATE entries SET record = '' WHERE position = (SELECT max(position) FROM entries WHERE kind = 'refused')",
    "UPDATE entries SET record = '', message = NULL WHERE record LIKE '%{young}%'",
    "UPDATE entries SET record = '', at = 1 WHERE position = (SELECT max(position) FROM entries WHERE kind='refused')",
    "UPDATE entries SET leaf = zeroblob(32) WHERE position = 2",
    "UPDATE entries SET at = at + 1000000000000000 WHERE position = 2",
    "UPDATE entries SET message = 1 WHERE position = 2",
    "UPDATE prunings SET position = 1",
    "DELETE FROM prunings",
    "DELETE FROM entries WHERE position = 2",
    "UPDATE entries SET record = replace(record, '\"until\":', '\"until\":1') WHERE kind = 'pruned'",
])
def test_a_record_that_is_missing_without_leave_is_found(hub: Hub, change: str) -> None:
    if not hub.url.startswith("sqlite"):
        pytest.skip("writes past the store, to SQLite")
    old_and_young(hub)
    prune(hub)
    assert holds(hub)
    with closing(sqlite3.connect(hub.folder / "gateway.db")) as connection, connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        assert connection.execute(change.replace("{young}", number("young"))).rowcount > 0
    assert not holds(hub)


def test_nobody_can_give_leave_for_what_is_young(hub: Hub) -> None:
    """An entry that says so, added to the chain by whoever can write the database, is not believed."""
    hub.accept(acceptance("a", at=LATER - timedelta(days=3)))
    hub.journal.refuse(refusal("young", LATER - timedelta(days=2)))
    hub.store.write(lambda write: _drop_stretch(write, "hub", 0, 2, micros(LATER), LATER))
    assert not holds(hub)
    with pytest.raises(AssertionError):
        prune(hub, before=LATER - timedelta(days=179))


def test_the_chain_of_another_node_is_pruned_too(hub: Hub) -> None:
    with open_store(hub.url, node="other") as store:
        store.write(lambda write: write.chain.append("operator", at=NOW, facts={"who": "x", "why": "y"}))
    old_and_young(hub)
    prune(hub)
    assert holds(hub)
    assert hub.rows("prunings") == 2
    hub.store.close()
    if hub.url.startswith("sqlite"):
        assert on_disk(hub.folder, b'"who":"x"') == []


def test_months_are_counted_by_the_calendar() -> None:
    def day(year: int, month: int, day: int) -> datetime:
        return datetime(year, month, day, 9, tzinfo=UTC)

    assert months_later(day(2031, 3, 31), -1) == day(2031, 2, 28)
    assert months_later(day(2031, 3, 31), -24) == day(2029, 3, 31)
    assert months_later(day(2031, 1, 15), -13) == day(2029, 12, 15)
    assert months_later(day(2031, 12, 31), 2) == day(2032, 2, 29)
