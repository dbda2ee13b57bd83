"""A term that ends: at its last second, on days that the clock changes too; and what the sender is told of it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from gateway.messagesets import read_message
from gateway.pipeline import lapsed
from gateway.routing import expiry
from gateway.security import verify_evidence
from gateway.security.keys import load_certificate
from gateway.storage import Reports
from gateway.storage.records import micros
from gateway.values import DeliveryState, Search
from tests.command import ENERGIE, GEMEENTE, fresh
from tests.line import KN, POSTBUS, Line, edit_parties, make_line
from tests.test_docs import header_field

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.fixture
def told(template: Path, tmp_path: Path) -> Callable[..., Line]:
    """A line on which the gemeente asked to be told; `change` may change more of the parties."""
    def make(**more: dict[str, object]) -> Line:
        return make_line(template, tmp_path / "instance", change=lambda folder: edit_parties(
            folder, **{"gemeente": {"notifications": frozenset({"verlopen"})}, **more}))
    return make


def expire(line: Line) -> int:
    return line.gate.mailbox.expire(line.at, 100, partial(lapsed, gate=line.gate, now=line.at))


def ask(line: Line, party: str, operation: str, content: str = "", path: str = POSTBUS) -> etree._Element:
    reply = line.send(f'<{operation} xmlns="{KN}">{content}</{operation}>'.encode(), path=path, party=party)
    assert reply.status == 200, reply.octets
    return etree.fromstring(reply.octets)


def waiting(line: Line, party: str) -> list[etree._Element]:
    return ask(line, party, "HaalBerichtenlijstOp").findall(f".//{{{KN}}}Bericht")


def number(name: str) -> str:
    return f"<Referentienummer>{name}</Referentienummer>"


def send(line: Line, receiver: str = ENERGIE) -> str:
    message = fresh(receiver)
    assert line.send(message).status == 200
    return header_field(message, "Referentienummer")


def state(line: Line, reference: str) -> DeliveryState:
    (found,) = Reports(line.store).messages(Search(referentienummer=reference), line.at)
    return found.status


def test_the_sender_finds_a_notification_that_is_a_message_like_any_other(told: Callable[..., Line]) -> None:
    line = told()
    lost = send(line)
    ask(line, "energie", "HaalBerichtOp", number(lost))
    line.skip(days=9)
    assert expire(line) == 1
    (listed,) = waiting(line, "gemeente")
    fact = {child.tag.rpartition("}")[2]: child.text for child in listed}
    assert (fact["Berichttype"], fact["Afzender"], fact["Module"]) == (
        "Verlopen", line.instance.settings.hub.id, "knooppunt")
    collected = ask(line, "gemeente", "HaalBerichtOp", number(fact["Referentienummer"]))
    notice = collected.find(f".//{{{KN}}}Verlopen")
    message = read_message(etree.tostring(notice), line.gate.catalog.by_namespace)
    assert message.header.ontvangers == (GEMEENTE,)
    said = {child.tag.rpartition("}")[2]: child.text for child in notice if not len(child)}
    assert (said["Referentienummer"], said["Ontvanger"], said["Berichttype"], said["Opgehaald"]) == (
        lost, ENERGIE, "Kennisgeving", "true")
    assert datetime.fromisoformat(said["TijdstipVerlopen"]).astimezone(AMSTERDAM).strftime("%H:%M:%S") == "23:59:59"
    confirmed = ask(line, "gemeente", "BevestigBericht", number(fact["Referentienummer"]))
    assert confirmed.findtext(f".//{{{KN}}}Bevestigd") == "true"
    assert line.rows("payloads") == 0
    assert expire(line) == 0


def test_the_notification_is_proven_by_the_signature_of_the_hub(told: Callable[..., Line]) -> None:
    line = told()
    send(line)
    line.skip(days=9)
    expire(line)
    reference = waiting(line, "gemeente")[0].findtext(f"{{{KN}}}Referentienummer")
    octets = etree.tostring(ask(line, "gemeente", "HaalBerichtOp", number(reference)).find(f".//{{{KN}}}Verlopen"))
    file = line.gate.evidence.file(GEMEENTE, reference, afzender=None, now=line.at)
    checks = verify_evidence(file, octets, [load_certificate(line.instance.folder / "pki" / "ca.pem")],
                             line.instance.settings.hub.oin)
    assert all(one.holds is not False for one in checks), [one for one in checks if one.holds is False]
    assert any(line.instance.settings.hub.oin in one.detail for one in checks)


def test_who_did_not_ask_is_not_told_and_a_notification_is_no_cause_for_another(told: Callable[..., Line]) -> None:
    line = told()
    send(line)
    line.skip(days=9)
    assert expire(line) == 1
    line.skip(days=9)  # nobody fetches the notification
    assert expire(line) == 1
    line.skip(days=9)
    assert expire(line) == 0
    assert line.rows("messages") == 2
    assert line.rows("payloads") == 0


def test_each_addressee_for_whom_it_is_lost_brings_one(told: Callable[..., Line]) -> None:
    line = told()
    for _ in range(3):
        send(line)
    confirmed = send(line)
    ask(line, "energie", "HaalBerichtOp", number(confirmed))
    ask(line, "energie", "BevestigBericht", number(confirmed))
    line.skip(days=9)
    assert line.gate.mailbox.expire(line.at, 2, partial(lapsed, gate=line.gate, now=line.at)) == 2
    assert expire(line) == 1
    assert len(waiting(line, "gemeente")) == 3
    assert line.rows("conversations") == 4 + 3


def test_a_hub_that_cannot_sign_lets_the_term_end_all_the_same(told: Callable[..., Line]) -> None:
    line = told()
    lost = send(line)
    line.at += timedelta(days=3650)  # every certificate lapsed long ago
    assert expire(line) == 1
    assert state(line, lost) is DeliveryState.VERLOPEN
    assert [event for event, _ in line.events if event == "notification-not-made"]
    assert line.rows("payloads") == 0


def test_for_a_party_with_its_own_key_the_notification_is_encrypted_to_it(told: Callable[..., Line]) -> None:
    line = told(gemeente={"notifications": frozenset({"verlopen"}), "profiles": {"postbus": "2W-be-SE"}})
    send(line)
    line.skip(days=9)
    expire(line)
    assert (line.rows("payloads"), line.rows("addressed_payloads")) == (0, 1)


@pytest.mark.parametrize(("received", "last"), [
    ("2026-11-23T12:00:00", "2026-11-30T22:59:59"),  # winter
    ("2026-06-01T12:00:00", "2026-06-08T21:59:59"),  # summer
    ("2027-03-22T12:00:00", "2027-03-30T21:59:59"),  # over the start of summer time, with Easter Monday
    ("2026-10-19T12:00:00", "2026-10-26T22:59:59"),  # over its end
])
def test_a_term_ends_at_the_last_second_in_amsterdam(
    template: Path, tmp_path: Path, received: str, last: str
) -> None:
    """The hub's clock alone moves: certificates are of today, so requests are not what is tried here."""
    line = make_line(template, tmp_path / "instance")
    reference = send(line)
    start, end = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (received, last))
    assert expiry(start, line.gate.term_days, line.gate.is_working_day) == end
    with closing(sqlite3.connect(line.instance.folder / "gateway.db")) as database, database:
        database.execute("UPDATE deliveries SET expires_at = ?", (micros(end),))
    line.at = end - timedelta(microseconds=1)
    assert expire(line) == 0
    assert state(line, reference) is DeliveryState.BESCHIKBAAR
    line.at = end
    assert state(line, reference) is DeliveryState.VERLOPEN
    assert expire(line) == 1
